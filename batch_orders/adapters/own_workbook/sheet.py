"""The data sheet's XML: our five cells in each row, and the cells with findings in their colour."""

from __future__ import annotations

import re
from functools import lru_cache
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from openpyxl.utils import get_column_letter

from batch_orders.adapters import results_layout
from batch_orders.adapters.own_workbook.markup import (
    RELATIONSHIPS,
    Element,
    UnexpectedLayoutError,
    attributes_of,
    children,
    inner,
    with_attributes,
)
from batch_orders.adapters.own_workbook.sheet_part import (
    TRUE,
    SheetPart,
    behind_place,
    boundaries,
    edited,
    inline_cell,
    row_style,
)
from batch_orders.adapters.results_style import longest_line, row_height, xlsx_text
from batch_orders.messages.template import example_row
from batch_orders.models import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from batch_orders.adapters.own_workbook.rows_apart import RowsApart
    from batch_orders.adapters.own_workbook.styles import Styles
    from batch_orders.adapters.results_layout import Mark
    from batch_orders.models import Cell, Report, ResultRow, Severity

_MESSAGE = RESULT_COLUMNS.index("order_message")
_MESSAGE_WIDTH, _WIDEST, _NARROWEST, _FILTER_BUTTON = 60, 40, 8, 4
_LAST_COLUMN = 16_384
# Stands for a row's number in a tag that is the same in many rows.
_ANY_PLACE = ' r="*"'
_MOST_KNOWN = 1024
# What may stand behind a sheet's place for its comments' drawing.
_BEHIND_DRAWING = {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems"}
_BEHIND_DRAWING |= {"tableParts", "extLst", "AlternateContent"}

T = TypeVar("T")


class Change(NamedTuple):
    """What becomes of a cell's format: the mark of an earlier run goes, and one comes."""

    was_marked: bool
    mark: Severity | None


class OurPlace(NamedTuple):
    """Where one of our five stands: a column, its letters, and which of RESULT_COLUMNS it is."""

    column: int
    letters: str
    which: int


class OurCell(NamedTuple):
    """One of our cells, but for the number of its row: what stands before and behind that."""

    column: int
    before: str
    behind: str


class Columns(NamedTuple):
    """Where our five stand (numbers from 1), and whether an earlier run put them there."""

    places: tuple[int, ...]
    came_back: bool

    @classmethod
    def of(cls, report: Report) -> Columns:
        """Where they were, else right of the last column that holds anything."""
        sheet, results = report.mapped.sheet, report.mapped.results
        if results:
            return cls(tuple(sheet.first_column + position for position in results), came_back=True)
        first = sheet.first_column + len(sheet.headers)
        if first + len(RESULT_COLUMNS) > _LAST_COLUMN:
            raise UnexpectedLayoutError("no room for the results")
        return cls(tuple(range(first, first + len(RESULT_COLUMNS))), came_back=False)


class DataSheet(SheetPart):
    """One worksheet in the making. `cleared` are cells that an earlier run had marked."""

    def __init__(self, part: RowsApart, report: Report, styles: Styles) -> None:
        super().__init__(part.around)
        self._part = part
        self._report = report
        self._styles = styles
        self._columns = Columns.of(report)
        self._left, self._right = min(self._columns.places), max(self._columns.places)
        self._in_a_block = self._columns.places == tuple(range(self._left, self._right + 1))
        self._letters = {column: get_column_letter(column) for column in range(1, self._right + 1)}
        places = enumerate(self._columns.places)
        self._ours = sorted(OurPlace(column, self._letters[column], which) for which, column in places)
        self._known_results: dict[ResultRow, tuple[list[OurCell], float | None]] = {}
        self._known_tags: dict[tuple[str, Change], str] = {}
        self._look_for_obstacles()

    @property
    def relations(self) -> dict[str, str]:
        """The relation's id of each element that has one: {"legacyDrawing": "rId2"}."""
        found = {}
        for element in self._elements:
            for name, value in attributes_of(element.attributes).items():
                if name.endswith(":id"):
                    found[self._local(element)] = value
        return found

    @property
    def filter_area(self) -> str | None:
        """The filter's area as it is to be, where the person has one over the header."""
        for element in self._elements:
            if self._local(element) == "autoFilter":
                return self._extended(attributes_of(element.attributes).get("ref", ""))
        return None

    def render(self, marks: Sequence[Mark], cleared: Collection[Cell], drawing: str | None) -> Iterator[str]:
        """The whole part. `drawing` is the relation's id of the comments' drawing, where there is one."""
        text = self._root.text
        replaced = {"dimension": self._dimension, "sheetViews": self._views, "cols": self._cols}
        replaced |= {"autoFilter": self._filter}
        edits: list[tuple[int, int, Iterable[str]]] = []
        for element in self._elements:
            name = self._local(element)
            if name in replaced:
                edits.append((element.start, element.end, [replaced[name](element)]))
            elif name == "sheetData":
                if not self._has("cols"):
                    edits.append((element.start, element.start, [self._cols(None)]))
                edits.append((*inner(text, element), self._rows(marks, cleared)))
        if drawing is not None and not self._has("legacyDrawing"):
            place = self._place_of_drawing()
            tag = f'<{self._p}legacyDrawing xmlns:r="{RELATIONSHIPS}" r:id="{drawing}"/>'
            edits.append((place, place, [tag]))
        return edited(text, sorted(edits, key=lambda edit: edit[:2]))

    # Rows ---------------------------------------------------------------------------------------------------------

    def _rows(self, marks: Sequence[Mark], cleared: Collection[Cell]) -> Iterator[str]:
        """The rows, with what is new in them."""
        sheet, rows = self._report.mapped.sheet, self._report.rows
        results, changes = InTurn(zip(sheet.row_numbers, rows, strict=True)), self._changes(marks, cleared)
        closing = f"</{self._p}row>"
        seen = 0

        def edit(tag: re.Match[str], number: int, body: str) -> str | None:
            nonlocal seen
            result = results.at(number)
            if result is None and number != sheet.header_row and number not in sheet.aside:
                return None
            seen += 1
            return self._row(tag, number, body, result, changes.at(number) or {}) + closing

        yield from self._edited_rows(self._part.rows(closing), edit)
        if seen != 1 + len(rows) + len(sheet.aside):
            raise UnexpectedLayoutError("a row is missing")

    def _row(
        self,
        tag: re.Match[str],
        number: int,
        body: str,
        result: ResultRow | None,
        changes: Mapping[int, Change],
    ) -> str:
        """One row of ours (the header, or the template's example, where there is no result), without its end."""
        if result is not None:
            cells, height = self._known_results.get(result) or self._cells_of(result)
        elif number in self._report.mapped.sheet.aside:
            cells = self._our_cells(results_layout.example_texts(), self._styles.text)
            height = row_height(example_row(), _MESSAGE_WIDTH)
        elif self._columns.came_back:
            return tag[0] + body
        else:
            cells, height = self._header_cells(), None
        ours = {column: f"{before}{number}{behind}" for column, before, behind in cells}
        place = f' r="{number}"'
        opening = _row_tag(self._p, tag[1].replace(place, _ANY_PLACE, 1), height).replace(_ANY_PLACE, place, 1)
        return opening + self._with_ours(number, body, ours, changes, tag[1])

    def _with_ours(
        self, number: int, body: str, ours: Mapping[int, str], changes: Mapping[int, Change], row_tag: str
    ) -> str:
        """A row's cells, ours among them at their places. Mostly they just follow the last one."""
        before = self._before_ours(number, body) if self._in_a_block else None
        if before is not None and changes:
            before = self._with_changes(number, before, changes)
        if before is not None:
            return before + "".join(ours.values())
        cells = self._cells(number, body)
        for column in self._columns.places:
            removed = cells.pop(column, "")
            content = self._cell.match(removed)
            if f"<{self._p}f" in removed or (content and content[2] and not self._columns.came_back):
                raise UnexpectedLayoutError("something stands where the results go")
        for column, change in changes.items():
            if column not in self._columns.places:
                cells[column] = self._restyle(number, column, cells.get(column), change, row_tag)
        cells |= ours
        return "".join(cells[column] for column in sorted(cells))

    def _before_ours(self, number: int, body: str) -> str | None:
        """What stands before our cells, where nothing of the person's stands among or behind them; else None."""
        last = body.rfind(f"<{self._p}c ")
        found = self._cell.fullmatch(body, last) if last >= 0 else None
        if found is None:
            return None
        column = self._column(number, found[1])
        if column < self._left:
            return body
        if not self._columns.came_back or column > self._right:
            return None
        first = body.find(f'<{self._p}c r="{get_column_letter(self._left)}{number}"')
        return body[:first] if first >= 0 and f"<{self._p}f" not in body[first:] else None

    def _changes(self, marks: Sequence[Mark], cleared: Collection[Cell]) -> InTurn[dict[int, Change]]:
        """By row and column, what becomes of a cell's format."""
        gone = ((cell, None) for cell in sorted(cleared))
        come = ((cell, finding.severity) for cell, finding in marks)
        both = merge(gone, come, key=lambda mark: mark[0].row) if cleared else come

        def by_row() -> Iterator[tuple[int, dict[int, Change]]]:
            for row, group in groupby(both, lambda mark: mark[0].row):
                changes: dict[int, Change] = {}
                for cell, severity in group:
                    known = changes.get(cell.column)
                    if known is None or known.mark is None:
                        changes[cell.column] = Change(known is not None or severity is None, severity)
                yield row, changes

        return InTurn(by_row())

    def _with_changes(self, number: int, body: str, changes: Mapping[int, Change]) -> str | None:
        """The cells before ours with these in another format; None where one of them does not stand there as usual."""
        for column, change in changes.items():
            if column >= self._left:
                if column in self._columns.places:
                    continue
                return None
            place = f'<{self._p}c r="{self._letters[column]}{number}"'
            start = body.find(place)
            if start < 0 or (start and body[start - 1] != ">"):
                return None
            start += len(place)
            end = body.index(">", start) + 1
            body = body[:start] + self._changed_tag(body[start:end], change) + body[end:]
        return body

    def _changed_tag(self, behind_place: str, change: Change) -> str:
        """What stands in a cell's tag behind its place, with another format."""
        key = behind_place, change
        if key not in self._known_tags:
            self._known_tags[key] = self._in_format(behind_place, change)
        return self._known_tags[key]

    def _in_format(self, tag: str, change: Change) -> str:
        style = int(attributes_of(tag).get("s", "0"))
        return with_attributes(tag, s=str(self._changed(style, change)))

    def _changed(self, style: int, change: Change) -> int:
        if change.was_marked:
            style = self._styles.unmarked(style)
        return self._styles.marked(style, change.mark) if change.mark else style

    def _restyle(self, number: int, column: int, cell: str | None, change: Change, row_tag: str) -> str:
        """A cell in another format; a blank one that was not there has its row's or its column's."""
        if cell is None:
            style = self._changed(row_style(row_tag) or self._column_style(column), change)
            return f'<{self._p}c r="{get_column_letter(column)}{number}" s="{style}"/>'
        opening, rest = _split(cell)
        return self._in_format(opening, change) + rest

    def _header_cells(self) -> list[OurCell]:
        prefix, style = self._report.mapped.prefix, self._styles.header
        return [self._our_cell(place, prefix + RESULT_COLUMNS[place.which], style) for place in self._ours]

    def _cells_of(self, result: ResultRow) -> tuple[list[OurCell], float | None]:
        """Our cells of a row with this result, and how tall the row must be to show them."""
        cells = self._our_cells(results_layout.result_texts(result), self._styles.status(result.status))
        if len(self._known_results) >= _MOST_KNOWN:
            self._known_results.clear()
        made = self._known_results[result] = cells, row_height(result.message, _MESSAGE_WIDTH)
        return made

    def _our_cells(self, texts: Sequence[str], status: int) -> list[OurCell]:
        plain = self._styles.text
        styles = (status, plain, self._styles.message, plain, plain)
        shown = [place for place in self._ours if texts[place.which]]
        return [self._our_cell(place, texts[place.which], styles[place.which]) for place in shown]

    def _our_cell(self, place: OurPlace, text: str, style: int) -> OurCell:
        before = f'<{self._p}c r="{place.letters}'
        return OurCell(place.column, before, behind_place(self._p, xlsx_text(text), style))

    # Around the rows ----------------------------------------------------------------------------------------------

    def _look_for_obstacles(self) -> None:
        """UnexpectedLayoutError where merged cells, or a table, lie where our columns go."""
        text, first = self._root.text, self._report.mapped.sheet.header_row
        for element in self._elements:
            if self._local(element) != "mergeCells":
                continue
            for area in children(text, *inner(text, element)):
                left, _, right, bottom = boundaries(attributes_of(area.attributes).get("ref", ""))
                if bottom >= first and any(left <= column <= right for column in self._columns.places):
                    raise UnexpectedLayoutError("merged cells where the results go")

    def _dimension(self, element: Element) -> str:
        """The area of all cells, larger where it must be; none where it cannot be read (nobody needs it)."""
        try:
            left, top, right, bottom = boundaries(attributes_of(element.attributes).get("ref", ""))
        except UnexpectedLayoutError:
            return ""
        sheet = self._report.mapped.sheet
        last = max(sheet.row_numbers, default=sheet.header_row)
        area = area_name(left, min(top, sheet.header_row), max(right, self._right), max(bottom, last))
        return f'<{element.name} ref="{area}"/>'

    def _views(self, element: Element) -> str:
        """The sheet is the one that is looked at."""
        part = self._root.text[element.start : element.end]
        view = re.search(rf"<{self._p}sheetView\b[^>]*>", part)
        if view is None:
            return part
        return part[: view.start()] + with_attributes(view[0], tabSelected="1") + part[view.end() :]

    def _cols(self, element: Element | None) -> str:
        """The columns' widths. Where ours are new, what was said of the columns from there on moves to the right."""
        text, p, by = self._root.text, self._p, 0 if self._columns.came_back else len(self._columns.places)
        ranges: list[tuple[int, str]] = []
        new = set(self._columns.places)
        for item in children(text, *inner(text, element)) if element else ():
            found = attributes_of(item.attributes)
            first, last, tag = int(found["min"]), int(found["max"]), text[item.start : item.end]
            parts = [(first, min(last, self._left - 1)), (max(first, self._left) + by, min(last + by, _LAST_COLUMN))]
            ranges += [
                (begin, with_attributes(tag, min=str(begin), max=str(end))) for begin, end in parts if begin <= end
            ]
            new -= set(range(first, last + 1)) if self._columns.came_back else set()
        widths = self._widths() if new else []
        for column in new:
            width = widths[self._columns.places.index(column)]
            ranges.append((column, f'<{p}col min="{column}" max="{column}" width="{width}" customWidth="1"/>'))
        return f"<{p}cols>{''.join(tag for _, tag in sorted(ranges))}</{p}cols>" if ranges else ""

    def _widths(self) -> list[int]:
        """How wide our columns are: many rows say the same."""
        said: list[set[str]] = [set() for _ in RESULT_COLUMNS]
        for row in self._report.rows:
            for texts, text in zip(said, results_layout.result_texts(row), strict=True):
                texts.add(text)
        widths = []
        for which, texts in enumerate(said):
            content = max(map(longest_line, texts), default=0) + 2
            header = len(self._report.mapped.prefix + RESULT_COLUMNS[which]) + _FILTER_BUTTON
            most = _MESSAGE_WIDTH if which == _MESSAGE else _WIDEST
            widths.append(min(max(content, header, _NARROWEST), most))
        return widths

    def _extended(self, area: str) -> str:
        """The filter's area, over our columns too where it begins at the header."""
        left, top, right, bottom = boundaries(area)
        if top != self._report.mapped.sheet.header_row:
            return area
        return area_name(left, top, max(right, self._right), bottom)

    def _filter(self, element: Element) -> str:
        """The person's filter, over our columns too."""
        opening, rest = _split(self._root.text[element.start : element.end])
        return with_attributes(opening, ref=self._extended(attributes_of(opening).get("ref", ""))) + rest

    def _place_of_drawing(self) -> int:
        """Where the comments' drawing is named: the order of a sheet's elements is fixed."""
        rows = next(element.end for element in self._elements if self._local(element) == "sheetData")
        behind = (e.start for e in self._elements if e.start >= rows and self._local(e) in _BEHIND_DRAWING)
        return next(behind, self._root.end)


class InTurn(Generic[T]):
    """Things of rows, which are asked for from the top to the bottom."""

    def __init__(self, things: Iterable[tuple[int, T]]) -> None:
        self._things = iter(things)
        self._next = next(self._things, None)

    def at(self, number: int) -> T | None:
        """What there is for this row."""
        while self._next is not None and self._next[0] < number:
            self._next = next(self._things, None)
        return self._next[1] if self._next is not None and self._next[0] == number else None


@lru_cache(_MOST_KNOWN)
def _row_tag(p: str, attributes: str, wanted: float | None) -> str:
    """A row's tag that lets it show its message, where the person has not said how tall it is."""
    found = attributes_of(attributes)
    changes: dict[str, str | None] = {"spans": None} if "spans" in found else {}
    if wanted is not None and found.get("customHeight") not in TRUE and float(found.get("ht", "0")) < wanted:
        changes["ht"] = f"{wanted:g}"
    return with_attributes(f"<{p}row{attributes}>", **changes)


def text_cell(p: str, place: str, text: str, style: int) -> str:
    """A cell that holds this text, as far as a workbook can, as text."""
    return inline_cell(p, place, xlsx_text(text), style)


def area_name(left: int, top: int, right: int, bottom: int) -> str:
    """An area as sheets write it: A1:O20."""
    return f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"


def _split(element: str) -> tuple[str, str]:
    """An element's opening tag, and all the rest of it."""
    end = element.index(">") + 1
    return element[:end].lstrip(), element[end:]
