"""`check` against what a competent person would write in an afternoon (naive.py), and against itself."""

from __future__ import annotations

import json
import time
from statistics import median
from typing import TYPE_CHECKING
from unittest.mock import patch

from batch_orders.adapters import xlsx_reader
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.sandbox.inventory import SHIPPING_OPTIONS, TITLES
from tests.benchmarks.measure import OURS, Figure, cost, middle
from tests.benchmarks.sheets import write_csv, write_xlsx
from tests.program import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.benchmarks.measure import Cost
    from tests.program import RunningHub

_NAIVE = ("-m", "tests.benchmarks.naive")
_LIMITS = {"max_rows": "1000000", "max_file_size": "1 GB", "max_unpacked_size": "2 GB"}


def small(folder: Path) -> Iterator[Figure]:
    """10,000 rows of XLSX, against naive: each three times, in turns."""
    with sandbox(folder) as hub:
        sheet = write_xlsx(folder / "10k.xlsx", 10_000)
        ours, naive = _in_turns(folder, hub, sheet, times=3)
    yield Figure(
        "`check` of 10,000 rows of XLSX, whole process, against naive",
        naive.seconds / ours.seconds,
        ">= 6",
        _told(ours, naive),
    )


def reading(folder: Path) -> Iterator[Figure]:
    """The cells of 10,000 rows of XLSX, against openpyxl's for the same: three times in one process, in turns."""
    sheet = write_xlsx(folder / "10k.xlsx", 10_000)
    read_sheet(sheet)  # what is loaded late
    ours, exact = [], []
    for _ in range(3):
        ours.append(_cpu_of_reading(sheet))
        with (
            patch.object(xlsx_reader, "plain_sheet", lambda *_: None),
            patch.object(xlsx_reader, "plain_texts", lambda *_: None),
        ):
            exact.append(_cpu_of_reading(sheet))
    told = f"{median(ours):.2f} s and {median(exact):.2f} s of CPU"
    yield Figure("reading 10,000 rows of XLSX, against openpyxl alone", median(exact) / median(ours), ">= 1.2", told)


def _cpu_of_reading(sheet: Path) -> float:
    began = time.process_time()
    read_sheet(sheet)
    return time.process_time() - began


def large(folder: Path) -> Iterator[Figure]:
    """100,000 rows of XLSX, against naive: time and memory."""
    with sandbox(folder) as hub:
        sheet = write_xlsx(folder / "100k.xlsx", 100_000)
        ours, naive = _in_turns(folder, hub, sheet, times=1)
    told = _told(ours, naive)
    yield Figure("`check` of 100,000 rows of XLSX, against naive", naive.seconds / ours.seconds, ">= 10", told)
    yield Figure("its peak memory, against naive's", ours.memory / naive.memory, "<= 0.8", told)


def annotated(folder: Path) -> Iterator[Figure]:
    """The same with the results workbook written."""
    with sandbox(folder) as hub:
        sheet = write_xlsx(folder / "100k.xlsx", 100_000)
        ours = _check(folder, hub, sheet, "--output", folder / "ours.xlsx")
        naive = cost([*_NAIVE, sheet, _catalog(folder), folder / "naive.xlsx"], folder)
    yield Figure(
        "the same with the annotated results workbook", naive.seconds / ours.seconds, ">= 8", _told(ours, naive)
    )


def million(folder: Path) -> Iterator[Figure]:
    """1,000,000 rows of CSV, against 100,000."""
    with sandbox(folder) as hub:
        one = _check(folder, hub, write_csv(folder / "100k.csv", 100_000))
        ten = _check(folder, hub, write_csv(folder / "1m.csv", 1_000_000))
    told = f"{one.seconds:.1f} s and {ten.seconds:.1f} s, {_size(one.memory)} and {_size(ten.memory)}"
    yield Figure(
        "time per row of 1,000,000 rows of CSV, against 100,000", ten.seconds / one.seconds / 10, "<= 1.15", told
    )
    yield Figure("peak memory of 1,000,000 rows, in GB", ten.memory / 1e9, "<= 1.5", told)


def wrong(folder: Path) -> Iterator[Figure]:
    """100,000 rows, each with five mistakes, against 3 % with one."""
    with sandbox(folder) as hub:
        usual = _check(folder, hub, write_xlsx(folder / "100k.xlsx", 100_000))
        bad = _check(folder, hub, write_xlsx(folder / "bad.xlsx", 100_000, wrong=1.0, faults=5))
    told = f"{usual.seconds:.1f} s and {bad.seconds:.1f} s, {_size(usual.memory)} and {_size(bad.memory)}"
    yield Figure(
        "100,000 rows wrong five times each, against 3 % wrong: time", bad.seconds / usual.seconds, "<= 4", told
    )
    yield Figure("the same: peak memory", bad.memory / usual.memory, "<= 1.5", told)


def start(folder: Path) -> Iterator[Figure]:
    """`--version` and `--help`, against a bare Python: 30 times each, in turns."""
    costs: dict[str, list[Cost]] = {"--version": [], "--help": [], "bare": []}
    for _ in range(30):
        for name, taken in costs.items():
            taken.append(cost(["-c", "pass"] if name == "bare" else [*OURS, name], folder))
    bare = middle(costs["bare"])
    for name, most in (("--version", 5), ("--help", 6)):
        ours = middle(costs[name])
        told = f"{1000 * ours.seconds:.0f} ms and {1000 * bare.seconds:.0f} ms"
        yield Figure(f"`{name}` against `python -c pass`", ours.seconds / bare.seconds, f"<= {most}", told)


def again(folder: Path) -> Iterator[Figure]:
    """A second `submit` of a sheet that is ordered, against `check --output` of it: 10,000 orders."""
    with sandbox(folder) as hub:
        sheet = write_csv(folder / "wave.csv", 25_000, wrong=0.0)
        settings = hub.login | _LIMITS | {"ledger": "ledger.sqlite", "rate": "10000/s", "max_orders": "100000"}
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


def _in_turns(folder: Path, hub: RunningHub, sheet: Path, *, times: int) -> tuple[Cost, Cost]:
    catalog = _catalog(folder)
    ours, naive = [], []
    for _ in range(times):
        ours.append(_check(folder, hub, sheet))
        naive.append(cost([*_NAIVE, sheet, catalog], folder))
    assert naive[0].code == 0
    return middle(ours), middle(naive)


def _check(folder: Path, hub: RunningHub, sheet: Path, *options: str | Path) -> Cost:
    """One `check` of it, which finds something wrong."""
    settings = hub.login | _LIMITS | {"ledger": "none.sqlite"}
    taken = cost([*OURS, "check", sheet, "--json", *options], folder, settings)
    assert taken.code in {3, 4}, taken
    return taken


def _catalog(folder: Path) -> Path:
    """The catalog as a file, for whoever has no client of Device Hub."""
    path = folder / "catalog.json"
    path.write_text(json.dumps({"titles": sorted(TITLES), "options": sorted(SHIPPING_OPTIONS)}))
    return path


def _told(ours: Cost, naive: Cost) -> str:
    return f"{ours.seconds:.1f} s and {naive.seconds:.1f} s, {_size(ours.memory)} and {_size(naive.memory)}"


def _size(memory: int) -> str:
    return f"{memory / 1e6:,.0f} MB"
