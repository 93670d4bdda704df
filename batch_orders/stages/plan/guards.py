"""Guards: orders that are fine in themselves and look like a mistake all the same.

The same person under two e-mail addresses, the same title for the same person under two references, a row that says
it was ordered and that the ledger does not know: each is held until a person has looked (`--release`, `ledger adopt`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_orders import identity
from batch_orders.messages import findings as messages
from batch_orders.models import Column, Finding, FindingCode, OrderState, Remark, RowStatus, Severity, order_id
from batch_orders.stages.plan.people import People, had_by_several

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from batch_orders.models import Checked, Contents, History, Mapped, Numbered, Order, Remembered

# An order that was placed this long ago, and that no run has seen for so long, may be a rehire's.
LONG_AGO: Final = timedelta(days=180)
_UNSEEN = timedelta(days=90)
_SAYS_ORDERED = {RowStatus.ORDERED, RowStatus.ALREADY_ORDERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What the guards found: messages by position in `orders` for those to hold, and all findings."""

    holds: Mapping[int, Sequence[str]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def guard(
    checked: Checked,
    orders: Sequence[tuple[str | None, Order]],
    loose_lines: Sequence[int],
    history: History,
    *,
    open_orders: Sequence[int],
    doubtful: Sequence[int],
    released: frozenset[str],
) -> Guarded:
    """Which of the open orders (positions in `orders`: neither placed nor unknown) to hold, and why.

    They are compared with each other, and with the `doubtful` (unknown) ones of the sheet.
    """
    holds: dict[int, list[str]] = defaultdict(list)
    findings: list[Finding] = []
    in_sheet = sorted({*open_orders, *doubtful})
    loose = _loose_people(checked, loose_lines)
    traces = _traces_to_compare(orders, loose, history, in_sheet)
    people = _people_in_sheet(orders, loose, traces)
    for position, code, message in (
        *_near_duplicates(checked, orders, history, open_orders, traces=traces, people=people),
        *_repeats(checked, orders, history, open_orders, in_sheet),
    ):
        key, order = orders[position]
        if key is None or key not in released:
            told = f"{message} {messages.how_to_release(order_id(key) if key else None)}"
            holds[position].append(told)
            findings.append(_about_order(checked, order, code, told))
    for position, finding in _unknown_history(checked, orders, history, open_orders):
        holds[position].append(finding.message)
        findings.append(finding)
    return Guarded(holds=dict(holds), findings=tuple(findings))


def long_ago(checked: Checked, order: Order, remembered: Remembered, now: datetime) -> Finding | None:
    """A warning about an order that is placed already, so long ago that it may be a rehire's."""
    placed, seen = remembered.submitted_at, remembered.last_seen_at or remembered.submitted_at
    if placed is None or seen is None or now - placed <= LONG_AGO or now - seen <= _UNSEEN:
        return None
    message = messages.ordered_long_ago(placed, remembered.order_number or "")
    return _about_order(checked, order, FindingCode.ORDERED_LONG_AGO, message, Severity.WARNING)


def _about_order(
    checked: Checked, order: Order, code: FindingCode, message: str, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        remark=Remark(code=code, severity=severity, message=message), rows=checked.mapped.row_numbers(order.lines)
    )


# The same person under another e-mail address ----------------------------------------------------------------


def _near_duplicates(
    checked: Checked,
    orders: Sequence[tuple[str | None, Order]],
    history: History,
    open_orders: Sequence[int],
    *,
    traces: Mapping[int, Sequence[str]],
    people: People,
) -> Iterable[tuple[int, FindingCode, str]]:
    """Against the ledger's orders first, then against the sheet's own, where both are held."""
    said = numbers_in_sheet(checked)
    for position in open_orders:
        order = orders[position][1]
        left = traces.get(position, ())
        known = _placed_for_another(order, left, history)
        # A results row that was ordered, with another e-mail address now: a person who was renamed, say.
        taken = [
            (whose.email, said[line])
            for line in order.lines
            if line in said
            and (whose := history.known_numbers.get(said[line]))
            and whose.key != orders[position][0]
            and not _is_for(order, whose, history)
        ]
        others = people.others(order.employee, left)
        if known:
            message = known
        elif taken:
            message = messages.number_of_another(*taken[0])
        elif others.total:
            message = messages.near_duplicate_in_sheet(checked.mapped.row_numbers(others.lines), others.total)
        else:
            continue
        yield position, FindingCode.NEAR_DUPLICATE, message


class _Loose(NamedTuple):
    """A row without an e-mail: what it is called in place of one, and what is known of its person."""

    who: str
    line: int
    firstname: str
    lastname: str
    phone: str
    zip_code: str


def _loose_people(checked: Checked, lines: Sequence[int]) -> list[_Loose]:
    names = (Column.FIRSTNAME, Column.LASTNAME, Column.PHONE_NUMBER, Column.SHIPPING_ZIP)
    columns = [checked.frame[name].iloc[list(lines)].tolist() for name in names]
    each = zip(lines, *columns, strict=True)
    return [_Loose(f"row {checked.mapped.row_number(line)}", line, *known) for line, *known in each]


def _traces(order: Order) -> tuple[str, ...]:
    return identity.traces(order.employee, order.contents)


def _traces_to_compare(
    orders: Sequence[tuple[str | None, Order]], loose: Sequence[_Loose], history: History, in_sheet: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    """The traces of those orders (positions in `orders`) that may have one in common with somebody else.

    Each trace holds a name or a mailbox, and in most sheets nearly everybody has their own.
    """
    found = [orders[position][1] for position in in_sheet]
    names = [identity.full_name(order.contents) for order in found]
    mailboxes = [identity.mailbox(order.employee) for order in found]
    whose = [order.employee for order in found]
    loose_names = ((identity.name_of_person(row.firstname, row.lastname), row.who) for row in loose)
    shared = had_by_several(chain(zip(names, whose, strict=True), loose_names))
    shared |= had_by_several(zip(mailboxes, whose, strict=True))
    return {
        position: _traces(order)
        for position, order, name, mailbox in zip(in_sheet, found, names, mailboxes, strict=True)
        if history.look_alikes or name in shared or mailbox in shared
    }


def _placed_for_another(order: Order, traces: Sequence[str], history: History) -> str:
    """What to say where the ledger has an order for this person under another e-mail address; "" where it has none."""
    for trace in traces:
        for remembered in history.look_alikes.get(trace, ()):
            if not _is_for(order, remembered, history):
                return messages.near_duplicate_of_placed(
                    remembered.email, remembered.order_number, is_unknown=remembered.state is OrderState.UNKNOWN
                )
    return ""


def _is_for(order: Order, other: Remembered | Numbered, history: History) -> bool:
    """Whether an order of the ledger is for the same employee; where its e-mail is forgotten, its trace tells."""
    if other.email:
        return identity.normalise_email(other.email) == order.employee
    own = history.look_alikes.get(identity.employee_trace(order.employee), ())
    return any(other.key == remembered.key for remembered in own)


def _people_in_sheet(
    orders: Sequence[tuple[str | None, Order]], loose: Sequence[_Loose], traces: Mapping[int, Sequence[str]]
) -> People:
    """Everybody in the sheet: the employees, by the `traces` of their orders, and the rows without an e-mail."""
    people = People(most=messages.MOST_LISTED)
    for position, left in traces.items():
        order = orders[position][1]
        people.add(order.employee, left, order.lines[0])
    for row in loose:
        left = identity.traces_of_person(row.firstname, row.lastname, row.phone, row.zip_code)
        people.add(row.who, left, row.line)
    return people


# The same title again ----------------------------------------------------------------------------------------


def _repeats(
    checked: Checked,
    orders: Sequence[tuple[str | None, Order]],
    history: History,
    open_orders: Sequence[int],
    in_sheet: Sequence[int],
) -> Iterable[tuple[int, FindingCode, str]]:
    """The same employee, name and title under another reference, placed lately or in the same sheet."""
    several = Counter(orders[position][1].employee for position in in_sheet)
    # The first two of each are enough: every order has another one then.
    first: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for position in in_sheet:
        order = orders[position][1]
        for wanted in _wanted(order) if several[order.employee] > 1 else ():
            if len(first[wanted]) < 2:  # noqa: PLR2004 - as the comment says
                first[wanted].append(position)
    for position in open_orders:
        order = orders[position][1]
        wants = _wanted(order) if several[order.employee] > 1 else []
        twins = [(other, wanted[-1]) for wanted in wants for other in first[wanted] if other != position]
        placed = _placed_lately(order, history)
        if placed:
            yield position, FindingCode.REPEAT_ITEM, placed
        elif twins:
            other, title = min(twins)
            row = checked.mapped.row_number(_line_of(title, orders[other][1], checked))
            yield position, FindingCode.REPEAT_ITEM, messages.repeat_in_sheet(title, row)


def _line_of(title: str, order: Order, checked: Checked) -> int:
    """Which of the order's lines asks for this title."""
    titles = checked.frame[Column.PRODUCT_TITLE]
    return next(line for line in order.lines if identity.squeeze(str(titles.iat[line])) == title)


def _wanted(order: Order) -> list[tuple[str, str, str]]:
    """What the order asks for, and for whom: its employee, their name, and each title."""
    name = identity.full_name(order.contents)
    return [(order.employee, name, title) for title in _titles(order)]


def _placed_lately(order: Order, history: History) -> str:
    """What to say where the ledger has a title of this order for the same person under another reference; "" if not."""
    since = history.now - timedelta(days=history.repeat_days)
    for remembered in history.look_alikes.get(identity.employee_trace(order.employee), ()):
        shared = sorted(_titles(order) & _titles_of(remembered.contents))
        if (
            shared
            and identity.normalise_reference(remembered.order_reference) != order.reference
            and identity.full_name(remembered.contents) == identity.full_name(order.contents)
            and (remembered.submitted_at is None or remembered.submitted_at >= since)
        ):
            return messages.repeat_of_placed(
                shared[0], remembered.order_number, is_unknown=remembered.state is OrderState.UNKNOWN
            )
    return ""


# What happened since the plan was made ------------------------------------------------------------------------


def placed_since(
    mapped: Mapped, orders: Iterable[tuple[str, Order]], history: History, *, released: frozenset[str]
) -> Mapping[str, Finding]:
    """By key, the orders that the ledger, looked at again, has a look-alike of by now, each with its finding.

    A plan may wait for hours: at the question whether to go on, or behind another run.
    """
    found: dict[str, Finding] = {}
    for key, order in orders:
        near = _placed_for_another(order, _traces(order), history)
        message = near or _placed_lately(order, history)
        if message and key not in released:
            code = FindingCode.NEAR_DUPLICATE if near else FindingCode.REPEAT_ITEM
            told = f"{message} {messages.how_to_release(order_id(key))}"
            found[key] = Finding(
                remark=Remark(code=code, severity=Severity.ERROR, message=told), rows=mapped.row_numbers(order.lines)
            )
    return found


def _titles(order: Order) -> set[str]:
    return _titles_of(order.contents)


def _titles_of(contents: Contents) -> set[str]:
    return {identity.squeeze(item.product_title) for item in contents.items if item.product_title}


# Rows that say they were ordered -------------------------------------------------------------------------------


def _unknown_history(
    checked: Checked, orders: Sequence[tuple[str | None, Order]], history: History, open_orders: Sequence[int]
) -> Iterable[tuple[int, Finding]]:
    """A row of a results file was ordered, it says, or carries an order number, and the ledger does not know of it."""
    mapped = checked.mapped
    said = mapped.history() if mapped.told else []
    for position in open_orders if said else ():
        # A row's lines carry one number: it is told once.
        lines = {mapped.row_number(line): line for line in orders[position][1].lines}
        has_number = any(said[line][1] for line in lines.values())
        for row_number, line in lines.items():
            status, number = said[line]
            says_so = number or (mapped.results and status in _SAYS_ORDERED and not has_number)
            if says_so and number not in history.known_numbers:
                yield (
                    position,
                    Finding(
                        remark=Remark(
                            code=FindingCode.UNKNOWN_HISTORY,
                            severity=Severity.ERROR,
                            message=messages.unknown_history(number, mapped.on_command_line),
                        ),
                        rows=(row_number,),
                        columns=(mapped.sheet.first_column + mapped.told[1],),
                    ),
                )


def numbers_in_sheet(checked: Checked) -> dict[int, str]:
    """The order number that each line's row carries, where the sheet is a results file that comes back."""
    if not checked.mapped.told:
        return {}
    return {line: number for line, (_, number) in enumerate(checked.mapped.history()) if number}


def traces_asked_for(orders: Iterable[Order]) -> set[str]:
    """Every trace that the guards look up for these orders (see History.look_alikes)."""
    return {trace for order in orders for trace in (identity.employee_trace(order.employee), *_traces(order))}
