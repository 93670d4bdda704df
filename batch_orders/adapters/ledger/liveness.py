"""Whether a run is alive, on one machine: each holds an operating-system lock on a file of its own while it lives.

The lock goes when the process goes, however it ends, so a dead run is recognised at once and never by a timeout.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from batch_orders.errors import BatchOrdersError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FileLocks:
    """The lock files of one ledger's runs, in a folder beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, FileLock] = {}

    def begin(self, run_id: str) -> None:
        """Hold the run's lock until `end` or the end of this process. Call it before the run is entered anywhere.

        BatchOrdersError where the lock cannot be made.
        """
        lock = self._lock(run_id)
        with self._explained():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        self._held[run_id] = lock

    def end(self, run_id: str) -> None:
        """Let the run's lock go."""
        lock = self._held.pop(run_id, None)
        if lock is not None:
            lock.release()
            with contextlib.suppress(OSError):
                self._path(run_id).unlink()

    def is_alive(self, run_id: str) -> bool:
        """Whether some process, this one included, holds the run's lock; BatchOrdersError where nobody can tell."""
        if run_id in self._held:
            return True
        lock = self._lock(run_id)
        with self._explained():
            if not self._path(run_id).exists():
                return False
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return True
        lock.release()
        return False

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Timeout:
            raise
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise BatchOrdersError(ledgers.failed(self._folder, reason), hint=ledgers.how_to_repair()) from error

    def _lock(self, run_id: str) -> FileLock:
        return FileLock(self._path(run_id), mode=0o600, thread_local=False)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"
