"""Reading CSV: the encoding is known or asked for, the delimiter is the one that yields known headers."""

from __future__ import annotations

import codecs
import csv
import io
import re
from array import array
from itertools import islice
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from batch_orders.adapters.encodings import previews, utf16_without_mark
from batch_orders.adapters.results_csv import unguarded
from batch_orders.adapters.sheet_parts import HEADER_WITHIN, Rows, Table, header_row, is_blank, width
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages import sheets as messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.models import Limits

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
# The header row ends within so many characters, or there is none.
_HEADER_WITHIN_CHARACTERS = 200_000
# Rows that are put into columns at once.
_TOGETHER: Final = 2_000
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

# An unclosed quotation mark makes a cell as long as the file; csv's own limit would hide what is wrong.
csv.field_size_limit(2**31 - 1)


class Decoded(NamedTuple):
    """A file's text, the mark (BOM) that stands before it, and the encoding that it is in."""

    text: str
    mark: bytes
    encoding: str


def require_encoding(name: str) -> None:
    """UsageError where no text encoding has this name."""
    try:
        b"a".decode(name)
    except UnicodeError:
        pass  # an encoding it is, if not this letter's
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        raise UsageError(messages.no_such_encoding(name), hint=messages.name_encoding()) from None


def read_table(path: Path, content: bytes, encoding: str | None, limits: Limits) -> Table:
    """The cells of a CSV file, without its blank rows. SheetError, with the line, where it cannot be read."""
    stream, delimiter, first_line = _opened(path, content, encoding)
    rows, numbers = Rows(as_read=unguarded), array("L")
    each: list[list[str]] = []
    for number, row in _rows(path, stream, delimiter, first_line):
        if not row:  # an empty line, of which there may be millions
            continue
        if len(row) > limits.columns and width(row) > limits.columns:
            what = messages.more_than(f"{limits.columns:,} columns (row {number})")
            raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_columns"))
        if is_blank(row):
            continue
        each.append(row[: limits.columns])
        numbers.append(number)
        if len(numbers) > limits.rows + HEADER_WITHIN:
            what = messages.more_than(f"{limits.rows:,} rows")
            raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_rows"))
        if len(each) == _TOGETHER:
            rows.extend(each)
            each = []
    rows.extend(each)
    table = Table(rows=rows, row_numbers=numbers, delimiter=delimiter)
    _refuse_longer_rows(path, table)
    return table


def _opened(path: Path, content: bytes, encoding: str | None) -> tuple[IO[str], str, int]:
    """The rows' text, their delimiter, and the number of their first line. SheetError where it cannot be read.

    The whole text is not kept; nor would io.StringIO do, which takes four bytes for each letter.
    """
    text, mark, found = decoded(path, content, encoding)
    if "\0" in text:
        raise SheetError(messages.nul(path, _line(text[: text.index("\0")])), hint=messages.save_as())
    separator = separator_line(text)
    if found == "utf-8":
        stream = io.BytesIO(content)
        stream.seek(len(mark))
    else:
        stream = io.BytesIO(text.encode())
    lines = io.TextIOWrapper(stream, "utf-8", newline="")
    if separator is None:
        return lines, _delimiter(text), 1
    lines.read(separator.end())
    return lines, separator[1], 2


def separator_line(text: str) -> re.Match[str] | None:
    """Excel's own first line, where there is one: it is no row, and group 1 is the delimiter that it names."""
    return _SEPARATOR_LINE.match(text)


def _refuse_longer_rows(path: Path, table: Table) -> None:
    """SheetError for rows with more cells than the header: a comma that is not in quotes has moved what follows it."""
    rows, numbers = table.rows, table.row_numbers
    header, known = header_row(rows, numbers)
    if not known:
        return
    columns = len(rows.row(header))
    beyond = rows.columns[columns:]
    longer = sorted({numbers[row] for texts in beyond for row in range(header + 1, len(rows)) if texts[row].strip()})
    if longer:
        raise SheetError(
            messages.longer_rows(path, longer, columns, table.delimiter),
            hint=messages.mend_longer_rows(table.delimiter),
        )


def decoded(path: Path, content: bytes, encoding: str | None) -> Decoded:
    """The file's text. Its own mark (BOM) is proof, and counts for more than what was asked for.

    SheetError where it cannot be read so.
    """
    mark = next((bom for bom in _BOMS if content.startswith(bom[0])), None)
    if mark is not None:
        content, encoding = content[len(mark[0]) :], mark[1]
    elif encoding is None and b"\0" in content:
        encoding = utf16_without_mark(content)
        if encoding is None and not _is_utf8(content):
            raise SheetError(messages.looks_like(path, "not a text file"), hint=messages.save_as())
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeError as error:
        read = _readable(content[: getattr(error, "start", 0)], encoding or "utf-8")
    else:
        broken = _LONE_SURROGATE.search(text)
        if broken is None:
            if mark is None and encoding is not None:
                _refuse_garbled(path, content, text, encoding)
            return Decoded(text, mark[0] if mark else b"", encoding or "utf-8")
        read = text[: broken.start()]
    line = _line(read)
    message = messages.wrong_encoding(path, encoding, line) if encoding else messages.not_utf8(path, line)
    if mark:
        raise SheetError(message, hint=messages.save_as())
    found = previews(content)
    raise SheetError(message, hint=messages.name_encoding(found), encodings=found)


def _readable(content: bytes, encoding: str) -> str:
    """What can be read of it; some encodings (those of host names) know no way to leave something out."""
    try:
        return content.decode(encoding, errors="ignore")
    except UnicodeError:
        return ""


def _refuse_garbled(path: Path, content: bytes, text: str, encoding: str) -> None:
    """SheetError where a file that is UTF-8 was asked to be read byte by byte: “Köln” would be ordered for as “KÃ¶ln”.

    Nobody writes that by chance: each letter that is not ASCII would have to be followed by a sign that fits it.
    """
    if len(text) == len(content) and not text.isascii() and _is_utf8(content):
        (_, right), *_ = previews(content, ("utf-8",))
        (_, wrong), *_ = previews(content, (encoding,))
        raise SheetError(messages.garbled(path, encoding, right, wrong), hint=messages.leave_encoding_out())


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _line(before: str) -> int:
    """The number of the line that comes after this text."""
    return before.count("\n") + before.count("\r") - before.count("\r\n") + 1


def _delimiter(text: str) -> str:
    """The delimiter under which the most headers are known; the first of them where several do as well."""
    start = text[:_HEADER_WITHIN_CHARACTERS]

    def known(delimiter: str) -> int:
        rows: list[list[str]] = []
        try:
            rows.extend(islice(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), HEADER_WITHIN))
        except csv.Error:
            return 0
        return header_row(rows)[1]

    return max(_DELIMITERS, key=known)


def _rows(path: Path, lines: IO[str], delimiter: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Each row, with the number that Excel shows."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    began = first_line
    try:
        for number, row in enumerate(reader, start=1):
            yield number, row
            began = first_line + reader.line_num
    except csv.Error:
        raise SheetError(messages.broken_csv(path, began), hint=messages.mend_quote()) from None
