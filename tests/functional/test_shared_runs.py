"""The program with a shared ledger, as its users meet it: processes with homes of their own, and one PostgreSQL."""

from __future__ import annotations

import csv
import dataclasses
import shutil
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests import orders as made
from tests import raw
from tests.program import SAMPLES, Process, Program, RunningHub, sandbox
from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_orders.places import LedgerUrl
    from tests import postgres as postgresql

_HEADERS = "Email,First name,Last name,Phone number,Address,City,State,ZIP,Country,Product title,Quantity"
_SHEET = "rolling-nightly.csv"
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'batch-orders%'"
_NAMES = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(1000, 1040)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A simulated Device Hub that takes a moment for each order."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000", "--latency", "0.2") as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, hub: RunningHub, database: LedgerUrl) -> Callable[[str], Program]:
    """The program on a machine of this name, all with the same shared ledger."""

    def named(name: str) -> Program:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        settings = {"ledger": raw.address(database), "rate": "40/s", "concurrency": "4", "log_file": "log"}
        return Program(folder, hub.login | settings)

    assert named("one").run("init", "--new").returncode == 0
    return named


def _sample(program: Program, name: str = _SHEET) -> Path:
    return shutil.copy(SAMPLES / name, program.folder / name)


def _wave(program: Program, prefix: str) -> Path:
    """A sheet of forty orders."""
    rest = f"1 Main Street,New York,NY,10001,US,{made.TITLE},1"
    rows = [
        f"{prefix}{name}@example.com,{prefix.title()},{name.title()},+1 212 555 {1000 + number},{rest}"
        for number, name in enumerate(_NAMES)
    ]
    path = program.folder / f"{prefix}.csv"
    path.write_text("\n".join([_HEADERS, *rows]) + "\n")
    return path


def _placed(hub: RunningHub, prefix: str) -> Counter[str]:
    return Counter(o["body"]["email"] for o in hub.orders if o["body"]["email"].startswith(prefix))


def _until_placed(hub: RunningHub, prefix: str, least: int, process: Process) -> None:
    """Until so many orders are placed, or the run has stopped."""
    ends_at = time.monotonic() + 60
    while len(_placed(hub, prefix)) < least and process.poll() is None:
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_the_main_job_on_two_machines(machine: Callable[[str], Program], hub: RunningHub, database: LedgerUrl) -> None:
    """What the one has ordered the other knows, by every command that looks into the ledger."""
    one, two = machine("one"), machine("two")
    before = len(hub.orders)
    assert one.json("check", _sample(one), exit_code=0)["counts"]["ready"] > 0
    first = one.json("submit", _sample(one), "--yes", exit_code=0)
    assert len(hub.orders) - before == first["counts"]["orders"]
    again = two.json("submit", _sample(two), "--yes", exit_code=0)
    assert again["counts"]["already_ordered"] == first["counts"]["rows"]
    assert len(hub.orders) - before == first["counts"]["orders"]
    status = two.json("status", exit_code=0)
    assert {run["run_id"] for run in status["runs"]} == {first["run_id"], again["run_id"]}
    rebuilt = two.json("results", first["run_id"], "--output", "again.csv", exit_code=0)
    assert rebuilt["orders"] == first["orders"]
    order = first["orders"][0]["order"]
    assert two.json("settle", order, "--cancelled", exit_code=0)["order"]["state"] == "planned"
    adopted = one.json("ledger", "adopt", first["results"], exit_code=4)
    assert adopted["orders"]["known"] == first["counts"]["orders"] - 1
    assert two.json("ledger", "verify", exit_code=0)["entries"] == 2 * first["counts"]["orders"] + 1
    assert "entries" in one.run("ledger", "verify").stdout
    for text in (str(status), one.run("ledger", "verify").stdout):
        assert not database.password or database.password not in text


def test_check_before_there_is_a_ledger(hub: RunningHub, database: LedgerUrl, tmp_path: Path) -> None:
    """It says that nothing was ordered yet; submitting is refused, and init is named."""
    program = Program(tmp_path, hub.login | {"ledger": raw.address(database)})
    assert program.json("check", _sample(program), exit_code=0)["counts"]["ready"] > 0
    refused = program.run("submit", _sample(program), "--yes")
    assert refused.returncode == 2
    assert "batch-orders init" in refused.stderr


def test_two_machines_at_once(machine: Callable[[str], Program], hub: RunningHub) -> None:
    """The same sheet on both: each order is placed once, and both tell its number."""
    programs = [machine("one"), machine("two")]
    processes = [program.start("submit", _wave(program, "both"), "--yes") for program in programs]
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, out + err
    assert _placed(hub, "both") == Counter({f"both{name}@example.com": 1 for name in _NAMES})
    numbers = []
    for program in programs:
        with (program.folder / "both.results.csv").open(encoding="utf-8-sig") as file:
            numbers.append({row["order_number"] for row in csv.DictReader(file)})
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == 40


def test_a_killed_run_is_recognised_at_once(machine: Callable[[str], Program], hub: RunningHub) -> None:
    """By another machine, without any waiting: what was on its way is unknown there, and the rest is ordered."""
    one, two = machine("one"), machine("two")
    with one.start("submit", _wave(one, "kill"), "--yes") as process:
        _until_placed(hub, "kill", 5, process)
        process.kill()
        process.communicate(timeout=60)
    killed_at = time.monotonic()
    status = two.json("status", exit_code=0)
    assert [run["alive"] for run in status["runs"]] == [False]
    assert status["orders"]["sending"] == 0
    assert status["orders"]["unknown"] in range(1, 5)
    rest = two.json("submit", _wave(two, "kill"), "--yes", exit_code=5)
    assert time.monotonic() - killed_at < 60
    placed = _placed(hub, "kill")
    assert max(placed.values()) == 1
    assert rest["counts"]["unknown"] == status["orders"]["unknown"]
    assert len(placed) >= 40 - rest["counts"]["unknown"]
    assert two.json("ledger", "verify", exit_code=0)["exit_code"] == 0


@pytest.mark.parametrize("times", [1, 4])
def test_a_cut_in_the_middle_of_a_run(
    machine: Callable[[str], Program], hub: RunningHub, database: LedgerUrl, times: int
) -> None:
    """Every session ends at once: the run goes on or stops, nothing is sent twice, and the next run does the rest."""
    prefix = f"cut{'abcd'[times - 1]}"
    one = machine("one")
    server = dataclasses.replace(database, database="postgres")
    with one.start("submit", _wave(one, prefix), "--yes") as process:
        for number in range(times):
            _until_placed(hub, prefix, 3 + 5 * number, process)
            cut = raw.run(server, f"{_CUT} AND datname = '{database.database}'")
            assert cut != [(0,)] or process.poll() is not None
        out, err = process.communicate(timeout=100)
    assert process.returncode in {0, 1, 5, 6}, out + err
    _finish(one, hub, prefix)


def test_a_restart_of_the_server_in_the_middle_of_a_run(
    own_postgres: postgresql.Server, hub: RunningHub, tmp_path: Path
) -> None:
    """As a cut, but that nobody can write for a while."""
    settings = {"ledger": raw.address(own_postgres.url), "rate": "40/s", "concurrency": "4"}
    program = Program(tmp_path, hub.login | settings)
    assert program.run("init", "--new").returncode == 0
    with program.start("submit", _wave(program, "restart"), "--yes") as process:
        _until_placed(hub, "restart", 5, process)
        own_postgres.stop()
        time.sleep(1.0)
        own_postgres.start()
        out, err = process.communicate(timeout=100)
    assert process.returncode in {0, 1, 5, 6}, out + err
    _finish(program, hub, "restart")


def _finish(program: Program, hub: RunningHub, prefix: str) -> None:
    """The next run places the rest; whatever is unknown, at most one for each in flight, waits for a person."""
    again = program.run("submit", _wave(program, prefix), "--yes")
    assert again.returncode in {0, 5}, again.stderr
    placed = _placed(hub, prefix)
    assert max(placed.values()) == 1
    status = program.json("status", exit_code=0)
    assert status["orders"]["sending"] == status["orders"]["planned"] == 0
    assert status["orders"]["ordered"] + status["orders"]["unknown"] == 40
    assert len(placed) >= status["orders"]["ordered"]
    assert all(run["ended_at"] is not None for run in status["runs"])
    assert program.json("ledger", "verify", exit_code=0)["entries"] > 0


def test_the_inbox(machine: Callable[[str], Program], hub: RunningHub) -> None:
    """A nightly job on either machine: the second one finds everything ordered."""
    before = len(hub.orders)
    for name in ("one", "two"):
        program = machine(name)
        inbox = program.folder / "inbox"
        inbox.mkdir()
        shutil.copy(SAMPLES / _SHEET, inbox / _SHEET)
        document = program.json("inbox", inbox, "--settled-for", "0", exit_code=0)
        assert len(document["sheets"]) == 1
        assert (inbox / "done" / _SHEET).exists()
    assert len({order["order_number"] for order in hub.orders[before:]}) == len(hub.orders) - before > 0


def test_the_page(machine: Callable[[str], Program], hub: RunningHub) -> None:
    """It orders with the shared ledger; what it keeps of its own stands in this machine's data folder."""
    program = machine("one")
    with serving(program) as page:
        you = page.enter()
        run = you.order(you.upload(_wave(program, "page")))
        assert "40" in you.ended(run).text
        kept = list((program.folder / "data").rglob("*.page"))
        assert len(kept) == 1
        assert (kept[0] / "uploads").is_dir()
        second = program.run("serve", "--port", "0")
        assert second.returncode == 2
    assert _placed(hub, "page") == Counter({f"page{name}@example.com": 1 for name in _NAMES})


def test_an_interrupt(machine: Callable[[str], Program], hub: RunningHub) -> None:
    """SIGINT finishes what is on its way and writes the end of the run into the shared ledger."""
    one = machine("one")
    with one.start("submit", _wave(one, "stop"), "--yes") as process:
        _until_placed(hub, "stop", 5, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 6
    status = machine("two").json("status", exit_code=0)
    assert status["orders"]["ordered"] == len(_placed(hub, "stop"))
    assert status["runs"][0]["exit_code"] == 6


def test_what_is_wrong_with_the_database(database: LedgerUrl, tmp_path: Path, hub: RunningHub) -> None:
    """Each command ends with 2 and says what to do, in JSON too; a password is never said, nor logged."""
    secret = dataclasses.replace(database, password=database.password or "hunter2-canary")
    wrong = {
        "away": (dataclasses.replace(secret, port=1), "server runs"),
        "missing": (dataclasses.replace(secret, database="no_such_database"), "createdb"),
    }
    for name, (url, hint) in wrong.items():
        folder = tmp_path / name
        folder.mkdir()
        program = Program(folder, hub.login | {"ledger": raw.address(url), "log_file": "log"})
        for arguments in (["init", "--new"], ["status"], ["check", _sample(program)], ["ledger", "upgrade"]):
            done = program.run(*arguments, "--verbose", "--json")
            assert done.returncode == 2, done.stderr
            assert hint in done.stderr
            assert secret.password not in done.stdout + done.stderr + (folder / "log").read_text()
            assert str(url) in done.stderr


def test_init_twice(machine: Callable[[str], Program]) -> None:
    """The second one is told that there is a ledger; another login is refused until it is added."""
    one = machine("one")
    again = one.run("init", "--new")
    assert again.returncode == 2
    assert "already" in again.stderr
    other = Program(one.folder, one.settings | {"client_id": "other@example.com"})
    refused = other.run("submit", _sample(other), "--yes")
    assert refused.returncode == 2
    assert "another client_id" in refused.stderr
    assert other.run("init", "--add-login").returncode == 0


def test_a_sandbox_may_have_one(database: LedgerUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To try things out: it is made at the first run, and remembered by the second."""
    monkeypatch.setenv("PGPASSWORD", database.password)  # it may not stand on the command line
    program = Program(tmp_path)
    url = str(database)
    first = program.json("submit", _sample(program), "--yes", "--sandbox", "--ledger", url, exit_code=0)
    assert first["counts"]["ordered"] > 0
    second = program.json("submit", _sample(program), "--yes", "--sandbox", "--ledger", url, exit_code=0)
    assert second["counts"]["already_ordered"] == first["counts"]["ordered"]
    assert raw.run(database, "SELECT id FROM account") == [("sandbox",)]
