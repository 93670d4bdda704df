"""The high-water mark of a ledger: how far its audit has come, so that an older copy of it is recognised.

Each machine keeps its own, outside the ledger.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.adapters.private_files import open_private

if TYPE_CHECKING:
    from pathlib import Path


class Mark(NamedTuple):
    """An entry of the audit: how manieth it is, and its seal, by which a ledger knows it for its own."""

    entries: int
    seal: str


NO_MARK = Mark(0, "")
# Bytes: more than a mark takes.
_LONGEST = 1_000


class HighWaterMark:
    """One account's mark in a small file. A mark of another account, of a ledger that was here before, is none."""

    def __init__(self, path: Path, account_id: str) -> None:
        self.path = path
        self._account_id = account_id

    def read(self) -> Mark:
        """The newest entry that the audit is known to have had; NO_MARK where there is none that can be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return NO_MARK
        try:
            account_id, entries, seal = os.read(descriptor, _LONGEST).decode().split()
            return Mark(int(entries), seal) if account_id == self._account_id else NO_MARK
        except (OSError, ValueError):
            return NO_MARK
        finally:
            os.close(descriptor)

    def rise(self, mark: Mark) -> None:
        """The audit has come this far now; a mark that is higher already stays: another process was quicker.

        OSError where it cannot be written.
        """
        if mark.entries > self.read().entries:
            self.set(mark)

    def set(self, mark: Mark) -> None:
        """Put the mark here, also below where it was; OSError where it cannot be written."""
        descriptor = open_private(self.path, os.O_WRONLY)
        try:
            # All of it at once and always as long, so that a kill leaves the old mark or the new one.
            os.pwrite(descriptor, f"{self._account_id:40} {mark.entries:20} {mark.seal:64}\n".encode(), 0)
        finally:
            os.close(descriptor)
