"""The inbox: every sheet in a folder is submitted, and moved on by how it went. For cron, so it never asks."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch_orders import wiring
from batch_orders.adapters.inbox_folder import ATTENTION, DONE, WAITING, InboxFolder
from batch_orders.adapters.new_files import reason
from batch_orders.errors import BatchOrdersError, RunStoppedError, SheetError, TooManyOrdersError
from batch_orders.messages import inboxes as messages
from batch_orders.models import RowStatus
from batch_orders.stages.report import EXIT_DONE, EXIT_NEEDS_A_CHANGE, EXIT_NOTHING_VALID, EXIT_STOPPED, EXIT_UNKNOWN
from batch_orders.wiring import SheetRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_orders.adapters.inbox_folder import Arrival
    from batch_orders.models import MappingFile, Report
    from batch_orders.wiring import World, Written

# Seconds without a change after which a sheet is complete; for how long, and how often, younger ones are looked at.
QUIET = 5.0
_PATIENCE = 60.0
_LOOK = 0.5
_GO_LATER = (RowStatus.NOT_SENT, RowStatus.WAITING)
# The first of them that some sheet ended with is the job's.
_WORST_FIRST = (BatchOrdersError.exit_code, EXIT_UNKNOWN, EXIT_STOPPED, EXIT_NEEDS_A_CHANGE, EXIT_NOTHING_VALID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A sheet that was worked through: how it went, and where it and its results are now.

    `report` is None where it could not be worked through at all; `error` says why, or what went wrong besides.
    `earlier` are sheets of the same name that wait in the inbox, and go on by themselves.
    """

    path: Path
    where: str
    moved: Path
    results: Path | None
    exit_code: int
    report: Report | None = None
    error: BatchOrdersError | None = None
    earlier: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it besides."""
        return (messages.earlier_waits(self.path, self.earlier),) if self.earlier else ()

    @classmethod
    def submitted(cls, path: Path, report: Report, written: Written) -> Worked:
        """A sheet that was submitted by itself: it has not moved."""
        results, _, error = written
        code = report.exit_code
        return cls(path=path, where="", moved=path, results=results, exit_code=code, report=report, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job did. `error` is what ended it before its time, `left` the sheets whose turn did not come."""

    worked: tuple[Worked, ...]
    left: tuple[Path, ...] = ()
    error: BatchOrdersError | None = None

    @property
    def exit_code(self) -> int:
        """The worst of the sheets', or what ended the job."""
        codes = {worked.exit_code for worked in self.worked} | ({self.error.exit_code} if self.error else set())
        found = [*(code for code in _WORST_FIRST if code in codes), *(codes - {EXIT_DONE})]
        return found[0] if found else EXIT_DONE


async def work_through(
    world: World, path: Path, *, mapping: MappingFile | None = None, quiet: float = QUIET
) -> Outcome:
    """Submit each sheet in the folder, in the order of arrival, and move it on.

    UsageError, with nothing sent, where the folder cannot be used. What is not about a sheet (the settings, the ledger,
    Device Hub) ends the job, and so does whatever stops a run early: sheets that were not reached stay where they are.
    """
    folder = InboxFolder(path, quiet=quiet)
    worked: list[Worked] = []
    queue = await _complete(world, folder)
    try:
        _require_ledger(world)
    except BatchOrdersError as error:
        return _ended(world, worked, queue, error)
    for position, arrival in enumerate(queue):
        if world.stop:
            return _ended(world, worked, queue[position:])
        with folder.taken(arrival) as is_ours:
            if not is_ours:
                world.progress.note(messages.has_it(arrival.path.name))
                continue
            world.progress.note(messages.beginning(arrival.path.name))
            try:
                earlier = tuple(folder.earlier_versions(arrival))
                done = await _work(world, folder, arrival, mapping)
                worked.append(dataclasses.replace(done, earlier=earlier))
            except BatchOrdersError as error:
                return _ended(world, worked, queue[position:], error)
    return Outcome(worked=tuple(worked))


def _require_ledger(world: World) -> None:
    """LedgerError where nothing could be ordered with the ledger, found also in a night without sheets."""
    if world.is_sandbox:
        return
    with world.ledger() as ledger:
        if refusal := ledger.refusal():
            raise refusal


def _ended(
    world: World, worked: Sequence[Worked], left: Sequence[Arrival], error: BatchOrdersError | None = None
) -> Outcome:
    """The job ended before its time, by an error or because a run stopped."""
    for arrival in left:
        world.progress.note(messages.not_reached(arrival.path.name))
    if error is None:
        error = RunStoppedError(world.stop.reason, hint=messages.goes_on_by_itself(world.stop.hint))
    return Outcome(worked=tuple(worked), left=tuple(arrival.path for arrival in left), error=error)


async def _complete(world: World, folder: InboxFolder) -> list[Arrival]:
    """The sheets whose upload is complete, once those are waited for that are still growing (but not for ever)."""
    waited = 0.0
    while True:
        arrivals = folder.arrivals()
        growing = [arrival for arrival in arrivals if not folder.is_complete(arrival)]
        if not growing or waited >= _PATIENCE or world.stop:
            for arrival in growing:
                world.progress.note(messages.still_growing(arrival.path.name))
            return [arrival for arrival in arrivals if arrival not in growing]
        await asyncio.sleep(_LOOK)
        waited += _LOOK


async def _work(world: World, folder: InboxFolder, arrival: Arrival, mapping: MappingFile | None) -> Worked:
    """Submit one sheet and move it on. Raises what is not about this sheet."""
    request = SheetRequest(path=arrival.path, mapping=mapping, output=folder.results_being_written(arrival))
    try:
        report, written = await wiring.submit(world, request, confirm=lambda *_: True)
    except (SheetError, TooManyOrdersError) as error:
        error.hint = messages.in_folder(error.hint)
        told = "\n".join(part for part in (error.message, _findings_of(error), error.hint) if part)
        moved, note = folder.explain(arrival, told)
        code = error.exit_code
        return Worked(path=arrival.path, where=ATTENTION, moved=moved, results=note, exit_code=code, error=error)
    where, trouble = _where(report), written.error
    try:
        moved, results = folder.put_away(arrival, where, written.results)
    except OSError as error:
        where, moved, results = "", arrival.path, written.results
        message = messages.cannot_be_moved(arrival.path.name, reason(error))
        trouble = trouble or BatchOrdersError(message, hint=messages.how_to_move())
    return Worked(
        path=arrival.path,
        where=where,
        moved=moved,
        results=results,
        exit_code=report.exit_code if where else BatchOrdersError.exit_code,
        report=report,
        error=trouble,
    )


def _where(report: Report) -> str:
    """Where a sheet goes whose run ended like this."""
    if any(report.counts[status.value] for status in _GO_LATER):
        return WAITING
    return DONE if report.exit_code == EXIT_DONE else ATTENTION


def _findings_of(error: BatchOrdersError) -> str:
    """What is wrong with the sheet's columns, a line each."""
    findings = error.findings if isinstance(error, SheetError) else ()
    return "\n".join(f"  {finding.told}" for finding in findings)  # type: ignore[attr-defined] # errors import nothing


# As people and scripts read it ------------------------------------------------------------------------------------


def lines(done: Outcome) -> list[str]:
    """A line for each sheet: where it went, and how it stands."""
    return [messages.line(w.path.name, w.where or str(w.path.parent), _in_words(w)) for w in done.worked]


def _in_words(worked: Worked) -> str:
    if worked.report is None or not worked.where:
        return worked.error.message if worked.error else ""
    counts = worked.report.counts
    return ", ".join(f"{counts[s.value]:,} {s.value}" for s in RowStatus if counts[s.value]) or "no rows"


def document(done: Outcome, folder: Path) -> dict[str, Any]:
    """What `--json` says: each sheet as `submit` would say it, with where it is now."""
    return {
        "command": "inbox",
        "input": str(folder),
        "exit_code": done.exit_code,
        "error": _error(done.error),
        "sheets": [
            {
                "input": str(worked.path),
                "moved_to": str(worked.moved),
                "where": worked.where or None,
                "results": str(worked.results) if worked.results and worked.report else None,
                "run_id": worked.report.run_id if worked.report else None,
                "exit_code": worked.exit_code,
                "error": _error(worked.error),
                "counts": dict(worked.report.counts) if worked.report else None,
                "notes": list(worked.notes),
            }
            for worked in done.worked
        ],
        "left": [str(path) for path in done.left],
    }


def _error(error: BatchOrdersError | None) -> dict[str, Any] | None:
    return {"message": error.message, "hint": error.hint or None} if error else None
