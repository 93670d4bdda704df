"""Past orders: a lost ledger is rebuilt from results, and one that is older than its own mark sends nothing."""

from __future__ import annotations

import shutil
import stat
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import LedgerError
from batch_orders.models import Adopted, OrderState, Verdict, VerdictKind
from tests import orders as made

if TYPE_CHECKING:
    from pathlib import Path

_SENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def _place(ledger: Ledger, name: str, number: str) -> None:
    ledger.begin_run(made.run(f"run-{name}"))
    order = made.order(name)
    (claim,) = ledger.claim(f"run-{name}", [(ledger.key(order), order)], retry_rejected=False).ours
    verdict = Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number=number, evidence="HTTP 200")
    ledger.conclude(ledger.intend(claim, "hash"), verdict)
    ledger.end_run(f"run-{name}", 0)


def test_a_past_order_is_entered_once(ledger: Ledger) -> None:
    """It counts as ordered, with its number and instant, and is not sent again; entering it twice changes nothing."""
    order = made.order("ana")
    assert ledger.adopt(order, "1001", _SENT) is Adopted.NEW
    assert ledger.adopt(order, "1001", _SENT) is Adopted.KNOWN
    remembered = ledger.find(ledger.key(order))
    assert (remembered.state, remembered.order_number, remembered.submitted_at) == (OrderState.ORDERED, "1001", _SENT)
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
    copy = shutil.copy(ledger.path, tmp_path / "copy")
    _place(ledger, "ben", "1002")
    path = ledger.path
    ledger.close()
    shutil.copy(copy, path)
    with closing(Ledger(path)) as restored:
        with pytest.raises(LedgerError, match="high-water mark"):
            restored.begin_run(made.run("r9"))
        restored.adopt(made.order("ben"), "1002", _SENT)
        restored.trust_mark()
        restored.begin_run(made.run("r9"))
        assert restored.find(restored.key(made.order("ben"))).order_number == "1002"


def test_the_mark_is_private(ledger: Ledger) -> None:
    """0600 whatever the umask."""
    _place(ledger, "ana", "1001")
    mark = ledger.path.with_name(ledger.path.name + ".mark")
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
