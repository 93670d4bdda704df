"""A run is watched, left alone, held and stopped; and the page is stopped or killed beneath it."""

from __future__ import annotations

import re
import signal
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.sheets import wave
from tests.browser.windows import Desk, at_desk
from tests.program import Program, RunningHub, sandbox
from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.windows import Windows

PEOPLE = 10


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One simulated Device Hub; each test has a ledger of its own."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: RunningHub) -> Program:
    """The program with a new ledger at that Device Hub, sending so slowly that it can be watched."""
    made = Program(tmp_path, hub.login | {"rate": "3/s", "concurrency": "2", "ledger": str(tmp_path / "orders.sqlite")})
    assert made.run("init", "--new").returncode == 0
    return made


def test_a_run_goes_on_without_its_window(windows: Windows, program: Program, hub: RunningHub) -> None:
    """Loading the page anew in the middle, and closing its tab and coming back, change nothing: each is placed once."""
    before = len(hub.orders)
    with at_desk(program) as desk:
        page = _begun(windows, desk, program.folder)
        url = page.url
        page.reload()
        expect(page.locator("h1")).to_have_text(re.compile(rf"Ordering: \d+ of {PEOPLE}"))
        context = page.context
        page.close()
        page = context.new_page()
        page.goto("/runs")
        page.get_by_role("link", name="new-hires.csv").click()
        expect(page).to_have_url(url)
        expect(page.locator("h1")).to_have_text(f"All {PEOPLE} orders are placed")
    _placed_once(hub, before)


def test_a_run_is_paused_and_goes_on(windows: Windows, program: Program, hub: RunningHub) -> None:
    """While it is paused nothing new leaves, as Device Hub itself has it; then the rest does."""
    before = len(hub.orders)
    with at_desk(program) as desk:
        page = _begun(windows, desk, program.folder)
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".meaning")).to_contain_text("Paused: nothing new is sent")
        _await_settled(page)
        held = len(hub.orders) - before
        assert held < PEOPLE
        page.wait_for_timeout(1500)  # in which four or five would have left
        assert len(hub.orders) - before == held
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("h1")).to_have_text(f"All {PEOPLE} orders are placed")
    _placed_once(hub, before)


def test_a_run_is_stopped_and_taken_up_again(windows: Windows, program: Program, hub: RunningHub) -> None:
    """Stop sends nothing new; the results say so, and the rest is one click away from there."""
    before = len(hub.orders)
    with at_desk(program) as desk:
        page = _begun(windows, desk, program.folder)
        page.get_by_role("button", name="Stop after those in flight").click()
        expect(page.locator("h1")).to_have_text(re.compile(rf"\d+ of {PEOPLE} orders are placed, \d+ not sent yet"))
        expect(page.get_by_text("Stopped from the page")).to_be_visible()
        assert f"{len(hub.orders) - before} of {PEOPLE}" in page.locator("h1").inner_text()
        _go_on(page)
    _placed_once(hub, before)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_page_ends_beneath_a_run(windows: Windows, program: Program, hub: RunningHub, how: signal.Signals) -> None:
    """Stopped or killed and started anew: the same window sees the run as it stands, and the rest goes out once."""
    before = len(hub.orders)
    windows.watch.allow(
        "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"
    )
    windows.watch.allow("status of 404")  # the page that is started anew has no such run under way
    port = str(_free_port())
    with serving(program, "--port", port, end=how) as served:
        visitor = served.enter()
        page = _begun(windows, Desk(served, visitor), program.folder)
        url = page.url
    visitor.client.close()
    with serving(program, "--port", port):
        if how is signal.SIGTERM:
            page.goto(url)  # it was told of the end; where the page was killed, the window finds out by itself
        expect(page.locator("h1")).to_have_text(re.compile(rf"\d+ of {PEOPLE} orders are placed, "))
        told = "This run was cut off before it ended" if how is signal.SIGKILL else "Interrupted"
        expect(page.locator(".message.warn").first).to_contain_text(told)
        for email in _unknown(page):
            _settle(page, email, hub.orders[before:])
        page.goto(url)
        _go_on(page)
    _placed_once(hub, before)


def _begun(windows: Windows, desk: Desk, folder: Path) -> Page:
    """A window on a run, when its first orders are placed."""
    sheet = desk.visitor.upload(wave(folder, people=PEOPLE))
    page = windows.open(desk, f"/sheets/{sheet}/confirm")
    page.get_by_label("Yes, order these at").check()
    page.get_by_role("button", name=f"Place {PEOPLE} orders").click()
    page.locator("section[aria-labelledby=newest] tbody tr").nth(1).wait_for()
    return page


def _await_settled(page: Page) -> None:
    """Until nothing is on its way any more: two looks with the same figures."""
    told = ""
    while told != (now := page.locator("h1").inner_text()):
        told = now
        page.wait_for_timeout(1200)  # orders are told of within a second


def _go_on(page: Page) -> None:
    page.get_by_role("button", name="Go on with the rest").click()
    page.get_by_role("link", name=re.compile("^Continue with")).click()
    page.get_by_label(re.compile("^Yes, order th")).check()
    page.get_by_role("button", name=re.compile("^Place ")).click()
    expect(page.locator("h1")).to_have_text(re.compile(r"(All \d+ orders are|The order is) placed"))


def _unknown(page: Page) -> list[str]:
    """Whose orders were in flight when the page was killed."""
    rows = page.locator("tr", has=page.locator(".status.unknown"))
    return [row.locator("[data-label=Person]").inner_text() for row in rows.all()]


def _settle(page: Page, email: str, placed: Sequence[dict[str, Any]]) -> None:
    """As a person would: look it up at Device Hub, and say what is there."""
    page.goto("/waiting")
    number = next((order["order_number"] for order in placed if order["body"]["email"] == email), None)
    waits = page.locator("article", has_text=email)
    waits.get_by_label("I looked this order up at Device Hub").check()
    if number is None:
        waits.get_by_role("button", name=re.compile("^Device Hub does not have it")).click()
    else:
        waits.get_by_label("under this order number").fill(number)
        waits.get_by_role("button", name="It was placed").click()
    expect(page.get_by_role("status")).to_contain_text("Settled")


def _placed_once(hub: RunningHub, before: int) -> None:
    people = Counter(order["body"]["email"] for order in hub.orders[before:])
    assert len(people) == PEOPLE
    assert set(people.values()) == {1}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
