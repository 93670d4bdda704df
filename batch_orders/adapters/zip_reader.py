"""Reading workbooks that are ZIP archives: .xlsx, .xlsb and .ods. Which of them one is, its parts say.

Sizes are capped before anything is unpacked.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from batch_orders.adapters import ods_reader, xlsb_reader, xlsx_reader
from batch_orders.adapters.workbook_sheets import damage_told
from batch_orders.adapters.xlsx_screen import refuse_bombs, screened
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages
from batch_orders.models import SheetKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_orders.adapters.sheet_parts import Table
    from batch_orders.models import Limits

_READERS = {
    SheetKind.XLSX: xlsx_reader.read_table,
    SheetKind.XLSB: xlsb_reader.read_table,
    SheetKind.ODS: ods_reader.read_table,
}


def read_table(path: Path, content: bytes, sheet_name: str | None, limits: Limits) -> tuple[SheetKind, Table]:
    """What kind of workbook it is, and its table: of the sheet that is asked for, else of the one with orders.

    SheetError where it cannot be read, is larger than the limits allow, or is no workbook.
    """
    with damage_told(path, limits):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            refuse_bombs(path, archive, limits)
            kind = _kind(archive)
            if kind is None:
                raise SheetError(messages.looks_like(path, _other(archive.namelist())), hint=messages.save_as())
            if kind is SheetKind.ODS and ods_reader.is_encrypted(archive):
                raise SheetError(messages.password_protected(path), hint=messages.take_password_off())
            safe = screened(archive, content)
        return kind, _READERS[kind](path, safe, sheet_name, limits)


def _kind(archive: zipfile.ZipFile) -> SheetKind | None:
    names = archive.namelist()
    if xlsx_reader.WORKBOOK in names:
        return SheetKind.XLSX
    if xlsb_reader.WORKBOOK in names:
        return SheetKind.XLSB
    return SheetKind.ODS if ods_reader.is_spreadsheet(archive) else None


def _other(names: Sequence[str]) -> str:
    if ods_reader.CONTENT in names:
        return "an OpenDocument file, but no spreadsheet"
    if "word/document.xml" in names:
        return "a Word document"
    if "ppt/presentation.xml" in names:
        return "a presentation"
    if "Index/Document.iwa" in names:
        return "an Apple Numbers file"
    return "a ZIP archive"
