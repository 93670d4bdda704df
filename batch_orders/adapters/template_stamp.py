"""The template's hidden stamp: from which version and which day's catalog a workbook was made, and its titles.

It stands on the hidden sheet of the drop-downs' lists, which every spreadsheet program keeps: the first row has a mark,
the template's version and the day; the first column, from FIRST_ROW on, has the titles.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from batch_orders.models import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHEET: Final = "Lists"
FIRST_ROW: Final = 3
_MARK = "batch-orders template"
_VERSION = 1


def stamp(today: dt.date) -> tuple[str, str, str]:
    """The first row of the hidden sheet."""
    return (_MARK, str(_VERSION), today.isoformat())


def read_stamp(rows: Iterable[Sequence[object]]) -> Template | None:
    """The stamp in the rows of a sheet named SHEET; None where it has none, or one of a version yet to come."""
    lines = iter(rows)
    mark, version, day = [*map(str, next(lines, ())), "", "", ""][:3]
    if mark != _MARK or version != str(_VERSION):
        return None
    try:
        catalog_date = dt.date.fromisoformat(day[:10])
    except ValueError:
        return None
    found = [line[0] for number, line in enumerate(lines, start=2) if number >= FIRST_ROW and line]
    return Template(catalog_date=catalog_date, titles=frozenset(str(title) for title in found if title))
