"""The workbook's list of sheets: the data first and active, our summary behind it, everything else as it was.

Some things call sheets by their place in the list (names that hold for one sheet only, the active sheet): they are
told the new places. Our summary is found again by a name that stands for its first cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import quoteattr

from openpyxl.utils import absolute_coordinate

from batch_orders.adapters.own_workbook.markup import (
    RELATIONSHIPS,
    Element,
    Root,
    UnexpectedLayoutError,
    attributes_of,
    children,
    escaped,
    inner,
    with_attributes,
)
from batch_orders.adapters.results_style import SUMMARY_NAME, summary_sheet_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_orders.adapters.own_workbook.package import Package

WORKBOOK = "xl/workbook.xml"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEET_KINDS = {f"{OFFICE}/{kind}" for kind in ("worksheet", "chartsheet", "dialogsheet")}
_BEFORE_NAMES = ("externalReferences", "functionGroups", "sheets")
_MOST_SHEETS = 500


class ListedSheet(NamedTuple):
    """A sheet as the workbook lists it."""

    name: str
    number: int
    relation: str
    tag: str


class Book:
    """The workbook's own part."""

    def __init__(self, text: str) -> None:
        self._root = Root.of(text, "workbook")
        if attributes_of(self._root.attributes).get("conformance") == "strict":
            raise UnexpectedLayoutError("Strict OOXML")
        self._elements = {element.name.rpartition(":")[2]: element for element in self._root.children()}
        if "sheets" not in self._elements:
            raise UnexpectedLayoutError("no sheets")
        self.sheets = [_listed(text, element) for element in self._within("sheets")]
        if len(self.sheets) > _MOST_SHEETS:
            raise UnexpectedLayoutError("too many sheets")

    def find(self, name: str) -> ListedSheet:
        """The sheet of this name."""
        found = [sheet for sheet in self.sheets if sheet.name == name]
        if len(found) != 1:
            raise UnexpectedLayoutError("no such sheet")
        return found[0]

    def summary(self) -> ListedSheet | None:
        """Our summary of an earlier run."""
        for attributes, text in self._names():
            if attributes.get("name") == SUMMARY_NAME:
                name = text.rpartition("!")[0].replace("''", "'")
                name = name[1:-1] if name.startswith("'") else name
                return next((sheet for sheet in self.sheets if sheet.name == name), None)
        return None

    def free_name(self, data: str) -> str:
        """A name for our summary that no sheet has."""
        taken = {sheet.name.casefold() for sheet in self.sheets}
        wished = summary_sheet_name(data)
        names = [wished, "Run summary", *(f"Run summary {number}" for number in range(2, _MOST_SHEETS + 9))]
        return next(name for name in names if name.casefold() not in taken)

    def next_number(self) -> int:
        """A number for a new sheet."""
        return max(sheet.number for sheet in self.sheets) + 1

    def new_sheet(self, name: str, number: int, relation: str) -> ListedSheet:
        """A sheet to be listed."""
        tag = f'<{self._root.named("sheet")} xmlns:r="{RELATIONSHIPS}" name={quoteattr(name)} '
        return ListedSheet(name, number, relation, f'{tag}sheetId="{number}" r:id="{relation}"/>')

    def render(self, data: ListedSheet, summary: ListedSheet, filter_area: str | None) -> str:
        """The whole part, with these two sheets in front. `filter_area` is what the data's filter now covers."""
        others = [sheet for sheet in self.sheets if sheet not in (data, summary)]
        order = [data, summary, *others]
        places = {old: order.index(sheet) for old, sheet in enumerate(self.sheets)}
        root, p = self._root, self._root.prefix
        names = self._rendered_names(places, summary, filter_area)
        listed = f"<{p}sheets>{''.join(sheet.tag for sheet in order)}</{p}sheets>"
        edits = {"sheets": listed}
        if "bookViews" in self._elements:
            edits["bookViews"] = self._views()
        if "definedNames" in self._elements:
            edits["definedNames"] = names
        else:
            last = next(name for name in _BEFORE_NAMES if name in self._elements)
            element = self._elements[last]
            edits[last] = edits.get(last, root.text[element.start : element.end]) + names
        text = root.text
        for name in sorted(edits, key=lambda name: -self._elements[name].start):
            element = self._elements[name]
            text = text[: element.start] + edits[name] + text[element.end :]
        return text

    def _rendered_names(self, places: dict[int, int], summary: ListedSheet, filter_area: str | None) -> str:
        p, own = self._root.prefix, self._root.text
        data = next(old for old, new in places.items() if not new)
        tags = []
        for element in self._within("definedNames"):
            found = attributes_of(element.attributes)
            begin, end = inner(own, element)
            tag, text = own[element.start : begin], own[begin:end]
            if found.get("name") == SUMMARY_NAME:
                continue
            if "localSheetId" in found:
                local = int(found["localSheetId"])
                if local not in places:
                    raise UnexpectedLayoutError("a name of no sheet")
                tag = with_attributes(tag, localSheetId=str(places[local]))
                if local == data and found.get("name") == "_xlnm._FilterDatabase" and filter_area and "!" in text:
                    text = f"{text.rpartition('!')[0]}!{_absolute(filter_area)}"
            tags.append(f"{tag}{text}</{p}definedName>")
        quoted = escaped("'" + summary.name.replace("'", "''") + "'")
        tags.append(f'<{p}definedName name="{SUMMARY_NAME}" hidden="1">{quoted}!$A$1</{p}definedName>')
        return f"<{p}definedNames>{''.join(tags)}</{p}definedNames>"

    def _views(self) -> str:
        text, element = self._root.text, self._elements["bookViews"]
        begin, end = inner(text, element)
        views = []
        for view in children(text, begin, end):
            tag_end = text.index(">", view.start) + 1
            opening = with_attributes(text[view.start : tag_end], activeTab="0", firstSheet=None)
            views.append(opening + text[tag_end : view.end])
        return text[element.start : begin] + "".join(views) + text[end : element.end]

    def _names(self) -> Iterator[tuple[dict[str, str], str]]:
        text = self._root.text
        for element in self._within("definedNames"):
            begin, end = inner(text, element)
            yield attributes_of(element.attributes), text[begin:end].replace("&apos;", "'").replace("&amp;", "&")

    def _within(self, name: str) -> Sequence[Element]:
        element = self._elements.get(name)
        return list(children(self._root.text, *inner(self._root.text, element))) if element else []


def parts_of(sheets: Sequence[ListedSheet], package: Package) -> dict[ListedSheet, str]:
    """The names of the sheets' parts; UnexpectedLayoutError where one has none."""
    relations = {relation.id: relation for relation in package.relations(WORKBOOK)}
    parts = {}
    for sheet in sheets:
        relation = relations.get(sheet.relation)
        if relation is None or relation.kind not in _SHEET_KINDS or relation.target not in package:
            raise UnexpectedLayoutError("a sheet that is none")
        parts[sheet] = relation.target
    return parts


def _listed(text: str, element: Element) -> ListedSheet:
    found = attributes_of(element.attributes)
    relation = next((value for name, value in found.items() if name.endswith(":id")), None)
    if relation is None or not found.get("sheetId", "").isdigit() or element.name.rpartition(":")[2] != "sheet":
        raise UnexpectedLayoutError("a sheet without a part")
    return ListedSheet(found.get("name", ""), int(found["sheetId"]), relation, text[element.start : element.end])


def _absolute(area: str) -> str:
    return absolute_coordinate(area)
