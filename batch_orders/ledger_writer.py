"""The ledger's own thread: everything that a run writes goes through it, one step after the other.

Steps of orders that come while another one is being committed are committed together: one sync of the disk serves them
all. None of them is heard of before it is durable.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from batch_orders.errors import OrderTakenError, RunStoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_orders.ports import Journal

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Step:
    run: Callable[[], Any]
    is_order: bool
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Future[Any]


class LedgerWriter:
    """Awaits each step to its end, also when whoever waits for it is cancelled.

    `failure` is what went wrong first. It is set in the thread, so that no gate opens between it and the event loop's
    hearing of it.
    """

    def __init__(self, journal: Journal) -> None:
        self.failure: BaseException | None = None
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._lock = threading.Lock()
        self._waiting: list[_Step] = []

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def write(self, run: Callable[[], _T], *, is_order: bool) -> _T:
        """What the step gives, or raises. One of an order writes in one transaction, which it may share with others."""
        loop = asyncio.get_running_loop()
        step = _Step(run, is_order, loop, loop.create_future())
        with self._lock:
            self._waiting.append(step)
        self._thread.submit(self._run_waiting)  # takes all that wait; the next ones find nothing to do then
        return await _see_through(step.ended)

    def _run_waiting(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for is_order, steps in groupby(waiting, key=lambda step: step.is_order):
            together = list(steps)
            if not (is_order and len(together) > 1 and self._ran_together(together)):
                for step in together:
                    self._run_alone(step)

    def _ran_together(self, steps: Sequence[_Step]) -> bool:
        """Whether all went well, in one transaction; else each is run alone, and finds out what was written of it."""
        try:
            done = self._journal.together([step.run for step in steps])
        except RunStoppedError:
            return False  # one of them has lost its order: the others have not
        except BaseException as error:  # noqa: BLE001 - what was answered may still be written down, but nothing leaves
            self._fail(error)
            return False
        self._look_at_mark()
        steps[0].loop.call_soon_threadsafe(_tell, steps, done)
        return True

    def _run_alone(self, step: _Step) -> None:
        try:
            done = step.run()
        except BaseException as error:  # noqa: BLE001 - whoever waits for it hears of it
            # After a failure nobody need have taken an order that is not as it was: a commit may stand although it
            # failed, and then the step is taken a second time here.
            told = self.failure if self.failure is not None and isinstance(error, RunStoppedError) else error
            if not isinstance(told, OrderTakenError):
                self._fail(told)
            step.loop.call_soon_threadsafe(_tell_failure, step, told)
        else:
            self._look_at_mark()
            step.loop.call_soon_threadsafe(_tell, [step], [done])

    def _look_at_mark(self) -> None:
        if trouble := self._journal.trouble:
            self._fail(trouble)

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error


def _tell(steps: Sequence[_Step], done: Sequence[Any]) -> None:
    for step, result in zip(steps, done, strict=True):
        step.ended.set_result(result)


def _tell_failure(step: _Step, error: BaseException) -> None:
    step.ended.set_exception(error)


async def _see_through(future: asyncio.Future[_T]) -> _T:
    """Await a future to its end even when this task is cancelled; then let the cancellation go on."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
