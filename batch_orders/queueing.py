"""Ordering by way of workers: orders are handed over, and whoever handed them over watches how they end.

From the hand-over on any worker may place an order, whatever becomes of this process. The ledger tells how each ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from batch_orders.errors import BatchOrdersError
from batch_orders.messages import outcomes, queues
from batch_orders.models import OrderState, Outcome, RowStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from batch_orders.models import Claim, Remembered
    from batch_orders.ports import Memory, Workers
    from batch_orders.sending import Line

# Seconds between two looks at how the orders stand.
_LOOK_AGAIN = 1.0

_ENDED = {
    OrderState.ORDERED: RowStatus.ORDERED,
    OrderState.REJECTED: RowStatus.REJECTED,
    OrderState.UNKNOWN: RowStatus.UNKNOWN,
}


async def place_by_workers(
    line: Line, workers: Workers, memory: Memory, claims: Sequence[Claim], *, waits: bool
) -> dict[str, Outcome]:
    """Hand the orders over; how each ended, by its key. Orders that were not sent are left out.

    Without `waits` the run stops at once, and the workers go on. With it, whatever ends the waiting early takes back
    what no worker has begun, so that a run that has ended orders nothing more.
    """
    if line.stop:
        return {}
    run_id = claims[0].run_id
    watch = _Watch(line, workers, memory, claims)
    try:
        await line.write(lambda: workers.hand_over(claims))
        if not waits:
            told = queues.handed_over(len(claims))
            line.stop.because(told, hint=queues.how_to_fetch_results(run_id))
            line.stop.is_handed_over = line.stop.reason == told
            return {claim.key: Outcome(status=RowStatus.NOT_SENT, message=outcomes.queued()) for claim in claims}
        await watch.until_all_have_ended()
    except BatchOrdersError:
        # The ledger failed; the hand-over may have been committed all the same.
        with contextlib.suppress(BatchOrdersError):
            await line.write(lambda: workers.take_back(run_id))
        raise
    if watch.waiting:
        await line.write(lambda: workers.take_back(run_id))
        await watch.until_none_is_under_way()
    return watch.ended


class _Hope:
    """Whether it makes sense to wait on: an order moves now and then, or a worker stays.

    Where Device Hub is away, each worker gives up after `patience` (seconds) and is started again: there is always one,
    and nothing comes of it. One that stays for longer has work, or waits for the pace.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._until = time.monotonic() + patience
        self._seen_since: dict[str, float] = {}
        self._has_lost_one = False

    def looked(self, workers: Collection[str], *, has_moved: bool) -> bool:
        """Take note of who is alive, and whether an order has moved since the last look; false where hope is over."""
        now = time.monotonic()
        self._has_lost_one = not has_moved and (self._has_lost_one or not self._seen_since.keys() <= set(workers))
        self._seen_since = {worker: self._seen_since.get(worker, now) for worker in workers}
        stays = any(now - since > 2 * self._patience for since in self._seen_since.values())
        if has_moved or stays or (workers and not self._has_lost_one):
            self._until = now + self._patience
        return now <= self._until


class _Watch:
    """The orders of one run that workers have, and how those that have ended did."""

    def __init__(self, line: Line, workers: Workers, memory: Memory, claims: Sequence[Claim]) -> None:
        self._line = line
        self._workers = workers
        self._memory = memory
        self._run_id = claims[0].run_id
        self.waiting = {claim.key for claim in claims}
        self.ended: dict[str, Outcome] = {}

    async def until_all_have_ended(self) -> None:
        """Look until every order has ended, or the run stops: by a person, or as no worker gets on."""
        hope = _Hope(self._line.policy.patience)
        seen: object = None
        while self.waiting and not self._line.stop:
            now_seen = [(order.key, order.state, order.attempts) for order in await self._look()]
            workers = await self._line.write(self._workers.alive)
            if not hope.looked(workers, has_moved=now_seen != seen):
                told = queues.workers_give_up() if workers else queues.no_worker()
                self._line.stop.because(told, hint=queues.how_to_start_a_worker())
            seen = now_seen
            if self.waiting:
                await self._line.pause(_LOOK_AGAIN)

    async def until_none_is_under_way(self) -> None:
        """The run has stopped: what workers are sending is theirs to end, and takes no longer than a call does.

        Nothing else is busy any more, but what another run has taken in hand.
        """
        while any(order.state is OrderState.SENDING for order in await self._look()):  # noqa: ASYNC110 - it looks
            await asyncio.sleep(_LOOK_AGAIN)

    async def _look(self) -> Iterable[Remembered]:
        """How the orders that have not ended yet stand now."""
        known: Mapping[str, Remembered] = await self._line.write(lambda: self._memory.recall(sorted(self.waiting)))
        for key, order in known.items():
            if order.state in _ENDED:
                self.ended[key] = self._outcome(order)
                self._line.progress.ended(self.ended[key].status.value)
            elif order.queued_by == self._run_id or order.busy:
                continue
            # Else somebody took it out of the queue and has not sent it: it is as free as if it had never been there.
            self.waiting.discard(key)
        return [known[key] for key in self.waiting]

    def _outcome(self, order: Remembered) -> Outcome:
        if order.state is OrderState.ORDERED and order.run_id != self._run_id:
            return order.outcome(RowStatus.ALREADY_ORDERED, outcomes.already_ordered(order))
        return order.outcome(_ENDED[order.state], order.message)
