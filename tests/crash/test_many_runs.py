"""Many runs of one sheet: eight at once, and ten one after the other on a day when nothing works.

The oracle is the hostile Device Hub's own book of what it was sent and what it placed.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.models import OrderState
from tests.crash.waves import write_sheet
from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def _program(folder: Path, hub: HostileHub, **settings: str) -> Program:
    """The program with a new ledger, for orders at that hub."""
    login = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    program = Program(folder, login | {"ledger": str(folder / "ledger.sqlite")} | settings)
    assert program.run("init", "--new").returncode == 0
    return program


def _at_once(program: Program, sheets: Sequence[Path], *options: str, exit_code: int) -> list[dict[str, Any]]:
    """What as many processes say with --json that are started together and must end like this."""
    running = [program.start("submit", sheet, "--yes", "--quiet", "--json", *options) for sheet in sheets]
    ended = [(*process.communicate(timeout=240), process.returncode) for process in running]
    assert [code for *_, code in ended] == [exit_code] * len(sheets), ended
    return [json.loads(out) for out, *_ in ended]


def _numbers(results: str) -> dict[str, str]:
    """The order number of each row of a results sheet, by e-mail."""
    with open(results, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123 - a path in a JSON document is text
        return {row["Email"]: row["order_number"] for row in csv.DictReader(file)}


@pytest.mark.timeout(300)
def test_eight_processes(tmp_path: Path) -> None:
    """8 processes × 500 orders on one ledger: each order is sent once, and all of them report every number.

    First all eight send at the same time, each the first 40 of a sheet of its own that begins 30 people further down
    the same list; then all eight are to place the rest.
    """
    processes, orders = 8, 500
    own = [write_sheet(tmp_path / f"from-{first}.csv", orders, first=first) for first in range(0, 30 * processes, 30)]
    whole = write_sheet(tmp_path / "hires.csv", orders)
    with HostileHub() as hub:
        program = _program(tmp_path, hub, rate="1000/s")
        canaries = _at_once(program, own, "--limit", "40", exit_code=6)
        # Whoever starts late finds some of its orders placed, and takes others instead.
        assert 30 * (processes - 1) + 40 <= len(hub.calls) <= 40 * processes
        documents = _at_once(program, [whole] * processes, exit_code=0)
        placed = {call.email: call.order_number for call in hub.placed}
        assert len(hub.calls) == len(hub.placed) == len(placed) == orders
    assert len({document["results"] for document in documents}) == processes, "two runs wrote one file"
    assert all(_numbers(document["results"]) == placed for document in documents)
    told = [(order["email"], order["status"]) for document in canaries + documents for order in document["orders"]]
    assert Counter(email for email, status in told if status == "ordered") == dict.fromkeys(placed, 1)
    assert {status for _, status in told} == {"ordered", "already_ordered", "not_sent"}
    shares = [sum(order["status"] == "ordered" for order in document["orders"]) for document in canaries]
    print(f"{orders} orders, sent once each; the eight that sent at the same time placed {shares}")  # noqa: T201 - with -s
    assert sum(share > 0 for share in shares) > 1


@pytest.mark.timeout(300)
def test_nothing_works_ten_times(tmp_path: Path) -> None:
    """Every answer is a 5xx: the first run sends 3 and those in flight, each further one only one; all are unknown."""
    concurrency, runs = 3, 10
    sheet = write_sheet(tmp_path / "hires.csv", 40)
    with HostileHub(Plan({"order": ["500_before", "502_after", "503_before", "504_after"] * 40})) as hub:
        program = _program(tmp_path, hub, rate="1000/s", concurrency=str(concurrency))
        sent = []
        for _ in range(runs):
            before = len(hub.calls)
            document = program.json("submit", sheet, "--yes", "--quiet", exit_code=5)
            sent.append(len(hub.calls) - before)
            assert document["counts"]["unknown"] == len(hub.calls)
            assert document["counts"]["not_sent"] == 40 - len(hub.calls)
        assert 3 <= sent[0] <= 3 + concurrency
        assert sent[1:] == [1] * (runs - 1)
        assert set(Counter(call.email for call in hub.calls).values()) == {1}
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        states = Counter(order.state for order in ledger.orders())
    assert states[OrderState.UNKNOWN] == sum(sent)
    print(f"sent in the {runs} runs: {sent}")  # noqa: T201 - with -s
