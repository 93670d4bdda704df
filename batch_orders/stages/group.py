"""Group: rows become orders, one per employee and order reference. No row is lost and none appears twice."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from batch_orders.models import ONCE_PER_ORDER, Column, Contents, LineItem, Order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import Checked

# A value that two rows of one order disagree about: joined by a character no cell can hold, so that such an
# order never looks like one that was sent.
_DISAGREE = "\x00"

# What an order holds besides its items. (The start date says when to order, not what.)
_TEXT_FIELDS: tuple[Column, ...] = tuple(column for column in ONCE_PER_ORDER if column is not Column.START_DATE)


def group(checked: Checked) -> tuple[tuple[Order, ...], tuple[int, ...]]:
    """The sheet's orders, by first appearance, and the lines with no e-mail, which have no order."""
    columns = {name: checked.frame[name].tolist() for name in checked.frame.columns}
    members: dict[tuple[str, str], list[int]] = {}
    loose: list[int] = []
    for line, identity in enumerate(zip(columns["employee"], columns["reference"], strict=True)):
        if identity[0]:
            members.setdefault(identity, []).append(line)
        else:
            loose.append(line)
    orders = tuple(_order(columns, identity, lines) for identity, lines in members.items())
    return orders, tuple(loose)


def only_lines(checked: Checked, order: Order, lines: Sequence[int]) -> Order:
    """The same order, made of only these of its lines."""
    if tuple(lines) == order.lines:
        return order
    part = checked.frame.iloc[list(lines)]
    columns = {name: part[name].tolist() for name in part.columns}
    made = _order(columns, (order.employee, order.reference), list(range(len(lines))))
    return dataclasses.replace(made, lines=tuple(lines))


def _order(columns: dict[str, list[str]], identity: tuple[str, str], lines: list[int]) -> Order:
    first = lines[0]
    titles, quantities = columns[Column.PRODUCT_TITLE], columns[Column.QUANTITY]
    return Order(
        email=columns[Column.EMAIL][first],
        employee=identity[0],
        reference=identity[1],
        order_reference=columns[Column.ORDER_REFERENCE][first],
        lines=tuple(lines),
        contents=Contents(
            items=tuple(sorted(LineItem(titles[line], quantities[line]) for line in lines)),
            **{field.value: _agreed([columns[field][line] for line in lines]) for field in _TEXT_FIELDS},
        ),
    )


def _agreed(values: Sequence[str]) -> str:
    return _DISAGREE.join(dict.fromkeys(values))
