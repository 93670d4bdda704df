"""What the kernel saw of a run (strace): the ledger is on the disk before the first byte of any order leaves."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from batch_orders.adapters.ledger.in_file import open_engine
from batch_orders.errors import LedgerError
from tests.crash.waves import PEOPLE, Wave, Waves
from tests.hostile import HostileHub

_FIRST_LINE = b"POST /api/v1/device-hub/place-order "
_CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\(\d+<(?P<target>[^>]+(?:->[^>]+)?)>(?P<rest>.*)")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(slots=True, kw_only=True)
class _Traced:
    """A system call: what on, with which bytes, and in which lines of the trace it began and ended."""

    name: str
    target: str
    data: bytes
    arguments: str
    began: int
    ended: int = sys.maxsize


@pytest.fixture
def strace() -> str:
    """The tool; CI must have it, and be allowed to use it: nothing is skipped there."""
    found = shutil.which("strace")
    reason = "strace is not installed"
    if found:
        tried = subprocess.run([found, "-o", os.devnull, "true"], check=False, capture_output=True, text=True)
        if tried.returncode == 0:
            return found
        reason = f"strace may not trace a process here: {tried.stderr}"
    return pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_synced_commit_precedes_the_first_byte(tmp_path: Path, strace: str, concurrency: int) -> None:
    """For every order: its intent is in the ledger and synced, the journal cut off (that commits) and synced."""
    with HostileHub() as hub:
        wave = Waves(tmp_path, hub, concurrency=str(concurrency)).new()
        calls = _traced(strace, wave)
        assert len(hub.placed) == PEOPLE
    orders = [call for call in calls if call.name == "sendto" and call.data.startswith(_FIRST_LINE)]
    assert len(orders) == PEOPLE
    for order in orders:
        body = next(call.data for call in calls if call.target == order.target and call.began > order.began)
        intent = hashlib.sha256(body).hexdigest().encode()
        written = next(call for call in calls if call.target == "ledger.sqlite" and intent in call.data)
        synced = _next(calls, "fdatasync", "ledger.sqlite", after=written)
        committed = _next(calls, "ftruncate", "ledger.sqlite-journal", after=synced)
        assert re.match(r", 0\b", committed.arguments), "it was not cut off whole"
        durable = _next(calls, "fdatasync", "ledger.sqlite-journal", after=committed)
        assert durable.ended < order.began, "the order began to leave before its intent was durable"


def test_a_ledger_that_cannot_be_durable_is_refused() -> None:
    """The journal's mode and `synchronous` are read back: what SQLite did not grant is an error, not a hope."""
    engine = open_engine(Path(":memory:"))  # it has no journal that could be cut off
    with pytest.raises(LedgerError, match="durably"):
        engine.connect()
    engine.dispose()


def _traced(strace: str, wave: Wave) -> list[_Traced]:
    """The calls of a run that write, sync, cut off or send; files by their names."""
    log = wave.program.folder.with_suffix(".strace")
    options = ["-f", "-yy", "-xx", "-s", "100000", "-e", "trace=pwrite64,fdatasync,fsync,ftruncate,sendto", "-o", log]
    done = subprocess.run(
        [strace, *options, sys.executable, "-W", "error", "-m", "batch_orders", "submit", wave.sheet, "--yes"],
        cwd=wave.program.folder,
        env=wave.program.environment(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return _read(log, wave.program.folder)


def _read(log: Path, folder: Path) -> list[_Traced]:
    calls: list[_Traced] = []
    unfinished: dict[str, _Traced] = {}
    for number, line in enumerate(log.read_text().splitlines()):
        if resumed := _RESUMED.match(line):
            unfinished.pop(resumed["thread"]).ended = number
        elif found := _CALL.match(line):
            text = _TEXT.search(found["rest"])
            call = _Traced(
                name=found["name"],
                target=os.fsdecode(_bytes(found["target"])).removeprefix(f"{folder}/"),
                data=_bytes(text[1]) if text else b"",
                arguments=found["rest"],
                began=number,
            )
            calls.append(call)
            if found["rest"].endswith("<unfinished ...>"):
                unfinished[found["thread"]] = call
            else:
                call.ended = number
    return calls


def _bytes(shown: str) -> bytes:
    """What strace shows with a hexadecimal number for each byte (a connection's name it shows as it is)."""
    return bytes.fromhex("".join(_BYTE.findall(shown))) if "\\x" in shown else shown.encode()


def _next(calls: list[_Traced], name: str, target: str, *, after: _Traced) -> _Traced:
    """The first such call that began when the other one had ended."""
    return next(call for call in calls if (call.name, call.target) == (name, target) and call.began > after.ended)
