"""Results in the person's own workbook: our cells are added to its XML, and everything else in it stays.

That is the other columns with their formats and formulas, widths, filters, conditional formats, drop-downs, comments,
pictures, charts, names and sheets. Only what is understood is edited: anything else is an `UnexpectedLayoutError`, and
results_xlsx writes a plain workbook instead. A file that comes back has its result columns, marks and summary replaced.

What goes: macros (results are .xlsx), and the list of cells in the order of their calculation, which Excel rebuilds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_orders.adapters import results_layout
from batch_orders.adapters.own_workbook.book import OFFICE, WORKBOOK, Book, parts_of
from batch_orders.adapters.own_workbook.comments import NEW_COMMENTS, NEW_DRAWING, Comments
from batch_orders.adapters.own_workbook.drawings import moved
from batch_orders.adapters.own_workbook.markup import MAIN, Root, UnexpectedLayoutError, attributes_of, decoded
from batch_orders.adapters.own_workbook.package import TYPES, Package, Relation
from batch_orders.adapters.own_workbook.rows_apart import RowsApart
from batch_orders.adapters.own_workbook.sheet import Columns, DataSheet, text_cell
from batch_orders.adapters.own_workbook.sheet_part import boundaries
from batch_orders.adapters.own_workbook.styles import Styles
from batch_orders.adapters.results_style import SUMMARY_WIDTHS, row_height, xlsx_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_orders.adapters.own_workbook.book import ListedSheet
    from batch_orders.models import Cell, Report

__all__ = ["UnexpectedLayoutError", "render"]

_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_MAIN_TYPE = f"{_TYPE}.sheet.main+xml"
_VBA = "application/vnd.ms-office.vbaProject"
_MAIN_TYPES = {_MAIN_TYPE, f"{_TYPE}.template.main+xml"}
_MAIN_TYPES |= {f"application/vnd.ms-excel.{kind}.macroEnabled.main+xml" for kind in ("sheet", "template")}
_SELECTED = re.compile(rb"""(<(?:\w+:)?sheetView\b[^>]*?)\s+tabSelected\s*=\s*(?:"[^"]*"|'[^']*')""")
_TITLES = re.compile(r"<(HeadingPairs|TitlesOfParts)>.*?</\1>", re.DOTALL)


def render(report: Report) -> bytes:
    """The workbook that the report's sheet was read from, with its results. UnexpectedLayoutError where it is odd."""
    return _Editor(report).render()


class _Editor:
    """One workbook on its way."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._package = package = Package(report.mapped.sheet.content)
        if any(name.startswith("_xmlsignatures/") for name in package.names):
            raise UnexpectedLayoutError("a digital signature")
        self._book = Book(package.text(WORKBOOK))
        self._parts = parts_of(self._book.sheets, package)
        self._data = self._book.find(report.mapped.sheet.sheet_name or "")
        self._data_part = self._parts[self._data]
        self._styles_part = self._only(package.relations(WORKBOOK), "styles")
        app = package.text("docProps/app.xml") if "docProps/app.xml" in package else ""
        self._styles = Styles(package.text(self._styles_part), saved_by_libreoffice="LibreOffice" in app)
        self._sheet = DataSheet(RowsApart(lambda: package.open(self._data_part)), report, self._styles)
        self._marks = results_layout.marks(report, besides=Columns.of(report).places)
        self._refuse_what_is_in_the_way()

    def render(self) -> bytes:
        """Everything, in the order in which one thing needs the other."""
        package = self._package
        cleared, drawing = self._comment()
        package.put_pieces(self._data_part, self._sheet.render(self._marks, cleared, drawing))
        self._make_room()
        self._deselect_others()
        summary = self._summarise()
        package.put(WORKBOOK, self._book.render(self._data, summary, self._sheet.filter_area))
        package.put_pieces(self._styles_part, self._formats())
        self._drop_macros()
        package.drop_related(WORKBOOK, "calcChain")
        if "docProps/app.xml" in package:
            package.put("docProps/app.xml", _TITLES.sub("", package.text("docProps/app.xml")))
        return package.packed()

    # What is where ------------------------------------------------------------------------------------------------

    def _only(self, relations: Sequence[Relation], kind: str) -> str:
        """The one part of this kind, "" where there is none."""
        found = [relation.target for relation in relations if relation.kind.rpartition("/")[2] == kind]
        if len(found) > 1:
            raise UnexpectedLayoutError("several parts of one kind")
        return found[0] if found else ""

    def _refuse_what_is_in_the_way(self) -> None:
        """UnexpectedLayoutError for comments that are conversations, and for tables where our columns go."""
        if self._package.content_type(WORKBOOK) not in _MAIN_TYPES:
            raise UnexpectedLayoutError("another kind of workbook")
        places = Columns.of(self._report)
        for relation in self._package.relations(self._data_part):
            kind = relation.kind.rpartition("/")[2]
            if kind.casefold() == "threadedcomment":
                raise UnexpectedLayoutError("threaded comments")
            if kind in {"table", "pivotTable"} and not places.came_back:
                self._refuse_area(relation.target, kind, places.places)

    def _refuse_area(self, part: str, kind: str, columns: Sequence[int]) -> None:
        text = self._package.text(part)
        area = re.search(r"""<(?:\w+:)?(?:table|location)\b[^>]*?\sref=["']([^"']+)["']""", text)
        left, _, right, bottom = boundaries(area[1] if area else "")
        header = self._report.mapped.sheet.header_row
        if bottom >= header and any(left <= column <= right for column in columns):
            raise UnexpectedLayoutError(f"a {kind} where the results go")

    # What changes -------------------------------------------------------------------------------------------------

    def _comment(self) -> tuple[set[Cell], str | None]:
        """Write the comments: the cells that an earlier run had marked, and the relation's id of their drawing."""
        package, part = self._package, self._data_part
        relations = package.relations(part)
        texts = self._only(relations, "comments")
        drawing = self._sheet.relations.get("legacyDrawing")
        boxes = next((relation.target for relation in relations if relation.id == drawing), "")
        if not self._marks and not texts:
            return set(), drawing
        comments = Comments(
            package.text(texts) if texts else NEW_COMMENTS,
            package.text(boxes) if boxes else NEW_DRAWING,
            came_back=bool(self._report.mapped.results),
        )
        if not texts:
            texts = package.free_name("xl/comments{}.xml")
            package.relate(part, f"{OFFICE}/comments", texts)
            package.set_type(texts, f"{_TYPE}.comments+xml")
        if not boxes:
            boxes = package.free_name("xl/drawings/vmlDrawing{}.vml")
            drawing = package.relate(part, f"{OFFICE}/vmlDrawing", boxes)
            package.set_type(boxes, "application/vnd.openxmlformats-officedocument.vmlDrawing")
        package.put_pieces(texts, comments.written(self._told()))
        package.put_pieces(boxes, comments.drawn(self._told()))
        return comments.cleared, drawing

    def _told(self) -> Iterator[tuple[Cell, str]]:
        """What is said at each cell, row by row."""
        for cell, findings in results_layout.by_cell(self._marks):
            yield cell, xlsx_text(results_layout.comment_text(findings))

    def _make_room(self) -> None:
        """Let no picture or chart lie over our columns that stood right of the data."""
        columns = Columns.of(self._report)
        relation = self._sheet.relations.get("drawing")
        part = next((r.target for r in self._package.relations(self._data_part) if r.id == relation), "")
        if part and not columns.came_back:
            self._package.put(part, moved(self._package.text(part), columns.places[0], len(columns.places)))

    def _formats(self) -> Iterator[str]:
        """The formats: written behind the rows, since it is there that it shows which are needed."""
        yield self._styles.render()

    def _deselect_others(self) -> None:
        """Only the data sheet is selected: what is typed while several are goes into all of them."""
        for sheet in self._book.sheets:
            part = self._parts[sheet]
            if part != self._data_part and b"tabSelected" in (content := self._package.read(part)):
                self._package.put(part, decoded(_SELECTED.sub(rb"\1", content)))

    def _summarise(self) -> ListedSheet:
        """Write our summary: over that of an earlier run, else as a new sheet."""
        package, book = self._package, self._book
        found = book.summary()
        if found is not None and found != self._data:
            package.put(self._parts[found], self._summary())
            return found
        part = package.free_name("xl/worksheets/sheet{}.xml")
        package.put(part, self._summary())
        package.set_type(part, f"{_TYPE}.worksheet+xml")
        relation = package.relate(WORKBOOK, f"{OFFICE}/worksheet", part)
        return book.new_sheet(book.free_name(self._data.name), book.next_number(), relation)

    def _summary(self) -> str:
        rows = []
        for number, (label, text) in enumerate(self._report.summary, start=1):
            height = row_height(text, SUMMARY_WIDTHS["B"])
            size = f' ht="{height:g}" customHeight="1"' if height else ""
            cells = text_cell("", f"A{number}", label, self._styles.label)
            cells += text_cell("", f"B{number}", text, self._styles.message)
            rows.append(f'<row r="{number}"{size}>{cells}</row>')
        widths = (
            f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
            for number, width in enumerate(SUMMARY_WIDTHS.values(), start=1)
        )
        return (
            f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<worksheet xmlns="{MAIN}"><sheetPr>'
            '<pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0"/></sheetViews>'
            f"<cols>{''.join(widths)}</cols><sheetData>{''.join(rows)}</sheetData>"
            '<pageSetup orientation="portrait" fitToHeight="0"/></worksheet>'
        )

    def _drop_macros(self) -> None:
        """Results are .xlsx, and such a workbook has no macros."""
        package = self._package
        for relation in package.relations(WORKBOOK):
            if relation.kind.rpartition("/")[2] == "vbaProject":
                for signature in package.relations(relation.target):
                    package.drop(signature.target)
        package.drop_related(WORKBOOK, "vbaProject")
        package.set_type(WORKBOOK, _MAIN_TYPE)
        types = Root.of(package.text(TYPES), "Types", "http://schemas.openxmlformats.org/package/2006/content-types")
        for element in types.children():
            found = attributes_of(element.attributes)
            if found.get("ContentType") == _VBA and "Extension" in found:
                extension = found["Extension"]
                left = [name for name in package.names if name.casefold().endswith(f".{extension}".casefold())]
                if any(package.content_type(name) == _VBA for name in left):
                    raise UnexpectedLayoutError("macros in several parts")
                package.put(TYPES, types.text[: element.start] + types.text[element.end :])
