# ruff: noqa: T201 - it is what this prints
"""All of it, as a table: `python -m tests.benchmarks`, or some (`python -m tests.benchmarks small start`).

Each row is a ratio of two things measured side by side in one run; machines are noisy, so a bare time says little. All
of it takes some twenty minutes, talks to loopback only, and ends by itself.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import checks, page, sending

_ALL = (
    *(
        checks.small,
        checks.reading,
        checks.schema,
        checks.large,
        checks.annotated,
        checks.million,
        checks.wrong,
        checks.start,
    ),
    *(sending.again, sending.throughput, sending.pace, page.preview),
)


def main() -> None:
    """Measure what is asked for, and print a row as soon as it is known."""
    named = {each.__name__: each for each in _ALL}
    wanted = sys.argv[1:] or list(named)
    if unknown := set(wanted) - named.keys():
        sys.exit(f"There is no {', '.join(sorted(unknown))}; there are: {', '.join(named)}")
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    print("| what | ratio | wanted | measured |\n| --- | --- | --- | --- |", flush=True)
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            for figure in named[name](Path(folder)):
                print(f"| {figure.what} | {figure.ratio:.3g} | {figure.wanted} | {figure.told} |", flush=True)


main()
