"""Results as CSV: UTF-8 with BOM, the input's delimiter, CRLF, and no text that a spreadsheet takes for a formula.

The guard is an escape that can be undone. Text that starts with `=`, `+`, `-`, `@`, a tab, CR or LF gets one `'` in
front, unless all of it is a plain number or a phone number (digits and punctuation only: nothing there can be run).
Text that a person typed with `'`s in front of such a character gets one more `'`, and `unguarded` takes exactly one
away wherever nothing but `'`s stands before such a character: so every text comes back as it was. (A reader that
took `'` away only directly before the character would turn a typed `'=x` into `=x`.) A foreign file where a person
protected `=x` as `'=x` reads as `=x`, as in a spreadsheet.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING

from batch_orders.adapters import results_layout
from batch_orders.models import SheetKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batch_orders.models import Report

_TRIGGER = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")
_AT_ONCE = 1000  # lines: as text in memory, a large file takes several times its size
_NUMBER = re.compile(r"[+-](?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_PHONE = re.compile(r"\+[ .\-/()]*[0-9][0-9 .\-/()]*")
_FIRST = frozenset("'=+-@\t\r\n")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def guarded(text: str) -> str:
    """The text as it may stand in a CSV file that a spreadsheet opens (see the module's docstring)."""
    if text[:1] in _FIRST and _TRIGGER.match(text) and not _NUMBER.fullmatch(text) and not _PHONE.fullmatch(text):
        return "'" + text
    return text


def unguarded(text: str) -> str:
    """The text that `guarded` was given: `unguarded(guarded(text)) == text` for every text."""
    return text[1:] if _GUARDED.match(text) else text


def render_csv(report: Report) -> bytes:
    """The whole results file. A comma stands between cells where the input was a workbook.

    Half a surrogate pair (it can come out of a vendor's JSON) has no UTF-8 form and becomes U+FFFD.
    """
    sheet = report.mapped.sheet
    delimiter = sheet.delimiter if sheet.kind is SheetKind.CSV else ","
    lines = _lines(report)
    file = io.BytesIO()
    file.write(codecs.BOM_UTF8)
    while some := list(islice(lines, _AT_ONCE)):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n", quoting=csv.QUOTE_MINIMAL)
        writer.writerows([guarded(cell) for cell in line] for line in some)
        file.write(_LONE_SURROGATE.sub("\ufffd", text.getvalue()).encode())
    return file.getvalue()


def _lines(report: Report) -> Iterator[Sequence[str]]:
    """Every line from the top to the bottom."""
    mapped = report.mapped
    yield from results_layout.lines_above(mapped)
    yield results_layout.headers(mapped)
    for row, lines in zip(results_layout.rows(report), results_layout.lines_before(mapped), strict=True):
        yield from lines
        yield row
    yield from results_layout.lines_below(mapped)
