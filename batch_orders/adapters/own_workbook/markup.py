"""XML as text: just enough to add to a part of a workbook and leave every other character of it as it was.

In well-formed XML without comments and CDATA, `<` begins a tag wherever it stands, so that tags can be found without
a parser; `Root.of` refuses everything else, and what was changed is parsed once more before it is handed out.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

OTHER_ENCODING = "an encoding other than UTF-8"
_TAG = re.compile(r"""<(/?)([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(/?)>""")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_DECLARATION = re.compile(r"""\s*<\?xml\s[^>]*?\?>""")
_ENCODING = re.compile(r"""encoding\s*=\s*["']([\w.-]+)["']""")


class UnexpectedLayoutError(Exception):
    """The workbook is laid out in a way that is not fully understood here: somebody else has to write it."""


class Element(NamedTuple):
    """An element: its name as written, its attributes as text, and where it begins and ends in its part."""

    name: str
    attributes: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A part's outermost element: `prefix` is what stands before its tags' names ("x:", or nothing)."""

    text: str
    prefix: str
    attributes: str
    start: int
    end: int

    @classmethod
    def of(cls, text: str, name: str, namespace: str = MAIN) -> Root:
        """The root of this name and namespace; UnexpectedLayoutError where the part is anything else."""
        declaration = _DECLARATION.match(text)
        begin = declaration.end() if declaration else 0
        refuse_sections(text, begin)
        found = _TAG.search(text, begin)
        if found is None or found[1] or text[begin : found.start()].strip():
            raise UnexpectedLayoutError("no root element")
        prefix, _, local = found[2].rpartition(":")
        declared = attributes_of(found[3]).get(f"xmlns:{prefix}" if prefix else "xmlns")
        if local != name or declared != namespace:
            raise UnexpectedLayoutError(f"no {name}")
        if found[4]:
            raise UnexpectedLayoutError(f"an empty {name}")
        end = text.rfind(f"</{found[2]}")
        return cls(text=text, prefix=f"{prefix}:" if prefix else "", attributes=found[3], start=found.end(), end=end)

    def children(self) -> Iterator[Element]:
        """The elements right below the root."""
        return children(self.text, self.start, self.end)

    def named(self, name: str) -> str:
        """The name as this part writes it."""
        return self.prefix + name


def children(text: str, start: int, end: int) -> Iterator[Element]:
    """The elements that stand between these places, those within them left out."""
    depth, first = 0, None
    for tag in _TAG.finditer(text, start, end):
        if tag[1]:
            depth -= 1
            if not depth and first is not None:
                yield Element(first[2], first[3], first.start(), tag.end())
        elif tag[4]:
            if not depth:
                yield Element(tag[2], tag[3], tag.start(), tag.end())
        else:
            if not depth:
                first = tag
            depth += 1
    if depth:
        raise UnexpectedLayoutError("elements that do not end")


def inner(text: str, element: Element) -> tuple[int, int]:
    """Where an element's contents begin and end; both are its end where it has none."""
    tag = _TAG.match(text, element.start)
    if tag is None or tag[4]:
        return element.end, element.end
    return tag.end(), text.rindex("</", element.start, element.end)


def attributes_of(text: str) -> dict[str, str]:
    """The attributes in a tag."""
    return {
        found[1]: html.unescape(found[2] if found[2] is not None else found[3]) for found in _ATTRIBUTE.finditer(text)
    }


def with_attributes(tag: str, **values: str | None) -> str:
    """An opening tag whose attributes have these values; None takes one away."""
    for name, value in values.items():
        pattern = re.compile(rf"""\s+{re.escape(name)}\s*=\s*(?:"[^"]*"|'[^']*')""")
        new = "" if value is None else f" {name}={quoteattr(value)}"
        tag, changed = pattern.subn(lambda _, new=new: new, tag, count=1)  # type: ignore[misc] # a lambda's default
        if not changed:
            tag = re.sub(r"\s*(/?>)", lambda end, new=new: new + end[1], tag, count=1)  # type: ignore[misc] # the same
    return tag


def decoded(content: bytes) -> str:
    """A part's text. UnexpectedLayoutError where it is not UTF-8."""
    declared = _ENCODING.search(content[:200].decode("latin-1"))
    if declared and declared[1].lower() not in {"utf-8", "utf8", "us-ascii", "ascii"}:
        raise UnexpectedLayoutError(OTHER_ENCODING)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnexpectedLayoutError(OTHER_ENCODING) from None


def well_formed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A part, block by block; UnexpectedLayoutError where it is not XML: a last look before it is handed out."""
    parser = expat.ParserCreate()
    try:
        for block in blocks:
            parser.Parse(block, False)
            yield block
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise UnexpectedLayoutError("broken XML") from None


def refuse_sections(text: str, begin: int = 0) -> None:
    """UnexpectedLayoutError where there is more than tags and texts: see above."""
    if text.find("<!", begin) >= 0 or text.find("<?", begin) >= 0:
        raise UnexpectedLayoutError("comments or sections")


def escaped(text: str) -> str:
    """Text as it stands between tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
