"""Past orders: a lost ledger is rebuilt from results, and one that is older than its own mark sends nothing."""

from __future__ import annotations

import stat
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import LedgerError
from batch_orders.models import Adopted, OrderState, Verdict, VerdictKind
from tests import orders as made
from tests import raw

if TYPE_CHECKING:
    from pathlib import Path

_SENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def _place(ledger: Ledger, name: str, number: str) -> None:
    ledger.begin_run(made.run(f"run-{name}"))
    order = made.order(name)
    (claim,) = ledger.claim(f"run-{name}", [(ledger.key(order), order)], retry_rejected=False).ours
    ledger.conclude(ledger.intend(claim, "hash"), _ordered(number))
    ledger.end_run(f"run-{name}", 0)


def _ordered(number: str) -> Verdict:
    return Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number=number, evidence="HTTP 200")


def test_a_past_order_is_entered_once(ledger: Ledger) -> None:
    """It counts as ordered, with its number and instant, and is not sent again; entering it twice changes nothing."""
    order = made.order("ana")
    assert ledger.adopt(order, "1001", _SENT) is Adopted.NEW
    assert ledger.adopt(order, "1001", _SENT) is Adopted.KNOWN
    remembered = ledger.find(ledger.key(order))
    assert (remembered.state, remembered.order_number, remembered.submitted_at) == (OrderState.ORDERED, "1001", _SENT)
    assert remembered.last_seen_at is None  # no run has seen it yet: it may be a rehire's
    ledger.begin_run(made.run("r1"))
    assert ledger.claim("r1", [(ledger.key(order), order)], retry_rejected=True).ours == ()
    assert ledger.verify() == 1


def test_what_does_not_fit_is_left_alone(ledger: Ledger) -> None:
    """Another number for the order, or another order with the number."""
    _place(ledger, "ana", "1001")
    assert ledger.adopt(made.order("ana"), "2002", None) is Adopted.CONFLICT
    assert ledger.adopt(made.order("ben"), "1001", None) is Adopted.CONFLICT
    assert ledger.find(ledger.key(made.order("ana"))).order_number == "1001"


def test_an_unknown_order_that_results_know_is_ordered(ledger: Ledger) -> None:
    """The results file is the proof that was missing."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    (claim,) = ledger.claim("r1", [(ledger.key(order), order)], retry_rejected=False).ours
    ledger.intend(claim, "hash")
    ledger.end_run("r1", 1)
    assert ledger.adopt(order, "1001", _SENT) is Adopted.NEW
    assert ledger.find(ledger.key(order)).state is OrderState.ORDERED


def test_a_restored_copy_sends_nothing_until_it_is_up_to_date(ledger: Ledger, tmp_path: Path) -> None:
    """What was ordered after the copy was made would be ordered again."""
    _place(ledger, "ana", "1001")
    copy = raw.save(ledger.place, tmp_path)
    _place(ledger, "ben", "1002")
    place = ledger.place
    ledger.close()
    raw.restore(place, copy)
    with closing(Ledger(place)) as restored:
        with pytest.raises(LedgerError, match="high-water mark"):
            restored.begin_run(made.run("r9"))
        restored.adopt(made.order("ben"), "1002", _SENT)
        restored.trust_mark()
        restored.begin_run(made.run("r9"))
        assert restored.find(restored.key(made.order("ben"))).order_number == "1002"


def test_looking_into_a_restored_copy_does_not_make_it_up_to_date(ledger: Ledger, tmp_path: Path) -> None:
    """The copy was made in the middle of a run: recognising that run as dead is noted, and lowers no mark."""
    ledger.begin_run(made.run("r1"))
    orders = [made.order(name) for name in ("ana", "ben")]
    claims = ledger.claim("r1", [(ledger.key(order), order) for order in orders], retry_rejected=False).ours
    attempt = ledger.intend(claims[0], "hash")
    place, copy = ledger.place, raw.save(ledger.place, tmp_path)
    ledger.conclude(attempt, _ordered("1001"))
    ledger.conclude(ledger.intend(claims[1], "hash"), _ordered("1002"))
    ledger.end_run("r1", 0)
    ledger.close()
    raw.restore(place, copy)
    with closing(Ledger(place)) as restored:
        remembered = restored.recall([restored.key(order) for order in orders])
        assert {order.state for order in remembered.values()} == {OrderState.UNKNOWN, OrderState.PLANNED}
        with pytest.raises(LedgerError, match="high-water mark"):
            restored.begin_run(made.run("r2"))


def test_what_was_rolled_back_raises_no_mark(ledger: Ledger) -> None:
    """A transaction that failed wrote nothing, so the ledger is not older than its mark afterwards."""

    def fail() -> None:
        with ledger._write() as connection:
            ledger._note(connection, "attempt", None, None)
            raise RuntimeError

    ledger.begin_run(made.run("r1"))
    with pytest.raises(RuntimeError):
        fail()
    ledger.end_run("r1", 0)
    ledger.begin_run(made.run("r2"))


def test_the_mark_of_a_ledger_that_was_here_before_is_none(file_ledger: Ledger) -> None:
    """A new account's ledger in the place of a lost one may send: it is not a copy of that."""
    _place(file_ledger, "ana", "1001")
    path = file_ledger.place
    file_ledger.close()
    path.unlink()
    assert Ledger.had_predecessor(path)
    with closing(Ledger.create(path)) as new:
        new.begin_run(made.run("r1"))


def test_the_mark_is_private(ledger: Ledger) -> None:
    """0600 whatever the umask."""
    _place(ledger, "ana", "1001")
    mark = ledger._mark.path
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600


def test_verdicts_do_not_make_a_restored_copy_up_to_date(ledger: Ledger, tmp_path: Path) -> None:
    """Each adds an entry to the copy's audit; however many there are, what was ordered since is still missing."""
    unknown = [made.order(name) for name in ("cleo", "dan")]
    ledger.begin_run(made.run("r1"))
    for claim in ledger.claim("r1", [(ledger.key(order), order) for order in unknown], retry_rejected=False).ours:
        ledger.intend(claim, "hash")
    ledger.end_run("r1", 1)
    place, copy = ledger.place, raw.save(ledger.place, tmp_path)
    _place(ledger, "ana", "1001")
    ledger.close()
    raw.restore(place, copy)
    with closing(Ledger(place)) as restored:
        for order in unknown:
            restored.settle_not_placed(restored.find(restored.key(order)), "")
        with pytest.raises(LedgerError, match="high-water mark"):
            restored.begin_run(made.run("r2"))


def test_an_unknown_order_that_a_restored_copy_holds_as_planned(ledger: Ledger, tmp_path: Path) -> None:
    """The copy was made before the order was sent; the results file says unknown: it is not free."""
    order = made.order("ana")
    pair = [(ledger.key(order), order)]
    ledger.begin_run(made.run("r1"))
    ledger.claim("r1", pair, retry_rejected=False)
    ledger.end_run("r1", 6)  # stopped before its turn: planned
    place, copy = ledger.place, raw.save(ledger.place, tmp_path)
    ledger.begin_run(made.run("r2"))
    ledger.intend(ledger.claim("r2", pair, retry_rejected=False).ours[0], "hash")
    ledger.end_run("r2", 5)  # unknown, and r2's results say so
    ledger.close()
    raw.restore(place, copy)
    with closing(Ledger(place)) as restored:
        restored.adopt_unknown(order, _SENT)
        restored.trust_mark()
        restored.begin_run(made.run("r3"))
        assert restored.claim("r3", pair, retry_rejected=False).ours == ()
