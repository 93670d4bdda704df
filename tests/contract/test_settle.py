"""A person's verdicts on orders, and the audit that remembers them."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.models import Order, OrderState, Remembered, Verdict, VerdictKind
from tests import orders as made
from tests import raw

_ORDERED = Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number="1001", status=200, evidence="HTTP 200")
_UNKNOWN = Verdict(kind=VerdictKind.UNKNOWN, message="?", evidence="ReadError")


def _ended(ledger: Ledger, order: Order, verdict: Verdict) -> Remembered:
    """The order after one attempt with this verdict."""
    run_id = f"run-{order.employee}"
    ledger.begin_run(made.run(run_id))
    (claim,) = ledger.claim(run_id, [(ledger.key(order), order)], retry_rejected=False).ours
    ledger.conclude(ledger.intend(claim, "hash"), verdict)
    ledger.end_run(run_id, 0)
    return ledger.find(ledger.key(order)[:12])


def _is_free(ledger: Ledger, order: Order) -> bool:
    run_id = f"next-{len(ledger.runs())}"
    ledger.begin_run(made.run(run_id))
    free = bool(ledger.claim(run_id, [(ledger.key(order), order)], retry_rejected=False).ours)
    ledger.end_run(run_id, 0)
    return free


def test_an_unknown_order_was_placed(ledger: Ledger) -> None:
    """It is ordered under the number that the person found, and is not sent again."""
    order = made.order("ana")
    ledger.settle_placed(_ended(ledger, order, _UNKNOWN), "77", "asked the vendor")
    now = ledger.find(ledger.key(order))
    assert (now.state, now.order_number) == (OrderState.ORDERED, "77")
    assert not _is_free(ledger, order)


def test_a_number_that_is_taken_is_refused(ledger: Ledger) -> None:
    """Two orders never share a number; the unknown one stays unknown."""
    _ended(ledger, made.order("ana"), _ORDERED)
    unknown = _ended(ledger, made.order("ben"), _UNKNOWN)
    with pytest.raises(LedgerError, match="1001"):
        ledger.settle_placed(unknown, "1001", "")
    assert ledger.find(unknown.key).state is OrderState.UNKNOWN


def test_an_unknown_order_was_not_placed(ledger: Ledger) -> None:
    """The next run may send it."""
    order = made.order("ana")
    unknown = _ended(ledger, order, _UNKNOWN)
    assert not _is_free(ledger, order)
    ledger.settle_not_placed(unknown, "")
    assert _is_free(ledger, order)


def test_a_cancelled_order_may_be_ordered_again(ledger: Ledger) -> None:
    """Under a new number: the old one stays taken for good."""
    order = made.order("ana")
    ledger.settle_cancelled(_ended(ledger, order, _ORDERED), "")
    assert _is_free(ledger, order)
    assert _ended(ledger, made.order("ben"), _ORDERED).state is OrderState.UNKNOWN


@pytest.mark.parametrize("number", ["1001", "2002"])
def test_a_mistaken_cancelled_is_taken_back(ledger: Ledger, number: str) -> None:
    """The order is ordered again, since when it was: under its own former number, or one that is new to the ledger."""
    order = made.order("ana")
    placed = _ended(ledger, order, _ORDERED)
    ledger.settle_cancelled(placed, "")
    ledger.settle_placed(ledger.find(placed.key), number, "the wrong line")
    now = ledger.find(placed.key)
    assert (now.state, now.order_number, now.submitted_at) == (OrderState.ORDERED, number, placed.submitted_at)
    assert not _is_free(ledger, order)
    assert ledger.verify() == 4
    # What Device Hub gave out stays taken, whatever people say.
    assert _ended(ledger, made.order("ben"), _ORDERED).state is OrderState.UNKNOWN


def test_a_mistaken_not_placed_is_taken_back(ledger: Ledger) -> None:
    """Also after a run that took the order up again and did not send it."""
    order = made.order("ana")
    unknown = _ended(ledger, order, _UNKNOWN)
    ledger.settle_not_placed(unknown, "")
    assert _is_free(ledger, order)
    _ended(ledger, made.order("ben"), _ORDERED)
    with pytest.raises(LedgerError, match="1001"):
        ledger.settle_placed(ledger.find(unknown.key), "1001", "")
    ledger.settle_placed(ledger.find(unknown.key), "77", "")
    now = ledger.find(unknown.key)
    assert (now.state, now.order_number, now.submitted_at) == (OrderState.ORDERED, "77", unknown.submitted_at)
    assert not _is_free(ledger, order)
    ledger.verify()


def test_a_verdict_that_something_came_after_is_not_taken_back(ledger: Ledger) -> None:
    """A run has it in hand, has taken it up with other contents, or has sent it."""
    ana, ben, cleo = (made.order(name) for name in ("ana", "ben", "cleo"))
    for order in (ana, ben, cleo):
        ledger.settle_not_placed(_ended(ledger, order, _UNKNOWN), "")
    assert _is_free(ledger, made.order("ben", holds=made.contents(city="Albany")))
    refused = Verdict(kind=VerdictKind.REJECTED, message="No.", status=422, evidence="HTTP 422")
    ledger.begin_run(made.run("at-work"))
    held = ledger.claim("at-work", [(ledger.key(order), order) for order in (ana, cleo)], retry_rejected=False).ours
    ledger.conclude(ledger.intend(held[1], "hash"), refused)
    for order, hint in ((ana, "wait for the run"), (ben, "SENDS IT"), (cleo, "change the row")):
        with pytest.raises(LedgerError, match="does not fit") as caught:
            ledger.settle_placed(ledger.find(ledger.key(order)), "77", "")
        assert hint in caught.value.hint
        assert "submit its sheet" not in caught.value.hint
    ledger.end_run("at-work", 0)


def test_a_mistyped_number_is_corrected(ledger: Ledger) -> None:
    """The slip may well be another order's number, so it is free again; the order is ordered all the while."""
    ana, ben = (_ended(ledger, made.order(name), _UNKNOWN) for name in ("ana", "ben"))
    ledger.settle_placed(ana, "78", "")
    ledger.settle_placed(ledger.find(ana.key), "77", "a slip")
    assert ledger.find(ana.key).order_number == "77"
    ledger.settle_placed(ben, "78", "")
    with pytest.raises(LedgerError, match="77"):
        ledger.settle_placed(ledger.find(ben.key), "77", "")
    assert ledger.verify() == 7


def test_changed_contents_are_kept(ledger: Ledger) -> None:
    """What the last sheet holds counts as ordered from now on; without such contents there is nothing to keep."""
    order = made.order("ana")
    placed = _ended(ledger, order, _ORDERED)
    with pytest.raises(LedgerError, match="nothing to keep"):
        ledger.settle_keep(placed, "")
    moved = made.contents(city="Albany")
    ledger.note_contents({placed.key: moved})
    assert [waiting.key for waiting in ledger.waiting()] == [placed.key]
    ledger.settle_keep(ledger.find(placed.key), "she moved")
    now = ledger.find(placed.key)
    assert (now.contents, now.order_number, now.other_contents) == (moved, "1001", None)
    assert ledger.waiting() == ()


@pytest.mark.parametrize("verdict", ["placed", "not_placed", "cancelled"])
def test_a_verdict_must_fit_the_state(ledger: Ledger, verdict: str) -> None:
    """Only an unknown order can turn out placed or not, only an ordered one cancelled."""
    order = _ended(ledger, made.order("ana"), _UNKNOWN if verdict == "cancelled" else _ORDERED)
    arguments = (order, "77", "") if verdict == "placed" else (order, "")
    with pytest.raises(LedgerError, match="does not fit"):
        getattr(ledger, f"settle_{verdict}")(*arguments)
    assert ledger.find(order.key).state is order.state


def test_an_order_must_be_named(ledger: Ledger) -> None:
    """No order, or several with the same beginning, is an error that says so."""
    keys = [_ended(ledger, made.order(f"e{employee}"), _UNKNOWN).key for employee in range(17)]
    first_digits = [key[0] for key in keys]  # of seventeen keys two share one of sixteen digits
    shared = next(digit for digit in first_digits if first_digits.count(digit) > 1)
    for name in ("", "nothing", shared):
        with pytest.raises(LedgerError, match=r"no order|orders begin"):
            ledger.find(name)


def _audit(ledger: Ledger) -> list[tuple[str, str]]:
    return raw.run(ledger.place, "SELECT what, detail FROM audit ORDER BY id")


def test_every_attempt_and_verdict_is_audited(ledger: Ledger) -> None:
    """In order, and without a word that is private."""
    unknown = _ended(ledger, made.order("ana"), _UNKNOWN)
    ledger.settle_placed(unknown, "77", "Ana Sample says the parcel came")
    entries = _audit(ledger)
    assert [what for what, _ in entries] == ["attempt", "verdict", "settle"]
    text = re.sub("[0-9a-f]{64}", "", str(entries).lower())  # a hash may well have three fives in a row
    for private in ("ana", "sample", "example.com", "parcel", "main street", "555"):
        assert private not in text
    assert ledger.verify() == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET detail = replace(detail, 'unknown', 'ordered') WHERE id = 2",
        "UPDATE audit SET at = '2020' WHERE id = 1",
        "UPDATE audit SET order_key = NULL WHERE id = 3",
        "DELETE FROM audit WHERE id = 2",
        "UPDATE audit SET seal = 'x' || substr(seal, 2) WHERE id = 4",
        "INSERT INTO audit SELECT 9, at, what, order_key, run_id, detail, seal FROM audit WHERE id = 1",
    ],
)
def test_a_changed_audit_is_found(ledger: Ledger, change: str) -> None:
    """By hand nothing can be changed; with the guards taken away it is found."""
    for name in ("ana", "ben"):
        _ended(ledger, made.order(name), _UNKNOWN)
    if not change.startswith("INSERT"):
        with pytest.raises(raw.REFUSED, match="append-only"):
            raw.run(ledger.place, change)
    with raw.without(ledger.place, "audit_refuses_update", "audit_refuses_delete"):
        raw.run(ledger.place, change)
    with pytest.raises(LedgerError, match="does not hold"):
        ledger.verify()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orders SET state = 'planned'",
        "UPDATE orders SET order_number = '1002' WHERE order_number = '1001'",
        "UPDATE orders SET contents = replace(contents, 'New York', 'Newark')",
        "UPDATE orders SET contents = replace(contents, '\"1\"', '\"9\"'), content_hash = 'f'",
        "UPDATE orders SET email = 'other@example.com'",
        "UPDATE orders SET order_reference = '2'",
        "DELETE FROM traces; DELETE FROM attempts; DELETE FROM order_numbers; DELETE FROM orders",
    ],
)
def test_a_changed_order_is_found(ledger: Ledger, change: str) -> None:
    """The audit knows how each order stands: its state, number and contents, and whose it is."""
    _ended(ledger, made.order("ana"), _ORDERED)
    assert ledger.verify() == 2
    with raw.without(ledger.place, "order_transitions", "order_is_never_forgotten"):
        raw.run(ledger.place, *change.split("; "))
    with pytest.raises(LedgerError, match="not what its audit says"):
        ledger.verify()


def test_missing_newest_entries_are_found(ledger: Ledger) -> None:
    """The chain holds without them; the high-water mark tells that they were there."""
    order = made.order("ana")
    _ended(ledger, order, _UNKNOWN)
    ledger.settle_not_placed(ledger.find(ledger.key(order)), "")
    with raw.without(ledger.place, "audit_refuses_delete", "order_transitions"):
        raw.run(ledger.place, "DELETE FROM audit WHERE what = 'settle'", "UPDATE orders SET state = 'unknown'")
    with pytest.raises(LedgerError, match="high-water mark"):
        ledger.verify()


def test_a_damaged_file_is_found(file_ledger: Ledger) -> None:
    """Bytes that were overwritten in the database's own structure."""
    for number in range(60):
        _ended(file_ledger, made.order(f"e{number}"), _UNKNOWN)
    content = bytearray(file_ledger.place.read_bytes())
    page = len(content) // 2 // 4096 * 4096
    content[page : page + 200] = b"\xff" * 200
    file_ledger.close()
    file_ledger.place.write_bytes(content)
    with pytest.raises(BatchOrdersError), closing(Ledger(file_ledger.place)) as damaged:
        damaged.verify()
