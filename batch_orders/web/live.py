"""Runs that this server has under way, each in a thread of its own: to be watched, held and stopped.

What is here is for watching only. The ledger is the truth: a browser that closes, or a server that is killed, loses
nothing of a run that the ledger does not show again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from batch_orders import wiring
from batch_orders.adapters.pacing import Hold
from batch_orders.adapters.sheet_reader import TEXT_SUFFIXES
from batch_orders.errors import BatchOrdersError
from batch_orders.logs import get_logger
from batch_orders.messages import page as words
from batch_orders.messages import runs as run_messages
from batch_orders.sending import Stop
from batch_orders.web.judging import confirms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch_orders.models import Report
    from batch_orders.wiring import SheetRequest, World

# Runs that have ended and are still told of here: one that ended before it was in the ledger, say.
_MOST_KEPT = 100
_NOTES_KEPT = 5


@dataclass(slots=True, kw_only=True)
class LiveRun:
    """One run as it is watched. It is written by its own thread, and only read by others.

    `by_workers`: its orders go out elsewhere, where nobody here can hold them back but by stopping the run.
    """

    run_id: str
    draft_id: str
    owner: str
    name: str
    by_workers: bool = False
    stage: str = "starting"
    total: int = 0
    states: Counter[str] = field(default_factory=Counter)
    notes: tuple[tuple[datetime, str], ...] = ()
    report: Report | None = None
    trouble: BatchOrdersError | None = None
    hold: Hold = field(default_factory=Hold)
    stop_reason: str = ""
    _began: float = 0.0
    _held_for: float = 0.0
    _held_since: float | None = None
    _stop: Callable[[str], None] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def done(self) -> int:
        """How many of its orders have ended."""
        return self.states.total()

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new is sent any more."""
        return bool(self.stop_reason)

    @property
    def is_sending(self) -> bool:
        """Whether its orders go out now."""
        return bool(self._began) and not self.ended.is_set()

    @property
    def rate(self) -> float:
        """Orders a second since the first, without the time on hold."""
        if not self._began:
            return 0.0
        held = self._held_for + (time.monotonic() - self._held_since if self._held_since else 0.0)
        seconds = time.monotonic() - self._began - held
        return self.done / seconds if seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take; None where nothing tells."""
        return (self.total - self.done) / self.rate if self.done and self.rate else None

    def pause(self, *, on: bool) -> None:
        """Hold new orders back, or go on."""
        if on and not self.hold:
            self._held_since = time.monotonic()
        elif not on and self._held_since is not None:
            self._held_for += time.monotonic() - self._held_since
            self._held_since = None
        self.hold.turn(on=on)

    def stop(self, reason: str) -> None:
        """Send nothing new; finish what is on its way."""
        self.stop_reason = self.stop_reason or reason
        if self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it ended this very moment, and its loop with it
                self._stop(reason)


class _Watching:
    """The run's progress, told to whoever looks at the page."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._run.stage = name

    def sending(self, total: int, held: int) -> None:
        """Ordering begins."""
        del held
        self._run.total = total
        self._run._began = time.monotonic()  # noqa: SLF001 - its other half
        self._run.stage = "placing orders"

    def ended(self, state: str) -> None:
        """One order ended."""
        self._run.states[state] += 1

    def note(self, text: str) -> None:
        """A pause, an outage: the latest few are told."""
        told = (datetime.now(UTC), words.on_page(text))
        self._run.notes = (*self._run.notes, told)[-_NOTES_KEPT:]

    def close(self) -> None:
        """Nothing is left to do."""


class LiveRuns:
    """The runs of this server."""

    def __init__(self, world: World, *, when_ended: Callable[[], None]) -> None:
        self._world = world
        self._when_ended = when_ended
        self._runs: dict[str, LiveRun] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._is_closing = False

    def find(self, run_id: str) -> LiveRun | None:
        """The run of this id, where this server has it or had it."""
        return self._runs.get(run_id)

    def drafts(self) -> set[str]:
        """The ids of the drafts that are ordered from right now."""
        with self._lock:
            return {run.draft_id for run in self._runs.values() if not run.ended.is_set()}

    def of_draft(self, draft_id: str) -> LiveRun | None:
        """The run that orders from this draft right now."""
        with self._lock:
            return self._under_way(draft_id)

    def _under_way(self, draft_id: str) -> LiveRun | None:
        return next((r for r in self._runs.values() if r.draft_id == draft_id and not r.ended.is_set()), None)

    def start(self, request: SheetRequest, *, draft_id: str, owner: str, expected: str, results: Path) -> LiveRun:
        """Order what was confirmed (`expected` is its fingerprint), unless this draft's orders are going out already.

        The results are written beside the upload, in `results`, as a second memory of what was ordered.
        """
        with self._lock:
            running = self._under_way(draft_id)
            if running is not None:
                return running
            if self._is_closing:
                raise BatchOrdersError(words.closing())
            run_id = wiring.new_run_id(datetime.now(UTC))
            run = LiveRun(
                run_id=run_id,
                draft_id=draft_id,
                owner=owner,
                name=request.path.name,
                by_workers=self._world.settings.queue,
            )
            self._runs[run_id] = run
            self._forget_old()
            request = dataclasses.replace(request, output=results / f"{run_id}.results.{_suffix(request)}")
            thread = threading.Thread(target=self._place, args=(run, request, expected), name=f"run {run_id}")
            self._threads[run_id] = thread
            thread.start()
            return run

    def close(self, patience: float) -> None:
        """Stop every run as an interrupt does: nothing new leaves, what is on its way is finished, for `patience`."""
        with self._lock:
            self._is_closing = True
            threads = list(self._threads.values())
        for run in list(self._runs.values()):
            if not run.ended.is_set():
                run.stop(run_messages.interrupted())
        until = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _forget_old(self) -> None:
        ended = [run_id for run_id, run in self._runs.items() if run.ended.is_set()]
        for run_id in ended[: max(0, len(self._runs) - _MOST_KEPT)]:
            del self._runs[run_id]

    def _place(self, run: LiveRun, request: SheetRequest, expected: str) -> None:
        try:
            asyncio.run(self._submit(run, request, expected))
        except BatchOrdersError as error:
            run.trouble = error
        except Exception as error:  # noqa: BLE001 - told on the page, and without anybody's data
            get_logger().error("unexpected", exc_info=error)
            run.trouble = BatchOrdersError(words.unexpected_in_run(type(error).__name__))
        finally:
            run.ended.set()
            self._threads.pop(run.run_id, None)
            self._when_ended()

    async def _submit(self, run: LiveRun, request: SheetRequest, expected: str) -> None:
        stop, loop = Stop(), asyncio.get_running_loop()

        def stop_from_outside(reason: str) -> None:
            run.hold.turn(on=False)
            loop.call_soon_threadsafe(lambda: stop.because(reason))

        run._stop = stop_from_outside  # noqa: SLF001 - made here
        if run.stop_reason:
            stop.because(run.stop_reason)
        world = dataclasses.replace(self._world, progress=_Watching(run), stop=stop)
        report, written = await wiring.submit(
            world, request, confirm=confirms(expected), run_id=run.run_id, hold=run.hold
        )
        run.report = report
        if report.declined:
            run.trouble = BatchOrdersError(words.other_than_seen())
        elif written.error is not None:
            run.trouble = written.error


def _suffix(request: SheetRequest) -> str:
    return "csv" if request.path.suffix.lower() in TEXT_SUFFIXES else "xlsx"
