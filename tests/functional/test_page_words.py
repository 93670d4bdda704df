"""What the page says: no command and no option of the command line, and every sheet there is can be looked at."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from batch_orders import wiring
from batch_orders.adapters.progress import Quiet
from batch_orders.errors import BatchOrdersError, SheetError
from batch_orders.messages import findings, outcomes, runs, sheets
from batch_orders.messages.page import on_page
from batch_orders.models import OrderState, Remembered
from batch_orders.settings import load_settings
from batch_orders.web.drafts import Draft
from batch_orders.web.review import ROWS_A_PAGE, Look, review
from batch_orders.wiring import SheetRequest
from tests import make_cases
from tests.orders import contents
from tests.program import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.wiring import World

_SUFFIXES = {".csv", ".xlsx", ".xls", ".xlsb", ".ods", ".txt"}
_SHEETS = sorted(
    path for folder in (make_cases.CASES, SAMPLES) for path in folder.rglob("*.*") if path.suffix in _SUFFIXES
)
_COMMANDS = re.compile(r"(?<!\w)--[a-z]|`")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox that all of these sheets are judged in; nothing is ordered."""
    folder = tmp_path_factory.mktemp("page-words")
    settings = load_settings(flags={}, config=None, environ={}, folder=folder, sandbox=True)
    with wiring.sandbox_world(settings, Quiet()) as made:
        yield made


def _assert_of_the_page(text: str) -> None:
    told = on_page(text)
    assert not _COMMANDS.search(told), told


@pytest.mark.parametrize("path", _SHEETS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sheet_is_told_in_the_pages_own_words(world: World, path: Path) -> None:
    """Findings, statuses, notes, and why a sheet cannot be read, for every sheet of the samples and cases."""
    try:
        report, plan = asyncio.run(wiring.preview(world, SheetRequest(path=path)))
    except BatchOrdersError as error:
        _assert_of_the_page(error.message)
        if not (isinstance(error, SheetError) and error.encodings):
            _assert_of_the_page(error.hint)
        for finding in error.findings if isinstance(error, SheetError) else ():
            _assert_of_the_page(finding.told)  # type: ignore[attr-defined] # errors import nothing
        return
    for text in (*(f.told for f in report.findings), *(row.message for row in report.rows), *report.notes):
        _assert_of_the_page(text)
    catalog = asyncio.run(wiring.fetch_catalog(world))
    draft = Draft(id="0" * 32, name=path.name, owner="you", uploaded_at=0.0)
    view = review(draft, report, plan, catalog, Look(show="all"))
    assert sum(chip.rows for chip in view.chips if chip.name == "all") == len(report.rows)
    assert len(view.rows) == min(ROWS_A_PAGE, len(report.rows))
    work = review(draft, report, plan, catalog, Look(show="work"))
    if work.show == "work":
        _assert_every_error_is_in_sight(report, work)


def _assert_every_error_is_in_sight(report: object, view: object) -> None:
    """Of the rows that need work, each finding stands in a cell of the grid, beside it, or at the row's status."""
    numbers = {row.number for row in view.rows}  # type: ignore[attr-defined]
    shown = {
        told.text
        for row in view.rows  # type: ignore[attr-defined]
        for told in (*row.told, *(told for cell in (*row.cells, *row.beside) for told in cell.told))
    }
    for finding in report.findings:  # type: ignore[attr-defined]
        if finding.severity == "error" and numbers & set(finding.rows):
            assert on_page(finding.told) in shown


def _remembered(state: OrderState) -> Remembered:
    return Remembered(
        key="f" * 64,
        state=state,
        email="ana@example.com",
        order_reference="",
        contents=contents(),
        content_hash="",
        order_number="1",
        message="",
        run_id="20261130-000000-abcdef",
        submitted_at=datetime(2026, 11, 1, tzinfo=UTC),
        attempts=1,
        busy=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        findings.how_to_release("abcdef012345"),
        findings.how_to_release(None),
        outcomes.changed(_remembered(OrderState.ORDERED), contents(("Other", "2"))),
        outcomes.changed(_remembered(OrderState.ORDERED), contents(city="Boston")),
        outcomes.rejected_before("Device Hub refused the order (HTTP 422)."),
        outcomes.left_over(),
        outcomes.beyond_limit(),
        outcomes.busy(),
        outcomes.run_died(),
        outcomes.answer_lost(),
        runs.how_to_settle(),
        runs.how_to_go_on(),
        runs.how_to_fix_settings(),
        runs.how_to_fix_login(),
        runs.limit_reached(3),
        runs.how_to_allow_more(),
        runs.next_step_after_limit(),
        runs.next_step_for_old_run(),
        sheets.how_to_choose_sheet(),
        sheets.how_to_unhide(),
        sheets.leave_encoding_out(),
        sheets.name_encoding(),
        sheets.rename_to(".xlsx"),
        sheets.mend_quote(),
    ],
)
def test_what_a_run_says_is_told_in_the_pages_own_words(text: str) -> None:
    """Every sentence that a run, an order or a file can put on the page."""
    _assert_of_the_page(text)
