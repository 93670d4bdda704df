"""Virtual time: an event loop whose clock leaps to the next thing due, and a writer "thread" that runs on it.

Nothing waits and nothing runs in parallel, so a history is quick, and the same every time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds that one ledger step takes: time enough for an interrupt to come in the middle.
STEP = 0.01
_EPOCH = 1_800_000_000.0


class Clock:
    """What the program takes for the module `time`."""

    def __init__(self) -> None:
        self._now = 0.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return _EPOCH + self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._now

    def leap(self, seconds: float) -> None:
        """So much time is over."""
        self._now += seconds


class _LeapingSelector(selectors.DefaultSelector):
    """Where the event loop would sleep, the clock leaps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits, and nothing will ever happen"
            self._clock.leap(max(timeout, 0.0))
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(_LeapingSelector(clock))
        self._clock = clock
        # What a killed run's tasks end with interests nobody.
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        """The virtual instant."""
        return self._clock.monotonic()

    def run_for(self, seconds: float) -> None:
        """Let everybody go on for so long."""
        self.call_later(seconds, self.stop)
        self.run_forever()


class VirtualWriter:
    """Stands in for the ledger's thread (a ThreadPoolExecutor of one): the same queue, in virtual time."""

    def __init__(self, *_: object, **__: object) -> None:
        self._queue: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, step: Callable[[], Any]) -> Future[Any]:
        """Have a step run after those before it."""
        future: Future[Any] = Future()
        self._queue.append((future, step))
        asyncio.get_running_loop().call_later(STEP, self._run_one)
        return future

    def shutdown(self) -> None:
        """Run what is left, as a thread's end is waited for."""
        while self._queue:
            self._run_one()

    def _run_one(self) -> None:
        if not self._queue:
            return
        future, step = self._queue.popleft()
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(step())
            except BaseException as error:  # noqa: BLE001 - as the thread does
                future.set_exception(error)
