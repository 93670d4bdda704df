"""Whether a run is alive: each holds an operating-system lock on a file of its own for as long as it lives.

The lock goes when the process goes, however it ends, so a dead run is recognised at once and never by a timeout.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from pathlib import Path


class Liveness:
    """The lock files of one ledger's runs, in a folder beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, FileLock] = {}

    def begin(self, run_id: str) -> None:
        """Hold the run's lock until `end` or the end of this process. Call it before the run is entered anywhere."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._lock(run_id)
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
        """Whether some process, this one included, still holds the run's lock."""
        if run_id in self._held:
            return True
        if not self._path(run_id).exists():
            return False
        lock = self._lock(run_id)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False

    def _lock(self, run_id: str) -> FileLock:
        return FileLock(self._path(run_id), mode=0o600, thread_local=False)

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"
