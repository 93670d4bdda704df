"""Makes OLE2 files ([MS-CFB]): what Office wrote before 2007, and still writes around an encrypted workbook."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTOR = 512
_IN_A_SECTOR, _IN_THE_HEADER = _SECTOR // 4, 109
_END, _FREE, _TABLE, _LIST = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD, 0xFFFFFFFC
_NONE = 0xFFFFFFFF
_ROOT, _STREAM = 5, 2
_SMALLEST = 4096  # smaller streams would stand in sectors of their own kind


def document(streams: Mapping[str, bytes]) -> bytes:
    """A file with these streams in its outermost folder, filled up with zeros to the size that needs no short sectors.

    All sectors follow one another: the table of sectors, where its parts are, the directory, then each stream.
    """
    contents = {name: content.ljust(_SMALLEST, b"\0") for name, content in streams.items()}
    directory_sectors = -(-(len(contents) + 1) // 4)
    lengths = [directory_sectors, *(-(-len(content) // _SECTOR) for content in contents.values())]
    tables = lists = 0
    while tables * _IN_A_SECTOR < tables + lists + sum(lengths):
        tables += 1
        lists = max(0, -(-(tables - _IN_THE_HEADER) // (_IN_A_SECTOR - 1)))
    table = [_TABLE] * tables + [_LIST] * lists
    starts = []
    for length in lengths:
        starts.append(len(table))
        table += [*range(len(table) + 1, len(table) + length), _END]
    table += [_FREE] * (tables * _IN_A_SECTOR - len(table))
    entries = [_entry("Root Entry", _ROOT, child=1, start=_END, size=0)]
    for number, (name, start) in enumerate(zip(contents, starts[1:], strict=True), start=1):
        after = number + 1 if number < len(contents) else _NONE
        entries.append(_entry(name, _STREAM, right=after, start=start, size=len(contents[name])))
    return b"".join(
        [
            _header(tables, lists, starts[0]),
            struct.pack(f"<{len(table)}I", *table),
            _where(tables, lists),
            b"".join(entries).ljust(directory_sectors * _SECTOR, b"\0"),
            *(content.ljust(-(-len(content) // _SECTOR) * _SECTOR, b"\0") for content in contents.values()),
        ]
    )


def _header(tables: int, lists: int, directory: int) -> bytes:
    where = [*range(tables)][:_IN_THE_HEADER]
    where += [_FREE] * (_IN_THE_HEADER - len(where))
    fixed = struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    more = tables if lists else _END
    counts = struct.pack("<IIIIIIIII", 0, tables, directory, 0, _SMALLEST, _END, 0, more, lists)
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + fixed + counts + struct.pack("<109I", *where)


def _where(tables: int, lists: int) -> bytes:
    """The sectors that say where the parts of the table are that the header has no room for."""
    made = []
    for number in range(lists):
        first = _IN_THE_HEADER + number * (_IN_A_SECTOR - 1)
        parts = [*range(first, min(first + _IN_A_SECTOR - 1, tables))]
        parts += [_FREE] * (_IN_A_SECTOR - 1 - len(parts))
        after = tables + number + 1 if number + 1 < lists else _END
        made.append(struct.pack(f"<{_IN_A_SECTOR}I", *parts, after))
    return b"".join(made)


def _entry(name: str, kind: int, *, start: int, size: int, child: int = _NONE, right: int = _NONE) -> bytes:
    title = name.encode("utf-16-le") + b"\0\0"
    head = title.ljust(64, b"\0") + struct.pack("<HBBIII", len(title), kind, 1, _NONE, right, child)
    return head + bytes(36) + struct.pack("<IQ", start, size)
