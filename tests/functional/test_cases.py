"""Cases are files: each folder of tests/cases holds a sheet and what `check --json` must say of it.

Where there is a `mapping.toml` beside the sheet, it is read with that.

A new case: add a folder with a sheet, run `python -m tests.functional.test_cases NAME`, and read every line of the
`expected.json` that it writes before you commit it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from batch_orders.cli import run
from batch_orders.sandbox import Sandbox, SandboxOptions, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = Path(__file__).parents[1] / "cases"


def said_of(case: Path, hub: Sandbox) -> dict[str, Any]:
    """What the program says of a case's sheet, without what differs from machine to machine."""
    (sheet,) = case.glob("sheet.*")
    mapping = [f"--mapping={path}" for path in case.glob("mapping.toml")]
    login = {"BASE_URL": hub.base_url, "CLIENT_ID": hub.client_id, "CLIENT_SECRET": hub.client_secret}
    with tempfile.TemporaryDirectory() as home:
        settings = {f"BATCH_ORDERS_{name}": value for name, value in login.items()} | {"XDG_DATA_HOME": home}
        said = io.StringIO()
        with mock.patch.dict(os.environ, settings), contextlib.redirect_stdout(said):
            code = run(["check", str(sheet), *mapping, "--json", "--quiet"])
    document: dict[str, Any] = json.loads(said.getvalue())
    assert document["exit_code"] == code
    counts = {name: count for name, count in document["counts"].items() if count}
    return {
        "exit_code": code,
        "error": (document["error"] or {}).get("message", "").replace(str(sheet), sheet.name) or None,
        "counts": counts,
        "orders": [
            {name: order[name] for name in ("email", "order_reference", "rows", "status")}
            for order in document["orders"]
        ],
        "findings": document["findings"],
    }


@pytest.fixture(scope="module")
def module_hub() -> Iterator[Sandbox]:
    """One simulated Device Hub for all cases: nothing is ordered."""
    with running(SandboxOptions()) as sandbox:
        yield sandbox


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_case(case: str, module_hub: Sandbox) -> None:
    """The sheet gets exactly the expected statuses and findings."""
    expected = json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))
    assert said_of(CASES / case, module_hub) == expected


if __name__ == "__main__":
    with running(SandboxOptions()) as _hub:
        for _name in sys.argv[1:]:
            _text = json.dumps(said_of(CASES / _name, _hub), ensure_ascii=False, indent=2)
            (CASES / _name / "expected.json").write_text(_text + "\n", encoding="utf-8")
