"""Handing orders to the workers: what becomes of them where that is interrupted, or fails half-way."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from batch_orders.errors import BatchOrdersError
from batch_orders.queueing import place_by_workers
from batch_orders.sending import Line, SendingPolicy, Stop
from tests import orders as made

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Claim, Outcome


class _Silence:
    """Nobody watches."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


class _Queue:
    """The ledger's queue, without workers unless `worker` names one that is alive now.

    With `fails` whoever hands over does not hear that it was done.
    """

    def __init__(self, ledger: Ledger, *, fails: bool = False, worker: Callable[[], str] | None = None) -> None:
        self._ledger = ledger
        self._fails = fails
        self._worker = worker

    def hand_over(self, claims: Sequence[Claim]) -> None:
        self._ledger.hand_over(claims, lambda *_: None)
        if self._fails:
            raise BatchOrdersError("The connection was lost as the transaction was committed.")

    def take_back(self, run_id: str) -> None:
        self._ledger.take_back(run_id)

    def alive(self) -> list[str]:
        return [self._worker()] if self._worker else []


@pytest.fixture
def claims(ledger: Ledger) -> list[Claim]:
    """A run has two orders in hand."""
    ledger.begin_run(made.run("r1"))
    pairs = [(ledger.key(order), order) for order in map(made.order, ["ana", "ben"])]
    return list(ledger.claim("r1", pairs, retry_rejected=False).ours)


def _place(ledger: Ledger, queue: _Queue, claims: Sequence[Claim], stop: Stop, *, waits: bool) -> Mapping[str, Outcome]:
    line = Line(
        desk=_Silence(),  # type: ignore[arg-type] # nothing is sent from here
        journal=ledger,
        pace=_Silence(),  # type: ignore[arg-type] # as above
        policy=SendingPolicy(concurrency=4, patience=1.0, server_errors_not_applied=False),
        progress=_Silence(),
        stop=stop,
    )
    try:
        return asyncio.run(place_by_workers(line, queue, ledger, claims, waits=waits))
    finally:
        line.close()


@pytest.mark.parametrize("waits", [True, False])
def test_a_run_that_was_stopped_hands_nothing_over(ledger: Ledger, claims: list[Claim], *, waits: bool) -> None:
    """An interrupt while the orders were claimed: whoever is told that nothing was sent is told the truth."""
    stop = Stop()
    stop.because("interrupted")
    assert _place(ledger, _Queue(ledger), claims, stop, waits=waits) == {}
    assert ledger.depth() == 0
    ledger.end_run("r1", 6)
    assert {order.busy for order in ledger.orders()} == {False}


@pytest.mark.parametrize("waits", [True, False])
def test_what_may_have_been_handed_over_is_taken_back(ledger: Ledger, claims: list[Claim], *, waits: bool) -> None:
    """A commit that was not heard of: the run fails, and no worker may place what it says was not sent."""
    with pytest.raises(BatchOrdersError, match="connection was lost"):
        _place(ledger, _Queue(ledger, fails=True), claims, Stop(), waits=waits)
    assert ledger.queued() == ()


def test_workers_that_come_and_go_are_not_waited_for(ledger: Ledger, claims: list[Claim]) -> None:
    """There is always one, as each is started again, and none places anything: the run stops, and takes back."""
    stop, began = Stop(), time.monotonic()
    queue = _Queue(ledger, worker=lambda: f"worker-{int((time.monotonic() - began) / 1.5)}")
    assert _place(ledger, queue, claims, stop, waits=True) == {}
    assert "end again and again" in stop.reason
    assert ledger.queued() == ()


def test_a_worker_that_stays_is_waited_for(ledger: Ledger, claims: list[Claim]) -> None:
    """It may wait for the pace for hours: nobody gives up, however long no order moves."""
    stop = Stop()
    interrupt = threading.Timer(5.0, lambda: stop.because("interrupted"))  # five times the patience
    interrupt.start()
    queue = _Queue(ledger, worker=lambda: "worker-1")
    assert _place(ledger, queue, claims, stop, waits=True) == {}
    assert stop.reason == "interrupted"
