"""The workbook's cell formats, and the few that results add to them.

A cell with findings keeps its format but for the colour. Its own colour is kept where a solid fill has a place that is
never shown (`bgColor`), so that it comes back when the cell is mended. LibreOffice writes something else there, so
it is not believed in a file that LibreOffice has saved.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_orders.adapters.own_workbook.markup import (
    Root,
    UnexpectedLayoutError,
    attributes_of,
    children,
    inner,
    with_attributes,
)
from batch_orders.adapters.results_style import FINDING_FILLS, OUR_HEADER, STATUS_FILLS

if TYPE_CHECKING:
    from batch_orders.models import RowStatus, Severity

_TEXT_FORMAT = "49"  # the built-in "@": what is typed there stays text
_OURS = {f"FF{colour}" for colour in FINDING_FILLS.values()}
_ANYHOW = {
    ("val", "1"),
    ("pivotButton", "0"),
    ("quotePrefix", "0"),
    ("wrapText", "0"),
    ("textRotation", "0"),
    ("shrinkToFit", "0"),
}
_COLLECTIONS = ("fonts", "fills", "borders", "cellXfs")


class Styles:
    """The formats of a workbook's cells, by the number that cells call them by."""

    def __init__(self, text: str, *, saved_by_libreoffice: bool) -> None:
        self._root = Root.of(text, "styleSheet")
        self._p = self._root.prefix
        self._keeps_colours = not saved_by_libreoffice
        sections = {element.name: element for element in self._root.children()}
        try:
            self._sections = {name: sections[self._p + name] for name in _COLLECTIONS}
        except KeyError:
            raise UnexpectedLayoutError("formats are missing") from None
        self._items = {
            name: [text[item.start : item.end] for item in children(text, *inner(text, section))]
            for name, section in self._sections.items()
        }
        if not all(self._items.values()):
            raise UnexpectedLayoutError("formats are missing")
        self._known: dict[str, dict[object, int]] = {}
        for name, items in self._items.items():
            self._known[name] = {_meaning(item): number for number, item in reversed(list(enumerate(items)))}
        self._marked: dict[tuple[int, Severity], int] = {}
        self._unmarked: dict[int, int] = {}
        plain = self._fill("")
        bold = self._bold_font()
        edge = f'<{self._p}border><{self._p}left/><{self._p}right/><{self._p}top/><{self._p}bottom style="thin">'
        edge += f'<{self._p}color rgb="FF7F7F7F"/></{self._p}bottom><{self._p}diagonal/></{self._p}border>'
        line = self._add("borders", edge)
        self.text = self._format(fill=plain)
        self.message = self._format(fill=plain, alignment='wrapText="1"')
        self.header = self._format(fill=self._fill(OUR_HEADER.fill), font=bold, border=line)
        self.label = self._format(fill=plain, font=bold)
        self._statuses = {
            status: self._format(fill=self._fill(colour), alignment='horizontal="left" indent="1"')
            for status, colour in STATUS_FILLS.items()
        }

    def status(self, status: RowStatus) -> int:
        """How a row's status looks."""
        return self._statuses[status]

    def marked(self, style: int, severity: Severity) -> int:
        """This format in the colour of a finding."""
        key = (style, severity)
        if key not in self._marked:
            own = attributes_of(self._opening("cellXfs", style)).get("fillId", "0")
            fill = self._fill(FINDING_FILLS[severity], self._solid(int(own)))
            self._marked[key] = self._with_fill(style, fill)
        return self._marked[key]

    def unmarked(self, style: int) -> int:
        """This format as it was before an earlier run marked its cell; itself where none did."""
        if style not in self._unmarked:
            number = int(attributes_of(self._opening("cellXfs", style)).get("fillId", "0"))
            shown = attributes_of(self._solid(number)).get("rgb")
            self._unmarked[style] = self._with_fill(style, self._fill_before(number)) if shown in _OURS else style
        return self._unmarked[style]

    def render(self) -> str:
        """The whole part."""
        text = self._root.text
        for name, section in sorted(self._sections.items(), key=lambda item: -item[1].start):
            items = self._items[name]
            begin, _ = inner(text, section)
            opening = with_attributes(text[section.start : begin], count=str(len(items)))
            text = f"{text[: section.start]}{opening}{''.join(items)}</{section.name}>{text[section.end :]}"
        return text

    def _opening(self, collection: str, number: int) -> str:
        try:
            return self._items[collection][number].partition(">")[0]
        except IndexError:
            raise UnexpectedLayoutError("a format is missing") from None

    def _add(self, collection: str, item: str) -> int:
        """The number of such an item: of one that is there already, where there is one, so that nothing piles up."""
        known = self._known[collection]
        meaning = _meaning(item)
        if meaning not in known:
            known[meaning] = len(self._items[collection])
            self._items[collection].append(item)
        return known[meaning]

    def _bold_font(self) -> int:
        font = re.sub(rf"<{self._p}b(?:\s[^>]*)?/>", "", self._items["fonts"][0])
        if font.endswith("/>"):
            raise UnexpectedLayoutError("an empty font")
        begin = font.index(">") + 1
        return self._add("fonts", f"{font[:begin]}<{self._p}b/>{font[begin:]}")

    def _fill(self, colour: str, hidden: str = "") -> int:
        """A solid fill; `hidden` are the attributes of the colour that it keeps without showing it."""
        if not colour:
            return 0
        p, shown = self._p, f'rgb="FF{colour}"'
        solid = f'<{p}patternFill patternType="solid"><{p}fgColor {shown}/><{p}bgColor {hidden.strip() or shown}/>'
        return self._add("fills", f"<{p}fill>{solid}</{p}patternFill></{p}fill>")

    def _solid(self, number: int, part: str = "fgColor") -> str:
        """The attributes of the colour of a solid fill, "" where it is another one."""
        try:
            fill = self._items["fills"][number]
        except IndexError:
            raise UnexpectedLayoutError("a fill is missing") from None
        found = re.search(rf"<{self._p}{part}(\s[^>]*?)/?>", fill)
        return found[1] if found and re.search(r"""patternType=["']solid["']""", fill) else ""

    def _fill_before(self, number: int) -> int:
        """The fill that a marked cell had before."""
        kept, shown = self._solid(number, "bgColor").strip(), self._solid(number).strip()
        if not self._keeps_colours or kept in {"", shown}:
            return 0
        for same in range(len(self._items["fills"])):
            if self._solid(same).strip() == kept:
                return same
        p = self._p
        solid = f'<{p}patternFill patternType="solid"><{p}fgColor {kept}/><{p}bgColor indexed="64"/></{p}patternFill>'
        return self._add("fills", f"<{p}fill>{solid}</{p}fill>")

    def _with_fill(self, style: int, fill: int) -> int:
        item = self._items["cellXfs"][style]
        begin = item.index(">") + 1
        opening = with_attributes(item[:begin], fillId=str(fill), applyFill="1")
        return self._add("cellXfs", opening + item[begin:])

    def _format(self, *, fill: int, font: int = 0, border: int = 0, alignment: str = 'wrapText="0"') -> int:
        """One of our own formats: text, whatever it looks like."""
        p = self._p
        return self._add(
            "cellXfs",
            f'<{p}xf numFmtId="{_TEXT_FORMAT}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0" '
            'applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">'
            f"<{p}alignment {alignment}/></{p}xf>",
        )


def _meaning(item: str) -> object:
    """What a format says, however it is written: no prefixes, no order, nothing that says only what holds anyhow."""
    (element,) = children(item, 0, len(item))
    attributes = {
        (name, {"true": "1", "false": "0"}.get(value, value))
        for name, value in attributes_of(element.attributes).items()
        if not name.startswith("apply")
    }
    begin, end = inner(item, element)
    within = [_meaning(item[child.start : child.end]) for child in children(item, begin, end)]
    said = sorted((part for part in within if part != ("alignment", (), ())), key=repr)
    return (element.name.rpartition(":")[2], tuple(sorted(attributes - _ANYHOW)), tuple(said))
