"""A worksheet's XML, row by row and cell by cell: what is left alone stays as it is, character by character."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from openpyxl.utils import column_index_from_string, range_boundaries

from batch_orders.adapters.own_workbook.markup import (
    Element,
    Root,
    UnexpectedLayoutError,
    attributes_of,
    children,
    escaped,
    inner,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    # What becomes of a row, by its tag, number and cells: the whole row, or None for what is to stay as it is.
    RowEdit = Callable[[re.Match[str], int, str], str | None]

_MOST_KNOWN = 1024
_PLACE = re.compile(r"""\sr=["']([A-Z]{1,3})(\d+)["']""")
TRUE = frozenset({"1", "true"})


class SheetPart:
    """One worksheet as text, and what stands where in it. UnexpectedLayoutError where it has no rows."""

    def __init__(self, text: str) -> None:
        self._root = Root.of(text, "worksheet")
        self._p = self._root.prefix
        self._elements = list(self._root.children())
        self._cell = re.compile(rf"\s*<{self._p}c((?:\s[^>]*?)?)(?:/>|>(.*?)</{self._p}c>)", re.DOTALL)
        if not self._has("sheetData"):
            raise UnexpectedLayoutError("no rows")

    def _edited_rows(self, blocks: Iterable[str], edit: RowEdit) -> Iterator[str]:
        """The rows in these blocks, and what stands around them. A block ends behind a row."""
        row = re.compile(rf"<{self._p}row((?:\s[^>/]*+(?:/(?!>)[^>/]*+)*+)?)(/?)>")
        closing = f"</{self._p}row>"
        number_of = re.compile(r"""\sr=["'](\d+)["']""")
        for text in blocks:
            position, parts = 0, []
            while (tag := row.search(text, position)) is not None:
                stop = tag.end() if tag[2] else text.index(closing, tag.end())
                found = number_of.search(tag[1])
                if found is None:
                    raise UnexpectedLayoutError("a row without a number")
                parts.append(text[position : tag.start()])
                position = stop if tag[2] else stop + len(closing)
                edited = edit(tag, int(found[1]), text[tag.end() : stop])
                parts.append(text[tag.start() : position] if edited is None else edited)
            parts.append(text[position:])
            yield "".join(parts)

    def _cells(self, number: int, body: str) -> dict[int, str]:
        cells: dict[int, str] = {}
        position = 0
        while (found := self._cell.match(body, position)) is not None:
            cells[self._column(number, found[1])] = found[0]
            position = found.end()
        if body[position:].strip():
            raise UnexpectedLayoutError("something else than cells in a row")
        return cells

    def _column(self, number: int, attributes: str) -> int:
        found = _PLACE.search(attributes)
        if found is None or int(found[2]) != number:
            raise UnexpectedLayoutError("a cell without a place")
        return column_index_from_string(found[1])

    def _column_style(self, column: int) -> int:
        text = self._root.text
        for element in self._elements:
            if self._local(element) == "cols":
                for item in children(text, *inner(text, element)):
                    found = attributes_of(item.attributes)
                    if int(found["min"]) <= column <= int(found["max"]):
                        return int(found.get("style", "0"))
        return 0

    def _has(self, name: str) -> bool:
        return any(self._local(element) == name for element in self._elements)

    def _local(self, element: Element) -> str:
        return element.name.rpartition(":")[2]


def row_style(attributes: str) -> int:
    """The format that a row gives to cells that are not there; `attributes` are its tag's."""
    found = attributes_of(attributes)
    return int(found.get("s", "0")) if found.get("customFormat") in TRUE else 0


def inline_cell(p: str, place: str, text: str, style: int) -> str:
    """A cell that holds this text as text, whatever it starts with; `text` is one that XML can hold."""
    return f'<{p}c r="{place}{behind_place(p, text, style)}'


@lru_cache(_MOST_KNOWN)
def behind_place(p: str, text: str, style: int) -> str:
    """What of such a cell stands behind its place, which is different in every row."""
    words = escaped(text)
    return f'" s="{style}" t="inlineStr"><{p}is><{p}t xml:space="preserve">{words}</{p}t></{p}is></{p}c>'


def boundaries(area: str) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of an area; UnexpectedLayoutError where it is none."""
    try:
        left, top, right, bottom = range_boundaries(area)
    except ValueError:
        raise UnexpectedLayoutError("an area that is none") from None
    if left is None or top is None or right is None or bottom is None:
        raise UnexpectedLayoutError("an area without end")
    return left, top, right, bottom


def edited(text: str, edits: Iterable[tuple[int, int, Iterable[str]]]) -> Iterator[str]:
    """The text with something else (in pieces) between these places; they come in order, and do not overlap."""
    position = 0
    for start, end, new in edits:
        yield text[position:start]
        yield from new
        position = end
    yield text[position:]


def with_edits(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The same at once."""
    return "".join(edited(text, ((start, end, [new]) for start, end, new in edits)))
