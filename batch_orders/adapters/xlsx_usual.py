"""The rows of a worksheet as most of them are written, in one regular expression.

A sheet writes each of its columns in few ways: in a style or two, as a text or as a number. What was seen of them makes
an expression that matches a whole row, so that a piece of a worksheet is split into columns of cells at once.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from openpyxl.utils import get_column_letter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# So many ways are remembered, and so often an expression is made of them, which takes a while.
_MOST_WAYS: Final = 400
_MOST_MADE: Final = 30
# Where one row in so many is written otherwise, it is quicker to take each by itself.
_RARE: Final = 10
_ROW: Final = r'<row r="([1-9][0-9]{0,6})"([^<>&]*+)>'
_ROW_GROUPS: Final = 2


class Way(NamedTuple):
    """How a cell that holds a value may be written: its column, from 1, and its attributes where it has them."""

    column: int
    style: str | None
    kind: str | None


class UsualRows(NamedTuple):
    """Rows that follow one another: Excel's numbers, their other attributes, and what their cells hold.

    `cells` gives for each way, by columns, what each row holds that is written so, or None.
    """

    numbers: Sequence[str]
    attributes: Sequence[str]
    cells: Sequence[tuple[Way, Sequence[str | None]]]


class Usual:
    """The ways that were seen so far, and the expression that they make."""

    def __init__(self) -> None:
        self._ways: set[tuple[int, str | None, str | None]] = set()
        self._made_of: list[Way] = []
        self._times_made = 0
        self._expression: re.Pattern[str] | None = None

    def learn(self, column: int, style: str | None, kind: str | None) -> None:
        """A cell is written so. What it holds stands in <is><t> or, of any other kind, in <v>."""
        if len(self._ways) < _MOST_WAYS:
            self._ways.add((column, style, kind))

    def split(self, xml: str) -> Iterator[tuple[UsualRows, str]]:
        """Usual rows, and what stands below them, until there is nothing left."""
        if len(self._made_of) < len(self._ways) and self._times_made < _MOST_MADE:
            self._make()
        parts = [xml] if self._expression is None else self._expression.split(xml)
        step = 1 + _ROW_GROUPS + len(self._made_of)
        below = parts[::step]
        others = [place for place, text in enumerate(below) if text]
        if len(others) * _RARE > len(below):
            yield UsualRows((), (), ()), xml
            return
        begin = 0
        for end in (*others, len(below) - 1):
            cells = (parts[begin * step + group : end * step : step] for group in range(1, step))
            numbers, attributes = next(cells), next(cells)
            yield UsualRows(numbers, attributes, tuple(zip(self._made_of, cells, strict=True))), below[end]
            begin = end
            below[end] = ""

    def _make(self) -> None:
        ways = [Way(*way) for way in sorted(self._ways, key=lambda way: (way[0], way[1] or "", way[2] or ""))]
        columns = "".join(_column(column, its_ways) for column, its_ways in groupby(ways, key=lambda way: way.column))
        self._expression = re.compile(rf"{_ROW}{columns}</row>\s*")
        self._made_of = ways
        self._times_made += 1


def _column(column: int, ways: Iterator[Way]) -> str:
    """A cell in one of these ways, or none; the number of its row was the first group."""
    return rf'(?:<c r="{get_column_letter(column)}\1"(?:{"|".join(map(_cell, ways))})</c>)?'


def _cell(way: Way) -> str:
    style = "" if way.style is None else f' s="{way.style}"'
    kind = "" if way.kind is None else f' t="{way.kind}"'
    if way.kind == "inlineStr":
        return rf'{style}{kind}><is><t(?: xml:space="preserve")?>([^<>]*+)</t></is>'
    return f"{style}{kind}><v>([^<>]*+)</v>"
