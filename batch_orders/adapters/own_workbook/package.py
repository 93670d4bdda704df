"""A workbook as a zip of parts: which part is which, and how parts are added and left out."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import quoteattr

from batch_orders.adapters.own_workbook.markup import (
    Root,
    UnexpectedLayoutError,
    attributes_of,
    decoded,
    well_formed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

TYPES = "[Content_Types].xml"
_TYPES_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELS_NAMESPACE = "http://schemas.openxmlformats.org/package/2006/relationships"
_DATE = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1
_BLOCK = 1 << 18
_QUICK = 4  # of zlib's nine levels: a third larger than the slowest at most, and several times as quick


class Relation(NamedTuple):
    """What a part says of another one; `target` is the other part's name, "" where it is outside the workbook."""

    id: str
    kind: str
    target: str
    start: int
    end: int


class Package:
    """The parts of a workbook, by name. Those that nobody changes are copied as they are.

    A part that is changed is kept as a whole, or as its pieces, which are made when the workbook is packed; of every
    other there is None here.
    """

    def __init__(self, content: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(content))
        entries = self._archive.infolist()
        self._parts: dict[str, str | Iterable[str] | None] = {entry.filename: None for entry in entries}
        if len(self._parts) < len(entries) or any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise UnexpectedLayoutError("parts of one name")
        self._dates = {entry.filename: entry.date_time for entry in entries}

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    @property
    def names(self) -> Iterable[str]:
        """Every part's name."""
        return list(self._parts)

    def open(self, name: str) -> IO[bytes]:
        """A part as it came."""
        if name not in self._parts:
            raise UnexpectedLayoutError("a part is missing")
        return self._archive.open(name)

    def read(self, name: str) -> bytes:
        """A part as it came."""
        with self.open(name) as part:
            return part.read()

    def text(self, name: str) -> str:
        """A part's text as it is now."""
        changed = self._parts.get(name)
        return changed if isinstance(changed, str) else decoded(self.read(name))

    def put(self, name: str, text: str) -> None:
        """Change a part, or add one."""
        self._parts[name] = text

    def put_pieces(self, name: str, pieces: Iterable[str]) -> None:
        """Change a part, or add one, that is large or not known yet: it comes behind all others."""
        self._parts.pop(name, None)
        self._parts[name] = pieces

    def drop(self, name: str) -> None:
        """Leave a part out, with what it says of others and what is said of its type."""
        self._parts.pop(name, None)
        self._parts.pop(rels_name(name), None)
        pattern = rf"""<(?:\w+:)?Override\b[^>]*PartName\s*=\s*["']/{re.escape(name)}["'][^>]*/>"""
        self.put(TYPES, re.sub(pattern, "", self.text(TYPES)))

    def drop_related(self, name: str, kind: str) -> None:
        """Leave out the parts of this kind that a part says it has."""
        for relation in reversed(self.relations(name)):
            if relation.kind.rpartition("/")[2] == kind:
                self.drop(relation.target)
                self.unrelate(name, relation)

    def free_name(self, pattern: str) -> str:
        """The first name of this pattern ("xl/comments{}.xml") that no part has, whatever its case."""
        taken = {name.casefold() for name in self._parts}
        return next(name for number in range(1, 100_000) if (name := pattern.format(number)).casefold() not in taken)

    def relations(self, name: str) -> list[Relation]:
        """What a part says of others."""
        if rels_name(name) not in self._parts:
            return []
        root = Root.of(self.text(rels_name(name)), "Relationships", _RELS_NAMESPACE)
        relations = []
        for element in root.children():
            found = attributes_of(element.attributes)
            target = "" if found.get("TargetMode") == "External" else _resolved(name, found["Target"])
            relations.append(Relation(found["Id"], found["Type"], target, element.start, element.end))
        return relations

    def relate(self, name: str, kind: str, target: str) -> str:
        """Let a part say that it has another one; gives the relation's id."""
        rels = rels_name(name)
        if rels not in self._parts:
            self.put(
                rels,
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="{_RELS_NAMESPACE}"> </Relationships>',
            )
        taken = {relation.id for relation in self.relations(name)}
        identity = next(identity for number in range(1, 100_000) if (identity := f"rId{number}") not in taken)
        root = Root.of(self.text(rels), "Relationships", _RELS_NAMESPACE)
        tag = f'<{root.named("Relationship")} Id="{identity}" Type="{kind}" Target="/{target}"/>'
        self.put(rels, root.text[: root.end] + tag + root.text[root.end :])
        return identity

    def unrelate(self, name: str, relation: Relation) -> None:
        """Let a part no longer say so."""
        text = self.text(rels_name(name))
        rest = text[: relation.start] + text[relation.end :]
        if "Relationship " in rest:
            self.put(rels_name(name), rest)
        else:
            self._parts.pop(rels_name(name))

    def content_type(self, name: str) -> str:
        """What kind a part is."""
        for tag, found in self._types():
            if tag == "Override" and found["PartName"].casefold() == f"/{name}".casefold():
                return found["ContentType"]
        for tag, found in self._types():
            if tag == "Default" and name.casefold().endswith("." + found["Extension"].casefold()):
                return found["ContentType"]
        raise UnexpectedLayoutError("a part of unknown type")

    def set_type(self, name: str, content_type: str) -> None:
        """Say what kind a part is."""
        text = self.text(TYPES)
        pattern = rf"""<(?:\w+:)?Override\b[^>]*PartName\s*=\s*["']/{re.escape(name)}["'][^>]*/>"""
        root = Root.of(re.sub(pattern, "", text), "Types", _TYPES_NAMESPACE)
        tag = f'<{root.named("Override")} PartName={quoteattr("/" + name)} ContentType="{content_type}"/>'
        self.put(TYPES, root.text[: root.end] + tag + root.text[root.end :])

    def _types(self) -> list[tuple[str, dict[str, str]]]:
        root = Root.of(self.text(TYPES), "Types", _TYPES_NAMESPACE)
        return [(e.name.rpartition(":")[2], attributes_of(e.attributes)) for e in root.children()]

    def packed(self) -> bytes:
        """The whole workbook. UnexpectedLayoutError where a part that was changed is no XML any longer."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK) as archive:
            for name, changed in self._parts.items():
                if changed is None or isinstance(changed, str):
                    content = self.read(name) if changed is None else b"".join(well_formed([changed.encode()]))
                    entry = zipfile.ZipInfo(name, self._dates.get(name, _DATE))
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, content, compresslevel=_QUICK)
                    continue
                with archive.open(name, "w") as part:
                    _write_beside(part, well_formed(_blocks(changed)))
        return buffer.getvalue()


def _write_beside(part: IO[bytes], blocks: Iterable[bytes]) -> None:
    """Write each block while the next one is made: what deflates lets other threads run."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        writing = None
        for block in blocks:
            if writing is not None:
                writing.result()
            writing = beside.submit(part.write, block)
        if writing is not None:
            writing.result()


def _blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    """The same in larger pieces: a parser and a compressor take a while to begin."""
    block, size = [], 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size > _BLOCK:
            yield "".join(block).encode()
            block, size = [], 0
    yield "".join(block).encode()


def rels_name(name: str) -> str:
    """Where a part says what it has to do with others."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"


def _resolved(name: str, target: str) -> str:
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
