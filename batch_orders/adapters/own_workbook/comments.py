"""The sheet's comments: what the person wrote stays, what an earlier run wrote goes, and findings come.

Excel keeps a comment in two places: its text in one part, its box in a drawing in an old language (VML), which is not
quite XML; there only whole boxes are taken out and put in. Where a person's comment stands at a cell with findings,
ours is added to it, behind a line that tells where it begins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openpyxl.utils import coordinate_to_tuple

from batch_orders.adapters.own_workbook.markup import (
    MAIN,
    Root,
    UnexpectedLayoutError,
    attributes_of,
    children,
    escaped,
    inner,
)
from batch_orders.adapters.results_layout import COMMENT_BEGINNINGS
from batch_orders.adapters.results_style import COMMENT_WIDTH, comment_height, xlsx_text
from batch_orders.models import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

AUTHOR = "batch-orders"
_MARK = f"\n\n{AUTHOR}:\n"
_BOX = re.compile(r"<((?:\w+:)?shape)\s.*?</\1>", re.DOTALL)
_PLACE = re.compile(r"<((?:\w+:)?)Row>\s*(\d+)\s*</\1Row>\s*<\1Column>\s*(\d+)\s*</\1Column>")
_BOX_NUMBER = re.compile(r"""\bid="_x0000_s(\d+)\"""")
_SHAPE_TYPE = (
    '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_NAMES = (
    'xmlns:v="urn:schemas-microsoft-com:vml"',
    'xmlns:o="urn:schemas-microsoft-com:office:office"',
    'xmlns:x="urn:schemas-microsoft-com:office:excel"',
)
NEW_DRAWING = (
    f"<xml {' '.join(_NAMES)}>"
    '<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="1"/>'
    f"</o:shapelayout>{_SHAPE_TYPE}</xml>"
)
NEW_COMMENTS = (
    f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<comments xmlns="{MAIN}"><authors></authors>'
    "<commentList></commentList></comments>"
)
# How wide a column is taken to be, in pixels, where a comment's box is placed.
_COLUMN, _ROW = 64, 20


class Comments:
    """The comments of one sheet, both of their parts. `came_back` says that an earlier run may have written some."""

    def __init__(self, text: str, drawing: str, *, came_back: bool) -> None:
        root = Root.of(text, "comments")
        self._text, self._drawing, self._p = text, drawing, root.prefix
        elements = {element.name: element for element in root.children()}
        try:
            self._authors_at = elements[root.named("authors")]
            self._list_at = elements[root.named("commentList")]
        except KeyError:
            raise UnexpectedLayoutError("comments without a list") from None
        self._authors = [text[slice(*inner(text, author))] for author in children(text, *inner(text, self._authors_at))]
        self.cleared: set[Cell] = set()
        self._kept: dict[Cell, str] = {}
        for comment in children(text, *inner(text, self._list_at)):
            self._keep(text[comment.start : comment.end], attributes_of(comment.attributes), came_back=came_back)

    def _keep(self, comment: str, found: Mapping[str, str], *, came_back: bool) -> None:
        """Keep a comment of the person's; remember where one of ours stood."""
        try:
            row, column = coordinate_to_tuple(found["ref"])
            author = self._authors[int(found["authorId"])].strip()
        except (KeyError, ValueError, IndexError):
            raise UnexpectedLayoutError("a comment without place or author") from None
        cell = Cell(row, column)
        texts = re.compile(rf"(<{self._p}t(?:\s[^>]*)?>)(.*?)(</{self._p}t>)", re.DOTALL)
        said = "".join(part[2] for part in texts.finditer(comment)).replace("&#10;", "\n").replace("\r", "")
        mark = said.find(_MARK)
        if mark >= 0:
            self.cleared.add(cell)
            self._kept[cell] = _cut(comment, texts, mark)
        elif author == AUTHOR or (came_back and not author and said.startswith(COMMENT_BEGINNINGS)):
            self.cleared.add(cell)  # LibreOffice forgets who wrote a comment: then its beginning tells
        else:
            self._kept[cell] = comment

    def written(self, told: Iterable[tuple[Cell, str]]) -> Iterator[str]:
        """The texts' part, with these at their cells, which come in order."""
        p, text = self._p, self._text
        authors = self._authors if AUTHOR in self._authors else [*self._authors, AUTHOR]
        names = "".join(f"<{p}author>{name}</{p}author>" for name in authors)
        yield f"{text[: self._authors_at.start]}<{p}authors>{names}</{p}authors>"
        yield f"{text[self._authors_at.end : self._list_at.start]}<{p}commentList>"
        waiting = sorted(self._kept, reverse=True)
        for cell, said in told:
            while waiting and waiting[-1] < cell:
                yield self._kept[waiting.pop()]
            if waiting and waiting[-1] == cell:
                run = f'<{p}r><{p}t xml:space="preserve">{escaped(xlsx_text(_MARK + said))}</{p}t></{p}r>'
                yield _with_run(self._kept[waiting.pop()], run, p)
            else:
                yield (
                    f'<{p}comment ref="{cell}" authorId="{authors.index(AUTHOR)}"><{p}text><{p}r>'
                    f'<{p}t xml:space="preserve">{escaped(said)}</{p}t></{p}r></{p}text></{p}comment>'
                )
        yield from (self._kept[cell] for cell in reversed(waiting))
        yield f"</{p}commentList>{text[self._list_at.end :]}"

    def drawn(self, told: Iterable[tuple[Cell, str]]) -> Iterator[str]:
        """The drawing: without the boxes of comments that went, with one for each that comes."""
        end = self._drawing.rfind("</xml>")
        if end < 0:
            raise UnexpectedLayoutError("a drawing without an end")
        shown: set[Cell] = set()

        def keep(box: re.Match[str]) -> str:
            place = _PLACE.search(box[0])
            if 'ObjectType="Note"' not in box[0]:
                return box[0]
            if place is None:
                raise UnexpectedLayoutError("a comment's box without a place")
            cell = Cell(int(place[2]) + 1, int(place[3]) + 1)
            if cell in self._kept:
                shown.add(cell)
                return box[0]
            return ""

        rest = _BOX.sub(keep, self._drawing[:end])
        if shown != set(self._kept):
            raise UnexpectedLayoutError("comments without a box")
        known = rest[: rest.find(">")]
        names = "".join(f" {name}" for name in _NAMES if name not in known)
        if 'id="_x0000_t202"' not in rest:
            rest += _SHAPE_TYPE.replace("<v:shapetype", f"<v:shapetype{names}")
        first = max(map(int, _BOX_NUMBER.findall(rest)), default=1024) + 1
        yield rest
        new = ((cell, text) for cell, text in told if cell not in self._kept)
        for number, (cell, text) in enumerate(new, start=first):
            yield _box(number, cell, text, names)
        yield self._drawing[end:]


def _cut(comment: str, texts: re.Pattern[str], most: int) -> str:
    """The comment up to so many characters of its text."""
    left = most

    def shortened(part: re.Match[str]) -> str:
        nonlocal left
        text = part[2].replace("&#10;", "\n").replace("\r", "")
        kept, left = text[:left], max(left - len(text), 0)
        return part[1] + kept + part[3]

    return texts.sub(shortened, comment)


def _with_run(comment: str, run: str, p: str) -> str:
    """The comment with one more run of text; what stands in it without runs becomes the first of them."""
    plain = re.search(rf"<{p}text>\s*(<{p}t(?:\s[^>]*)?>.*?</{p}t>)\s*</{p}text>", comment, re.DOTALL)
    if plain and f"<{p}r>" not in comment:
        return comment.replace(plain[1], f"<{p}r>{plain[1]}</{p}r>{run}")
    last = comment.rfind(f"</{p}r>")
    if last < 0:
        raise UnexpectedLayoutError("a comment without text")
    last += len(f"</{p}r>")
    return comment[:last] + run + comment[last:]


def _box(number: int, cell: Cell, text: str, names: str) -> str:
    """A comment's box, right of its cell, hidden until somebody points at the cell.

    `names` declares what the drawing calls otherwise (openpyxl says `ns1:shape`).
    """
    width, height = COMMENT_WIDTH, comment_height(text)
    right, rest = divmod(width, _COLUMN)
    down, over = divmod(height, _ROW)
    top = max(cell.row - 2, 0)
    anchor = f"{cell.column}, 15, {top}, 4, {cell.column + right}, {rest}, {top + down}, {over}"
    return (
        f'<v:shape{names} id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;margin-left:59.25pt;'
        f'margin-top:1.5pt;width:{width}px;height:{height}px;z-index:1;visibility:hidden" fillcolor="#ffffe1" '
        'o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/>'
        '<v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div>'
        '</v:textbox><x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{anchor}</x:Anchor><x:AutoFill>False</x:AutoFill>"
        f"<x:Row>{cell.row - 1}</x:Row><x:Column>{cell.column - 1}</x:Column></x:ClientData></v:shape>"
    )
