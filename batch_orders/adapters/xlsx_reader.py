"""Reading Excel workbooks: openpyxl reads the cells, after a look at the XML for what it would pass over in silence.

Whatever is hidden or broken in the data comes with the table.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Final

from openpyxl import load_workbook

from batch_orders.adapters.sheet_parts import Table
from batch_orders.adapters.workbook_sheets import as_text, choose, completed, kept
from batch_orders.adapters.xlsx_look import look
from batch_orders.models import Cell, Value

if TYPE_CHECKING:
    import io
    from collections.abc import Container, Generator, Iterator, Sequence
    from pathlib import Path

    from batch_orders.models import Limits

WORKBOOK: Final = "xl/workbook.xml"
# How a character that XML cannot hold is written in a cell (ECMA-376, ST_Xstring), _x000D_ say, and the underscore of a
# text that only looks so, _x005F_x000D_; openpyxl leaves both as they stand. Half a surrogate pair is no character.
_ESCAPED = re.compile(r"_x((?![dD][89a-fA-F])[0-9a-fA-F]{4})_")


class _Sheet:
    """One of openpyxl's read-only worksheets, which its stubs do not tell from others."""

    def __init__(self, sheet: Any, limits: Limits) -> None:  # noqa: ANN401 - see above
        sheet.reset_dimensions()  # a wrong <dimension> makes openpyxl drop rows silently
        self._columns = limits.columns
        self.cells = sheet
        self.title: str = sheet.title
        self.is_hidden: bool = sheet.sheet_state != "visible"

    def texts(self) -> Generator[tuple[int, Sequence[str]], None, None]:
        """Every row that openpyxl reads, as a sheet is chosen by them: numbers as Python writes them."""
        with contextlib.closing(self.cells.iter_rows(max_col=self._columns, values_only=True)) as every_row:
            for number, values in enumerate(every_row, start=1):
                yield number, ["" if value is None else str(value) for value in values]


def read_table(path: Path, safe: io.BytesIO, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with orders; `safe` is the screened archive.

    SheetError as `choose`, and whatever zipfile, the XML parser or openpyxl raise where it is broken.
    A table without any known header is given back as it is, for the caller to say so.
    """
    with _opened(safe, limits) as sheets, zipfile.ZipFile(safe) as archive:
        sheet = choose(path, sheets, sheet_name)
        # openpyxl tells the name of a sheet's part nowhere else.
        with archive.open(sheet.cells._worksheet_path.lstrip("/")) as part:  # noqa: SLF001
            hidden = look(part, limits)
        table, hidden.errors = _table(sheet.cells, {cell.row for cell in hidden.without_value})
        return completed(table, hidden, sheets)


@contextlib.contextmanager
def _opened(safe: io.BytesIO, limits: Limits) -> Iterator[Sequence[_Sheet]]:
    """The workbook's sheets of cells (not of charts), without openpyxl's warnings of what it does not keep."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"openpyxl\.")
        workbook = load_workbook(safe, read_only=True, data_only=True, keep_links=False)
        try:
            yield [_Sheet(sheet, limits) for sheet in workbook.worksheets if hasattr(sheet, "reset_dimensions")]
        finally:
            workbook.close()


def _table(sheet: Any, never_blank: Container[int]) -> tuple[Table, list[tuple[Cell, str]]]:  # noqa: ANN401 - openpyxl's
    """The cells of a sheet, and the errors (#N/A …) among them. Empty rows are left out, but for those named."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    originals: dict[tuple[int, int], Value] = {}
    errors: list[tuple[Cell, str]] = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts: list[str] = []
        for column, cell in enumerate(cells):
            value = cell.value
            if value is None:
                texts.append("")
            elif isinstance(value, str):
                texts.append(_unescaped(value))
                if cell.data_type == "e":
                    errors.append((Cell(number, column + 1), value))
            else:
                number_format = cell.number_format
                texts.append(as_text(value, number_format))
                originals[len(rows), column] = Value(kept(value), number_format)
        if any(texts) or number in never_blank:
            rows.append(texts)
            numbers.append(number)
    return Table(name=sheet.title, rows=rows, row_numbers=numbers, originals=originals), errors


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text
