"""Sheets dropped while two inbox jobs run and are killed, and Device Hub is away: each order once, no sheet stranded.

        pytest -s tests/crash/test_inbox.py

The oracle is the hostile Device Hub's own book, and the inbox's folders as a person sees them.
"""

from __future__ import annotations

import csv
import random
import signal
import threading
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.models import OrderState
from tests.crash.forks import Forks
from tests.crash.waves import HEADERS, row_of
from tests.hostile import HostileHub
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SHEETS = 200
_PEOPLE = 3
_KILLS = 20
_CONCURRENCY = 2
# Seconds: how long a sheet must not have changed, how long Device Hub is away, and how long the jobs may take in all.
_QUIET = 0.3
_AWAY = 4.0
_LONGEST = 420.0
# Every so manieth sheet has a row that nobody can order, and every so manieth is uploaded in two pieces.
_WRONG = 10
_SLOW = 7


def _rows(number: int) -> list[list[str]]:
    """A sheet's rows: people of its own, and in some sheets a last one that wants nothing."""
    rows = [row_of(each) for each in range(number * _PEOPLE, (number + 1) * _PEOPLE)]
    if number % _WRONG == 0:
        rows[-1][-1] = "none"
    return rows


def _drop(folder: Path, number: int) -> bytes:
    """Upload a sheet, as a program does that knows nothing of the inbox; gives what is in it."""
    path = folder / f"wave-{number:03}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([list(HEADERS), *_rows(number)[:1]])
        if number % _SLOW == 0:
            file.flush()
            time.sleep(_QUIET / 2)  # less than it takes for a sheet to count as complete
        writer.writerows(_rows(number)[1:])
    return path.read_bytes()


@pytest.mark.timeout(900)
def test_two_jobs_killed_again_and_again(tmp_path: Path) -> None:
    """200 sheets: every order is placed once or known to be in doubt, and every sheet is in one place, unchanged."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    dropped: dict[str, bytes] = {}
    chance = random.Random(1)  # noqa: S311 - a seed makes the run repeatable

    def drop_all(hub: HostileHub) -> None:
        for number in range(_SHEETS):
            dropped[f"wave-{number:03}.csv"] = _drop(folder, number)
            if number == _SHEETS // 2:
                hub.close_port()
                time.sleep(_AWAY)
                hub.open_port()
            time.sleep(0.05)

    with HostileHub(latency=0.02) as hub:
        settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "patience": "1"}
        settings |= {"rate": "100/s", "concurrency": str(_CONCURRENCY), "ledger": str(tmp_path / "ledger.sqlite")}
        program = Program(tmp_path, settings)
        assert program.run("init", "--new").returncode == 0
        (tmp_path / "warm").mkdir()
        with Forks(program, "inbox", tmp_path / "warm", "--json") as forks:
            uploads = threading.Thread(target=drop_all, args=(hub,))
            uploads.start()
            killed, codes = _keep_killing(forks, folder, chance, is_over=lambda: not uploads.is_alive())
            uploads.join()
            last = forks.start("inbox", folder, "--settled-for", str(_QUIET), "--quiet").wait(_LONGEST)
        placed = Counter(call.email for call in hub.placed)
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        states = {order.email: order.state for order in ledger.orders()}
        assert ledger.verify() > 0
    unknown = {email for email, state in states.items() if state is OrderState.UNKNOWN}
    print(f"{_SHEETS} sheets, {killed} kills, ended by themselves with {dict(+codes)}: {len(placed)} placed, once each")  # noqa: T201 - with -s
    assert set(placed.values()) == {1}, "an order was placed twice"
    wanted = {row[0] for number in range(_SHEETS) for row in _rows(number) if row[-1] != "none"}
    assert set(states) == wanted, "an order was lost"
    assert wanted - set(placed) <= unknown
    assert set(placed) <= wanted
    assert len(unknown) <= killed * _CONCURRENCY
    assert killed == _KILLS
    assert codes[6] > 0, "no job found Device Hub away"
    assert last in {0, 4, 5}
    _assert_each_in_one_place(folder, dropped, unknown)


def _keep_killing(
    forks: Forks, folder: Path, chance: random.Random, *, is_over: Callable[[], bool]
) -> tuple[int, Counter[int]]:
    """Two jobs at a time, until no sheet has a turn to come: how many were killed, and how the others ended."""
    ends_at = time.monotonic() + _LONGEST
    codes: Counter[int] = Counter()
    killed = 0
    jobs = [forks.start("inbox", folder, "--settled-for", str(_QUIET), "--quiet") for _ in range(2)]
    while not (is_over() and killed >= _KILLS and not _left(folder)):
        assert time.monotonic() < ends_at, _left(folder)
        time.sleep(chance.uniform(0.1, 1.0))
        if killed < _KILLS:
            victim = chance.choice(jobs)
            if victim.poll() is None:
                victim.send(signal.SIGKILL)
                killed += victim.wait() == -signal.SIGKILL
        for position, job in enumerate(jobs):
            if (code := job.poll()) is not None:
                codes[code] += code >= 0
                jobs[position] = forks.start("inbox", folder, "--settled-for", str(_QUIET), "--quiet")
    for job in jobs:
        codes[job.wait(_LONGEST)] += 1
    return killed, codes


def _left(folder: Path) -> list[str]:
    """The sheets that have not come to an end."""
    return [path.name for place in (folder, folder / "waiting") for path in place.glob("wave-???.csv")]


def _assert_each_in_one_place(folder: Path, dropped: dict[str, bytes], unknown: set[str]) -> None:
    """Done or waiting for a person, as its rows say; as it was dropped; with its results beside it."""
    for number, (name, content) in enumerate(sorted(dropped.items())):
        (found,) = folder.rglob(name)
        rows = _rows(number)
        needs_a_person = any(row[0] in unknown or row[-1] == "none" for row in rows)
        assert found.parent.name == ("attention" if needs_a_person else "done"), name
        assert found.read_bytes() == content
        results = sorted(found.parent.glob(f"{found.stem}.results*.csv"))
        assert results, name
        with results[-1].open(encoding="utf-8-sig", newline="") as file:
            statuses = {row["Email"]: row["order_status"] for row in csv.DictReader(file)}
        assert set(statuses) == {row[0] for row in rows}
        assert set(statuses.values()) <= {"ordered", "already_ordered", "unknown", "invalid"}, (name, statuses)
