"""Who watches a run: a bar on a terminal, a line now and then elsewhere, nobody with --quiet. All on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from batch_orders.messages.runs import count
from batch_orders.models import RowStatus

if TYPE_CHECKING:
    from typing import TextIO

# Seconds between two lines where nobody looks at a bar.
_LINE_EVERY = 10.0

_FAILED = (RowStatus.REJECTED, RowStatus.UNKNOWN)


class Quiet:
    """Nobody watches."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def sending(self, total: int, held: int) -> None:
        """Nothing."""

    def ended(self, state: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class _Tally:
    """Counts and the rate of a run's orders."""

    def __init__(self, total: int, held: int) -> None:
        self.total = total
        self.held = held
        self.states: Counter[str] = Counter()
        self._began = time.monotonic()

    @property
    def done(self) -> int:
        return self.states.total()

    def text(self) -> str:
        failed = sum(self.states[state] for state in _FAILED)
        seconds = time.monotonic() - self._began
        rate = self.done / seconds if seconds > 0 else 0.0
        placed = self.states[RowStatus.ORDERED]
        return f"{placed} placed, {self.held} held, {failed} failed, {rate:.1f}/s"


class Lines:
    """A line at each stage, and one now and then while orders go out: for logs and mails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tally: _Tally | None = None
        self._last = 0.0

    def stage(self, name: str) -> None:
        """A stage begins."""
        self.note(f"{name} …")

    def sending(self, total: int, held: int) -> None:
        """Ordering begins."""
        self._tally = _Tally(total, held)
        self._last = time.monotonic()
        if total:
            self.note(f"placing {count(total, 'order')} …")

    def ended(self, state: str) -> None:
        """One order ended."""
        if self._tally is None:
            return
        self._tally.states[state] += 1
        if self._tally.done == self._tally.total or time.monotonic() - self._last >= _LINE_EVERY:
            self._last = time.monotonic()
            self.note(f"{self._tally.done} of {count(self._tally.total, 'order')}: {self._tally.text()}")

    def note(self, text: str) -> None:
        """Something worth a line."""
        with contextlib.suppress(OSError, ValueError):  # whoever watched has gone; the orders have not
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is left to do."""


class Bar:
    """A bar on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._tally: _Tally | None = None

    def stage(self, name: str) -> None:
        """A stage begins: the bar runs without a measure."""
        self._show(name, total=None)

    def sending(self, total: int, held: int) -> None:
        """Ordering begins: the bar fills."""
        self._tally = _Tally(total, held)
        self._show("placing orders", total=total)

    def ended(self, state: str) -> None:
        """One order ended."""
        if self._tally is None or self._task is None:
            return
        self._tally.states[state] += 1
        self._progress.update(
            self._task, advance=1, text=f"{self._tally.done}/{self._tally.total}  {self._tally.text()}"
        )

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, markup=False)

    def close(self) -> None:
        """The bar goes; what it showed is in the summary."""
        self._progress.stop()

    def _show(self, description: str, *, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(description, total=total, text="")
        self._progress.start()


def watcher(*, quiet: bool) -> Quiet | Lines | Bar:
    """The one that fits where stderr goes."""
    if quiet or sys.stderr is None:
        return Quiet()
    return Bar(sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)
