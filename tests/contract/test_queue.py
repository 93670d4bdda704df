"""What a ledger promises of orders that a run has handed to the workers, whatever becomes of either."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.adapters.ledger.copying import copy
from batch_orders.adapters.ledger.mark import Mark
from batch_orders.errors import LedgerError, OrderTakenError, RunStoppedError
from batch_orders.models import OrderState, Verdict, VerdictKind
from tests import orders as made
from tests import raw

if TYPE_CHECKING:
    from pathlib import Path

    from batch_orders.models import Claim

_NOT_SENT = Verdict(kind=VerdictKind.NOT_SENT, message="Not sent.", evidence="ConnectError")
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'batch-orders'"


def _handed_over(ledger: Ledger, *names: str) -> list[Claim]:
    """The run r1 has handed these people's orders over, and a worker is there."""
    ledger.begin_run(made.run("r1"))
    pairs = [(ledger.key(order), order) for order in map(made.order, names)]
    claims = list(ledger.claim("r1", pairs, retry_rejected=False).ours)
    ledger.hand_over(claims, lambda *_: None)
    ledger.begin_run(made.run("worker"))
    return claims


def _cut(ledger: Ledger) -> None:
    """Every session of the program on this database ends."""
    assert raw.run(ledger.place, f"{_CUT} AND datname = current_database() AND pid <> pg_backend_pid()") != [(0,)]


def test_a_ledger_that_has_moved_sends_nothing_more(shared_ledger: Ledger, tmp_path: Path) -> None:
    """A run and a worker whose sessions were cut while it was copied counted as dead: the copy has their orders now."""
    (queued,) = _handed_over(shared_ledger, "ana")
    order = made.order("ben")
    (mine,) = shared_ledger.claim("r1", [(shared_ledger.key(order), order)], retry_rejected=False).ours
    with closing(Ledger(shared_ledger.place)) as other:
        _cut(shared_ledger)
        copy(other, tmp_path / "copy.sqlite")
    with pytest.raises(LedgerError, match="moved"):
        shared_ledger.take("worker", queued.key, "r1")
    with pytest.raises(RunStoppedError):
        shared_ledger.intend(mine, "hash")
    assert shared_ledger.find(mine.key).state is OrderState.PLANNED


def test_a_ledger_that_was_restored_under_a_worker_sends_nothing_more(shared_ledger: Ledger) -> None:
    """It has the orders queued that were placed since the backup. The worker that placed them does not begin again."""
    (queued,) = _handed_over(shared_ledger, "ana")
    shared_ledger._mark.set(Mark(7, "7" * 64))  # what this machine knows the audit to have had
    with pytest.raises(LedgerError, match="older"):
        shared_ledger.take("worker", queued.key, "r1")
    assert not shared_ledger.find(queued.key).busy


def test_what_was_taken_back_is_not_begun_by_whoever_has_it_in_hand(shared_ledger: Ledger) -> None:
    """A worker may hold an order for long before its turn comes. Once its run has ended, nobody sends it any more."""
    queued, sending = _handed_over(shared_ledger, "ana", "ben")
    held, under_way = (shared_ledger.take("worker", claim.key, "r1") for claim in (queued, sending))
    assert held is not None
    assert under_way is not None
    attempt = shared_ledger.intend(under_way, "hash")
    shared_ledger.take_back("r1")
    assert not shared_ledger.find(queued.key).busy
    with pytest.raises(OrderTakenError):
        shared_ledger.intend(held, "hash")
    shared_ledger.withdraw(attempt, _NOT_SENT)  # and its worker would try again
    assert not shared_ledger.find(sending.key).busy
    with pytest.raises(OrderTakenError):
        shared_ledger.intend(under_way, "hash")
    shared_ledger.end_run("worker", 0)
    assert shared_ledger.queued() == ()
    assert shared_ledger.verify() == 2
