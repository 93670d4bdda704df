"""Every page in every state has no violation that axe-core knows, and nothing stands beyond its edge."""

from __future__ import annotations

import csv
import re
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import Looks
from tests.browser.sheets import a_week_later, wave
from tests.browser.team import add, signed_in
from tests.browser.windows import at_desk
from tests.program import SAMPLES, Program
from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.windows import Windows

_CASES = SAMPLES.parent / "tests" / "cases"


@pytest.fixture
def looks(axe: str) -> Iterator[Looks]:
    """What looks; what it found fails the test."""
    made = Looks(axe)
    yield made
    if made.wrong:
        pytest.fail("\n".join(dict.fromkeys(made.wrong)))


def test_coming_in_and_trouble(windows: Windows, looks: Looks, program: Program) -> None:
    """The way in, the upload, and every sheet that cannot be read as it is."""
    windows.watch.allow("status of 40[0-9]")
    with at_desk(program, "--sandbox") as desk:
        page = windows.open(desk.served)
        looks.at(page, "login by link")
        page.goto(desk.served.link)
        looks.at(page, "a used link")

        page = windows.open(desk)
        looks.at(page, "upload, first visit")
        page.goto("/runs")
        looks.at(page, "no runs")
        page.goto("/waiting")
        looks.at(page, "nothing waits")
        page.goto("/runs/none")
        looks.at(page, "404")
        for name, sheet, headline in (
            ("unreadable", _CASES / "renamed-pdf" / "sheet.xlsx", "This sheet cannot be read"),
            ("encodings", _CASES / "csv-cp1252" / "sheet.csv", "How is this file written?"),
            ("sheets", _CASES / "xlsx-two-sheets" / "sheet.xlsx", "Which sheet is meant?"),
            ("columns missing", SAMPLES / "missing-column.csv", "The columns do not fit yet"),
            ("other columns", SAMPLES / "legacy-assets.csv", "The columns do not fit yet"),
        ):
            page.goto("/")
            page.locator("#file").set_input_files(sheet)
            expect(page.locator("h1")).to_have_text(headline)
            looks.at(page, name)
        page.get_by_role("link", name="Match the columns").click()
        expect(page.locator("h1")).to_have_text("Which column is which?")
        looks.at(page, "columns")
        page.goto("/")
        looks.at(page, "upload with sheets")


def test_waiting_for_device_hub(windows: Windows, looks: Looks, tmp_path: Path) -> None:
    """A sheet that is being looked through, and Device Hub that does not answer."""
    windows.watch.allow("ERR_CONNECTION")  # the page is killed beneath its window
    with _silent() as port:
        login = {"base_url": f"http://127.0.0.1:{port}", "client_id": "id", "client_secret": "secret-of-nobody"}
        program = Program(tmp_path, login | {"timeout": "60s", "ledger": str(tmp_path / "ledger.sqlite")})
        assert program.run("init", "--new").returncode == 0
        # Killed: it would wait for the answer that does not come.
        with at_desk(program, end=signal.SIGKILL) as desk:
            page = windows.open(desk)
            page.locator("#file").set_input_files(wave(tmp_path, people=2))
            expect(page.locator("h1")).to_have_text("Looking through new-hires.csv")
            looks.at(page, "reading")
            page.close()
    program.settings["patience"] = "1s"
    with at_desk(program) as desk:
        page = windows.open(desk)
        page.locator("#file").set_input_files(wave(tmp_path, people=2))
        expect(page.locator("h1")).to_have_text("This does not work just now")
        looks.at(page, "Device Hub is down")


def test_review_and_confirm(windows: Windows, looks: Looks, program: Program, tmp_path: Path) -> None:
    """The review of a sheet that needs work, one that is ready, one that is not, one that is ordered; and confirm."""
    with at_desk(program, "--sandbox") as desk:
        visitor = desk.visitor
        mixed, ready = visitor.upload(SAMPLES / "mixed-errors.csv"), visitor.upload(wave(tmp_path, people=4))
        none = visitor.upload(_nothing_ready(tmp_path))
        page = windows.open(desk, f"/sheets/{mixed}")
        looks.at(page, "needs work")
        page.goto(f"/sheets/{mixed}?show=all")
        looks.at(page, "all rows")
        page.goto(f"/sheets/{mixed}?show=all&columns=all")
        looks.at(page, "all columns")
        page.goto(f"/sheets/{mixed}?show=held")
        looks.at(page, "held")
        page.goto(f"/sheets/{mixed}")
        page.locator("#D14").click()
        page.get_by_label("Phone number, row 14").fill("+49 30 23125 105")
        looks.at(page, "editing")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("button", name=re.compile("^Undo")).wait_for()
        looks.at(page, "mended")
        page.goto(f"/sheets/{none}")
        looks.at(page, "nothing ready")
        page.goto(f"/sheets/{ready}")
        looks.at(page, "everything ready")
        page.get_by_role("link", name="Continue with 4 orders").click()
        page.get_by_text("Try a few first").click()
        looks.at(page, "confirm")
        visitor.ended(visitor.order(ready))
        page.goto(f"/sheets/{ready}")
        expect(page.locator("h1")).to_have_text("Everything in this sheet is ordered already")
        looks.at(page, "ordered already")


def test_a_team(windows: Windows, looks: Looks, tmp_path: Path) -> None:
    """The login with users, and what each of two people sees of a sheet that needs a second yes."""
    windows.watch.allow("status of 40[39]")
    settings = {"approval": "required", "users_file": str(tmp_path / "users.json"), "max_orders": "3"}
    program = Program(tmp_path, settings)
    for name, role in (("uma", "uploader"), ("ada", "approver")):
        add(program, name, role)
    with serving(program, "--sandbox") as served:
        page = windows.open(served)
        looks.at(page, "login")
        page.get_by_label("Name").fill("uma")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        looks.at(page, "login refused")
        uma, ada = signed_in(windows, served, "uma"), signed_in(windows, served, "ada")
        uma.locator("#file").set_input_files(wave(tmp_path, people=4))
        uma.get_by_role("link", name="Continue with 4 orders").click()
        looks.at(uma, "to be approved")
        uma.get_by_role("button", name="Ask for approval").click()
        uma.get_by_text("You asked for approval").wait_for()
        looks.at(uma, "asked")
        ada.goto("/runs")
        looks.at(ada, "asked of her")
        ada.get_by_role("link", name="new-hires.csv").click()
        looks.at(ada, "to approve")
        _declined(looks, uma, ada)
        ada.get_by_role("button", name="Approve 4 orders").click()
        ada.get_by_text("Approved by ada").wait_for()
        looks.at(ada, "approved, and too many")
        uma.goto(uma.url.replace("/confirm", "?show=all"))
        uma.locator("#K2").click()
        uma.get_by_label("Quantity, row 2").fill("2")
        uma.get_by_role("button", name="Save").click()
        uma.get_by_role("link", name="Continue with 4 orders").click()
        expect(uma.get_by_text("It has to be approved anew")).to_be_visible()
        looks.at(uma, "void")


def test_runs(windows: Windows, looks: Looks, tmp_path: Path) -> None:
    """A run under way, paused, ended in each way, cut off; the list of runs, and what waits for a person."""
    ledger = str(tmp_path / "orders.sqlite")
    program = Program(tmp_path, {"rate": "4/s", "concurrency": "2"})
    faults = ("--seed", "3", "--fault", "422_plain=0.2", "--fault", "close_after_placing=0.2")
    with at_desk(program, "--sandbox", "--ledger", ledger, *faults) as desk:
        visitor = desk.visitor
        run = visitor.order(visitor.upload(wave(tmp_path)))
        page = windows.open(desk, f"/runs/{run}")
        page.locator("section[aria-labelledby=newest] tbody tr").nth(3).wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Go on").wait_for()
        looks.at(page, "paused")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Pause").wait_for()
        looks.at(page, "live")
        page.get_by_role("button", name="Stop after those in flight").click()
        expect(page.locator("h1")).to_have_text(re.compile("to settle.*not sent yet"))
        looks.at(page, "ended with unknown ones")
        page.goto("/runs")
        looks.at(page, "runs")
        page.goto("/waiting")
        looks.at(page, "waiting")


@pytest.mark.parametrize(
    ("faults", "limit", "headline"),
    [
        ((), "", "All 3 orders are placed"),
        (("--fault", "422_plain=1"), "", "0 of 3 orders are placed, 3 refused"),
        (("--fault", "close_after_placing=1"), "1", "0 of 3 orders are placed, 1 to settle, 2 not sent yet"),
        ((), "1", "1 of 3 orders is placed, 2 not sent yet"),
    ],
)
def test_runs_that_ended(  # noqa: PLR0917 - one for each thing that varies
    windows: Windows, looks: Looks, program: Program, tmp_path: Path, faults: tuple[str, ...], limit: str, headline: str
) -> None:
    """Everything ordered, everything refused, and stopped early with and without an unknown order."""
    with at_desk(program, "--sandbox", *faults) as desk:
        run = desk.visitor.order(desk.visitor.upload(wave(tmp_path, people=3)), limit=limit)
        desk.visitor.ended(run)
        page = windows.open(desk, f"/runs/{run}")
        expect(page.locator("h1")).to_have_text(headline)
        for summary in page.get_by_text("Was it cancelled?").all()[:1]:
            summary.click()
        looks.at(page, f"ended: {headline}")
        page.goto("/runs")
        looks.at(page, f"runs: {headline}")


def test_each_kind_of_card_to_settle(windows: Windows, looks: Looks, tmp_path: Path) -> None:
    """Unknown, refused, changed and held, with their details open; and with what is wrong beside its field."""
    windows.watch.allow("status of 400")
    program = Program(tmp_path, {"rate": "200/s"})
    at_ledger = ("--sandbox", "--ledger", str(tmp_path / "orders.sqlite"))
    for people, *fault in ((3,), (4, "--fault", "422_plain=1"), (5, "--fault", "close_after_placing=1")):
        with at_desk(program, *at_ledger, *map(str, fault)) as desk:
            desk.visitor.ended(desk.visitor.order(desk.visitor.upload(wave(tmp_path, people=people))))
    with at_desk(program, *at_ledger) as desk:
        later = a_week_later(wave(tmp_path, people=3))
        desk.visitor.ended(desk.visitor.order(desk.visitor.upload(later)))
        page = windows.open(desk, "/waiting")
        kinds = {text.split()[-1] for text in page.locator("article .status").all_inner_texts()}
        assert kinds == {"unknown", "rejected", "changed", "held"}
        for summary in page.get_by_text("Details for whoever looks into it").all():
            summary.click()
        looks.at(page, "each kind of card")
        waits = page.locator("article", has=page.get_by_label("under this order number"))
        waits.get_by_label("I looked this order up").check()
        waits.get_by_role("button", name="It was placed").click()
        expect(waits.get_by_label("under this order number")).to_have_accessible_description(re.compile("in one word"))
        looks.at(page, "what is wrong beside the number")
        page.goto("/waiting")
        page.locator("article", has=page.get_by_role("button", name="The vendor cancelled it")).first.get_by_label(
            "I looked this order up"
        ).check()
        page.get_by_role("button", name="The vendor cancelled it").first.click()
        expect(page.get_by_role("alert")).to_contain_text("Write who said that it was cancelled")
        looks.at(page, "what is wrong beside the note")


def _declined(looks: Looks, uma: Page, ada: Page) -> None:
    """Not taken at first, as it was asked for anew meanwhile; then declined, seen by both, and asked for again."""
    _ask_again(uma)
    ada.get_by_text("Decline it").click()
    ada.get_by_label("Why?").fill("one mouse is enough")
    ada.get_by_role("button", name="Decline 4 orders").click()
    expect(ada.get_by_label("Why?")).to_have_accessible_description(re.compile("has changed since"))
    looks.at(ada, "what is wrong beside its field")
    ada.get_by_role("button", name="Decline 4 orders").click()
    ada.get_by_text("It can be approved when uma asks again").wait_for()
    ada.get_by_text("What was said of it").click()
    looks.at(ada, "declined by her")
    uma.goto("/")
    looks.at(uma, "a declined sheet among hers")
    uma.get_by_role("link", name="new-hires.csv").click()
    uma.get_by_text("Mend it, then ask again").wait_for()
    looks.at(uma, "declined, the review")
    uma.get_by_role("link", name="Continue with 4 orders").click()
    looks.at(uma, "declined, to ask again")
    _ask_again(uma)
    ada.reload()


def _ask_again(uma: Page) -> None:
    """Ask for approval, anew where it was asked before: by the form's own address."""
    uma.request.post(
        re.sub(r"/confirm.*", "/ask", uma.url), form={"csrf": uma.locator("[name=csrf]").first.input_value()}
    )
    uma.reload()


def _nothing_ready(folder: Path) -> Path:
    """A sheet none of whose orders can be sent."""
    path = wave(folder, people=2)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = path.with_name("nothing-ready.csv")
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"Quantity": "many"} for row in rows)
    return out


@contextmanager
def _silent() -> Iterator[int]:
    """The port of somebody who takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]
