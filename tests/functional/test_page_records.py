"""What the page keeps of runs: looked up in the ledger once, for as long as it holds."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from batch_orders.adapters.ledger import SANDBOX_ACCOUNT, Ledger
from batch_orders.models import Limits
from batch_orders.web.records import RUNS_LOOKED_AT, Records
from tests import orders as made
from tests.program import SAMPLES, Program
from tests.served import serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_run_that_has_ended_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are all runs listed to find one of them; another ledger's, or the beginning of an id, is none."""
    path = tmp_path / "orders.sqlite"
    program = Program(tmp_path, {"rate": "200/s", "ledger": str(path)})
    for _ in range(2):
        done = program.run("submit", SAMPLES / "rolling-nightly.csv", "--sandbox", "--ledger", path, "--yes")
        assert done.returncode in {0, 4}, done.stderr
    listed = []
    runs = Ledger.runs
    monkeypatch.setattr(Ledger, "runs", lambda ledger: listed.append(1) or runs(ledger))  # type: ignore[func-returns-value]
    with closing(Ledger(path)) as ledger:
        records, run_id = Records(Limits()), runs(ledger)[0].run_id
        first = records.run(ledger, run_id)
        assert first is not None
        assert first.report is not None
        assert len(listed) == 1
        assert records.run(ledger, run_id) is first
        assert len(listed) == 1
        assert records.run(ledger, run_id[:-2]) is None
        assert records.run(ledger, "none") is None


def test_no_run_and_no_sheet_is_too_old_to_be_found(tmp_path: Path) -> None:
    """They are listed page by page, the newest first, down to the first."""
    path = tmp_path / "orders.sqlite"
    program = Program(tmp_path, {"rate": "200/s"})
    sheet = SAMPLES / "rolling-nightly.csv"
    program.run("submit", sheet, "--sandbox", "--ledger", path, "--yes")
    with sqlite3.connect(path) as database:
        database.execute("create temporary table later as select * from runs")
        for number in range(60):
            changed = (f"{number:02}-of-many", f"2999-01-01T00:00:{number:02}.000000Z")
            database.execute("update later set run_id = ?, started_at = ?", changed)
            database.execute("insert into runs select * from later")
    with serving(program, "--sandbox", "--ledger", str(path)) as served:
        visitor = served.enter()
        for _ in range(52):
            visitor.send("hires.csv", sheet.read_bytes())
        for address, names, number in (("/runs", r'"/runs/([\w-]+)"', 61), ("/", r'"/sheets/([0-9a-f]+)"', 52)):
            newest = visitor.get(address).text
            (link,) = re.findall(r'href="([^"]+)" data-swap>Next', newest)
            rest = visitor.get(link.replace("&amp;", "&")).text
            found = [*re.findall(names, newest), *re.findall(names, rest)]
            assert len(dict.fromkeys(found)) == len(found) == number
            assert "Page 2 of 2" in rest
            assert "Page 2 of 2" in visitor.get(f"{address}?at=99").text


def test_to_settle_says_how_far_it_looks(tmp_path: Path) -> None:
    """What an older run held is in its results alone: whoever looks for it is told where."""
    path = tmp_path / "orders.sqlite"
    for number in range(RUNS_LOOKED_AT + 1):
        with closing(Ledger(path) if path.exists() else Ledger.create(path, account_id=SANDBOX_ACCOUNT)) as ledger:
            ledger.begin_run(made.run(f"r{number}"))
            ledger.end_run(f"r{number}", 0)
        if number >= RUNS_LOOKED_AT - 1:
            with serving(Program(tmp_path), "--sandbox", "--ledger", str(path)) as served:
                is_told = f"looked for in the newest {RUNS_LOOKED_AT} runs" in served.enter().get("/waiting").text
            assert is_told == (number == RUNS_LOOKED_AT)
