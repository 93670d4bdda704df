"""The data sheet's XML: our five cells in each row, and the cells with findings in their colour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

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
    boundaries,
    inline_cell,
    row_style,
    with_edits,
)
from batch_orders.adapters.results_style import longest_line, row_height, xlsx_text
from batch_orders.messages.template import example_row
from batch_orders.models import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from batch_orders.adapters.own_workbook.styles import Styles
    from batch_orders.models import Cell, Finding, Report, RowStatus

_MESSAGE = RESULT_COLUMNS.index("order_message")
_MESSAGE_WIDTH, _WIDEST, _NARROWEST, _FILTER_BUTTON = 60, 40, 8, 4
_LAST_COLUMN = 16_384
# What may stand behind a sheet's place for its comments' drawing.
_BEHIND_DRAWING = {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems"}
_BEHIND_DRAWING |= {"tableParts", "extLst", "AlternateContent"}


class ResultTexts(NamedTuple):
    """Our five cells of one row, and the status that colours it."""

    texts: tuple[str, ...]
    status: RowStatus | None


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

    def __init__(self, text: str, report: Report, styles: Styles) -> None:
        super().__init__(text)
        self._report = report
        self._styles = styles
        self._columns = Columns.of(report)
        self._left, self._right = min(self._columns.places), max(self._columns.places)
        self._in_a_block = self._columns.places == tuple(range(self._left, self._right + 1))
        self._row_style = 0
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

    def render(self, marks: Mapping[Cell, Sequence[Finding]], cleared: Iterable[Cell], drawing: str | None) -> str:
        """The whole part. `drawing` is the relation's id of the comments' drawing, where there is one."""
        text = self._root.text
        replaced = {"dimension": self._dimension, "sheetViews": self._views, "cols": self._cols}
        replaced |= {"autoFilter": self._filter}
        edits: list[tuple[int, int, str]] = []
        for element in self._elements:
            name = self._local(element)
            if name in replaced:
                edits.append((element.start, element.end, replaced[name](element)))
            elif name == "sheetData":
                if not self._has("cols"):
                    edits.append((element.start, element.start, self._cols(None)))
                begin, end = inner(text, element)
                edits.append((begin, end, "".join(self._rows(begin, end, marks, cleared))))
        if drawing is not None and not self._has("legacyDrawing"):
            place = self._place_of_drawing()
            tag = f'<{self._p}legacyDrawing xmlns:r="{RELATIONSHIPS}" r:id="{drawing}"/>'
            edits.append((place, place, tag))
        return with_edits(text, sorted(edits, key=lambda edit: edit[:2]))

    # Rows ---------------------------------------------------------------------------------------------------------

    def _rows(
        self, start: int, end: int, marks: Mapping[Cell, Sequence[Finding]], cleared: Iterable[Cell]
    ) -> Iterator[str]:
        """The rows between these places, with what is new in them."""
        header = self._report.mapped.sheet.header_row
        results = self._results()
        restyled = self._restyled(marks, cleared)
        seen = 0

        def edit(tag: re.Match[str], number: int, body: str) -> str | None:
            nonlocal seen
            result = results.get(number)
            if result is None and number != header:
                return None
            seen += 1
            return f"{self._row(tag, number, body, result, restyled.get(number, {}))}</{self._p}row>"

        yield from self._edited_rows(start, end, edit)
        if seen != len(results) + 1:
            raise UnexpectedLayoutError("a row is missing")

    def _results(self) -> dict[int, ResultTexts]:
        """What we say, by row; of the template's example row too, which is none."""
        sheet, rows = self._report.mapped.sheet, self._report.rows
        said = {number: ResultTexts((*("",) * _MESSAGE, example_row(), "", ""), None) for number in sheet.aside}
        for number, row in zip(sheet.row_numbers, rows, strict=True):
            said[number] = ResultTexts(results_layout.result_texts(row), row.status)
        return said

    def _row(
        self,
        tag: re.Match[str],
        number: int,
        body: str,
        result: ResultTexts | None,
        restyled: Mapping[int, Callable[[int], int]],
    ) -> str:
        """One row of ours (the header where there is no result), without its end."""
        attributes = attributes_of(tag[1])
        self._row_style = row_style(tag[1])
        changes: dict[str, str | None] = {"spans": None} if "spans" in attributes else {}
        if result is None:
            ours = self._header_cells(number)
            if self._columns.came_back:
                return tag[0] + body
        else:
            ours = self._our_cells(number, result)
            changes |= self._height(attributes, result)
        opening = f"<{self._p}row{tag[1]}>"
        if changes:
            opening = with_attributes(opening, **changes)
        return opening + self._with_ours(number, body, ours, restyled)

    def _with_ours(
        self, number: int, body: str, ours: Mapping[int, str], restyled: Mapping[int, Callable[[int], int]]
    ) -> str:
        """A row's cells, ours among them at their places. Mostly they just follow the last one."""
        before = self._before_ours(number, body) if self._in_a_block and not restyled else None
        if before is not None:
            return before + "".join(ours.values())
        cells = self._cells(number, body)
        for column in self._columns.places:
            removed = cells.pop(column, "")
            content = self._cell.match(removed)
            if f"<{self._p}f" in removed or (content and content[2] and not self._columns.came_back):
                raise UnexpectedLayoutError("something stands where the results go")
        for column, change in restyled.items():
            if column not in self._columns.places:
                cells[column] = self._restyle(number, column, cells.get(column), change)
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

    def _restyled(
        self, marks: Mapping[Cell, Sequence[Finding]], cleared: Iterable[Cell]
    ) -> dict[int, dict[int, Callable[[int], int]]]:
        """By row and column, what becomes of a cell's format."""
        styles = self._styles
        changes: dict[int, dict[int, Callable[[int], int]]] = {}
        for cell in cleared:
            changes.setdefault(cell.row, {})[cell.column] = styles.unmarked
        for cell, findings in marks.items():
            severity = findings[0].severity
            old = changes.setdefault(cell.row, {}).get(cell.column, int)
            changes[cell.row][cell.column] = lambda style, old=old, severity=severity: styles.marked(  # type: ignore[misc] # a lambda's default
                old(style), severity
            )
        return changes

    def _restyle(self, number: int, column: int, cell: str | None, change: Callable[[int], int]) -> str:
        """A cell in another format; a blank one that was not there has its row's or its column's."""
        if cell is None:
            style = change(self._row_style or self._column_style(column))
            return f'<{self._p}c r="{get_column_letter(column)}{number}" s="{style}"/>'
        opening, rest = _split(cell)
        old = int(attributes_of(opening).get("s", "0"))
        return with_attributes(opening, s=str(change(old))) + rest

    def _header_cells(self, number: int) -> dict[int, str]:
        prefix = self._report.mapped.prefix
        names = [prefix + name for name in RESULT_COLUMNS]
        return {
            column: self._text_cell(column, number, name, self._styles.header)
            for column, name in sorted(zip(self._columns.places, names, strict=True))
        }

    def _our_cells(self, number: int, result: ResultTexts) -> dict[int, str]:
        styles = [self._styles.text] * len(RESULT_COLUMNS)
        styles[_MESSAGE] = self._styles.message
        if result.status is not None:
            styles[0] = self._styles.status(result.status)
        return {
            column: self._text_cell(column, number, text, style)
            for column, text, style in sorted(zip(self._columns.places, result.texts, styles, strict=True))
            if text
        }

    def _text_cell(self, column: int, row: int, text: str, style: int) -> str:
        return text_cell(self._p, f"{get_column_letter(column)}{row}", text, style)

    def _height(self, attributes: Mapping[str, str], result: ResultTexts) -> dict[str, str | None]:
        """Let the row show its message, where the person has not said how tall it is."""
        wanted = row_height(result.texts[_MESSAGE], _MESSAGE_WIDTH)
        if wanted is None or attributes.get("customHeight") in TRUE or float(attributes.get("ht", "0")) >= wanted:
            return {}
        return {"ht": f"{wanted:g}"}

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
        for column in new:
            width = self._width(self._columns.places.index(column))
            ranges.append((column, f'<{p}col min="{column}" max="{column}" width="{width}" customWidth="1"/>'))
        return f"<{p}cols>{''.join(tag for _, tag in sorted(ranges))}</{p}cols>" if ranges else ""

    def _width(self, which: int) -> int:
        texts = (results_layout.result_texts(row)[which] for row in self._report.rows)
        content = max(map(longest_line, texts), default=0) + 2
        header = len(self._report.mapped.prefix + RESULT_COLUMNS[which]) + _FILTER_BUTTON
        return min(max(content, header, _NARROWEST), _MESSAGE_WIDTH if which == _MESSAGE else _WIDEST)

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
