"""The page when it is stopped or killed in the middle of a run, and what it leaves in logs."""

from __future__ import annotations

import json
import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.privacy import assert_log_is_clean, assert_no_secret
from tests.program import SAMPLES, Program, RunningHub, sandbox
from tests.served import PATIENCE, Served, Visitor, serving
from tests.team import PASSWORD, orders_in, team

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = "{0}@example.com,{0},Of{0},+1 212 555 {1},{1} Private Lane,New York,NY,10001,US,{2},1,,,"
TITLE = '"Apple MacBook Pro 14"" M4 16GB 512GB"'
NAMES = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(1000, 1040)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A simulated Device Hub that takes a moment for each order."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000", "--latency", "0.3") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: RunningHub) -> Program:
    """The program with a ledger of its own, and a log."""
    settings = {"ledger": str(tmp_path / "ledger.sqlite"), "rate": "20/s", "concurrency": "4", "log_file": "page.log"}
    made = Program(tmp_path, hub.login | settings)
    assert made.run("init", "--new").returncode == 0
    return made


def wave(program: Program, prefix: str) -> Path:
    """A sheet of forty orders."""
    header = (SAMPLES / "new-hires.csv").read_text().splitlines()[0]
    rows = [ROW.format(prefix + name, 1000 + number, TITLE) for number, name in enumerate(NAMES)]
    path = program.folder / f"{prefix}.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def placed(hub: RunningHub, prefix: str) -> Counter[str]:
    """How often each order of a wave is at Device Hub."""
    return Counter(o["body"]["email"] for o in hub.orders if o["body"]["email"].startswith(prefix))


def under_way(hub: RunningHub, you: Visitor, sheet: Path) -> str:
    """Order a wave, and wait until some of it is placed; the run's id."""
    run = you.order(you.upload(sheet))
    until = time.monotonic() + PATIENCE
    while len(placed(hub, sheet.stem)) < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    return run


def test_stopped_in_the_middle_of_a_run(program: Program, hub: RunningHub) -> None:
    """What is in flight is finished, the page ends well, and after a restart the rest is ordered, nothing twice."""
    sheet = wave(program, "term")
    with serving(program) as page:
        you = page.enter()
        run = under_way(hub, you, sheet)
    first = placed(hub, "term")
    states = Counter(state for _, state in orders_in(program.folder / "ledger.sqlite"))
    assert 5 <= len(first) < 40
    assert states["ordered"] == len(first)
    assert not {"sending", "unknown"} & set(states)
    with serving(program) as page:
        you = page.enter()
        shown = you.get(f"/runs/{run}").text
        assert f"{len(first)} of 40 orders are placed" in shown
        assert "data-events" not in shown
        assert you.get("/runs").text.count(run)
        assert you.client.get(f"/runs/{run}/results").status_code == 200
        again = you.post(f"/runs/{run}/again", follow=False).headers["location"].removeprefix("/sheets/")
        you.review(again)
        you.ended(you.order(again))
    assert placed(hub, "term") == Counter({f"term{name}@example.com": 1 for name in NAMES})


def test_killed_in_the_middle_of_a_run(program: Program, hub: RunningHub) -> None:
    """After a kill the run is shown as cut off; what was in flight waits for a person, and nothing is sent twice."""
    sheet = wave(program, "kill")
    with serving(program, end=signal.SIGKILL) as page:
        you = page.enter()
        run = under_way(hub, you, sheet)
        token = you.client.cookies["session"]
    time.sleep(0.5)
    with serving(program) as page:
        you = page.visitor()
        you.client.cookies["session"] = token
        shown = you.get(f"/runs/{run}").text
        assert "was cut off before it ended" in shown
        assert "data-events" not in shown
        assert "was cut off" in you.get("/runs").text
        again = you.post(f"/runs/{run}/again", follow=False).headers["location"].removeprefix("/sheets/")
        you.review(again)
        you.ended(you.order(again))
        unknown = set(re.findall(r'action="/waiting/([0-9a-f]{12})/settle"', you.get("/waiting").text))
        assert len(unknown) <= 4
        for order in unknown:
            assert you.post(f"/waiting/{order}/settle", verdict="nonsense", sure="yes").status_code == 400
            assert you.post(f"/waiting/{order}/settle", verdict="placed", sure="yes").status_code == 400
    now = placed(hub, "kill")
    assert max(now.values()) == 1
    assert 40 - len(unknown) <= len(now) <= 40
    assert Counter(state for _, state in orders_in(program.folder / "ledger.sqlite"))["ordered"] == 40 - len(unknown)


def test_two_interrupts(program: Program, hub: RunningHub) -> None:
    """The second one leaves at once; the ledger knows what was in flight."""
    sheet = wave(program, "twice")
    with serving(program) as page:
        under_way(hub, page.enter(), sheet)
        for _ in range(2):
            page.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert page.process.wait(10) == 6
        page.process.returncode = 0
    ledger = Counter(state for _, state in orders_in(program.folder / "ledger.sqlite"))
    assert len(placed(hub, "twice")) <= ledger["ordered"] + ledger["sending"]


def test_nothing_private_in_logs(tmp_path: Path, hub: RunningHub) -> None:
    """No secret, password, token, person or address is in the log, on stderr or on stdout, whatever goes wrong."""
    users = team(tmp_path, ann="approver")
    settings = {"ledger": str(tmp_path / "ledger.sqlite"), "users_file": str(users.path), "log_file": "page.log"}
    program = Program(tmp_path, hub.login | settings | {"rate": "50/s"})
    assert program.run("init", "--new").returncode == 0
    process = program.start("serve", "--port", "0", "--json", "--verbose")
    assert process.stdout is not None
    url = ""
    try:
        while not url:
            if found := re.search(r'"url": "([^"]+)"', process.stdout.readline()):
                url = found[1]
        page = Served(url=url, link="", process=process)
        ann = page.log_in("ann", PASSWORD)
        secrets = [PASSWORD, hub.login["client_secret"], ann.client.cookies["session"], ann.csrf, "wrong-password-4711"]
        stranger = page.visitor().client
        stranger.post("/login", data={"name": "mallory@example.com", "password": "wrong-password-4711"})
        draft = ann.upload(SAMPLES / "new-hires.csv")
        ann.post(f"/sheets/{draft}/mend", row=2, column=2, after="Veryprivate")
        ann.get(f"/sheets/{draft}?edit=ana.alvarez@example.com")
        ann.ended(ann.order(draft))
        broken = ann.upload(SAMPLES / "mixed-errors.csv")
        (tmp_path / "ledger.sqlite.page" / "uploads" / broken / "sheet").unlink()
        ann.post(f"/sheets/{broken}/mend", row=2, column=2, after="Veryprivate")
        ann.get(f"/sheets/{broken}")
        # The server ends a connection on which something went wrong: the next request must not go out on it.
        last = {"connection": "close"}
        assert ann.client.get(f"/sheets/{broken}/columns", headers=last).status_code == 500
        (tmp_path / "ledger.sqlite.page" / "uploads" / broken / "draft.json").write_text('{"name": "Veryprivate"}')
        assert ann.client.get(f"/sheets/{broken}").status_code == 404
        (tmp_path / "ledger.sqlite.page" / "uploads" / broken / "draft.json").unlink()
        users.path.write_text('{"Veryprivate": 1}')
        assert ann.client.get("/runs").status_code == 500
    finally:
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    for visitor in page.visitors:
        visitor.client.close()
    assert process.returncode == 0, err
    log = (tmp_path / "page.log").read_text()
    said = log + out + err
    assert '"unexpected"' in log, "something went wrong, and it was logged"
    assert_no_secret(said, *secrets)
    people = (
        "ana.alvarez",
        "Álvarez",
        "120 Sample Street",
        "555 0101",
        "Harbor Road",
        "Veryprivate",
        "mallory",
        "ann@",
    )
    assert not [each for each in people if each.casefold() in said.casefold()]
    assert_log_is_clean(said)
    assert all(json.loads(line)["event"] for line in log.splitlines())
    assert "/sheets/" not in log
