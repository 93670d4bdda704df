"""The pace's few numbers in a small SQLite file beside the ledger, for the processes of one machine.

Nothing here need survive a power cut (`synchronous=OFF`): whoever finds the file gone, or broken, makes a new one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from batch_orders.adapters.private_files import open_private
from batch_orders.errors import BatchOrdersError
from batch_orders.messages import ledgers
from batch_orders.stages.pace import PaceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_T = TypeVar("_T")

# How long another process may hold the file, in seconds: it does so for microseconds.
_PATIENCE = 10
# What SQLite says of a file that a power cut has broken: damaged, or no database at all.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pace (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), next_slot REAL NOT NULL, blocked_until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS left_at (number INTEGER PRIMARY KEY, at REAL NOT NULL);
"""
_LOOK = """
SELECT next_slot, blocked_until, last.number, left_at.at
FROM pace, (SELECT coalesce(max(number), 0) AS number FROM left_at) AS last
LEFT JOIN left_at ON left_at.number = last.number + 1 - ?
"""
# How often what is not needed any more is removed, in orders.
_SOMETIMES = 100


class PaceFile:
    """The file. Its clock is this machine's."""

    def __init__(self, path: Path, *, orders: int, clock: Callable[[], float]) -> None:
        self._path = path
        self._orders = orders
        self._clock = clock
        self._connection: sqlite3.Connection

    def open(self, first: float) -> None:
        """The file, open; a new one, or one in the place of a broken one, gives its first slot at `first`."""
        with self._explained():
            try:
                self._connection = self._opened(first)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BROKEN:
                    raise
                self._connection = self._opened_anew(first)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def transact(self, step: Callable[[_Rows], _T]) -> _T:
        """What the step gives, in one transaction that no other process interrupts."""
        with self._transaction() as connection:
            return step(_Rows(connection, self._orders, self._clock))

    def _opened_anew(self, first: float) -> sqlite3.Connection:
        """A new file in the place of the broken one; where several processes find it broken, the first one's."""
        with FileLock(f"{self._path}.lock", timeout=_PATIENCE, mode=0o600):
            try:
                return self._opened(first)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BROKEN:
                    raise
            self._path.replace(self._path.with_name(f"{self._path.name}.broken"))
            self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
            return self._opened(first)

    def _opened(self, first: float) -> sqlite3.Connection:
        os.close(open_private(self._path, os.O_RDWR))
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
        try:
            # A journal in the file system: with one in memory, a kill in mid-commit leaves a broken file.
            connection.execute("PRAGMA journal_mode=TRUNCATE")
            connection.execute("PRAGMA synchronous=OFF")
            connection.executescript(_SCHEMA)
            _require_sound(connection)
            connection.execute("INSERT OR IGNORE INTO pace VALUES (1, ?, 0)", (first,))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise BatchOrdersError(ledgers.failed(self._path, str(error)), hint=ledgers.how_to_repair()) from error


class _Rows:
    """What the file holds, within a transaction (see `pacing.PaceRows`)."""

    def __init__(self, connection: sqlite3.Connection, orders: int, clock: Callable[[], float]) -> None:
        self._connection = connection
        self.now = clock
        self._nth: float | None
        next_slot, blocked_until, self._last, self._nth = connection.execute(_LOOK, (orders,)).fetchone()
        self._state = PaceState(next_slot=next_slot, blocked_until=blocked_until)

    def nth_before(self) -> float | None:
        return self._nth

    def state(self) -> PaceState:
        return self._state

    def take(self, next_slot: float) -> None:
        self._connection.execute("UPDATE pace SET next_slot = ?", (next_slot,))

    def leave(self, at: float, *, keep: int) -> None:
        number = self._last + 1
        self._connection.execute("INSERT INTO left_at VALUES (?, ?)", (number, at))
        if number % _SOMETIMES == 0:
            self._connection.execute("DELETE FROM left_at WHERE number < ?", (number - keep,))

    def block(self, until: float) -> None:
        self._connection.execute("UPDATE pace SET blocked_until = max(blocked_until, ?)", (until,))

    def here(self, instant: float) -> float:
        return instant

    def there(self, instant: float) -> float:
        return instant


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code (https://sqlite.org/rescode.html), whatever the extended one says beside it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _require_sound(connection: sqlite3.Connection) -> None:
    """DatabaseError where the file is damaged in a place that was not read yet."""
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        error = sqlite3.DatabaseError("the file is damaged")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error
