"""A bad day with canaries in every field of sheet and settings: where none of them may turn up.

Not looked at is what the contract says of people by name: the orders in `--json`, and the results sheet.
"""

from __future__ import annotations

import csv
import errno
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from tests.crash.launcher import Launcher, Strike
from tests.crash.syscalls import WRITES
from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET, TITLES
from tests.privacy import assert_log_is_clean, assert_no_secret
from tests.program import SAMPLES, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What is looked for: a part of every canary.
_CANARIES = ("canary", "5550142")
_FIELDS = {
    "Phone": "+1 212 5550142",
    "Address": "77 Canary Street",
    "City": "Canarytown",
    "Order reference": "canaryref",
    "Remarks": "canaryremark",
}
_PLACE = {"State": "NY", "ZIP": "10001", "Country": "US", "Product": TITLES[0], "Qty": "1"}
# Every class of what can happen to an order; one that ends well in between, so that unknowns do not stop the line.
_FAULTS = (
    *("422_plain", "500_before", "html", "ok", "reset_after_placing", "hang_in_body", "ok", "bad_gzip"),
    *("truncated_head", "400_coded", "number_seen_before", "401", "429_zero", "ok"),
)
# The program with a bug of its own: a function that fails, and tells in its exception all that it was given.
_BUG = """
import sys
import {module} as module
def broken(*values, **named):
    raise RuntimeError("canary", repr((values, named)))
module.{name} = broken
from batch_orders.__main__ import main
main()
"""


class _BadDay:
    """A ledger, and a sheet of people who are canaries, for a hub."""

    def __init__(self, folder: Path, hub: HostileHub, people: int = 1) -> None:
        login = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        pace = {"rate": "500/s", "concurrency": "1", "timeout": "1", "patience": "1"}
        self.program = Program(folder, login | pace | {"log_file": "run.log", "ledger": "ledger.sqlite"})
        self.log = folder / "run.log"
        self.sheet = folder / "hires.csv"
        names = [f"Canary{chr(ord('a') + number)}" for number in range(people)]
        rows = [{"Email": f"{n}@example.com", "First name": n, "Last name": n, **_FIELDS, **_PLACE} for n in names]
        with self.sheet.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        with closing(Ledger.create(folder / "ledger.sqlite")) as ledger:
            ledger.add_login(hub.base_url, CLIENT_ID)

    @property
    def command(self) -> tuple[str | Path, ...]:
        """A run that tells and logs as much as it can."""
        return ("submit", self.sheet, "--yes", "--json", "--verbose")

    def judge(self, code: int, out: str, err: str) -> list[str]:
        """No canary in its error, on stderr and in its log; gives the events that were logged."""
        document = json.loads(out)
        assert document["exit_code"] == code
        log = self.log.read_text()
        for text in (err, log, json.dumps([document["error"], document["stopped"]])):
            assert_no_secret(text, CLIENT_SECRET, CLIENT_ID)
            assert_log_is_clean(text, _CANARIES)
            assert "Traceback" not in text
        return [json.loads(line)["event"] for line in log.splitlines()]


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory, system_calls: None) -> Iterator[Launcher]:  # noqa: ARG001
    """Starts the program."""
    folder = tmp_path_factory.mktemp("warm-up")
    command = ("submit", SAMPLES / "rolling-nightly.csv", "--yes", "--sandbox", "--output", folder / "results.csv")
    with Launcher(Program(folder, {"rate": "100/s"}), *command) as started:
        yield started


def test_orders_that_go_wrong(tmp_path: Path, launcher: Launcher) -> None:
    """Refusals and failures that repeat all they were sent, lost connections, answers that cannot be read."""
    with HostileHub(Plan({"order": list(_FAULTS)}), quotes=True) as hub:
        day = _BadDay(tmp_path, hub, len(_FAULTS))
        run = launcher.run(day.program, *day.command)
        assert day.judge(run.code, run.out, run.err).count("order.attempt") == hub.count("order")
        assert {call.fault for call in hub.calls} == set(_FAULTS)
        assert run.code == 5


@pytest.mark.parametrize(
    ("plan", "exit_code"),
    [
        ({"login": ["401"]}, 2),
        ({"login": ["500_before"]}, 6),
        ({"warehouses": ["403"]}, 2),
        ({"inventory": ["html"]}, 6),
        ({"inventory": ["reset_after_body*"]}, 6),
        ({"order": ["403"]}, 6),
        ({"order": ["429_none*"]}, 6),
        ({"order": ["revoke", "401*"], "login": ["ok", "401"]}, 6),
    ],
)
def test_runs_that_are_stopped(tmp_path: Path, launcher: Launcher, plan: dict[str, list[str]], exit_code: int) -> None:
    """A refused login, an account without rights, a hub that is away: the error says so, and quotes nobody."""
    with HostileHub(Plan(plan), quotes=True) as hub:
        day = _BadDay(tmp_path, hub, 2)
        run = launcher.run(day.program, *day.command)
        day.judge(run.code, run.out, run.err)
        assert run.code == exit_code


@pytest.mark.parametrize(
    ("strike", "exit_codes"),
    [
        (Strike(at=5, error=errno.ENOSPC, onward=True, calls=WRITES, targets=r"ledger\.sqlite\Z"), {1}),
        (Strike(at=1, error=errno.ENOSPC, onward=True, calls=("write",), targets=r"run\.log"), {0}),
        (Strike(at=1, error=errno.EIO, calls=("pread64",), targets=r"ledger\.sqlite"), {1, 2}),
        (Strike(at=1, how="lie", calls=("write",), targets=r"\.hires\.results"), {1}),
    ],
    ids=["ledger full", "log full", "ledger unreadable", "results not written"],
)
def test_disks_that_fail(tmp_path: Path, launcher: Launcher, strike: Strike, exit_codes: set[int]) -> None:
    """A ledger that cannot be read or written, a log on a full disk, results without room."""
    with HostileHub() as hub:
        day = _BadDay(tmp_path, hub, 2)
        run = launcher.run(day.program, *day.command, strike=strike)
        assert run.struck
        assert run.code in exit_codes
        day.judge(run.code, run.out, run.err)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("batch_orders.pipeline", "validate"),
        ("batch_orders.sending", "evidence_stage.judge"),
        ("batch_orders.adapters.results_writer", "render_csv"),
    ],
)
def test_a_bug(tmp_path: Path, module: str, name: str) -> None:
    """An exception that nobody foresaw: its type and where it came from are logged, and no value."""
    with HostileHub() as hub:
        day = _BadDay(tmp_path, hub)
        program = Program(tmp_path, day.program.settings, (sys.executable, "-c", _BUG.format(module=module, name=name)))
        done = program.run(*day.command)
        assert "unexpected" in day.judge(done.returncode, done.stdout, done.stderr)
