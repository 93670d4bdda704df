"""`check` against what a competent person would write in an afternoon (naive.py), and against itself."""

from __future__ import annotations

import json
import time
from statistics import median
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pycountry

from batch_orders.adapters import xlsx_reader
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.models import Catalog, Warehouse
from batch_orders.sandbox.inventory import SHIPPING_OPTIONS, TITLES
from batch_orders.stages.columns import map_columns
from batch_orders.stages.validate import rows, validate
from batch_orders.stages.validate.schema import failures
from tests.benchmarks.measure import OURS, Figure, cost, middle
from tests.benchmarks.sheets import write_csv, write_xlsx
from tests.program import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from batch_orders.stages.validate.schema import Schema
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


def schema(folder: Path) -> Iterator[Figure]:
    """The schemas over 100,000 rows, against the same rules as masks by hand: three times in one process, in turns."""
    told, frame = _judged_rows(write_csv(folder / "100k.csv", 100_000))
    expected = sorted(failures(told, frame))  # and what is loaded late
    ours, by_hand = [], []
    for _ in range(3):
        began = time.process_time()
        assert sorted(failures(told, frame)) == expected
        ours.append(time.process_time() - began)
        began = time.process_time()
        assert sorted(_fail_by_hand(frame)) == expected
        by_hand.append(time.process_time() - began)
    figures = f"{1000 * median(ours):.0f} ms and {1000 * median(by_hand):.0f} ms of CPU, {len(expected)} failures"
    yield Figure(
        "pandera over 100,000 repaired rows, against masks by hand", median(ours) / median(by_hand), "<= 2", figures
    )


def _judged_rows(sheet: Path) -> tuple[Schema, pd.DataFrame]:
    """What validation asks pandera about a sheet's rows: the schema and the frame of repaired values."""
    stock = dict.fromkeys(TITLES, 1)
    house = Warehouse(id="1", name="One", shipping_options=tuple(SHIPPING_OPTIONS), stock=stock)
    with patch.object(rows, "failures", wraps=failures) as asked:
        validate(map_columns(read_sheet(sheet)), Catalog(warehouses=(house,)))
    told, frame = asked.call_args.args
    return told, frame


def _fail_by_hand(frame: pd.DataFrame) -> list[tuple[int, str]]:
    """The rules as somebody writes them who has only pandas."""
    countries = [country.alpha_2 for country in pycountry.countries]
    masks = {
        "email required": frame["email"] == "",
        "title required": frame["product_title"] == "",
        "title": ~frame["product_title"].isin(["", *TITLES]),
        "quantity required": frame["quantity"] == "",
        "quantity": ~frame["quantity"].str.fullmatch("(?:[1-9][0-9]{0,8})?"),
        "country": ~frame["shipping_country"].isin(["", *countries]),
        "option": ~frame["expedite_shipping"].isin(["", *SHIPPING_OPTIONS]),
        "boolean": ~frame["is_signature_required"].isin(["", "yes", "no"]),
        **{name: ~frame[name] for name in frame.columns if frame[name].dtype == bool},
    }
    return [(row, name) for name, mask in masks.items() for row in np.flatnonzero(mask).tolist()]


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
