"""The pace, shared by every process on a ledger, and held by a person who presses pause.

Its law is `stages/pace.py`; its few numbers stand in a small file beside the ledger (`pace_file`), or in the ledger's
database (`pace_tables`). Neither need survive a power cut: where nothing is known of what left, a window is waited out
since the ledger's last attempt.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from batch_orders.adapters.pace_file import PaceFile
from batch_orders.stages import pace

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from batch_orders.places import LedgerPlace
    from batch_orders.sending import Stop
    from batch_orders.stages.pace import PaceState

_T = TypeVar("_T")

# Seconds: between two looks at whether a hold is still on; and longer than anything on its way waits for its slot.
_LOOK_AGAIN = 0.1
_FAR_AWAY = 3600.0
# Entries of the log that are kept beyond those a window may hold, for a later run with a higher rate.
_KEPT = 1_000


class PaceRows(Protocol):
    """What everyone who sends shares, within one transaction. All instants are in seconds since the epoch."""

    def now(self) -> float:
        """This instant by the clock that everyone shares."""

    def nth_before(self) -> float | None:
        """When the N-th order before the next one left, N being the orders that a window may hold."""

    def state(self) -> PaceState:
        """The next free slot, and until when nobody sends."""

    def take(self, next_slot: float) -> None:
        """From now on this is the next free slot."""

    def leave(self, at: float, *, keep: int) -> None:
        """One more order left; of those before it only so many need be kept."""

    def block(self, until: float) -> None:
        """Nobody sends before then."""

    def here(self, instant: float) -> float:
        """An instant of the shared clock, by this machine's."""

    def there(self, instant: float) -> float:
        """An instant of this machine's clock, by the shared one; one that `here` gave is what it was given for."""


class PaceStore(Protocol):
    """Where the pace's numbers stand. One thread calls its methods."""

    def open(self, first: float) -> None:
        """Get ready; where nothing is known of what left, the first slot is at the instant `first`."""

    def close(self) -> None:
        """Let everything go."""

    def transact(self, step: Callable[[PaceRows], _T]) -> _T:
        """What the step gives, in one transaction that no other process interrupts."""


class SharedPace:
    """`orders` per `window` seconds over every process that uses this place: a file, or a ledger's database.

    `last_sent_at` is when the ledger's last order may have left, by the ledger's clock; `clock` is this machine's.
    """

    def __init__(
        self,
        place: LedgerPlace,
        *,
        orders: int,
        window: float,
        last_sent_at: datetime | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._orders = orders
        self._window = window
        self._store = _store(place, orders=orders, window=window, clock=clock)
        # One thread owns the connection, so that waiting for another process never stops the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pace")
        try:
            first = last_sent_at.timestamp() + window if last_sent_at else 0.0
            self._thread.submit(self._store.open, first).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def close(self) -> None:
        """Let the place go."""
        self._thread.submit(self._store.close).result()
        self._thread.shutdown()

    async def reserve(self, lead: float = 0.0) -> float:
        """Take the next free slot that is at least `lead` seconds away: an instant in seconds since the epoch."""
        return await self._run(lambda rows: self._reserve(rows, lead))

    async def enter(self, slot: float) -> float | None:
        """At the slot's instant: None to go now, else the later slot to wait for."""
        return await self._run(lambda rows: self._enter(rows, slot))

    async def pause(self, until: float) -> None:
        """Nobody sends before then, in any process."""
        await self._run(lambda rows: rows.block(rows.there(until)))

    async def _run(self, step: Callable[[PaceRows], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._store.transact, step)

    def _reserve(self, rows: PaceRows, lead: float) -> float:
        earliest = rows.now() + lead
        state, slot = pace.reserve(rows.state(), now=earliest, orders=self._orders, window=self._window)
        rows.take(state.next_slot)
        return rows.here(slot)

    def _enter(self, rows: PaceRows, ours: float) -> float | None:
        nth, slot = rows.nth_before(), rows.there(ours)
        now, state = rows.now(), rows.state()
        if slot < state.blocked_until:  # a slot of its own after the pause: else all who wait would leave at once
            return self._reserve(rows, 0.0)
        wait = pace.enter(state, now=now, slot=slot, nth_before=nth, window=self._window)
        if wait is not None:
            return rows.here(wait)
        if now > slot + pace.lateness(self._orders, self._window):
            return self._reserve(rows, 0.0)
        rows.leave(now, keep=self._orders + _KEPT)
        return None


def _store(place: LedgerPlace, *, orders: int, window: float, clock: Callable[[], float]) -> PaceStore:
    if isinstance(place, Path):
        return PaceFile(place, orders=orders, clock=clock)
    from batch_orders.adapters.pace_tables import PaceTables  # noqa: PLC0415 - needs an extra

    return PaceTables(place, orders=orders, window=window, clock=clock)


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
