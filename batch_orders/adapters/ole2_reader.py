"""Reading OLE2 files, which Office wrote before 2007 and still writes where a file has a password.

What one holds, the streams in its directory say: an old workbook (.xls), an encrypted new one, or something else.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from xlrd.compdoc import CompDoc

from batch_orders.adapters import xls_reader
from batch_orders.adapters.workbook_sheets import damage_told
from batch_orders.errors import SheetError
from batch_orders.messages import sheets as messages

if TYPE_CHECKING:
    from pathlib import Path

    from batch_orders.adapters.sheet_parts import Table
    from batch_orders.models import Limits

_ENCRYPTED = "encryptedpackage"
# The stream of an old workbook; an even older one's is named Book. A file that is meant for both has both.
_WORKBOOKS = ("workbook", "book")
_OTHERS = {
    "worddocument": "a Word document",
    "powerpoint document": "a presentation",
    "visiodocument": "a drawing",
    "__properties_version1.0": "an Outlook message",
}


def read_table(path: Path, content: bytes, sheet_name: str | None, limits: Limits) -> Table:
    """The cells of the sheet that is asked for, else of the one with orders.

    SheetError where it cannot be read, has a password, is larger than the limits allow, or is no workbook.
    """
    with damage_told(path, limits):
        # What xlrd warns of (a size that is odd, say) it would print.
        document = CompDoc(content, logfile=io.StringIO())
        streams = _streams(document)
        if _ENCRYPTED in streams:
            raise SheetError(messages.password_protected(path), hint=messages.take_password_off())
        for name in _WORKBOOKS:
            if name in streams:
                memory, start, length = document.locate_named_stream(name)
                return xls_reader.read_table(path, memory[start : start + length], sheet_name, limits)
        other = next((_OTHERS[name] for name in streams if name in _OTHERS), "an old Office file, but no workbook")
        raise SheetError(messages.looks_like(path, other), hint=messages.save_as())


def _streams(document: CompDoc) -> list[str]:
    """What stands in the outermost folder, in lower case: what is embedded in a document stands deeper."""
    return [document.dirlist[child].name.lower() for child in document.dirlist[0].children]
