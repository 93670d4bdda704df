"""The page: from an upload to its preview."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.measure import OURS, Figure, cost
from tests.benchmarks.sheets import write_csv
from tests.program import Program, sandbox
from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def preview(folder: Path) -> Iterator[Figure]:
    """A sheet of 10,000 rows, from its upload to the whole review page, against `check` of it: three times, in turns.

    What a browser takes to show the page is not in it.
    """
    sheet = write_csv(folder / "10k.csv", 10_000)
    with sandbox(folder) as hub:
        program = Program(folder, hub.login | {"ledger": "ledger.sqlite"})
        assert program.run("init", "--new").returncode == 0
        shown, checked = [], []
        with serving(program) as page:
            visitor = page.enter()
            for _ in range(3):
                began = time.perf_counter()
                visitor.upload(sheet)
                shown.append(time.perf_counter() - began)
                checked.append(cost([*OURS, "check", sheet, "--json"], folder, program.settings).seconds)
    told = f"{median(shown):.1f} s and {median(checked):.1f} s"
    yield Figure("the page's preview of 10,000 rows, against `check`", median(shown) / median(checked), "<= 1.5", told)
