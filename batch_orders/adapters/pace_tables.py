"""The pace's few numbers in two unlogged tables of the ledger's database, for every process on every machine.

All instants there are the database's, so that machines whose clocks differ share one pace. What a process is told is
by its own clock, and early by the time that it takes to ask and to be answered: what is judged and written down is the
instant at which the order will really leave, however far away the database is.

After a crash of the server the tables are empty. Whoever finds them so waits until a window has passed.
"""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from batch_orders.adapters import postgres
from batch_orders.stages.pace import PaceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_orders.places import LedgerUrl

_T = TypeVar("_T")

# A lost one does no harm: the tables themselves do not survive a crash.
_SETTINGS: Final = {"synchronous_commit": "off", "lock_timeout": "10s", "application_name": "batch-orders pace"}
_TRY_AGAIN: Final = 0.5
# Slots that are remembered by both clocks: more than a process has on their way.
_MOST_SLOTS: Final = 1_000
# The second statement waits for whoever has the row; each of those after it sees what was committed before that.
_LOOK: Final = """
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT next_slot, blocked_until FROM pace FOR UPDATE;
    SELECT last.number, left_at.at, extract(epoch FROM clock_timestamp())::float8
    FROM (SELECT coalesce(max(number), 0) AS number FROM left_at) AS last
    LEFT JOIN left_at ON left_at.number = last.number + 1 - {orders:d}
"""
_FIRST: Final = "INSERT INTO pace VALUES (1, %s, 0) ON CONFLICT DO NOTHING"


class PaceTables:
    """The tables. One thread uses them, with a connection of their own."""

    def __init__(self, place: LedgerUrl, *, orders: int, window: float, clock: Callable[[], float]) -> None:
        self._driver = postgres.load_driver()
        self._place = place
        self._look_for = _LOOK.format(orders=orders)
        self._window = window
        self._clock = clock
        self._connection: Any = None  # psycopg's
        self._cursor: Any = None
        self._trip = _Trip()

    def open(self, first: float) -> None:
        """Connect; where the tables are empty the first slot is at `first`, by the database's clock."""
        try:
            self._connect()
            self._connection.execute(_FIRST, [first])
        except self._driver.Error as error:
            self.close()
            raise postgres.failed(self._place, error) from None

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()

    def transact(self, step: Callable[[_Rows], _T]) -> _T:
        """What the step gives, in one transaction that no other process interrupts.

        Where the connection is lost the step is taken again: a slot that nobody uses does no harm.
        """
        ends_at = time.monotonic() + postgres.PATIENCE
        for wait in itertools.chain([0.0], itertools.repeat(_TRY_AGAIN)):
            try:
                if self._connection.closed:
                    self._connect()
                return self._transact(step)
            except self._driver.Error as error:
                is_lost = not self._stands_again()
                if not is_lost or time.monotonic() > ends_at:
                    raise postgres.failed(self._place, error) from None
            time.sleep(wait)
        raise AssertionError  # the waits never end

    def _stands_again(self) -> bool:
        """Whether the connection is there for another transaction: one that is cut may be noticed only now."""
        if not self._connection.closed:
            try:
                self._connection.rollback()
            except self._driver.Error:
                self._connection.close()
        return not self._connection.closed

    def _connect(self) -> None:
        self._connection = postgres.connect(self._place, settings=_SETTINGS)
        # This one puts the values into the text itself, so that several statements make one trip.
        self._cursor = self._driver.ClientCursor(self._connection)
        with self._trip.measured():
            self._connection.execute("SELECT 1")

    def _transact(self, step: Callable[[_Rows], _T]) -> _T:
        rows = self._look()
        try:
            done = step(rows)
        except BaseException:
            self._connection.rollback()
            raise
        with self._trip.measured():
            self._cursor.execute("; ".join([*rows.changes, "COMMIT"]), rows.values)
        return done

    def _look(self) -> _Rows:
        while True:
            cursor = self._connection.execute(self._look_for)
            cursor.nextset()
            state = cursor.fetchone()
            cursor.nextset()
            last, nth, now = cursor.fetchone()
            if state is not None:
                state = PaceState(next_slot=state[0], blocked_until=state[1])
                return _Rows(state, last=last, nth=nth, now=now, here=self._clock(), trip=self._trip)
            # What left, left before now.
            self._connection.execute(_FIRST, [now + self._window])
            self._connection.execute("COMMIT")


class _Trip:
    """How long it takes to the database and back, and which of its instants stand for which of ours."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._slots: dict[float, float] = {}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """The block is one question, which waits for nobody."""
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        # A way that has become longer is believed little by little, one that has become shorter at once.
        self.seconds = min(took, 0.9 * self.seconds + 0.1 * took) if self.seconds else took

    def remember(self, ours: float, theirs: float) -> None:
        self._slots[ours] = theirs
        if len(self._slots) > _MOST_SLOTS:
            del self._slots[next(iter(self._slots))]

    def recall(self, ours: float) -> float | None:
        return self._slots.pop(ours, None)


class _Rows:
    """What the tables hold, within a transaction that has the row (see `pacing.PaceRows`)."""

    def __init__(self, state: PaceState, *, last: int, nth: float | None, now: float, here: float, trip: _Trip) -> None:
        self.changes: list[str] = []
        self.values: list[float] = []
        self._state, self._last, self._nth = state, last, nth
        self._trip = trip
        # The database's clock as the answer came, our stop watch then, and how far ahead of ours that clock is.
        self._now, self._watch = now + trip.seconds / 2, time.monotonic()
        self._ahead = self._now - here

    def now(self) -> float:
        """When an order that goes now leaves: the change has to be committed first."""
        return self._now + time.monotonic() - self._watch + self._trip.seconds

    def nth_before(self) -> float | None:
        return self._nth

    def state(self) -> PaceState:
        return self._state

    def take(self, next_slot: float) -> None:
        self._change("UPDATE pace SET next_slot = %s", next_slot)

    def leave(self, at: float, *, keep: int) -> None:
        number = self._last + 1
        self._change("INSERT INTO left_at VALUES (%s, %s)", number, at)
        self._change("DELETE FROM left_at WHERE number < %s", number - keep)

    def block(self, until: float) -> None:
        self._change("UPDATE pace SET blocked_until = greatest(blocked_until, %s)", until)

    def here(self, instant: float) -> float:
        """When to ask, by our clock, so that an order leaves at this instant: two trips before it."""
        ours = instant - self._ahead - 2 * self._trip.seconds
        self._trip.remember(ours, instant)
        return ours

    def there(self, instant: float) -> float:
        known = self._trip.recall(instant)
        return instant + self._ahead if known is None else known

    def _change(self, statement: str, *values: float) -> None:
        self.changes.append(statement)
        self.values += values
