"""The message at the end of a job, as whoever gets it reads it: what happened, where, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from batch_orders.adapters.inbox_folder import WAITING
from batch_orders.errors import BatchOrdersError, TooManyOrdersError
from batch_orders.messages import inboxes, queues, runs, tellings
from batch_orders.models import RowStatus
from batch_orders.stages.report import EXIT_STOPPED
from batch_orders.stages.tell import names_somebody, needs_a_person, ordered_long_ago, rows_in_need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.inbox import Worked
    from batch_orders.models import Report
    from batch_orders.telling.job import Job, Known

# Sheets, and rows of one sheet, that a message lists: it is to be read.
_MOST_SHEETS = 20
_MOST_ROWS = 30
# Where nothing in a sheet is at fault.
_OURS = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`kind` is "success" where nobody has to do anything."""

    title: str
    body: str
    kind: Literal["success", "warning", "failure"]


def message_of(job: Job, known: Known | None, *, with_details: bool) -> Message | None:
    """What there is to say; None where somebody sat there, was asked, and said no."""
    if any(sheet.report is not None and sheet.report.declined for sheet in job.worked):
        return None
    needs = needs_a_person(job.exit_code, None) or any(map(_needs, job.worked))
    unknown = known.unknown if known is not None else 0
    if needs:
        kind: Literal["success", "warning", "failure"] = "failure" if job.exit_code in _OURS else "warning"
    else:  # a nightly job is where orders of earlier nights are remembered
        kind = "warning" if unknown and job.command == "inbox" else "success"
    title = tellings.title(job.exit_code, _ended_by(job) or _worst(job))
    if job.exit_code == EXIT_STOPPED and any(sheet.report and sheet.report.is_handed_over for sheet in job.worked):
        title = tellings.title_of_queued()
    if kind == "warning" and not job.exit_code:
        title = tellings.title_of_a_warning() if needs else tellings.title_of_a_reminder(unknown)
    parts = list(_Telling(job, with_details=with_details).parts())
    if known is not None and unknown:
        parts.append(tellings.unknown_altogether(unknown, known.oldest_unknown))
    if kind != "success" and not with_details:
        parts.append(tellings.nobody_is_named())
    return Message(title=title, body="\n\n".join(parts), kind=kind)


def _ended_by(job: Job) -> BaseException | None:
    """What ended the job before its time, or in place of an outcome."""
    return job.error or (job.outcome.error if job.outcome else None)


def _worst(job: Job) -> BaseException | None:
    """What is the matter with the sheet that the job's exit code is about, where it could not be worked through."""
    return next((sheet.error for sheet in job.worked if sheet.exit_code == job.exit_code), None)


def _needs(sheet: Worked) -> bool:
    return bool(sheet.earlier) or needs_a_person(sheet.exit_code, sheet.report)


@dataclass(frozen=True, slots=True)
class _Telling:
    """The paragraphs of one message."""

    job: Job
    with_details: bool

    @property
    def _is_inbox(self) -> bool:
        return self.job.command == "inbox"

    @property
    def _folder(self) -> Path:
        """Whoever reads it is in another folder."""
        return self.job.path.absolute()

    def parts(self) -> Iterator[str]:
        """A paragraph for the job, one for each sheet that needs somebody, one for those that need nobody."""
        needing = [sheet for sheet in self.job.worked if _needs(sheet) and not self._is_kept_short(sheet)]
        unreadable = [sheet for sheet in self.job.worked if self._is_kept_short(sheet)]
        fine = [sheet for sheet in self.job.worked if not _needs(sheet)]
        if self._is_inbox:
            yield tellings.worked_through(self._folder, len(self.job.worked), len(needing) + len(unreadable))
        for sheet in needing[:_MOST_SHEETS]:
            yield "\n".join(self._in_need(sheet))
        if len(needing) > _MOST_SHEETS:
            yield tellings.more_sheets(len(needing) - _MOST_SHEETS)
        if unreadable:
            yield tellings.with_notes(len(unreadable), unreadable[0].moved.absolute().parent, self._folder)
            yield from (self._earlier(sheet) for sheet in unreadable if sheet.earlier)
        if fine:
            yield "\n".join(self._all_well(sheet) for sheet in fine[:_MOST_SHEETS])
        if len(fine) > _MOST_SHEETS:
            yield tellings.more_sheets(len(fine) - _MOST_SHEETS)
        if stopped := list(self._stopped()):
            yield "\n".join(stopped)

    def _all_well(self, sheet: Worked) -> str:
        counts = sheet.report.counts if sheet.report else {}
        return f"{tellings.sheet(self._name(sheet), sheet.where)}: {tellings.counts(counts)}"

    def _in_need(self, sheet: Worked) -> Iterator[str]:
        yield tellings.sheet(self._name(sheet), sheet.where)
        if (report := sheet.report) is not None:
            yield from (tellings.status(status, report.counts[status.value]) for status in _found(sheet))
            if ordered_long_ago(report):
                yield tellings.ordered_long_ago()
            if report.stopped:
                yield self._why(sheet.exit_code, report)
        if sheet.error is not None:
            yield self._said_of(sheet.error)
        if sheet.earlier:
            yield self._earlier(sheet)
        if sheet.exit_code or not sheet.earlier:
            yield tellings.next_step(self._next(sheet))
        if sheet.results is not None:
            path, is_named = sheet.results.absolute(), bool(self._name(sheet))
            yield (tellings.results if report is not None else tellings.note)(path, is_named=is_named)
        if report is not None and report.run_id is not None:
            yield tellings.run(report.run_id)
        if self.with_details:
            yield from self._rows(sheet)

    def _rows(self, sheet: Worked) -> Iterator[str]:
        rows = rows_in_need(sheet.report) if sheet.report is not None else iter(())
        yield from (tellings.detail(*row) for row in islice(rows, _MOST_ROWS))
        if left := sum(1 for _ in rows):
            yield tellings.more(left)

    def _next(self, sheet: Worked) -> str:
        if sheet.report is None:
            is_too_large = isinstance(sheet.error, TooManyOrdersError)
            return (tellings.next_after_too_many if is_too_large else tellings.next_with_note)(self._folder)
        if (said := _next_after_stop(sheet.exit_code, sheet.report)) is not None:
            return self._as_here(said)
        if self._is_inbox and (said := tellings.next_in_inbox(sheet.exit_code, self._folder, sheet.where)):
            return said
        return tellings.next_after_failure(sheet.exit_code) or runs.next_step(sheet.exit_code, is_check=False)

    def _earlier(self, sheet: Worked) -> str:
        """That sheets of its name wait: for one that may not be named, only where."""
        names = ", ".join(sheet.earlier) if self._name(sheet) else ""
        place = f"{self._folder}/{WAITING}"
        told = inboxes.earlier_of_that_name(len(sheet.earlier), f"{names} in {place}" if names else f"in {place}")
        return f"{told[:1].upper()}{told[1:]}"

    def _why(self, exit_code: int, report: Report) -> str:
        """Why a run stopped. What there is to do about it is said once, as what is next."""
        is_next = _next_after_stop(exit_code, report) is not None
        return self._as_here(report.stopped.removesuffix(report.stop_hint).strip() if is_next else report.stopped)

    def _as_here(self, text: str) -> str:
        """Advice as it holds for this command: an inbox goes on by itself."""
        return inboxes.goes_on_by_itself(text) if self._is_inbox else text

    def _stopped(self) -> Iterator[str]:
        """What ended the job before its time."""
        outcome, error = self.job.outcome, _ended_by(self.job)
        if error is not None:
            yield self._said_of(error)
        if outcome is not None and outcome.left:
            yield tellings.not_reached(len(outcome.left))
        if self.job.error is not None or (error is not None and not self.job.worked):
            yield tellings.next_step(tellings.next_after_error(self.job.exit_code, error))

    def _is_kept_short(self, sheet: Worked) -> bool:
        """Whether nothing can be said of it but where it is: its name may name somebody, and so may its error."""
        is_too_large = isinstance(sheet.error, TooManyOrdersError)
        return sheet.report is None and not is_too_large and not self.with_details

    def _said_of(self, error: BaseException) -> str:
        if self.with_details and isinstance(error, BatchOrdersError):
            return tellings.error_detail(error.message, error.hint)
        return tellings.error(error)

    def _name(self, sheet: Worked) -> str:
        """The sheet's name as it may be told; "" where it may not: somebody in the sheet may be recognised by it.

        What could not be read is not known to name nobody.
        """
        name = sheet.moved.name
        is_nobodys = sheet.report is not None and not names_somebody(name, sheet.report.mapped)
        return name if self.with_details or is_nobodys else ""


def _next_after_stop(exit_code: int, report: Report) -> str | None:
    """What to do about that a run stopped; None where that is the usual."""
    if exit_code != EXIT_STOPPED or report.stop_hint in {"", runs.how_to_go_on()}:
        return None
    return queues.next_step(report.run_id) if report.is_handed_over and report.run_id else report.stop_hint


def _found(sheet: Worked) -> Iterator[RowStatus]:
    counts = sheet.report.counts if sheet.report else {}
    yield from (status for status in RowStatus if counts[status.value])
