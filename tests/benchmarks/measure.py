"""What a process takes: wall-clock time, CPU time and peak memory, its children's included."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
OURS = ("-m", "batch_orders")
# The tests' own packages are installed here; what users do not have is hidden.
_PATH = os.pathsep.join([str(Path(__file__).parent / "not_installed"), str(ROOT)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds of wall clock and of CPU, peak memory in bytes, and the exit code."""

    seconds: float
    cpu: float
    memory: int
    code: int


class Figure(NamedTuple):
    """One row of the table: what, a ratio, what it should be, and what was measured for it."""

    what: str
    ratio: float
    wanted: str
    told: str


def cost(arguments: Sequence[str | Path], folder: Path, settings: Mapping[str, str] | None = None) -> Cost:
    """What `python ARGUMENTS` takes in this folder, with nothing of its output kept."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BATCH_ORDERS_")}
    clean.pop("PYTHONDONTWRITEBYTECODE", None)  # who has installed the program has it compiled
    environment = clean | {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "PYTHONPATH": _PATH}
    environment |= {f"BATCH_ORDERS_{name.upper()}": value for name, value in (settings or {}).items()}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    return Cost(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss * 1024,
        code=process.returncode,
    )


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; all of them must have ended alike."""
    codes = {each.code for each in costs}
    assert len(codes) == 1, codes
    return Cost(
        seconds=median(each.seconds for each in costs),
        cpu=median(each.cpu for each in costs),
        memory=int(median(each.memory for each in costs)),
        code=codes.pop(),
    )
