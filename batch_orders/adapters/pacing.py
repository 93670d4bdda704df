"""The pace, shared by every process on a ledger through a small SQLite file beside it.

Nothing here need survive a power cut (`synchronous=OFF`): whoever finds the file gone, or broken, makes a new one and
waits until a window has passed since the ledger's last attempt.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from batch_orders.adapters.private_files import open_private
from batch_orders.errors import BatchOrdersError
from batch_orders.messages import ledgers
from batch_orders.stages import pace
from batch_orders.stages.pace import PaceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from batch_orders.sending import Stop

_T = TypeVar("_T")

# How long another process may hold the file, in seconds: it does so for microseconds.
_PATIENCE = 10
# Seconds: between two looks at whether a hold is still on; and longer than anything on its way waits for its slot.
_LOOK_AGAIN = 0.1
_FAR_AWAY = 3600.0
# Entries of the log that are kept beyond those a window may hold, for a later run with a higher rate.
_KEPT = 1_000
# What SQLite says of a file that a power cut has broken: damaged, or no database at all.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pace (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), next_slot REAL NOT NULL, blocked_until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS left_at (number INTEGER PRIMARY KEY, at REAL NOT NULL);
"""


class SharedPace:
    """`orders` per `window` seconds over every process that uses this file."""

    def __init__(
        self,
        path: Path,
        *,
        orders: int,
        window: float,
        last_sent_at: datetime | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._orders = orders
        self._window = window
        self._clock = clock
        # One thread owns the connection, so that waiting for another process never stops the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pace")
        try:
            self._connection = self._thread.submit(self._open, last_sent_at).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    async def reserve(self, lead: float = 0.0) -> float:
        """Take the next free slot that is at least `lead` seconds away: an instant in seconds since the epoch."""
        return await self._run(lambda: self._reserve(lead))

    async def enter(self, slot: float) -> float | None:
        """At the slot's instant: None to go now, else the later slot to wait for."""
        return await self._run(lambda: self._enter(slot))

    async def pause(self, until: float) -> None:
        """Nobody sends before then, in any process."""
        await self._run(lambda: self._pause(until))

    async def _run(self, step: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)

    def _reserve(self, lead: float) -> float:
        with self._transaction() as connection:
            return self._reserve_in(connection, lead)

    def _reserve_in(self, connection: sqlite3.Connection, lead: float) -> float:
        earliest = self._clock() + lead
        state, slot = pace.reserve(_state(connection), now=earliest, orders=self._orders, window=self._window)
        connection.execute("UPDATE pace SET next_slot = ?", (state.next_slot,))
        return slot

    def _enter(self, slot: float) -> float | None:
        with self._transaction() as connection:
            last = connection.execute("SELECT max(number) FROM left_at").fetchone()[0] or 0
            nth = connection.execute("SELECT at FROM left_at WHERE number = ?", (last + 1 - self._orders,)).fetchone()
            now, state = self._clock(), _state(connection)
            if slot < state.blocked_until:  # a slot of its own after the pause: else all who wait would leave at once
                return self._reserve_in(connection, 0.0)
            wait = pace.enter(state, now=now, slot=slot, nth_before=nth[0] if nth else None, window=self._window)
            if wait is not None:
                return wait
            if now > slot + pace.lateness(self._orders, self._window):
                return self._reserve_in(connection, 0.0)
            connection.execute("INSERT INTO left_at VALUES (?, ?)", (last + 1, now))
            connection.execute("DELETE FROM left_at WHERE number < ?", (last + 1 - self._orders - _KEPT,))
            return None

    def _pause(self, until: float) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE pace SET blocked_until = max(blocked_until, ?)", (until,))

    def _open(self, last_sent_at: datetime | None) -> sqlite3.Connection:
        first = last_sent_at.timestamp() + self._window if last_sent_at else 0.0
        with self._explained():
            try:
                return self._opened(first)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BROKEN:
                    raise
                return self._opened_anew(first)

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
        """The file, open; a new one gives its first slot at the instant `first`."""
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


class Hold:
    """Whether a run that is under way waits: a person may turn it on and off, from any thread."""

    def __init__(self) -> None:
        self._on = threading.Event()

    def __bool__(self) -> bool:
        return self._on.is_set()

    def turn(self, *, on: bool) -> None:
        """From now on nothing new leaves, or everything goes on."""
        (self._on.set if on else self._on.clear)()


class HeldPace:
    """A pace that gives no way while the hold is on. What has left already is not called back."""

    def __init__(self, pace: SharedPace, hold: Hold, stop: Stop) -> None:
        self._pace = pace
        self._hold = hold
        self._stop = stop

    async def reserve(self, lead: float = 0.0) -> float:
        """The next free slot, taken when the hold is over (or the run stops): until then other runs have them all."""
        while self._hold and not self._stop:  # noqa: ASYNC110 - threads turn it; an asyncio.Event is one loop's own
            await asyncio.sleep(_LOOK_AGAIN)
        return await self._pace.reserve(lead)

    async def enter(self, slot: float) -> float | None:
        """At the slot's instant: None to go now, else the later slot.

        Under a hold that is one so far away that no connection is kept open for it: the order gives its slot up.
        """
        return time.time() + _FAR_AWAY if self._hold else await self._pace.enter(slot)

    async def pause(self, until: float) -> None:
        """Nobody sends before then, in any process."""
        await self._pace.pause(until)


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code (https://sqlite.org/rescode.html), whatever the extended one says beside it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _require_sound(connection: sqlite3.Connection) -> None:
    """DatabaseError where the file is damaged in a place that was not read yet."""
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        error = sqlite3.DatabaseError("the file is damaged")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def _state(connection: sqlite3.Connection) -> PaceState:
    next_slot, blocked_until = connection.execute("SELECT next_slot, blocked_until FROM pace").fetchone()
    return PaceState(next_slot=next_slot, blocked_until=blocked_until)
