"""Reading sheets: any CSV file or workbook becomes a `Sheet` of text cells, and nothing is guessed.

What kind a file is its contents say, not its name. `NA` stays Namibia, `02139` keeps its zero; row numbers are those
that Excel shows.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from batch_orders.adapters import csv_reader
from batch_orders.adapters.sheet_parts import header_row, is_blank, looking_for
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import FindingCode, Limits, Oddity, Sheet, SheetKind

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from batch_orders.adapters.sheet_parts import Rows, Table

_WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods"})
_OTHER_SUFFIXES = frozenset({".numbers", ".pdf"})
TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_OLE2 = b"\xd0\xcf\x11\xe0"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive with nothing in it

# What other files begin with, in lower case, after white space.
_MAGIC = {
    b"%pdf": "a PDF",
    b"\x89png": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"gif8": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"7z\xbc\xaf": "a compressed file",
    b"rar!": "a compressed file",
    b"{\\rtf": "a text document",
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML file",
}
_MAGIC_WITHIN = 64
# What Excel and LibreOffice show where a formula failed, and leave as a text in a CSV file, say.
ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"})
# What makes a row look blank that is not.
_LOOKS_BLANK = FindingCode.FORMULA_WITHOUT_VALUE


_USUAL_LIMITS = Limits()


def read_sheet(
    path: Path,
    *,
    sheet_name: str | None = None,
    encoding: str | None = None,
    headers: Collection[str] = (),
    foreign: bool = False,
    limits: Limits = _USUAL_LIMITS,
    content: bytes | None = None,
) -> Sheet:
    """The sheet in a file.

    `sheet_name` chooses one of a workbook's (else the one with known headers), `encoding` is a CSV file's where it
    is not Unicode. `headers` are known besides ours; a `foreign` sheet need not have any known one. Where `content` is
    given it is the file's bytes: `path` is only what it is called, and nothing is read from there.
    SheetError where the file cannot be read or is larger than `limits` allow, UsageError where `encoding` names
    nothing.
    """
    if encoding is not None:
        csv_reader.require_encoding(encoding)
    if content is None:
        content = _read(path, limits)
    elif len(content) > limits.file_size:
        raise _too_large(path, limits)
    with looking_for(headers, foreign=foreign):
        return _sheet_in(path, content, sheet_name=sheet_name, encoding=encoding, limits=limits)


def _sheet_in(path: Path, content: bytes, *, sheet_name: str | None, encoding: str | None, limits: Limits) -> Sheet:
    kind, table = _kind_and_table(path, content, sheet_name, encoding, limits)
    if kind is not SheetKind.CSV and path.suffix.lower() in TEXT_SUFFIXES:
        raise SheetError(messages.workbook_named_like_text(path), hint=messages.rename_to(f".{kind}"))
    return _sheet(path, content, kind, table, limits)


def _kind_and_table(
    path: Path, content: bytes, sheet_name: str | None, encoding: str | None, limits: Limits
) -> tuple[SheetKind, Table]:
    # What reads workbooks takes a while to import, and a CSV file needs none of it.
    if content.startswith(_OLE2):
        from batch_orders.adapters import ole2_reader  # noqa: PLC0415

        return SheetKind.XLS, ole2_reader.read_table(path, content, sheet_name, limits)
    if content.startswith(_ZIP):
        from batch_orders.adapters import zip_reader  # noqa: PLC0415

        return zip_reader.read_table(path, content, sheet_name, limits)
    _refuse_what_is_no_text(path, content)
    return SheetKind.CSV, csv_reader.read_table(path, content, encoding, limits)


def _read(path: Path, limits: Limits) -> bytes:
    try:
        if path.is_dir():
            raise SheetError(messages.is_folder(path), hint=messages.name_a_file())
        if not path.exists():
            raise SheetError(messages.not_there(path), hint=messages.check_the_name())
        if not path.is_file():  # a pipe or a device could be waited for without end
            raise SheetError(messages.unreadable(path, messages.no_regular_file()), hint=messages.name_a_file())
        if path.stat().st_size > limits.file_size:
            raise _too_large(path, limits)
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else None
        raise SheetError(
            messages.unreadable(path, reason or type(error).__name__), hint=messages.check_the_name()
        ) from None


def _too_large(path: Path, limits: Limits) -> SheetError:
    what = messages.more_than(messages.size(limits.file_size))
    return SheetError(messages.too_large(path, what), hint=messages.split_it("max_file_size"))


def _refuse_what_is_no_text(path: Path, content: bytes) -> None:
    start = content[:_MAGIC_WITHIN].lstrip().lower()
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise SheetError(messages.looks_like(path, what), hint=messages.save_as())
    suffix = path.suffix.lower()
    if suffix in _WORKBOOK_SUFFIXES:
        raise SheetError(messages.named_like_a_workbook(path), hint=messages.rename_or_save())
    if suffix in _OTHER_SUFFIXES:
        raise SheetError(messages.looks_like(path, f"named like a {suffix} file"), hint=messages.save_as())


def _sheet(path: Path, content: bytes, kind: SheetKind, table: Table, limits: Limits) -> Sheet:
    rows, numbers = table.rows, table.row_numbers
    header, known = header_row(rows, numbers)
    if not known:
        first = next((row for row in rows if not is_blank(row)), [])
        raise SheetError(messages.no_header(path, [cell for cell in first if cell]), hint=messages.expected_headers())
    odd_rows = {row for oddity in table.oddities for row in oddity.rows if oddity.code is _LOOKS_BLANK}
    gone = {row for row in rows.blank(header + 1) if numbers[row] not in odd_rows}
    kept: Sequence[int] = range(header + 1, len(rows))
    if gone:
        kept = [row for row in kept if row not in gone]
    columns = rows.width(header)
    _refuse_too_much(path, limits, rows=len(kept), columns=columns)
    row_numbers = _numbers(numbers, kept)
    oddities = (*table.oddities, *_errors_as_text(table, header + 1))
    return Sheet(
        path=path,
        kind=kind,
        sheet_name=table.name,
        header_row=numbers[header],
        headers=tuple(_padded(rows.row(header), columns)),
        above={numbers[row]: tuple(rows.row(row)) for row in range(header) if not is_blank(rows.row(row))},
        row_numbers=row_numbers,
        values=table.originals.of_rows(kept),
        delimiter=table.delimiter,
        oddities=_in_rows(oddities, set(row_numbers)) if oddities else (),
        template=table.template,
        content=content,
        frame=_frame(rows, kept, columns),
    )


def _errors_as_text(table: Table, first: int) -> Iterator[Oddity]:
    """The cells, from this row on, where an error is left as a text: it is no more a value than the error was."""
    known = {(o.rows[0], o.columns[0]) for o in table.oddities if o.code is FindingCode.CELL_ERROR}
    for column, texts in enumerate(table.rows.columns, start=1):
        for row in range(first, len(texts)) if not ERRORS.isdisjoint(texts) else ():
            place = table.row_numbers[row], column
            if texts[row] in ERRORS and place not in known:
                yield Oddity(code=FindingCode.CELL_ERROR, rows=place[:1], columns=place[1:], what=texts[row])


def _numbers(numbers: Sequence[int], kept: Sequence[int]) -> Sequence[int]:
    """Excel's numbers of these rows: a range, which takes no memory, where they follow one another."""
    first, last = (numbers[kept[0]], numbers[kept[-1]]) if kept else (1, 0)
    if last - first == len(kept) - 1:  # they ascend
        return range(first, last + 1)
    return tuple(numbers[row] for row in kept)


def _frame(rows: Rows, kept: Sequence[int], columns: int) -> pd.DataFrame:
    """These rows, and so many columns; the others are gone."""
    arrays = {
        position: pd.array([column[row] for row in kept], dtype="str")
        for position, column in zip(range(columns), rows.given_away(), strict=False)
    }
    return pd.DataFrame(arrays, columns=range(columns), copy=False)


def _in_rows(oddities: Iterable[Oddity], rows: Container[int]) -> tuple[Oddity, ...]:
    """The oddities as far as they touch these rows: blank ones are hidden, or merged, as anybody likes."""
    narrowed = (
        dataclasses.replace(oddity, rows=tuple(row for row in oddity.rows if row in rows)) for oddity in oddities
    )
    return tuple(oddity for oddity in narrowed if oddity.rows)


def _refuse_too_much(path: Path, limits: Limits, *, rows: int, columns: int) -> None:
    """SheetError for no rows at all, or for too many."""
    if not rows:
        raise SheetError(messages.no_rows(path), hint=messages.fill_it())
    if rows > limits.rows:
        what = messages.more_than(f"{limits.rows:,} rows")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_rows"))
    if columns > limits.columns:
        what = messages.more_than(f"{limits.columns:,} columns")
        raise SheetError(messages.too_large(path, what), hint=messages.split_it("max_columns"))


def _padded(row: Sequence[str], columns: int) -> list[str]:
    return [*row[:columns], *([""] * (columns - len(row)))]
