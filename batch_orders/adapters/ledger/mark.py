"""The high-water mark beside a ledger: how far its audit has come, so that an older copy of it is recognised."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from batch_orders.adapters.private_files import open_private

if TYPE_CHECKING:
    from pathlib import Path


def mark_beside(ledger: Path) -> Path:
    """Where the mark of the ledger at this path stands."""
    return ledger.with_name(ledger.name + ".mark")


class HighWaterMark:
    """One account's mark in a small file. A mark of another account, of a ledger that was here before, is none."""

    def __init__(self, path: Path, account_id: str) -> None:
        self._path = path
        self._account_id = account_id

    def read(self) -> int:
        """How many entries the audit is known to have had; 0 where there is no mark that can be read."""
        try:
            account_id, entries = self._path.read_text().split()
            return int(entries) if account_id == self._account_id else 0
        except (OSError, ValueError):
            return 0

    def rise(self, entries: int) -> None:
        """The audit has this many entries now; a mark that is higher already stays: the ledger may be an old copy."""
        if entries > self.read():
            self.set(entries)

    def set(self, entries: int) -> None:
        """Put the mark here, also below where it was. One that cannot be written guards less, and stops nothing."""
        with contextlib.suppress(OSError):
            descriptor = open_private(self._path, os.O_WRONLY)
            try:
                # All of it at once and always as long, so that a kill leaves the old mark or the new one.
                os.pwrite(descriptor, f"{self._account_id:40} {entries:20}\n".encode(), 0)
            finally:
                os.close(descriptor)
