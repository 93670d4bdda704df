"""The ledger's thread: steps of orders that wait together are written together, and a failure is nobody else's."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import BatchOrdersError, OrderTakenError
from batch_orders.ledger_writer import LedgerWriter
from batch_orders.models import OrderState, Verdict, VerdictKind
from tests import orders as made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from batch_orders.models import Claim

_ORDERED = Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number="1001", status=200, evidence="HTTP 200")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a run that is under way."""
    with closing(Ledger.create(tmp_path / "ledger.sqlite")) as made_:
        made_.begin_run(made.run("r1"))
        yield made_


class _Counting:
    """The real ledger, and how many steps each transaction had that several shared."""

    def __init__(self, ledger: Ledger, *, fails: int = 0) -> None:
        self._ledger = ledger
        self._fails = fails
        self.shared: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def together(self, steps: Sequence[Callable[[], Any]]) -> list[Any]:
        self.shared.append(len(steps))
        if len(self.shared) <= self._fails:
            with self._ledger._write():  # as where the disk fails at the commit
                for step in steps:
                    step()
                raise BatchOrdersError("disk I/O error")
        return self._ledger.together(steps)


def _claims(ledger: Ledger, *names: str) -> list[Claim]:
    pairs = [(ledger.key(order), order) for order in map(made.order, names)]
    return list(ledger.claim("r1", pairs, retry_rejected=False).ours)


async def _all_at_once(writer: LedgerWriter, steps: Sequence[Callable[[], Any]]) -> list[Any]:
    """How the steps ended, all of which came while the thread was busy with another one."""
    may_end = threading.Event()
    busy = asyncio.create_task(writer.write(lambda: may_end.wait(30), is_order=False))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(writer.write(step, is_order=True)) for step in steps]
    await asyncio.sleep(0)
    may_end.set()
    done = await asyncio.gather(*waiting, return_exceptions=True)
    await busy
    return done


def _run(journal: Any, steps: Sequence[Callable[[], Any]]) -> tuple[list[Any], LedgerWriter]:
    writer = LedgerWriter(journal)
    try:
        return asyncio.run(_all_at_once(writer, steps)), writer
    finally:
        writer.close()


def test_what_waits_together_is_written_together(ledger: Ledger) -> None:
    """In one transaction, and each hears of its own."""
    journal = _Counting(ledger)
    claims = _claims(ledger, "ana", "ben", "cem")
    done, writer = _run(journal, [lambda claim=claim: ledger.intend(claim, "hash") for claim in claims])
    assert [attempt.claim for attempt in done] == claims
    assert (journal.shared, writer.failure) == ([3], None)
    assert ledger.counts()["sending"] == 3
    assert ledger.verify() == 3


def test_an_order_that_is_taken_is_its_own_affair(ledger: Ledger) -> None:
    """The others are written all the same, and nothing has failed."""
    journal = _Counting(ledger)
    ana, ben = _claims(ledger, "ana", "ben")

    def taken() -> None:
        raise OrderTakenError("taken")

    steps = [lambda: ledger.intend(ana, "hash"), taken, lambda: ledger.intend(ben, "hash")]
    done, writer = _run(journal, steps)
    assert [type(each).__name__ for each in done] == ["Attempt", "OrderTakenError", "Attempt"]
    assert writer.failure is None
    assert ledger.verify() == 2


def test_a_shared_transaction_that_fails_loses_no_answer(ledger: Ledger) -> None:
    """Each step is taken alone then: what was answered is written down. But the failure stands before anybody hears."""
    ana, ben = _claims(ledger, "ana", "ben")
    attempt = ledger.intend(ana, "hash")
    journal = _Counting(ledger, fails=1)
    steps = [lambda: ledger.conclude(attempt, _ORDERED), lambda: ledger.intend(ben, "hash")]
    done, writer = _run(journal, steps)
    assert done[0].state is OrderState.ORDERED
    assert isinstance(writer.failure, BatchOrdersError)
    assert ledger.verify() == 3


def test_a_failing_step_is_told_to_its_own(ledger: Ledger) -> None:
    """An exception of our own making, too: it stands as the failure, and the others are written."""

    def fails() -> None:
        raise RuntimeError("a bug")

    (ana,) = _claims(ledger, "ana")
    done, writer = _run(_Counting(ledger), [fails, lambda: ledger.intend(ana, "hash")])
    assert isinstance(done[0], RuntimeError)
    assert done[1].claim == ana
    assert isinstance(writer.failure, RuntimeError)


def test_a_commit_that_stood_although_it_failed(ledger: Ledger) -> None:
    """The real reason is told: not that somebody else had taken the orders, which were sent."""
    claims = _claims(ledger, "ana", "ben")
    attempts = [ledger.intend(claim, "hash") for claim in claims]

    class CutInTheCommit(_Counting):
        def together(self, steps: Sequence[Callable[[], Any]]) -> list[Any]:
            super().together(steps)
            raise BatchOrdersError("connection lost during COMMIT")

    numbers = ["1001", "1002"]
    verdicts = [dataclasses.replace(_ORDERED, order_number=number) for number in numbers]
    steps = [lambda a=a, v=v: ledger.conclude(a, v) for a, v in zip(attempts, verdicts, strict=True)]
    done, writer = _run(CutInTheCommit(ledger), steps)
    assert {str(each) for each in (*done, writer.failure)} == {"connection lost during COMMIT"}
    assert ledger.counts()["ordered"] == 2
    assert ledger.verify() == 4


def test_a_writer_that_is_closed_refuses_every_step(ledger: Ledger) -> None:
    """At once, as also where the system gives it no thread: nobody waits for what never comes."""
    writer = LedgerWriter(ledger)
    writer.close()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            asyncio.run(asyncio.wait_for(writer.write(lambda: None, is_order=True), 10))


def test_who_is_cancelled_waits_for_the_end_of_its_step(ledger: Ledger) -> None:
    """What was begun is written, or not, before the task has ended."""
    (ana,) = _claims(ledger, "ana")
    began, may_end = threading.Event(), threading.Event()

    def slow() -> object:
        began.set()
        may_end.wait(30)
        return ledger.intend(ana, "hash")

    async def cancelled() -> None:
        writer = LedgerWriter(ledger)
        task = asyncio.create_task(writer.write(slow, is_order=True))
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ledger.counts()["sending"] == 1
        writer.close()

    asyncio.run(cancelled())
