"""The program is killed at every step of making its results file: the person finds a whole one, or none."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

import openpyxl
import pytest

from batch_orders.adapters.sheet_reader import read_sheet
from tests.crash.launcher import Launcher, Strike
from tests.crash.syscalls import WRITES
from tests.crash.waves import PEOPLE, Wave, Waves
from tests.hostile import HostileHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OLD = b"what an earlier run left"
# The file under its hidden and its own name, and the folder that they stand in (SQLite syncs that too, in its own way).
_RESULTS = r"\.?hires\.results|\.\Z"
_STEPS = (*(call for call in WRITES if call != "fdatasync"), "openat")


@pytest.fixture
def waves(tmp_path: Path) -> Iterator[Waves]:
    """Waves for a hub that does nothing wrong."""
    with HostileHub() as hub:
        yield Waves(tmp_path, hub)


@pytest.mark.usefixtures("system_calls")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_killed_at_every_step_of_the_results(waves: Waves, suffix: str) -> None:
    """Before each step and in the middle of each write; what was there before, the input above all, stays as it was."""
    wave = _wave(waves, suffix)
    with Launcher(wave.program, "submit", wave.sheet, "--yes") as launcher:
        killed = _kill_at_each(waves, launcher, suffix, "kill", _STEPS)
        assert {step.partition(" ")[0] for step in killed} >= {"openat", "write", "fsync", "link", "unlink"}
        assert _kill_at_each(waves, launcher, suffix, "tear", ("write",))


def _kill_at_each(waves: Waves, launcher: Launcher, suffix: str, how: str, calls: tuple[str, ...]) -> list[str]:
    """The steps at which a run was killed, up to the run that got through them all."""
    killed: list[str] = []
    while True:
        wave = _wave(waves, suffix)
        before = {path: path.read_bytes() for path in (wave.sheet, _results(wave))}
        strike = Strike(at=len(killed) + 1, how=how, calls=calls, targets=_RESULTS)
        run = launcher.run(wave.program, "submit", wave.sheet, "--yes", strike=strike)
        left = _results(wave, 2)
        if left.exists():
            _assert_whole(waves, wave, left)
        if not run.struck:
            assert run.code == 0, run.err
            assert left.exists()
            return killed
        killed.append(run.struck)
        left = _results(wave, 3 if left.exists() else 2)
        again = launcher.run(wave.program, "submit", wave.sheet, "--yes")
        assert again.code == 0, again.err
        _assert_whole(waves, wave, left)
        assert {path: path.read_bytes() for path in before} == before


def _assert_whole(waves: Waves, wave: Wave, results: Path) -> None:
    """A row for each person, with the number that the hub gave to it."""
    sheet = read_sheet(results)
    columns = [sheet.frame[sheet.headers.index(name)].tolist() for name in ("Email", "order_number")]
    numbers = {call.email: call.order_number for call in waves.calls(wave)}
    assert dict(zip(*columns, strict=True)) == numbers
    assert len(numbers) == PEOPLE


def _wave(waves: Waves, suffix: str) -> Wave:
    """A wave whose sheet has this format, with an older results file beside it."""
    wave = waves.new()
    if suffix == ".xlsx":
        book = openpyxl.Workbook()
        with wave.sheet.open(newline="") as file:
            for row in csv.reader(file):
                book.active.append(row)
        wave = dataclasses.replace(wave, sheet=wave.sheet.with_suffix(suffix))
        book.save(wave.sheet)
    _results(wave).write_bytes(_OLD)
    return wave


def _results(wave: Wave, number: int = 1) -> Path:
    return wave.sheet.with_name(f"hires.results{f'-{number}' if number > 1 else ''}{wave.sheet.suffix}")
