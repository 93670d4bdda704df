"""Certificates of a made-up authority: a good one, an expired one, and one for another host."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path


class Certificates:
    """An authority (`ca_file` is its certificate) and server contexts by what is wrong with them.

    `address` is whom the good one is for.
    """

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self._address = address
        self._authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)

    @property
    def good(self) -> ssl.SSLContext:
        """For the address (127.0.0.1) and localhost."""
        return _context(self._authority.issue_cert(self._address, "localhost"))

    @property
    def expired(self) -> ssl.SSLContext:
        """For 127.0.0.1, until yesterday."""
        now = datetime.now(UTC)
        certificate = self._authority.issue_cert(
            "127.0.0.1", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
        )
        return _context(certificate)

    @property
    def other_host(self) -> ssl.SSLContext:
        """For hub.example.com."""
        return _context(self._authority.issue_cert("hub.example.com"))


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
