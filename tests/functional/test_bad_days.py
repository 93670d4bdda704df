"""Bad days at the simulated Device Hub, as a person meets them: through the command line."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from batch_orders.sandbox import OFFERED
from tests.functional.test_sandbox import LOGIN, PLACE_ORDER, UNUSED_TLS, bearer, order
from tests.program import SAMPLES, Program, RunningHub, sandbox

if TYPE_CHECKING:
    from pathlib import Path

_EMPLOYEES = 26
# The header and the rows of a few employees.
_ROWS = 25
# Far more runs than it takes to get every order through.
_RUNS = 20


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program at a pace that the sandbox allows, with a wave of new hires in its folder."""
    shutil.copy(SAMPLES / "new-hires.csv", tmp_path)
    return Program(tmp_path, {"rate": "8/s"})


def _place(hub: RunningHub, *, patience: float = 30.0) -> httpx.Response:
    """An order, sent by hand."""
    with httpx.Client(base_url=hub.login["base_url"], verify=UNUSED_TLS, trust_env=False, timeout=patience) as client:
        login = {name: hub.login[name] for name in ("client_id", "client_secret")}
        token = client.post(LOGIN, json=login).json()["token"]
        return client.post(PLACE_ORDER, json=order(), headers=bearer(token))


def _placed(stderr: str) -> int:
    """How many orders the simulated Device Hub says it placed."""
    found = re.search(r"^What the simulated Device Hub saw: (\d+) orders? placed; faults: (.+)$", stderr, re.MULTILINE)
    assert found, stderr
    return int(found[1])


# Submitting on a bad day --------------------------------------------------------------------------------------------


def test_submit_on_a_bad_day(program: Program) -> None:
    """One document says how each order stands; what is unknown was placed, and nothing was placed twice."""
    done = program.run(
        *("submit", "new-hires.csv", "--sandbox", "--yes", "--json", "--seed", "1"),
        *("--fault", "reset_after_placing=0.3", "--fault", "429_seconds=0.1"),
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"]) == (5, 5)
    statuses = Counter(each["status"] for each in document["orders"])
    assert statuses.keys() <= {"ordered", "unknown", "not_sent"}
    assert statuses["unknown"] >= 1
    assert (statuses["not_sent"] > 0) == ("in a row" in (document["stopped"] or ""))
    assert sum(statuses.values()) == _EMPLOYEES
    # The fault places what it leaves unknown, so each of them was placed at least once: as many orders are that often.
    assert _placed(done.stderr) == statuses["ordered"] + statuses["unknown"]
    numbers = [each["order_number"] for each in document["orders"] if each["status"] == "ordered"]
    assert len(set(numbers)) == statuses["ordered"]
    assert (program.folder / document["results"]).exists()
    assert "reset_after_placing 30 %, 429_seconds 10 % (--seed 1 strikes the same ones again)" in done.stderr


def test_all_orders_get_through_in_the_end(program: Program) -> None:
    """Run again and again, a person looking up what is unknown: the order book has each employee once."""
    faults = {"reset_after_placing": 0.2, "500_before": 0.1, "429_zero": 0.1, "expire": 0.05, "close_after_body": 0.05}
    sheet = program.folder / "few.csv"
    rows = (program.folder / "new-hires.csv").read_text().splitlines(keepends=True)[:_ROWS]
    sheet.write_text("".join(rows))
    options = [word for name, rate in faults.items() for word in ("--fault", f"{name}={rate}")]
    with sandbox(program.folder, "--rate-limit", "1000", "--seed", "7", *options) as hub:
        real = Program(program.folder, program.settings | hub.login)
        assert real.run("init", "--new").returncode == 0
        codes = []
        for _ in range(_RUNS):
            codes.append(real.run("submit", sheet, "--yes").returncode)
            if codes[-1] == 0:
                break
            numbers = {each["body"]["email"]: each["order_number"] for each in hub.orders}
            for waiting in real.json("status", exit_code=0)["waiting"]:
                number = numbers.get(waiting["email"])
                verdict = ["--placed", number] if number else ["--not-placed"]
                assert real.run("settle", waiting["order"], *verdict).returncode == 0
        assert codes[0] == 5
        assert codes[-1] == 0
        placed = Counter(each["body"]["email"] for each in hub.orders)
    assert placed == dict.fromkeys({row.split(",")[0].strip().lower() for row in rows[1:]}, 1)


def test_without_faults_nothing_is_said_of_them(program: Program) -> None:
    """A good day looks as ever."""
    done = program.run("submit", "new-hires.csv", "--sandbox", "--yes", "--limit", "1")
    assert done.returncode == 6
    assert "ault" not in done.stdout + done.stderr


def test_a_dry_run_sends_nothing_to_be_struck(program: Program) -> None:
    """Its faults are looked at all the same."""
    assert program.run("submit", "new-hires.csv", "--sandbox", "--dry-run", "--fault", "403=1").returncode == 0
    assert program.run("submit", "new-hires.csv", "--sandbox", "--dry-run", "--fault", "nonsense=1").returncode == 2


# Words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["reset-after-placing=0.3"], "did you mean reset_after_placing?"),
        (["rest_after_placing=0.3"], "did you mean reset_after_placing"),
        (["hang=0.3"], "hang_in_body"),
        (["429=0.3"], "429_seconds"),
        (["wholly different=1"], "no fault is called"),
        (["=0.3"], "no fault is called"),
        (["accept_close=0.1"], "not on offer"),
        (["ok=0.1"], "is no fault"),
        (["500_after"], "500_after=0.1"),
        (["500_after="], "from 0 (never) to 1 (always)"),
        (["500_after=often"], "from 0 (never) to 1 (always)"),
        (["500_after=30%"], "from 0 (never) to 1 (always)"),
        (["500_after=1.5"], "from 0 (never) to 1 (always)"),
        (["500_after=nan"], "from 0 (never) to 1 (always)"),
        (["500_after=0.1", "500_after=0.2"], "given twice"),
        (["500_after=0.6", "500_before=0.5"], "add up to 1.1"),
    ],
)
@pytest.mark.parametrize("command", [("sandbox", "--port", "0"), ("submit", "new-hires.csv", "--sandbox", "--yes")])
def test_a_wrong_fault_is_explained(program: Program, command: tuple[str, ...], given: list[str], said: str) -> None:
    """Exit 2 before anything runs: what is wrong, what may have been meant, and where all names are."""
    done = program.run(*command, *(word for each in given for word in ("--fault", each)))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "batch-orders sandbox --list-faults" in done.stderr
    assert "?." not in done.stderr


@pytest.mark.parametrize("given", [("--fault", "500_after=0.1"), ("--seed", "1")])
def test_a_real_device_hub_is_never_made_to_fail(program: Program, given: tuple[str, ...]) -> None:
    """Without --sandbox they are refused, before the settings are even looked at."""
    document = program.json("submit", *given, "new-hires.csv", "--yes", exit_code=2)
    assert "--sandbox only" in document["error"]["message"]
    assert "--sandbox" in document["error"]["hint"]
    assert document["input"] == "new-hires.csv"


def test_the_list_of_faults(program: Program) -> None:
    """Every name with what it does, for people and for scripts; nothing is run."""
    text = program.run("sandbox", "--list-faults").stdout
    document = program.json("sandbox", "--list-faults", exit_code=0)
    assert [each["name"] for each in document["faults"]] == list(OFFERED)
    for each in document["faults"]:
        assert each["placed"] is OFFERED[each["name"]].placed
        mark = "yes" if each["placed"] else "–"
        assert re.search(rf"^  {each['name']} +{mark} +{re.escape(each['description'])}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 120


def test_help_imports_nothing_costly(program: Program) -> None:
    """Not even the sandbox."""
    code = (
        "import sys\n"
        "from batch_orders.cli import run\n"
        "assert run(['sandbox', '--help']) == 0 and run(['submit', '--help']) == 0\n"
        "sys.exit(repr([name for name in sys.modules if name.startswith(('batch_orders.sandbox', 'httpx'))]) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=program.folder)
    assert done.stderr.strip() == "[]"
    assert done.stdout.count("--fault NAME=RATE") == 2


# A sandbox of its own -----------------------------------------------------------------------------------------------


def test_the_sandbox_says_which_faults_strike(program: Program) -> None:
    """With the seed that was chosen for it, for people and for scripts."""
    with program.start("sandbox", "--port", "0", "--fault", "500_after=1", "--fault", "401=0") as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(9)]
        finally:
            process.terminate()
            assert process.wait(20) == 0
    assert re.fullmatch(
        r"Faults, as shares of the orders: 500_after 100 %, 401 0 % \(--seed \d+ strikes the same ones again\)\.\n",
        lines[-1],
    )
    with program.start("sandbox", "--port", "0", "--fault", "500_after=1", "--seed", "-3", "--json") as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                text += process.stdout.readline()
        finally:
            process.terminate()
            assert process.wait(20) == 0
    document: dict[str, Any] = json.loads(text)
    assert (document["faults"], document["seed"]) == ({"500_after": 1.0}, -3)


def test_what_was_placed_can_be_seen(tmp_path: Path) -> None:
    """On the page and in the list, although its client heard nothing but an error."""
    with sandbox(tmp_path, "--fault", "500_after=1") as hub:
        assert _place(hub).status_code == 500
        assert [each["body"]["email"] for each in hub.orders] == [order()["email"]]
        assert hub.orders[0]["order_number"] in httpx.get(hub.login["base_url"], trust_env=False).text


@pytest.mark.parametrize("name", ["hang_after_placing", "drip"])
def test_an_interrupt_ends_it_whoever_waits(tmp_path: Path, name: str) -> None:
    """Ctrl+C while four connections hang or drip: it ends as ever, and they get no answer."""
    ended: list[str] = []

    def wait() -> None:
        try:
            ended.append(str(_place(hub).status_code))
        except httpx.TransportError as error:
            ended.append(type(error).__name__)

    with sandbox(tmp_path, "--fault", f"{name}=1") as hub:
        waiting = [threading.Thread(target=wait) for _ in range(4)]
        for each in waiting:
            each.start()
        while len(hub.orders) < 4:
            waiting[0].join(0.05)
    for each in waiting:
        each.join(30)
    assert len(ended) == 4
    assert set(ended) <= {"ReadError", "RemoteProtocolError"}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(hub.login["base_url"].rpartition(":")[2]))) != 0
