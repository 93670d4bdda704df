"""Reading Excel workbooks: openpyxl reads the cells, after a look at the XML for what it would pass over in silence.

Whatever is hidden or broken in the data comes with the table.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Final

from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.datetime import from_excel
from openpyxl.xml.constants import SHARED_STRINGS

from batch_orders.adapters.sheet_parts import Rows, Table
from batch_orders.adapters.workbook_sheets import as_text, choose, completed, kept
from batch_orders.adapters.xlsx_look import look
from batch_orders.adapters.xlsx_plain import plain_sheet, plain_texts, unescaped
from batch_orders.models import Cell, Originals, Value

if TYPE_CHECKING:
    import io
    from collections.abc import Container, Generator, Iterator, Sequence
    from pathlib import Path

    from batch_orders.models import Limits

WORKBOOK: Final = "xl/workbook.xml"
_IS_FLOAT = re.compile(r"[.eE]")


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
        # openpyxl tells the name of a sheet's part, and the texts that all share, nowhere else.
        name, shared = sheet.cells._worksheet_path.lstrip("/"), sheet.cells._shared_strings  # noqa: SLF001
        with archive.open(name) as part:
            plain = plain_sheet(part, shared, _Styles(sheet.cells), limits)
        if plain is not None:
            table = Table(name=sheet.title, rows=plain.rows, row_numbers=plain.row_numbers, originals=plain.originals)
            return completed(table, plain.hidden, sheets)
        with archive.open(name) as part:
            hidden = look(part, limits)
        table, hidden.errors = _table(sheet.cells, {cell.row for cell in hidden.without_value})
        return completed(table, hidden, sheets)


class _Reader(ExcelReader):
    """openpyxl's, but for plain texts, for each of which it would build several objects."""

    def read_strings(self) -> None:
        part = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]
        texts = plain_texts(self.archive.read(part.PartName[1:])) if part is not None else None
        if texts is None:
            super().read_strings()
        else:
            self.shared_strings = texts


class _Styles:
    """What a number means in a workbook, as openpyxl finds it."""

    def __init__(self, sheet: Any) -> None:  # noqa: ANN401 - openpyxl's
        self._sheet = sheet

    def __call__(self, text: str, *, is_bool: bool, style: int) -> tuple[object, str]:
        workbook = self._sheet.parent
        number_format: str = ReadOnlyCell(self._sheet, 1, 1, None, "n", style).number_format
        value: object = bool(int(text)) if is_bool else float(text) if _IS_FLOAT.search(text) else int(text)
        if not is_bool and style in workbook._date_formats:  # noqa: SLF001
            is_length = style in workbook._timedelta_formats  # noqa: SLF001
            value = from_excel(value, workbook.epoch, timedelta=is_length)
        return value, number_format


@contextlib.contextmanager
def _opened(safe: io.BytesIO, limits: Limits) -> Iterator[Sequence[_Sheet]]:
    """The workbook's sheets of cells (not of charts), without openpyxl's warnings of what it does not keep."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"openpyxl\.")
        reader = _Reader(safe, read_only=True, data_only=True, keep_links=False)
        reader.read()
        workbook = reader.wb
        try:
            yield [_Sheet(sheet, limits) for sheet in workbook.worksheets if hasattr(sheet, "reset_dimensions")]
        finally:
            workbook.close()


def _table(sheet: Any, never_blank: Container[int]) -> tuple[Table, list[tuple[Cell, str]]]:  # noqa: ANN401 - openpyxl's
    """The cells of a sheet, and the errors (#N/A …) among them. Empty rows are left out, but for those named."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    originals = Originals()
    errors: list[tuple[Cell, str]] = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts: list[str] = []
        for column, cell in enumerate(cells):
            value = cell.value
            if value is None:
                texts.append("")
            elif isinstance(value, str):
                texts.append(unescaped(value))
                if cell.data_type == "e":
                    errors.append((Cell(number, column + 1), value))
            else:
                number_format = cell.number_format
                texts.append(as_text(value, number_format))
                originals.put(len(rows), column, [Value(kept(value), number_format)])
        if any(texts) or number in never_blank:
            rows.append(texts)
            numbers.append(number)
    return Table(name=sheet.title, rows=Rows(rows), row_numbers=numbers, originals=originals), errors
