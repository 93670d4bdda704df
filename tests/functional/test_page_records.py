"""What the page keeps of runs: looked up in the ledger once, for as long as it holds."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from batch_orders.adapters.ledger import Ledger
from batch_orders.models import Limits
from batch_orders.web.records import Records
from tests.program import SAMPLES, Program

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
