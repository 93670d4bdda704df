"""Makes OLE2 files ([MS-CFB]): what Office wrote before 2007, and still writes around an encrypted workbook."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTOR = 512
_END, _FREE, _TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_NONE = 0xFFFFFFFF
_ROOT, _STREAM = 5, 2
_SMALLEST = 4096  # smaller streams would stand in sectors of their own kind


def document(streams: Mapping[str, bytes]) -> bytes:
    """A file with these streams in its outermost folder, filled up with zeros to the size that needs no short sectors.

    All sectors follow one another: the table of sectors, the directory, then each stream.
    """
    contents = {name: content.ljust(_SMALLEST, b"\0") for name, content in streams.items()}
    directory_sectors = -(-(len(contents) + 1) // 4)
    lengths = [directory_sectors, *(-(-len(content) // _SECTOR) for content in contents.values())]
    tables = 1
    while tables * (_SECTOR // 4) < tables + sum(lengths):
        tables += 1
    assert tables <= 109
    table = [_TABLE] * tables
    starts = []
    for length in lengths:
        starts.append(len(table))
        table += [*range(len(table) + 1, len(table) + length), _END]
    table += [_FREE] * (tables * (_SECTOR // 4) - len(table))
    entries = [_entry("Root Entry", _ROOT, child=1, start=_END, size=0)]
    for number, (name, start) in enumerate(zip(contents, starts[1:], strict=True), start=1):
        after = number + 1 if number < len(contents) else _NONE
        entries.append(_entry(name, _STREAM, right=after, start=start, size=len(contents[name])))
    directory = b"".join(entries).ljust(directory_sectors * _SECTOR, b"\0")
    bodies = [content.ljust(-(-len(content) // _SECTOR) * _SECTOR, b"\0") for content in contents.values()]
    return _header(tables, starts[0]) + struct.pack(f"<{len(table)}I", *table) + directory + b"".join(bodies)


def _header(tables: int, directory: int) -> bytes:
    where = [*range(tables), *[_FREE] * (109 - tables)]
    fixed = struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    counts = struct.pack("<IIIIIIIIII", 0, tables, directory, 0, _SMALLEST, _END, 0, _END, 0, where[0])
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + fixed + counts + struct.pack("<108I", *where[1:])


def _entry(name: str, kind: int, *, start: int, size: int, child: int = _NONE, right: int = _NONE) -> bytes:
    title = name.encode("utf-16-le") + b"\0\0"
    head = title.ljust(64, b"\0") + struct.pack("<HBBIII", len(title), kind, 1, _NONE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
