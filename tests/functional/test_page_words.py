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
from batch_orders.messages import findings, hub, ledgers, outcomes, page, runs, sheets
from batch_orders.messages.on_page import Button, on_page
from batch_orders.models import Answer, OrderState, Remembered, VerdictKind
from batch_orders.settings import load_settings
from batch_orders.web.drafts import Draft
from batch_orders.web.review import LINES_A_PAGE, Look, review
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


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3600.0, "1 hour"), (86_400.0, "24 hours"), (2 * 86_400.0, "2 days"), (2_592_000.0, "30 days")],
)
def test_how_long_a_sheet_is_kept(seconds: float, told: str) -> None:
    """An hour, the least that can be set, is no 0 days."""
    assert page.kept_for(seconds) == told


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
    assert len(view.rows) == min(LINES_A_PAGE, len(report.rows))
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


def _refusal(said: str) -> Answer:
    return Answer(status=422, readable=True, message=said)


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
        outcomes.answered(VerdictKind.REJECTED, _refusal("shipping_zip is missing")),
        outcomes.answered(VerdictKind.UNKNOWN, _refusal("no luck")),
        outcomes.answered(VerdictKind.LOGIN, _refusal("")),
        outcomes.answered(VerdictKind.SETTINGS, _refusal("")),
        hub.login_refused("hub.example.com", 401, "no such client"),
        hub.account_refused("hub.example.com", 403, ""),
        hub.how_to_get_access(),
        hub.how_to_go_on(),
        hub.how_to_log_in(),
        hub.how_to_fix_base_url(),
        ledgers.number_taken("1"),
        ledgers.nothing_to_keep(),
        ledgers.how_to_keep(),
        ledgers.how_to_list_orders(),
        ledgers.how_to_repair(),
        *(ledgers.cannot_settle(_remembered(state), "not_placed") for state in OrderState),
        *(ledgers.what_fits(_remembered(state)) for state in OrderState),
        runs.how_to_write_results("20261130-000000-abcdef"),
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
    """Every sentence that a run, an order or a file can put on the page: nothing to be submitted, and no status."""
    _assert_of_the_page(text)
    told = on_page(text)
    assert not re.search(r"HTTP|\b[Ss]ubmit|same command|NUMBER|[a-z]+_zip", told), told
    assert "client_id" not in told or "whoever runs this page" in told, told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (findings.how_to_release("abcdef012345"), f"press “{Button.SEND_ANYWAY}”, in the review or under To settle."),
        (outcomes.how_to_send_again(), f"or with “{Button.SEND_AGAIN}” under To settle."),
        (outcomes.left_over(), f"Press “{Button.GO_ON}”: nothing is sent twice."),
        (outcomes.beyond_limit(), f"Press “{Button.GO_ON}”: nothing is sent twice."),
        (ledgers.which_verdict(), f"Say one verdict: “{Button.PLACED}”, “{Button.NOT_PLACED}”, “{Button.CANCELLED}”"),
    ],
)
def test_buttons_are_named(text: str, told: str) -> None:
    """What is done by an option on the command line is done by a button here, by the name that stands on it."""
    assert told in on_page(text)


def test_device_hubs_own_words() -> None:
    """Its fields have the sheet's names, without the note on which is which; what else it says is left as it is."""
    said = outcomes.answered(VerdictKind.REJECTED, _refusal("shipping_zip: must match (5 digits), see phone_number"))
    assert "(In the sheet " in said
    assert on_page(said) == (
        "Device Hub refused the order. "
        "Device Hub says: “ZIP / postal code”: must match (5 digits), see “Phone number”. "
        f"It is sent again once the row is changed, or with “{Button.SEND_AGAIN}” under To settle."
    )
    assert on_page("The column shipping_zip is the sheet's own (HTTPS 42).") == (
        "The column shipping_zip is the sheet's own (HTTPS 42)."
    )
