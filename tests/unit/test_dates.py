"""Start dates: what reads as which day, and what is never guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.stages.validate.dates import read_date

_DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2099, 12, 31))
_MONTHS = ("January", "Feb", "March", "Apr", "May", "June", "Jul", "August", "Sep", "October", "Nov", "December")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-12-01", "2026-12-01"),
        (" 2026-12-01 ", "2026-12-01"),
        ("2026-12-01 00:00:00", "2026-12-01"),
        ("2026-12-01T00:00", "2026-12-01"),
        ("2026/12/1", "2026-12-01"),
        ("1.12.2026", "2026-12-01"),
        ("01. 12. 2026", "2026-12-01"),
        ("13/12/2026", "2026-12-13"),
        ("12/13/2026", "2026-12-13"),
        ("5/5/2026", "2026-05-05"),
        ("1 Dec 2026", "2026-12-01"),
        ("Dec 1, 2026", "2026-12-01"),
        ("December 1st, 2026", "2026-12-01"),
        ("1-Dec-2026", "2026-12-01"),
        ("２０２６-12-01", "2026-12-01"),  # noqa: RUF001 - full-width digits
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_day_however_it_is_written(text: str, day: str) -> None:
    """One day and no complaint."""
    assert read_date(text) == (day, None)


@pytest.mark.parametrize(
    ("text", "suggestions"),
    [
        ("03/04/2026", ("2026-04-03", "2026-03-04")),
        ("3-4-2026", ("2026-04-03", "2026-03-04")),
        ("46357", ("2026-12-01",)),
        ("31.11.2026", ()),
        ("2026-13-01", ()),
        ("2026-12-01 09:30", ()),
        ("01/12/26", ()),
        ("Ma 1 2026", ()),
        ("Brumaire 1, 2026", ()),
        ("whenever", ()),
        ("1", ()),
    ],
)
def test_what_is_no_day_or_could_be_two(text: str, suggestions: tuple[str, ...]) -> None:
    """It stays as it stands, with what it may have been meant to be."""
    read, complaint = read_date(text)
    assert read == text.strip()
    assert complaint is not None
    assert complaint.suggestions == suggestions
    assert complaint.undecided == (len(suggestions) > 1)


@given(_DAYS)
def test_every_day_reads_as_itself(day: date) -> None:
    """In each spelling that has one meaning."""
    for text in (
        day.isoformat(),
        f"{day.day}.{day.month}.{day.year}",
        f"{day:%d.%m.%Y}",
        f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
        f"{_MONTHS[day.month - 1]} {day.day}, {day.year}",
    ):
        assert read_date(text) == (day.isoformat(), None), text


@given(_DAYS)
def test_slashes_are_read_only_where_they_mean_one_day(day: date) -> None:
    """Day first and month first: the same day, an impossible one, or a question; never the wrong one in silence."""
    for text in (f"{day:%d/%m/%Y}", f"{day:%m/%d/%Y}"):
        read, complaint = read_date(text)
        if complaint is None:
            assert read == day.isoformat()
        else:
            assert day.isoformat() in complaint.suggestions


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    """A day, or a complaint, or blank."""
    read, complaint = read_date(text)
    if complaint is None and read:
        date.fromisoformat(read)
