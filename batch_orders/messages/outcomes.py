"""How an order ended, and how a row stands, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_orders.models import Column, OrderState, RowStatus, VerdictKind, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_orders.models import Answer, Contents, Remembered

_LONGEST_QUOTE = 300

COLUMN_NAMES: dict[Column, str] = {
    Column.EMAIL: "Email",
    Column.FIRSTNAME: "First name",
    Column.LASTNAME: "Last name",
    Column.PHONE_NUMBER: "Phone number",
    Column.SHIPPING_ADDRESS: "Shipping address",
    Column.SHIPPING_CITY: "City",
    Column.SHIPPING_STATE: "State / province",
    Column.SHIPPING_ZIP: "ZIP / postal code",
    Column.SHIPPING_COUNTRY: "Country",
    Column.PRODUCT_TITLE: "Product title",
    Column.QUANTITY: "Quantity",
    Column.EXPEDITE_SHIPPING: "Shipping method",
    Column.IS_SIGNATURE_REQUIRED: "Signature required",
    Column.ORDER_REFERENCE: "Order reference",
    Column.START_DATE: "Start date",
}

STATUS_MEANINGS: dict[RowStatus, str] = {
    RowStatus.ALREADY_ORDERED: "placed by an earlier run; nothing to do",
    RowStatus.UNKNOWN: "sent, and no proof either way: ask Device Hub whether the order is there, then settle it",
    RowStatus.INVALID: "with errors: mend what their messages name, and submit again",
    RowStatus.CHANGED: "ordered before with other contents: nothing was sent",
    RowStatus.HELD: "fine in itself, and not sent yet",
    RowStatus.WAITING: "the date has not come",
    RowStatus.READY: "would be ordered",
    RowStatus.ORDERED: "placed in this run",
    RowStatus.REJECTED: "refused by Device Hub: the reason is in the message",
    RowStatus.NOT_SENT: "not sent yet",
}


def not_sent(failure: str) -> str:
    """No byte of the order left this machine."""
    return f"Device Hub could not be reached ({failure or 'no connection'}); nothing was sent."


def answer_lost() -> str:
    """The order left, and no answer came back whole."""
    return (
        "The order was sent, but no complete answer came back: it may or may not have been placed. "
        "It is not sent again until somebody has looked it up at Device Hub and settled it."
    )


def answered(kind: VerdictKind, answer: Answer) -> str:
    """What Device Hub's answer means for the order.

    Its own words stand only in what is told at the order: they may repeat all that was sent, and the other messages
    are told of the whole run.
    """
    said = f" Device Hub says: {_sentence(_quote(answer.message))}" if answer.message else ""
    match kind:
        case VerdictKind.ORDERED:
            return "Ordered."
        case VerdictKind.REJECTED:
            hint = _our_names(answer.message)
            return f"Device Hub refused the order (HTTP {answer.status}).{said}{hint} {how_to_send_again()}"
        case VerdictKind.LOGIN:
            return f"Device Hub no longer accepts the login (HTTP {answer.status}); nothing was ordered."
        case VerdictKind.BUSY:
            return f"Device Hub asks to slow down (HTTP {answer.status}); nothing was ordered."
        case VerdictKind.SETTINGS:
            return (
                f"Device Hub did not take the order (HTTP {answer.status}); nothing was ordered. "
                "The address in the settings or the account's rights look wrong."
            )
        case VerdictKind.FAILING:
            return f"Device Hub failed (HTTP {answer.status}); by your settings nothing was ordered."
        case _:
            return (
                f"Device Hub's answer (HTTP {answer.status}) does not tell whether the order was placed. "
                f"It is not sent again until somebody has looked it up there and settled it.{said}"
            )


def number_seen_before(order_number: str) -> str:
    """A success whose order number belongs to another order."""
    return (
        f"Device Hub answered with the order number {_quote(order_number)}, which another order has already: "
        "it may or may not have been placed. It is not sent again until somebody has settled it."
    )


def adopted() -> str:
    """A past order that was entered from a results file."""
    return "Ordered before; entered from a results file."


def settled() -> str:
    """A person found out that an unknown order was placed."""
    return "Ordered: somebody found the order at Device Hub and settled it."


def settled_not_placed() -> str:
    """A person found out that an unknown order was not placed."""
    return "Not placed: somebody looked it up at Device Hub and settled it. The next run with its sheet sends it."


def cancelled() -> str:
    """The vendor cancelled an ordered one."""
    return "Cancelled by Device Hub, as somebody settled. The next run with its sheet orders it again."


def unknown_elsewhere(file: str) -> str:
    """A results row says that nobody knows how its order ended, and this ledger does not know of it."""
    return (
        "An earlier run sent this order, and nobody found out whether it was placed; this ledger does not know of it. "
        f"It is not sent. Enter it with `batch-orders ledger adopt {file}`, look it up at Device Hub, and settle it; "
        "if it was never really sent (a sandbox run, say), clear the result columns."
    )


def unknown_adopted() -> str:
    """An order of unknown end that was entered from a results file."""
    return (
        "The order was sent by an earlier run, and may or may not have been placed; entered from a results file. "
        "It is not sent again until somebody has looked it up at Device Hub and settled it."
    )


def run_died() -> str:
    """The run that was sending the order ended without recording how it went."""
    return (
        "The program was stopped while this order was being sent: it may or may not have been placed. "
        "It is not sent again until somebody has looked it up at Device Hub and settled it."
    )


def not_recorded(answer: str) -> str:
    """The answer came, but the ledger could not be written."""
    return f"{answer} The ledger could not record this (is the disk full?), so it counts as unknown until settled."


def number_not_recorded(order: str, order_number: str) -> str:
    """An order was placed, and the ledger does not say so: for whoever settles it."""
    return (
        f"The order {order} was placed under the number {_quote(order_number)}, but the ledger could not record this. "
        f"It counts as unknown there: settle it with `batch-orders settle {order} --placed NUMBER`."
    )


def forgotten(state: OrderState) -> str:
    """What is left to tell of an order whose personal data was removed; "" where there is nothing to tell."""
    return _FORGOTTEN.get(state, "")


_FORGOTTEN = {
    OrderState.ORDERED: "Ordered; what it held is not known any more: its personal data was removed.",
    OrderState.REJECTED: "Device Hub refused the order; its reason is not known any more.",
}


def already_ordered(remembered: Remembered) -> str:
    """The order was placed by an earlier run."""
    when = f" on {remembered.submitted_at:%Y-%m-%d}" if remembered.submitted_at else ""
    return f"Already ordered{when}; nothing is sent again."


def changed(remembered: Remembered, now: Contents) -> str:
    """The order was placed with other contents; says what differs."""
    if remembered.forgotten_at:
        return _changed_since_forgotten(remembered)
    before, number = remembered.contents, remembered.order_number
    named = f" (order {number})" if number else ""
    differences = "; ".join(_differences(before, now))
    told = f"This employee was ordered for before{named}, with other contents. Only this differs – {differences}."
    told += " Nothing was sent."
    keep = f"`batch-orders settle {order_id(remembered.key)} --keep`"
    if before.items == now.items:
        fields = _listed([name for name, _, _ in _other_fields(before, now)] or ["contents"])
        which = f"order {number}" if number else "this order"
        return f"{told} Device Hub still has the old {fields} for {which}: have it corrected there, then {keep}."
    keep = f"If the new contents are right and nothing is to be sent for them: {keep}."
    return " ".join([told, *_how_to_order_more(before, now), keep])


def _changed_since_forgotten(remembered: Remembered) -> str:
    """The order was placed with other contents, and nobody knows any more what they were."""
    sent = f"sent on {remembered.submitted_at:%Y-%m-%d}" if remembered.submitted_at else ""
    number = f"order {remembered.order_number}" if remembered.order_number else ""
    known = ", ".join(part for part in (number, sent) if part) or order_id(remembered.key)
    return (
        f"This employee was ordered for before ({known}), with other contents. What they "
        f"were is not known any more: the personal data was removed on {remembered.forgotten_at:%Y-%m-%d}. Nothing was "
        "sent. If this is more than what was ordered then, put an order reference on the additional rows only. If the "
        f"new contents are right and nothing is to be sent for them: `batch-orders settle {order_id(remembered.key)} "
        "--keep`."
    )


def _how_to_order_more(before: Contents, now: Contents) -> Iterable[str]:
    """What is additional is an order of its own: what to write in which row."""
    had = {item.product_title: item.quantity for item in before.items}
    is_one = len(now.items) == 1
    for item in now.items:
        then = had.get(item.product_title, "")
        if then.isdecimal() and item.quantity.isdecimal() and int(then) < int(item.quantity):
            more = int(item.quantity) - int(then)
            what, where = (f"{more}", "this row") if is_one else (f"{more} × {_quote(item.product_title)}", "its row")
            yield (
                f"To order {what} more: set {where} back to {then} and add a row with the quantity {more} and an order "
                "reference."
            )
    if any(item.product_title not in had for item in now.items):
        yield "If there are additional items, put an order reference on the additional rows only."


def _differences(before: Contents, now: Contents) -> Iterable[str]:
    missing = [item for item in before.items if item not in now.items]
    added = [item for item in now.items if item not in before.items]
    if missing:
        yield "ordered then: " + ", ".join(f"{item.quantity} × {_quote(item.product_title)}" for item in missing)
    if added:
        yield "in the sheet now: " + ", ".join(f"{item.quantity} × {_quote(item.product_title)}" for item in added)
    for name, then, is_now in _other_fields(before, now):
        yield f"{name} was {_quote(then)}, now {_quote(is_now)}"


def _other_fields(before: Contents, now: Contents) -> Iterable[tuple[str, str, str]]:
    """What differs beside the items: its name, what it was, what it is now."""
    for column, name in COLUMN_NAMES.items():
        if hasattr(before, column) and getattr(before, column) != getattr(now, column):
            yield name, getattr(before, column), getattr(now, column)


def _listed(names: Iterable[str]) -> str:
    """a, b and c."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def held(rows: Iterable[int]) -> str:
    """The row waits for another row of its order."""
    numbers = [str(row) for row in rows]
    them = f"row {numbers[0]} is" if len(numbers) == 1 else f"rows {', '.join(numbers[:-1])} and {numbers[-1]} are"
    return f"This row is fine. Its order waits until {them} mended, so that nobody gets half an order."


def rejected_before(message: str) -> str:
    """Device Hub refused the same contents in an earlier run; a ledger of an older version does not say what to do."""
    return message if message.endswith(how_to_send_again()) else f"{message} {how_to_send_again()}"


def how_to_send_again() -> str:
    """What makes a refused order go out once more."""
    return "It is sent again once the row is changed, or with --retry-rejected."


def _our_names(said: str) -> str:
    """What the sheet calls the fields that Device Hub names; its plain words ("quantity") are clear as they are."""
    fields = {c.value: n for c, n in COLUMN_NAMES.items() if "_" in c.value and re.search(rf"\b{c.value}\b", said)}
    told = ", ".join(f"{field} is “{name}”" for field, name in fields.items())
    return f" (In the sheet {told}.)" if told else ""


def busy() -> str:
    """Another run, which is alive, has the order in hand."""
    return "Another run is placing this order right now."


def left_over() -> str:
    """The run ended before the order's turn."""
    return "Not sent: the run stopped before its turn. Submit the sheet again to go on."


def queued() -> str:
    """The order was handed to the workers, and none has begun it."""
    return "Not placed yet: it waits for a worker, who places it by itself. This run's results tell later how it ended."


def beyond_limit() -> str:
    """--limit was reached before the order's turn."""
    return "Not sent: --limit was reached before its turn. Submit the sheet again without --limit to go on."


def waits_for_its_date(goes_on: str, start: str) -> str:
    """The order goes by itself, in a run on that day or later."""
    return f"Waits for its date: the employee begins on {start}, and the order goes in the first run from {goes_on} on."


def ready() -> str:
    """check: the order would be placed."""
    return "Ready to order."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _quote(text: str) -> str:
    text = " ".join(text.replace("\x00", " / ").split()) or "blank"
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
