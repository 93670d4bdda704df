"""Where results go: a place found writable before the first order, and a file that is there whole or not at all.

The results are written to a hidden sibling of the wished-for file, which only the user can read (0600), and moved into
place as new_files.py says: nothing is ever overwritten, and a program killed at any step leaves no results file or a
complete one (and perhaps the hidden `.NAME.….tmp`).
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from batch_orders.adapters.new_files import OWNER_ONLY, RESULTS_NAME, SHOWN, move_into_place, reason, write_durably
from batch_orders.adapters.results_csv import render_csv
from batch_orders.errors import BatchOrdersError, UsageError
from batch_orders.messages import runs
from batch_orders.models import SheetKind
from batch_orders.stages.report import needing_work

if TYPE_CHECKING:
    from types import TracebackType

    from batch_orders.models import Report

_FAILED_NAME = re.compile(r"(?P<name>.+)\.failed(?:-[0-9]+)?", re.IGNORECASE | re.DOTALL)
_KINDS = {".csv": SheetKind.CSV, ".xlsx": SheetKind.XLSX}


def results_path(source: Path, kind: SheetKind, output: Path | None) -> Path:
    """Where results of `source` are wished for: `output`, or `NAME.results.xlsx` or `.csv` beside `source`.

    `NAME` is the file's name without its suffix; a results file coming in, `NAME.results-7.xlsx` say, has the same
    NAME. What is there already is not overwritten: the file gets the next free number when it is written.
    UsageError where `output` ends in neither .csv nor .xlsx.
    """
    if output is not None:
        _kind(output)
        return output
    earlier = RESULTS_NAME.fullmatch(source.stem)
    name = earlier["name"] if earlier else f"{source.stem}.results"
    return source.with_name(f"{name}.{kind.results.value}")


def failed_path(results: Path) -> Path:
    """Where the rows that need work go: `NAME.failed.xlsx` (or .csv) beside `NAME.results.xlsx` or any other name."""
    earlier = RESULTS_NAME.fullmatch(results.stem)
    name = earlier["name"].rpartition(".")[0] if earlier else results.stem
    again = _FAILED_NAME.fullmatch(name)
    return results.with_name(f"{again['name'] if again else name}.failed{results.suffix}")


def reserve(path: Path, *, failed_only: bool = False) -> ResultsFile:
    """Make sure, before the first order, that results can be written at `path`; its suffix says in which format.

    With `failed_only`, also those of the rows that need work, in a second file. UsageError (nothing was sent) where
    they cannot.
    """
    results = ResultsFile(path)
    if failed_only:
        try:
            results.also(ResultsFile(failed_path(path)))
        except BaseException:
            results.discard()
            raise
    return results


class ResultsFile:
    """A results file in the making. Leaving its `with` block discards it unless it was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kind = _kind(path)
        self._failed: ResultsFile | None = None
        self.written: Path | None = None
        self.failed: Path | None = None  # where the rows that need work were written, if anywhere
        try:
            if self._kind is SheetKind.XLSX:
                tempfile.gettempdir()  # openpyxl needs one: better to miss it now than after the orders
            _must_fit(path.with_name(f"{path.stem}-99{path.suffix}"))
            self._descriptor, temporary = tempfile.mkstemp(
                prefix=f".{path.name[:SHOWN]}.", suffix=".tmp", dir=path.parent
            )
        except OSError as error:
            raise UsageError(
                f"The results cannot be written in {path.parent.absolute()}: {reason(error)}. Nothing was sent.",
                hint="Choose another place with --output.",
            ) from error
        self._temporary: Path | None = Path(temporary)
        with suppress(OSError):  # a file system without permissions is no reason to stop
            os.fchmod(self._descriptor, OWNER_ONLY)  # mkstemp asks for this, but a umask may have taken some away

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.discard()

    def also(self, failed: ResultsFile) -> None:
        """Write the rows that need work there, when the results are written."""
        self._failed = failed

    def write(self, report: Report) -> Path:
        """Write the whole file, once, and move it into place; the path that it got.

        BatchOrdersError where that fails (a full disk, say); what was ordered is in the ledger all the same.
        """
        if self._temporary is None:
            raise ValueError("this results file was written or discarded already")
        try:
            write_durably(self._descriptor, render(self._kind, report))
            self.written = move_into_place(self._temporary, self._path)
            self._write_failed(report)
        except OSError as error:
            folder = self._path.parent.absolute()
            raise BatchOrdersError(
                runs.results_not_written(folder, reason(error), is_run=report.run_id is not None),
                hint=runs.how_to_write_results(report.run_id),
            ) from error
        finally:
            self.discard()
        return self.written

    def _write_failed(self, report: Report) -> None:
        part = needing_work(report) if self._failed else None
        if self._failed and part:
            self.failed = self._failed.write(part)

    def discard(self) -> None:
        """Remove the temporary file, if it is still there. Any number of times."""
        if self._failed is not None:
            self._failed.discard()
        if self._temporary is None:
            return
        temporary, self._temporary = self._temporary, None
        with suppress(OSError):  # also of closing: some file systems tell only then that they could not write
            os.close(self._descriptor)
        with suppress(OSError):
            temporary.unlink()


def _must_fit(path: Path) -> None:
    """OSError where the file system takes no name like this: the temporary one is shorter, and proves nothing."""
    with suppress(FileNotFoundError):
        path.lstat()


def _kind(path: Path) -> SheetKind:
    """The format that the suffix asks for."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            f"Results are written as .csv or .xlsx; {path.name} ends in neither. Nothing was sent.",
            hint="Give --output a name that ends in .csv or .xlsx.",
        )
    return kind


def render(kind: SheetKind, report: Report) -> bytes:
    """The results as a file's bytes: `kind` is CSV or XLSX."""
    if kind is SheetKind.CSV:
        return render_csv(report)
    # openpyxl takes a while to import, and a CSV file does without it
    from batch_orders.adapters import own_workbook  # noqa: PLC0415
    from batch_orders.adapters.results_xlsx import render_xlsx  # noqa: PLC0415

    came = report.mapped.sheet.kind
    if report.partial or came is SheetKind.CSV or not report.mapped.sheet.content:
        return render_xlsx(report)
    if came is not SheetKind.XLSX:
        return render_xlsx(report, [runs.other_workbook(came.value)])
    try:
        return own_workbook.render(report)
    except own_workbook.UnexpectedLayoutError as error:
        return render_xlsx(report, [runs.plain_results(str(error))])
    except Exception:  # noqa: BLE001 - the orders are placed: whatever is wrong here, their results must be told
        return render_xlsx(report, [runs.plain_results()])
