"""An old workbook's stream (.xls, BIFF) made safe for xlrd: what no one needs here is taken out of its sight.

Among it are hyperlinks, which xlrd keeps once for each cell that they cover, and cells that hold nothing but a style.
The records keep their places, since a workbook's list of sheets says at which byte each begins.
"""

from __future__ import annotations

import struct
from typing import Final

_BOF, _EOF, _SHEET, _PASSWORD, _TEXTS, _MERGED, _COLUMNS = 0x809, 0x0A, 0x85, 0x2F, 0xFC, 0xE5, 0x7D
_NEEDED = frozenset(
    {
        *(_BOF, _EOF, _SHEET, _TEXTS, _MERGED, _COLUMNS),
        *(0x42, 0x22, 0x31, 0x41E, 0xE0, 0x3C),  # code page, dates' first day, fonts, formats, styles, what goes on
        *(0x208, 0x203, 0x204, 0xD6, 0xFD, 0x27E, 0xBD, 0x205),  # rows; numbers, texts, errors, true and false
        *(0x06, 0x206, 0x406, 0x207, 0x221, 0x236, 0x4BC),  # formulas, and what stands between one and its text
    }
)
_NOBODYS: Final = 0x0FFF
_MOST_RECORDS: Final = 2_000_000
_MOST_TEXTS: Final = 2_000_000
_MOST_COLUMNS: Final = 10_000
_MOST_MERGED_BYTES: Final = 8 * 250_000


class PasswordError(Exception):
    """The workbook needs a password."""


def screened(stream: bytes) -> bytes:
    """The stream as xlrd may read it.

    PasswordError where it is encrypted; ValueError or struct.error where it is cut short or no spreadsheet wrote it.
    """
    safe = bytearray(stream)
    guard = _Guard()
    at = records = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if not kind and not length and guard.is_between_sheets:
            break  # what fills the last sector
        guard.let_pass(kind, at, stream[at + 4 : at + 4 + length])
        if kind not in _NEEDED:
            struct.pack_into("<H", safe, at, _NOBODYS)
        at += 4 + length
        records += 1
        if records > _MOST_RECORDS:
            raise ValueError("too many records")
    guard.finish()
    return bytes(safe)


class _Guard:
    """Counts what xlrd would have to keep in memory, and looks where the sheets are."""

    def __init__(self) -> None:
        self._beginnings: set[int] = set()
        self._sheets: list[int] = []
        self._depth = self._columns = self._merged = 0

    @property
    def is_between_sheets(self) -> bool:
        """Whether the record before was the end of a sheet."""
        return bool(self._beginnings) and not self._depth

    def let_pass(self, kind: int, at: int, data: bytes) -> None:
        """One record. PasswordError where everything after it is encrypted, ValueError where it is too much."""
        if kind == _BOF:
            if not self._depth:
                self._beginnings.add(at)
            self._depth += 1
        elif kind == _EOF:
            self._depth = max(self._depth - 1, 0)
        elif kind == _SHEET:
            self._sheets += struct.unpack_from("<I", data)
        elif kind == _PASSWORD:
            raise PasswordError
        elif kind == _TEXTS and struct.unpack_from("<I", data, 4)[0] > _MOST_TEXTS:
            raise ValueError("too many texts")
        else:
            self._columns += kind == _COLUMNS
            self._merged += len(data) if kind == _MERGED else 0

    def finish(self) -> None:
        """ValueError where sheets are within one another: each is read from its beginning to its end."""
        if len(set(self._sheets)) < len(self._sheets) or not self._beginnings.issuperset(self._sheets):
            raise ValueError("sheets that are none")
        if self._columns > _MOST_COLUMNS or self._merged > _MOST_MERGED_BYTES:
            raise ValueError("too many columns or merged areas")
