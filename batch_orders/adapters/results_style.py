"""How a results workbook looks, and what Excel lets its texts and names be."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from openpyxl.cell import Cell as SheetCell
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from batch_orders.models import RowStatus, Severity

if TYPE_CHECKING:
    from openpyxl.styles.cell_style import StyleArray
    from openpyxl.worksheet.worksheet import Worksheet

    from batch_orders.models import Value

TEXT_FORMAT = "@"

# The name that our summary's first cell has in the workbook: by it a later run knows the sheet for ours.
SUMMARY_NAME = "_batch_orders_summary"
SUMMARY_WIDTHS = {"A": 26, "B": 90}

_RED, _YELLOW, _BLUE, _GREEN, _ORANGE, _GREY = "FFC7CE", "FFEB9C", "DDEBF7", "D8EFD3", "F8CBAD", "EDEDED"

FINDING_FILLS: dict[Severity, str] = {Severity.ERROR: _RED, Severity.WARNING: _YELLOW, Severity.REPAIR: _BLUE}

# Beside each colour stands the status itself: colour never tells anything alone.
STATUS_FILLS: dict[RowStatus, str] = {
    RowStatus.ALREADY_ORDERED: _GREEN,
    RowStatus.UNKNOWN: _ORANGE,
    RowStatus.INVALID: _RED,
    RowStatus.CHANGED: _YELLOW,
    RowStatus.HELD: _YELLOW,
    RowStatus.WAITING: _GREY,
    RowStatus.READY: _GREEN,
    RowStatus.ORDERED: _GREEN,
    RowStatus.REJECTED: _RED,
    RowStatus.NOT_SENT: _GREY,
}

_EARLIEST_YEAR = 1900  # Excel's dates begin there
_MOST_CHARACTERS = 32_767
_SHORTENED = "… (shortened)"
_LONGEST_SHEET_NAME = 31
_FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_IN_SHEET_NAMES = re.compile(r"[\\*?:/\[\]\t\n]")
_TURNS_INTO_SOMETHING_ELSE = re.compile(r"[=+\-@'\t\n0-9]")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
# Many rows say the same.
_MOST_KNOWN = 1024

COMMENT_WIDTH = 340  # pixels
_LINE_HEIGHT, _MOST_LINES = 15.0, 12
_COMMENT_COLUMNS, _COMMENT_LINE, _COMMENT_MARGIN, _TALLEST_COMMENT = 52, 17, 14, 420


class Look(NamedTuple):
    """How a cell looks: RRGGBB of its fill ("": none), and what else is out of the ordinary."""

    fill: str = ""
    number_format: str = "General"
    bold: bool = False
    wrap: bool = False
    underlined: bool = False
    indented: bool = False
    quote_prefix: bool = False


HEADER = Look(bold=True, underlined=True, fill=_GREY)
OUR_HEADER = Look(bold=True, underlined=True, fill="CFE0EF")
LABEL = Look(bold=True)


class Looks:
    """Makes one worksheet's cells; each look is worked out once, which is what makes 20,000 rows quick."""

    def __init__(self, worksheet: Worksheet) -> None:
        self._worksheet = worksheet
        self._styles: dict[Look, StyleArray] = {}

    def cell(self, look: Look) -> SheetCell:
        """A blank cell that looks so. Its place is where it stands in the row that is appended."""
        style = self._styles.get(look)
        if style is None:
            style = self._styles.setdefault(look, self._style(look))
        return SheetCell(self._worksheet, 1, 1, style_array=style)

    def text(self, text: str, look: Look | None = None) -> SheetCell:
        """A cell that holds this text as text, whatever it starts with."""
        look = look or Look()
        value = xlsx_text(text)
        if look.number_format != TEXT_FORMAT and _TURNS_INTO_SOMETHING_ELSE.match(value):
            look = look._replace(quote_prefix=True)
        cell = self.cell(look)
        if value:
            cell.value = value
            # openpyxl takes "=…" for a formula and "#N/A" for an error unless told that it is a string
            cell.data_type = "s"
        return cell

    def _style(self, look: Look) -> StyleArray:
        cell = WriteOnlyCell(self._worksheet)
        cell.alignment = Alignment(
            vertical="top", horizontal="left" if look.indented else None, indent=int(look.indented), wrap_text=look.wrap
        )
        cell.number_format = look.number_format
        cell.quotePrefix = int(look.quote_prefix)
        if look.bold:
            cell.font = Font(name="Calibri", size=11, bold=True)
        if look.fill:
            cell.fill = PatternFill("solid", start_color=look.fill, end_color=look.fill)
        if look.underlined:
            cell.border = Border(bottom=Side(style="thin", color="7F7F7F"))
        # there is no public way to share a style; the stubs leave this one out, openpyxl's manual does not
        style: StyleArray = cell._style  # type: ignore[attr-defined]  # noqa: SLF001
        return style


def fits(value: Value) -> bool:
    """Whether Excel can hold it as it is; else its text is written."""
    if isinstance(value.value, datetime):
        return value.value.year >= _EARLIEST_YEAR and value.value.tzinfo is None
    return isinstance(value.value, int | float) and isfinite(value.value)


@lru_cache(_MOST_KNOWN)
def xlsx_text(text: str) -> str:
    """The text as a workbook can hold it (see results_xlsx's docstring)."""
    text = _FORBIDDEN_IN_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _shortened(text, _MOST_CHARACTERS, _SHORTENED)


def _shortened(text: str, most: int, ending: str = "") -> str:
    """At most so many characters as Excel counts them: what lies beyond U+FFFF counts as two."""
    if 2 * len(text) <= most:
        return text
    encoded = text.encode("utf-16-le")
    if len(encoded) <= 2 * most:
        return text
    return encoded[: 2 * (most - len(ending))].decode("utf-16-le", errors="ignore") + ending


def longest_line(text: str) -> int:
    """How wide the text is, in columns: Chinese, Japanese and Korean letters take two."""
    return max(map(_width, text.splitlines()), default=0)


def _width(line: str) -> int:
    if line.isascii():
        return len(line)
    others = "".join(_NOT_ASCII.findall(line))
    return len(line) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in others)


def _wrapped_lines(text: str, columns: float) -> int:
    """About how many lines the text takes: what words that do not break cost, narrow letters make up for."""
    return sum(1 + int(_width(line) // columns) for line in text.splitlines() or [""])


@lru_cache(_MOST_KNOWN)
def comment_height(text: str) -> int:
    """Pixels that show the whole text in a comment of COMMENT_WIDTH, up to what still fits a screen."""
    return min(_COMMENT_MARGIN + _wrapped_lines(text, _COMMENT_COLUMNS) * _COMMENT_LINE, _TALLEST_COMMENT)


@lru_cache(_MOST_KNOWN)
def row_height(text: str, columns: float) -> float | None:
    """Points that show the whole text in a wrapped cell so wide, up to a limit; None where one line does.

    Excel would work this out by itself; LibreOffice and previews show what the file says.
    """
    lines = min(_wrapped_lines(text, columns), _MOST_LINES)
    return lines * _LINE_HEIGHT if lines > 1 else None


def data_sheet_name(wished: str | None) -> str:
    """The input's sheet name as Excel allows it, "Results" where there is none."""
    name = _FORBIDDEN_IN_XML.sub("\ufffd", _FORBIDDEN_IN_SHEET_NAMES.sub("-", wished or ""))
    name = _shortened(name, _LONGEST_SHEET_NAME).strip("' ")
    if name.casefold() == "history":  # Excel keeps this one for itself
        return f"{name} data"
    return name or "Results"


def summary_sheet_name(data_sheet: str) -> str:
    """The name of our own sheet, beside one of this name."""
    return "Run summary" if data_sheet.casefold() == "summary" else "Summary"
