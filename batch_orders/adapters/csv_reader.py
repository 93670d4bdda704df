"""Reading CSV: the encoding is known or asked for, the delimiter is the one that yields known headers."""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING

from batch_orders.adapters.results_csv import unguarded
from batch_orders.adapters.sheet_parts import HEADER_WITHIN, Table, header_row
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages import sheets as messages

if TYPE_CHECKING:
    from pathlib import Path

_DELIMITERS = (",", ";", "\t", "|")
# UTF-32's little-endian mark begins with UTF-16's, so it has to be looked for first.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Excel takes such a first line for itself and does not show it.
_SEPARATOR_LINE = re.compile(r"\"?sep=([^\w\"' \r\n])\"?(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# An unclosed quotation mark makes a cell as long as the file; csv's own limit would hide what is wrong.
csv.field_size_limit(2**31 - 1)


def require_encoding(name: str) -> None:
    """UsageError where no text encoding has this name."""
    try:
        b"a".decode(name)
    except UnicodeError:
        pass  # an encoding it is, if not this letter's
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        raise UsageError(messages.no_such_encoding(name), hint=messages.name_encoding()) from None


def read_table(path: Path, content: bytes, encoding: str | None) -> Table:
    """The cells of a CSV file. SheetError, with the line, where it cannot be read."""
    text = _decode(path, content, encoding)
    if "\0" in text:
        raise SheetError(messages.nul(path, _line(text[: text.index("\0")])), hint=messages.save_as())
    separator = _SEPARATOR_LINE.match(text)
    if separator:
        delimiter, body, first_line = separator[1], text[separator.end() :], 2
    else:
        delimiter, body, first_line = _delimiter(text), text, 1
    rows = _rows(path, body, delimiter, first_line)
    return Table(rows=rows, row_numbers=range(1, len(rows) + 1), delimiter=delimiter)


def _decode(path: Path, content: bytes, encoding: str | None) -> str:
    """The file's text. Its own mark (BOM) is proof, and counts for more than what was asked for."""
    for bom, name in _BOMS:
        if content.startswith(bom):
            content, encoding = content[len(bom) :], name
            break
    if encoding is None and b"\0" in content and not _is_utf8(content):
        raise SheetError(messages.looks_like(path, "not a text file"), hint=messages.save_as())
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeError as error:
        read = content[: getattr(error, "start", 0)].decode(encoding or "utf-8", errors="ignore")
    else:
        broken = _LONE_SURROGATE.search(text)
        if broken is None:
            return text
        read = text[: broken.start()]
    line = _line(read)
    message = messages.wrong_encoding(path, encoding, line) if encoding else messages.not_utf8(path, line)
    raise SheetError(message, hint=messages.name_encoding())


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _line(before: str) -> int:
    """The number of the line that comes after this text."""
    return len(_LINE_END.findall(before)) + 1


def _delimiter(text: str) -> str:
    """The delimiter under which the most headers are known; the first of them where several do as well."""

    def known(delimiter: str) -> int:
        rows: list[list[str]] = []
        try:
            rows.extend(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), HEADER_WITHIN))
        except csv.Error:
            return 0
        return header_row(Table(rows=rows, row_numbers=range(1, len(rows) + 1)))[1]

    return max(_DELIMITERS, key=known)


def _rows(path: Path, text: str, delimiter: str, first_line: int) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    began = first_line
    try:
        for row in reader:
            rows.append([unguarded(cell) for cell in row])
            began = first_line + reader.line_num
    except csv.Error:
        raise SheetError(messages.broken_csv(path, began), hint=messages.mend_quote()) from None
    return rows
