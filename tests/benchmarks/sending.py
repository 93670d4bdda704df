"""Ordering, at full speed and at a set pace."""

from __future__ import annotations

import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from batch_orders.sandbox.inventory import TITLES
from tests.benchmarks.measure import OURS, Figure, cost, middle
from tests.benchmarks.sheets import write_csv
from tests.hostile import HostileHub
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.rates import most_in_a_window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IN_FLIGHT = 8
_LATENCY = 0.05
_ORDERS = 2_000
_SECONDS = 30.0
# The same calls with httpx alone: a new connection for each order, as many in flight, the token fetched once.
_HTTPX_ALONE = f"""
import asyncio, httpx, json, sys
base, orders = sys.argv[1], int(sys.argv[2])
body = json.loads(sys.argv[3])
async def main():
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        known = {{"client_id": "{CLIENT_ID}", "client_secret": "{CLIENT_SECRET}"}}
        login = await client.post(base + "/api/v1/auth/login", json=known)
        headers = {{"Authorization": "Bearer " + login.json()["token"], "Connection": "close"}}
        left = iter(range(orders))
        async def work():
            for number in left:
                order = body | {{"email": f"e{{number}}@example.com"}}
                answer = await client.post(base + "/api/v1/device-hub/place-order", json=order, headers=headers)
                assert answer.json()["data"]["order_number"], answer
        await asyncio.gather(*(work() for _ in range({_IN_FLIGHT})))
asyncio.run(main())
"""


def again(folder: Path) -> Iterator[Figure]:
    """A second `submit` of a sheet that is ordered, against `check --output` of it: 10,000 orders."""
    sheet = write_csv(folder / "wave.csv", 25_000, wrong=0.0)
    with HostileHub(titles=sorted(TITLES)) as hub:
        settings = _settings(hub)
        assert cost([*OURS, "init", "--new"], folder, settings).code == 0
        assert cost([*OURS, "submit", sheet, "--yes", "--quiet"], folder, settings).code == 0
        submits, checks = [], []
        for number in range(3):
            submits.append(cost([*OURS, "submit", sheet, "--yes", "--json"], folder, settings))
            checks.append(cost([*OURS, "check", sheet, "--json", "--output", f"{number}.csv"], folder, settings))
    ours, other = middle(submits), middle(checks)
    told = f"{ours.seconds:.1f} s and {other.seconds:.1f} s"
    yield Figure(
        "a second `submit` of 10,000 orders, against `check --output`", ours.seconds / other.seconds, "<= 1.2", told
    )


def throughput(folder: Path) -> Iterator[Figure]:
    """Orders a second at a server that answers in 50 ms, with 8 in flight, and the CPU that each takes."""
    sheet = write_csv(folder / "wave.csv", _ORDERS * 5 // 2, wrong=0.0)
    with HostileHub(latency=_LATENCY, titles=sorted(TITLES)) as hub:
        settings = _settings(hub)
        assert cost([*OURS, "init", "--new"], folder, settings).code == 0
        judging = cost([*OURS, "check", sheet, "--json"], folder, settings)
        commit = _durable_commit(folder)
        submitting = cost([*OURS, "submit", sheet, "--yes", "--json"], folder, settings)
        assert submitting.code == 0
        calls = [call.at for call in hub.calls]
        body = json.dumps(hub.calls[0].body)
        alone = cost(["-c", _HTTPX_ALONE, hub.base_url, str(_ORDERS), body], folder)
        nothing = cost(["-c", _HTTPX_ALONE, hub.base_url, "0", body], folder)
        assert (alone.code, nothing.code) == (0, 0)
    reached = (len(calls) - 1) / (max(calls) - min(calls))
    possible = _IN_FLIGHT / (_LATENCY + 2 * commit)
    told = f"{reached:.0f} a second of {possible:.0f} (one durable commit: {1000 * commit:.1f} ms)"
    yield Figure(
        "ordering, 8 in flight, a server that answers in 50 ms, against what that allows",
        reached / possible,
        ">= 0.9",
        told,
    )
    ours, theirs = (submitting.cpu - judging.cpu) / len(calls), (alone.cpu - nothing.cpu) / _ORDERS
    told = f"{1000 * ours:.2f} ms and {1000 * theirs:.2f} ms"
    yield Figure("CPU for each order, against httpx alone", ours / theirs, "<= 2", told)


def _settings(hub: HostileHub, rate: str = "10000/s") -> dict[str, str]:
    login = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    fast = {"rate": rate, "concurrency": str(_IN_FLIGHT), "max_orders": "100000"}
    return login | fast | {"ledger": "ledger.sqlite"}


def pace(folder: Path) -> Iterator[Figure]:
    """5, 10 and 100 orders a second over 30 s, by 1 and by 4 runs on one ledger, as they arrive at the server."""
    for rate in (5, 10, 100):
        for processes in (1, 4):
            place = folder / f"pace-{rate}-{processes}"
            place.mkdir()
            at = sorted(_arrivals(place, rate, processes))
            used = (len(at) - 1) / (at[-1] - at[0]) / rate
            what = f"{rate} a second over {_SECONDS:.0f} s, {processes} process{'es' * (processes > 1)}: of it in use"
            yield Figure(what, used, ">= 0.99", f"at most {most_in_a_window(at)} in any second")


def _arrivals(folder: Path, rate: int, processes: int) -> list[float]:
    """When orders arrived that so many runs placed, each of a sheet of its own."""
    sheets = _dealt(write_csv(folder / "wave.csv", int(rate * _SECONDS) * 5 // 2, wrong=0.0), processes)
    with HostileHub(latency=_LATENCY, titles=sorted(TITLES)) as hub, ThreadPoolExecutor(processes) as runs:
        settings = _settings(hub, f"{rate}/s")
        assert cost([*OURS, "init", "--new"], folder, settings).code == 0
        commands = [[*OURS, "submit", sheet, "--yes", "--quiet"] for sheet in sheets]
        assert {run.code for run in runs.map(lambda command: cost(command, folder, settings), commands)} == {0}
        return [call.at for call in hub.calls]


def _dealt(sheet: Path, hands: int) -> list[Path]:
    """The sheet's employees, dealt out to so many sheets."""
    header, *rows = sheet.read_text().splitlines(keepends=True)
    places = [sheet.with_name(f"{hand}.csv") for hand in range(hands)]
    parts: list[list[str]] = [[header] for _ in places]
    for number, (_, of_one) in enumerate(groupby(rows, lambda row: row.split(",")[0])):
        parts[number % hands] += of_one
    for place, part in zip(places, parts, strict=True):
        place.write_text("".join(part))
    return places


def _durable_commit(folder: Path) -> float:
    """The median of 300 commits of one row, as the ledger makes them, in seconds."""
    taken = []
    with closing(sqlite3.connect(folder / "commits.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = TRUNCATE")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
        for number in range(300):
            began = time.perf_counter()
            database.execute("INSERT INTO rows VALUES (?, ?)", (number, "x" * 200))
            taken.append(time.perf_counter() - began)
    return median(taken)
