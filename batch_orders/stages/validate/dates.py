"""Start dates: one day, however it is written; never a guess between the third of April and the fourth of March.

Only where `order_ahead` is set does a start date mean anything; else the column is not looked at.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from batch_orders.characters import narrow
from batch_orders.messages import findings as messages
from batch_orders.stages.validate.complaints import Complaint
from batch_orders.stages.validate.texts import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00)?)?")
_YEAR_FIRST = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})")
# With dots the day comes first wherever people write so; with slashes and hyphens it depends on who wrote it.
_DOTTED = re.compile(r"(\d{1,2})\.\s*(\d{1,2})\.\s*(\d{4})")
_EITHER = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})")
_NAMED = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th|\.)?[ -]([a-z]{3,9})\.?|([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?),?[ -](\d{4})"
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_SHORTEST_MONTH = 3
# What a workbook counts its days from, and the numbers that can only be days of our time.
_SERIAL = re.compile(r"\d{5}")
_DAY_ZERO = date(1899, 12, 30)
_SERIALS = range(36_526, 73_051)  # 2000 to 2099


def read_date(text: str) -> tuple[str, Complaint | None]:
    """The day as 2026-12-01, and what is wrong where the text is none, or could be two. Blank stays blank."""
    cleaned = clean(narrow(text))
    if not cleaned:
        return "", None
    days = tuple(dict.fromkeys(day.isoformat() for day in _days(cleaned)))
    if len(days) == 1:
        return days[0], None
    if days:
        return cleaned, Complaint(messages.ambiguous_date(cleaned, days), days, undecided=True)
    serial = int(cleaned) if _SERIAL.fullmatch(cleaned) else 0
    near = ((_DAY_ZERO + timedelta(days=serial)).isoformat(),) if serial in _SERIALS else ()
    return cleaned, Complaint(messages.no_date(cleaned, near), near)


def _days(text: str) -> Iterator[date]:
    """Every day that the text can mean."""
    if match := _ISO.fullmatch(text):
        yield from _day(match[1], match[2], match[3])
    elif match := _YEAR_FIRST.fullmatch(text):
        yield from _day(match[1], match[3], match[4])
    elif match := _DOTTED.fullmatch(text):
        yield from _day(match[3], match[2], match[1])
    elif match := _EITHER.fullmatch(text):
        yield from _day(match[4], match[3], match[1])
        yield from _day(match[4], match[1], match[3])
    elif match := _NAMED.fullmatch(text.casefold()):
        name = match[2] or match[3]
        month = next((number for number, full in enumerate(_MONTHS, 1) if full.startswith(name)), 0)
        yield from _day(match[5], str(month), match[1] or match[4])


def _day(year: str, month: str, day: str) -> Iterator[date]:
    try:
        yield date(int(year), int(month), int(day))
    except ValueError:
        return
