"""Reads every file of a folder, and reports crashes, hangs, memory, and rows that are neither judged nor skipped.

    python -m tests.corpus FOLDER [--deadline SECONDS] [--memory MEGABYTES]

Each file is read in a process of its own. A file of orders is judged row by row; any other one is read all the same,
with the fullest of its first rows for a header. Rows are counted by an independent reader too (calamine, or Python's
csv): each of its rows has to be judged, or skipped with a reason. A file may be refused; then the reason is shown.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from python_calamine import load_workbook

from batch_orders.adapters.encodings import utf16_without_mark
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import SheetError
from batch_orders.models import Catalog, SheetKind
from batch_orders.stages.columns import map_columns
from batch_orders.stages.validate import validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import Sheet

_ENDINGS = {".csv", ".tsv", ".txt", ".tab", ".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods"}
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"))


def read_here(path: Path) -> dict[str, Any]:
    """What becomes of one file: its rows judged or skipped, those that an independent reader counts, or a reason."""
    try:
        sheet = read_sheet(path)
        judged = len(validate(map_columns(sheet), Catalog(warehouses=())).frame)
    except SheetError:
        try:
            # Anything that stands in a cell is a header that is known.
            with mock.patch("batch_orders.adapters.sheet_parts.recognise", _filled):
                sheet = read_sheet(path)
        except SheetError as error:
            return {"refused": error.message}
        judged = len(sheet.frame)
    skipped = {"above the header": len(sheet.above), "header": 1}
    return {"judged": judged, "skipped": skipped, "counted": _rows_by_another(path, sheet)}


def _filled(row: Sequence[str], *_: object) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _rows_by_another(path: Path, sheet: Sheet) -> int:
    """How many rows with something in them an independent reader finds."""
    if sheet.kind is SheetKind.CSV:
        content = path.read_bytes()
        encoding = utf16_without_mark(content) if b"\0" in content else None
        encoding = encoding or next(name for mark, name in _MARKS if content.startswith(mark))
        text = io.StringIO(content.decode(encoding, errors="replace"), newline="")
        rows = list(csv.reader(text, delimiter=sheet.delimiter))
        # Excel's line that names the delimiter is no row.
        named = bool(rows) and sheet.delimiter.join(rows[0]).strip('"').lower().startswith("sep=")
        return sum(_filled(row) > 0 for row in rows[named:])
    with load_workbook(path) as book:
        cells = book.get_sheet_by_name(sheet.sheet_name or book.sheet_names[0]).to_python(skip_empty_area=False)
    return sum(any(str(cell).strip() for cell in row) for row in cells)


def read_in_a_child(path: Path, *, deadline: float) -> dict[str, Any]:
    """The same in a process of its own, and what it took."""
    command = [sys.executable, "-m", "tests.corpus", "--one", str(path)]
    root = Path(__file__).parents[1]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=deadline, check=False, cwd=root)
    except subprocess.TimeoutExpired:
        return {"hang": f"more than {deadline:g} s"}
    if done.returncode:
        return {"crash": (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]}
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def verdict(said: dict[str, Any], *, memory: float) -> str:
    """One word for a file: ok, refused, crash, hang, memory or rows."""
    for name in ("crash", "hang"):
        if name in said:
            return name
    if said["megabytes"] > memory:
        return "memory"
    if "refused" in said:
        return "refused"
    # A row of nothing but error cells, or formulas without a value, is none to the other reader: more is no loss.
    return "rows" if _lost(said) else "ok"


def _lost(said: dict[str, Any]) -> int:
    accounted = said.get("judged", 0) + sum(said.get("skipped", {}).values())
    return max(0, int(said.get("counted", 0)) - accounted)


def main(arguments: Sequence[str]) -> int:
    """Read the folder; gives 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description="Reads every file of a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds for one file (60)")
    parser.add_argument("--memory", type=float, default=512.0, help="megabytes for one file (512)")
    options = parser.parse_args(arguments)
    found: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in _ENDINGS):
        said = read_in_a_child(path.absolute(), deadline=options.deadline)
        word = verdict(said, memory=options.memory)
        found.append((word, said))
        if word != "ok":
            counted = f"{said.get('counted')} rows, {said.get('judged')} judged, {said.get('megabytes', 0):.0f} MB"
            _say(f"{word:8} {path.relative_to(options.folder)}: {said.get(word) or counted}")
    words = Counter(word for word, _ in found)
    _say(
        f"{len(found)} files: {words['ok']} read, {words['refused']} refused, {words['crash']} crashes, "
        f"{words['hang']} hangs, {words['memory']} beyond {options.memory:g} MB "
        f"(most: {max((said.get('megabytes', 0) for _, said in found), default=0):.0f} MB); "
        f"{sum(said.get('counted', 0) for _, said in found)} rows, {sum(_lost(said) for _, said in found)} lost"
    )
    return 0 if found and set(words) <= {"ok", "refused"} else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _one(path: Path) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    said = read_here(path)
    _say(json.dumps(said | {"megabytes": _peak_megabytes()}))
    return 0


def _peak_megabytes() -> float:
    """The most memory that this process had; on Linux without that of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    sys.exit(_one(Path(sys.argv[2])) if sys.argv[1:2] == ["--one"] else main(sys.argv[1:]))
