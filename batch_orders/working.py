"""A worker: places the orders that others have handed over, for as long as it lives.

Each worker is a run of its own in the ledger, so that one that has died is recognised like any other: what it had not
sent goes to another worker, and what it was sending is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batch_orders import wiring
from batch_orders.errors import BatchOrdersError
from batch_orders.messages import queues
from batch_orders.models import WORKER, RunRecord
from batch_orders.pipeline import UNEXPECTED
from batch_orders.sending import Line, send_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.wiring import World


class Worked(NamedTuple):
    """What a worker did: orders that it dealt with, why it stopped ("" where no order was left), and its exit code."""

    orders: int
    stopped: str
    exit_code: int


async def work(world: World, *, until_empty: bool = False) -> Worked:
    """Place queued orders until somebody stops it, or with `until_empty` until there are no more.

    UsageError where the ledger is a file: nobody shares it. What stops a run stops a worker too; whoever looks after it
    starts it again.
    """
    with world.ledger() as ledger, contextlib.closing(wiring.pace_of(world, ledger)) as pace:
        queue = wiring.queue_of(world, ledger)
        async with world.device_hub() as hub:
            record = _record(world)
            careful = ledger.begin_run(record)
            line = Line(
                desk=hub,
                journal=ledger,
                pace=pace,
                policy=dataclasses.replace(wiring.policy_of(world), careful=careful),
                progress=world.progress,
                stop=world.stop,
            )
            bench = _Bench(line, ledger, record.run_id)
            code = UNEXPECTED
            world.progress.note(queues.worker_begins(world.host))
            try:
                await queue.work(
                    bench.place,
                    bench.left_behind,
                    concurrency=world.settings.concurrency,
                    until_empty=until_empty,
                    stop=world.stop.event,
                )
                code = world.stop.exit_code
            finally:
                line.close()
                ledger.end_run(record.run_id, code)
            return Worked(bench.placed, " ".join(part for part in (world.stop.reason, world.stop.hint) if part), code)


class _Bench:
    """What one worker has in hand."""

    def __init__(self, line: Line, ledger: Ledger, worker_id: str) -> None:
        self._line = line
        self._ledger = ledger
        self._worker_id = worker_id
        self._places = asyncio.Semaphore(line.policy.concurrency)
        self._alone = asyncio.Lock()
        self.placed = 0

    async def place(self, key: str, run_id: str) -> None:
        """Place one order, if it is still there to be placed."""
        line = self._line
        with self._ending():
            async with self._places, self._turn():
                # Where the line has stopped the order stays queued: the next sweep of any worker finds it.
                claim = None if line.stop else await line.write(lambda: self._ledger.take(self._worker_id, key, run_id))
                if claim is not None and await send_order(line, claim) is not None:
                    self.placed += 1

    async def left_behind(self) -> Iterable[tuple[str, str]]:
        """The queued orders that nobody has in hand."""
        with self._ending():
            return await self._line.write(self._ledger.queued)
        return ()

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """A ledger that cannot be read or written ends the worker: no gate opens after that."""
        try:
            yield
        except BatchOrdersError as error:
            self._line.stop.because(error.message, hint=error.hint, exit_code=error.exit_code)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """While the line is to be careful, here or since another worker stopped it, orders go one by one."""
        self._line.careful = self._line.careful or await self._line.write(self._ledger.is_line_stopped)
        async with self._alone if self._line.careful else contextlib.nullcontext():
            yield


def _record(world: World) -> RunRecord:
    now = datetime.now(UTC)
    return RunRecord(
        run_id=f"{WORKER}-{wiring.new_run_id(now)}",
        command=WORKER,
        input=Path(WORKER),
        host=world.host,
        started_at=now,
        sheet=b"",
        options={},
    )
