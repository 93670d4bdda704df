"""Cells of a CSV file changed: only the rows that they stand in are written anew, and of those only the cells."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_orders.adapters.csv_reader import decoded, separator_line
from batch_orders.adapters.results_csv import guarded
from batch_orders.adapters.sheet_parts import looking_for
from batch_orders.errors import SheetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from batch_orders.models import Sheet

    Changes = Mapping[int, Mapping[int, str]]

_LINE_END: Final = re.compile(r"(?:\r\n|\r|\n)?\Z")
_MARKED_UTF8: Final = "utf-8-sig"


class Row(NamedTuple):
    """A row as it stands in the text, with its line end, and the cells that a reader finds in it."""

    raw: str
    cells: Sequence[str]


def mended_csv(sheet: Sheet, changes: Changes, encoding: str | None) -> tuple[bytes, str | None]:
    """The file with these cells (by row, and by column from 0) changed, and the encoding to read it with.

    It stays in its encoding; where that has not every character of the new texts, or where the file would be read as
    another one, it becomes UTF-8 with a mark, which nobody has to be told.
    """
    with looking_for(sheet.headers):
        was = decoded(sheet.path, sheet.content, encoding)
        text = _mended_text(was.text, sheet.delimiter, changes)
        try:
            content = was.mark + text.encode(was.encoding)
            if decoded(sheet.path, content, encoding).text == text:
                return content, encoding
        except (UnicodeError, SheetError):
            pass
    return text.encode(_MARKED_UTF8), None


def _mended_text(text: str, delimiter: str, changes: Changes) -> str:
    separator = separator_line(text)
    begin = separator.end() if separator else 0
    parts = [text[:begin]]
    for number, row in enumerate(_rows(text[begin:], delimiter), start=1):
        changed = changes.get(number)
        parts.append(_mended_row(row, changed, delimiter) if changed else row.raw)
    return "".join(parts)


def _rows(body: str, delimiter: str) -> Iterator[Row]:
    """The rows in the order in which the reader numbers them; one takes several lines where a cell does."""
    lines = list(io.StringIO(body, newline=""))
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    began = 0
    for cells in reader:
        yield Row("".join(lines[began : reader.line_num]), cells)
        began = reader.line_num


def _mended_row(row: Row, changed: Mapping[int, str], delimiter: str) -> str:
    """The row with these cells changed; the others keep their quotation marks, and the row its line end."""
    end = _LINE_END.search(row.raw)
    line_end = end[0] if end else ""
    raw = row.raw[: len(row.raw) - len(line_end)]
    written = _as_they_stand(raw, delimiter) if row.cells else []
    if len(written) != len(row.cells):
        written = [_written(cell, delimiter) for cell in row.cells]
    for column, text in changed.items():
        written += [""] * (column + 1 - len(written))
        was_quoted = written[column].startswith('"')
        written[column] = _written(guarded(text), delimiter, always_quoted=was_quoted)
    return delimiter.join(written) + line_end


def _as_they_stand(raw: str, delimiter: str) -> list[str]:
    """A row's cells with the quotation marks around and within them."""
    sign = re.escape(delimiter)
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{sign}]*)({sign}|\Z)')
    found, position = [], 0
    while (match := cell.match(raw, position)) is not None:
        found.append(match[1])
        position = match.end()
        if not match[2]:
            break
    return found


def _written(text: str, delimiter: str, *, always_quoted: bool = False) -> str:
    if always_quoted or any(sign in text for sign in (delimiter, '"', "\r", "\n")):
        return '"' + text.replace('"', '""') + '"'
    return text
