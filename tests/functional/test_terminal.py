"""What a person at a terminal sees and is asked: on a real pseudo-terminal."""

from __future__ import annotations

import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from tests.program import SAMPLES, Program, RunningHub, sandbox
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A simulated Device Hub."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: RunningHub) -> Program:
    """The program with a new account."""
    made = Program(tmp_path, hub.login | {"rate": "50/s"})
    terminal = Terminal(made, "init")
    terminal.until(r"ordered for this account before.*\[y/N\]")
    terminal.say("n")
    assert terminal.end() == 0
    return made


def test_the_plan_is_shown_and_confirmed(program: Program, hub: RunningHub) -> None:
    """Orders, items, countries, what is held and why, and the host; `y` places them, with a bar on the way."""
    sheet = shutil.copy(SAMPLES / "mixed-errors.csv", program.folder)
    before = len(hub.orders)
    terminal = Terminal(program, "submit", sheet)
    shown = terminal.until(r"Place \d+ orders? at .*\[y/N\]")
    held = r"Not to be sent: \d+ orders \(\d+ with errors"
    for words in (r"To be placed now: \d+ orders, \d+ items, to ", "DE \\(", held, hub.login["base_url"]):
        assert re.search(words, shown), words
    assert len(hub.orders) == before
    terminal.say("y")
    assert terminal.end() == 4
    assert "placed" in terminal.text
    assert len(hub.orders) > before


def test_declining_sends_nothing(program: Program, hub: RunningHub) -> None:
    """`n` is exit 6, and no results file."""
    sheet = shutil.copy(SAMPLES / "rolling-nightly.csv", program.folder)
    before = len(hub.orders)
    terminal = Terminal(program, "submit", sheet)
    terminal.until(r"\[y/N\]")
    terminal.say("n")
    assert terminal.end() == 6
    assert "did not confirm" in terminal.text
    assert "Run it again and answer y." in terminal.text
    assert len(hub.orders) == before
    assert list(program.folder.glob("*.results*")) == []


def test_declining_tells_nothing_twice(program: Program) -> None:
    """The plan has told what is wrong; nothing was written, so nothing is marked anywhere."""
    sheet = shutil.copy(SAMPLES / "mixed-errors.csv", program.folder)
    terminal = Terminal(program, "submit", sheet)
    shown = terminal.until(r"\[y/N\]")
    assert "✕" in shown
    terminal.say("n")
    assert terminal.end() == 6
    after = terminal.text[len(shown) :]
    assert "✕" not in after
    assert "marked" not in after
    assert "Nothing was sent. Mend the cells above, or run it again and answer y." in after


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_the_question_is_a_no(program: Program, hub: RunningHub, number: signal.Signals) -> None:
    """The first one ends the program, which has sent nothing."""
    sheet = shutil.copy(SAMPLES / "rolling-nightly.csv", program.folder)
    before = len(hub.orders)
    terminal = Terminal(program, "submit", sheet)
    terminal.until(r"\[y/N\]")
    terminal.interrupt(number)
    assert terminal.end() == 6
    assert len(hub.orders) == before


def test_init_refuses_an_account_with_a_history(tmp_path: Path, hub: RunningHub) -> None:
    """A new ledger would not know what was ordered before."""
    program = Program(tmp_path, hub.login)
    terminal = Terminal(program, "init", "--ledger", "other.sqlite")
    terminal.until(r"\[y/N\]")
    terminal.say("y")
    assert terminal.end() == 2
    assert not (tmp_path / "other.sqlite").exists()
