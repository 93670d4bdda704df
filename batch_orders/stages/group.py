"""Group: rows become orders, one per employee and order reference. No row is lost and none appears twice."""

from __future__ import annotations

import dataclasses
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from batch_orders.models import ONCE_PER_ORDER, Column, Contents, LineItem, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from batch_orders.models import Checked

# A value that two rows of one order disagree about: joined by a character no cell can hold, so that such an
# order never looks like one that was sent.
_DISAGREE = "\x00"

# What an order holds besides its items. (The start date says when to order, not what.)
_TEXT_FIELDS: tuple[Column, ...] = tuple(column for column in ONCE_PER_ORDER if column is not Column.START_DATE)
_FIELD_NAMES = tuple(column.value for column in _TEXT_FIELDS)


def group(checked: Checked) -> tuple[tuple[Order, ...], tuple[int, ...]]:
    """The sheet's orders, by first appearance, and the lines with no e-mail, which have no order."""
    employees, references = (checked.frame[name].tolist() for name in ("employee", "reference"))
    members: dict[tuple[str, str], list[int]] = {}
    loose: list[int] = []
    for line, identity in enumerate(zip(employees, references, strict=True)):
        if identity[0]:
            members.setdefault(identity, []).append(line)
        else:
            loose.append(line)
    return tuple(_orders(checked.frame, members)), tuple(loose)


def only_lines(checked: Checked, order: Order, lines: Sequence[int]) -> Order:
    """The same order, made of only these of its lines."""
    if tuple(lines) == order.lines:
        return order
    part = checked.frame.iloc[list(lines)]
    (made,) = _orders(part, {(order.employee, order.reference): range(len(lines))})
    return dataclasses.replace(made, lines=tuple(lines))


def _orders(frame: pd.DataFrame, members: Mapping[tuple[str, str], Sequence[int]]) -> Iterator[Order]:
    """The orders that these lines of the frame make, by their identities."""
    titles, quantities = frame[Column.PRODUCT_TITLE].tolist(), frame[Column.QUANTITY].tolist()
    # Most orders hold the same few items: each is made once.
    item_of = {pair: LineItem(*pair) for pair in set(zip(titles, quantities, strict=True))}
    orders = list(members.values())
    firsts = [lines[0] for lines in orders]
    emails, names = (frame[column].iloc[firsts].tolist() for column in (Column.EMAIL, Column.ORDER_REFERENCE))
    texts = _agreed((frame[column].to_numpy(dtype=object) for column in _TEXT_FIELDS), orders)
    for (identity, lines), email, name, *values in zip(members.items(), emails, names, *texts, strict=True):
        yield Order(
            email=email,
            employee=identity[0],
            reference=identity[1],
            order_reference=name,
            lines=tuple(lines),
            contents=Contents(
                items=tuple(sorted([item_of[titles[line], quantities[line]] for line in lines])),
                **dict(zip(_FIELD_NAMES, values, strict=True)),
            ),
        )


def _agreed(columns: Iterable[np.ndarray], orders: Sequence[Sequence[int]]) -> Iterator[list[str]]:
    """What each order's lines say in each column, as one text: column by column, since hardly any order disagrees."""
    lines = np.fromiter(chain.from_iterable(orders), dtype=np.intp)
    order_of = np.repeat(np.arange(len(orders)), np.fromiter(map(len, orders), dtype=np.intp))
    first = np.array([lines[0] for lines in orders], dtype=np.intp)
    for values in columns:
        texts = values[first]
        for order in set(order_of[values[lines] != texts[order_of]].tolist()):
            texts[order] = _DISAGREE.join(dict.fromkeys(values[list(orders[order])]))
        yield texts.tolist()
