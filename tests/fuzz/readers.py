"""Fuzzes the readers with atheris: bytes in, a sheet or its refusal out, and no other exception.

    .venv/bin/pip install -e '.[fuzz]'
    .venv/bin/python -m tests.fuzz.readers -max_total_time=3600 CORPUS

`CORPUS` is a folder for what libFuzzer finds; where it is empty, it starts from the sheets of tests/cases. An uncaught
exception, or a file that takes more than 10 s (-timeout=10), ends it and leaves the bytes behind as `crash-…`.
Not part of the tests: CI runs tests/functional/test_fuzz.py, which mutates the same sheets with Hypothesis.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,unused-ignore] # an extra of its own

with atheris.instrument_imports(include=["batch_orders.adapters"]):
    from batch_orders.adapters.sheet_reader import read_sheet

from batch_orders.errors import SheetError
from tests.make_cases import CASES

_FILE = Path(tempfile.mkdtemp(prefix="batch-orders-fuzz-")) / "sheet"


def read(content: bytes) -> None:
    """Read the bytes as a file; SheetError alone is an answer."""
    _FILE.write_bytes(content)
    with contextlib.suppress(SheetError):
        read_sheet(_FILE)


def _seed(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for path in CASES.glob("*/sheet.*"):
            (folder / f"{path.parent.name}-{path.name}").write_bytes(path.read_bytes())


if __name__ == "__main__":
    for _argument in sys.argv[1:]:
        if not _argument.startswith("-"):
            _seed(Path(_argument))
    atheris.Setup([*sys.argv, "-timeout=10", "-rss_limit_mb=2048"], read)
    atheris.Fuzz()
