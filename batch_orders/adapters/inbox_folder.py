"""A folder that sheets are dropped into: what has arrived, whose turn it is, and where each goes in the end.

    DIR/hires.xlsx                 has arrived
    DIR/waiting/hires.xlsx         was worked through, and some of its rows go later: it is tried again each time
    DIR/done/, DIR/attention/      was worked through, and is all well, or needs a person; its results beside it
    DIR/.inbox/                    locks, and results that are being written

A sheet stays where it is until its results are in place, and is then moved. So a job that is killed at any moment
leaves it to be worked through again, and the ledger sees to it that nothing is ordered twice. Whose turn it is an OS
lock tells, which dies with its process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from batch_orders.adapters.new_files import move_into_place, reason, sync_folder, write_new
from batch_orders.adapters.private_files import replace_private
from batch_orders.adapters.results_writer import results_path
from batch_orders.adapters.sheet_reader import TEXT_SUFFIXES
from batch_orders.errors import UsageError
from batch_orders.messages import inboxes as messages
from batch_orders.models import SheetKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAITING, DONE, ATTENTION = "waiting", "done", "attention"
_OWN = ".inbox"
_SUFFIXES = TEXT_SUFFIXES | {".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods", ".numbers", ".pdf"}
# What programs call a file that they have not finished, or keep open: it is no sheet.
_UNFINISHED = (".", "~$")
# What `_moved`, and the results' own naming, put after a name.
_NUMBER = re.compile(r"-[0-9]+\Z")
_NUMBER_OF_RESULTS = re.compile(r"\.results(-[0-9]+)?\Z", re.IGNORECASE)
_NOTE = ".problem.txt"
_HASH = 24


class Arrival(NamedTuple):
    """A sheet in the folder, or in its `waiting/`; its time (ns) and size tell whether it is still growing."""

    path: Path
    arrived: int
    size: int
    is_waiting: bool


class InboxFolder:
    """One folder. UsageError where it is not there, or cannot be written in.

    A sheet counts as uploaded when it has not changed for `quiet` seconds.
    """

    def __init__(self, folder: Path, *, quiet: float, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._own = folder / _OWN
        self._quiet = quiet
        self._clock = clock
        if not folder.is_dir():
            raise UsageError(messages.no_folder(folder), hint=messages.name_a_folder())
        try:
            for name in (_OWN, WAITING, DONE, ATTENTION):
                (folder / name).mkdir(mode=0o700, exist_ok=True)
            write_new(self._own / "probe", b"").unlink()
        except OSError as error:
            raise UsageError(messages.not_writable(folder, reason(error)), hint=messages.how_to_open_it()) from error

    # What there is ------------------------------------------------------------------------------------------------

    def arrivals(self) -> list[Arrival]:
        """Every sheet that is to be worked through, in the order of arrival: those of `waiting/` came first."""
        results = set(self._results_of_waiting().values())
        waiting = [each for each in self._sheets_in(self.folder / WAITING) if each.path.name not in results]
        found = [*waiting, *self._sheets_in(self.folder)]
        return sorted(found, key=lambda each: (not each.is_waiting, each.arrived, each.path.name))

    def _sheets_in(self, place: Path) -> Iterator[Arrival]:
        for path in place.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another job has moved it on
                found = path.lstat()
                if not _is_named_like_a_sheet(path) or not path.is_file() or path.is_symlink():
                    continue
                if found.st_nlink > 1 and self._has_moved(path):
                    path.unlink()
                    continue
                is_waiting = place != self.folder
                yield Arrival(path=path, arrived=found.st_mtime_ns, size=found.st_size, is_waiting=is_waiting)

    def _has_moved(self, path: Path) -> bool:
        """Whether a job was killed between giving the sheet its new place and taking it out of its old one."""
        places = (self.folder / name for name in (WAITING, DONE, ATTENTION))
        others = (other for place in places if place != path.parent for other in place.iterdir())
        return any(other.samefile(path) for other in others if other.is_file())

    def is_complete(self, arrival: Arrival) -> bool:
        """Whether it is all there: nothing has been written to it for a while. A sheet that has gone is none."""
        try:
            found = arrival.path.stat()
        except FileNotFoundError:
            return False
        if arrival.is_waiting:
            return True
        is_same = (found.st_mtime_ns, found.st_size) == (arrival.arrived, arrival.size)
        age = self._clock() - found.st_mtime
        # A time in the future tells nothing: such a file is told by not changing from one look to the next.
        return is_same and (age >= self._quiet or age < 0)

    def earlier_versions(self, arrival: Arrival) -> list[str]:
        """The sheets in `waiting/` of the same name as one that was dropped, which may be an older state of it.

        A name counts whatever its type, with the number that a second sheet of its name gets ("starts-2.csv"), and a
        mended results file as its sheet. Whether one replaces the other nobody but a person knows.
        """
        if arrival.is_waiting:
            return []
        name = _NUMBER_OF_RESULTS.sub("", arrival.path.stem).casefold()
        results = set(self._results_of_waiting().values())
        waiting = [each.path for each in self._sheets_in(self.folder / WAITING) if each.path.name not in results]
        same = (path for path in waiting if name in {path.stem.casefold(), _NUMBER.sub("", path.stem).casefold()})
        return sorted(path.name for path in same)

    # Whose turn it is ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def taken(self, arrival: Arrival) -> Iterator[bool]:
        """Whether the sheet is ours for as long as the block lasts: another job may have it, or have had it."""
        lock = FileLock(self._own / f"{_key(arrival)}.lock", mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            yield False
            return
        try:
            for left in self._own.glob(f"{_key(arrival)}.results*"):
                left.unlink()  # a job that was killed had begun them
            yield arrival.path.is_file()
        finally:
            lock.release()

    def results_being_written(self, arrival: Arrival) -> Path:
        """Where its results are written until it is known where they go."""
        return self._own / f"{_key(arrival)}.results{_results_suffix(arrival.path)}"

    # Where it goes ------------------------------------------------------------------------------------------------

    def put_away(self, arrival: Arrival, where: str, results: Path | None) -> tuple[Path, Path | None]:
        """Move a sheet, and before it its results, to one of the folders; where they are then."""
        self._forget_note(arrival.path.name)
        name = _results_name(arrival.path)
        if where == WAITING:
            return self._keep_waiting(arrival, results, name)
        kept = _moved(results, self.folder / where / name) if results is not None else None
        moved = _moved(arrival.path, self.folder / where / arrival.path.name)
        if arrival.is_waiting:
            self._forget_waiting(arrival.path.name)
        return moved, kept

    def explain(self, arrival: Arrival, text: str) -> tuple[Path, Path]:
        """Put a sheet that cannot be worked through where a person looks, with a note beside it."""
        place = self.folder / ATTENTION
        self._forget_note(arrival.path.name)
        note = write_new(place / f"{arrival.path.name}{_NOTE}", f"{text}\n".encode())
        moved = _moved(arrival.path, place / arrival.path.name)
        if arrival.is_waiting:
            self._forget_waiting(arrival.path.name)
        return moved, note

    def _forget_note(self, name: str) -> None:
        """The note about a sheet that was taken out of `attention/`, and has had another turn."""
        place = self.folder / ATTENTION
        if not (place / name).exists():
            (place / f"{name}{_NOTE}").unlink(missing_ok=True)

    def _keep_waiting(self, arrival: Arrival, results: Path | None, name: str) -> tuple[Path, Path | None]:
        """In `waiting/` a sheet has one results file, always the newest: it may be tried for weeks."""
        place = self.folder / WAITING
        moved = arrival.path if arrival.is_waiting else _moved(arrival.path, place / arrival.path.name)
        if results is None:
            return moved, None
        with self._waiting_list() as known:
            kept = place / known.get(moved.name, name)
            number = 2
            while moved.name not in known and kept.exists():
                kept = place / f"{Path(name).stem}-{number}{Path(name).suffix}"
                number += 1
            known[moved.name] = kept.name  # before it is there: it must never look like a sheet
        results.replace(kept)
        sync_folder(place)
        return moved, kept

    def _forget_waiting(self, name: str) -> None:
        """The sheet is not in `waiting/` any more; newer results stand beside it where it is."""
        with self._waiting_list() as known:
            results = known.get(name)
            if results is not None:
                (self.folder / WAITING / results).unlink(missing_ok=True)
                del known[name]

    @contextlib.contextmanager
    def _waiting_list(self) -> Iterator[dict[str, str]]:
        """Which results in `waiting/` belong to which sheet, to be changed by one job at a time."""
        with FileLock(self._own / "waiting.lock", mode=0o600):
            known = self._results_of_waiting()
            yield known
            replace_private(self._own / "waiting.json", json.dumps(known).encode())

    def _results_of_waiting(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads((self._own / "waiting.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found


def _is_named_like_a_sheet(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(_UNFINISHED)


def _key(arrival: Arrival) -> str:
    """The same for every job that looks at this sheet."""
    name = f"{'waiting/' if arrival.is_waiting else ''}{arrival.path.name}"
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:_HASH]


def _results_suffix(path: Path) -> str:
    return ".csv" if path.suffix.lower() in TEXT_SUFFIXES else ".xlsx"


def _results_name(path: Path) -> str:
    """What `submit` would call its results; where the sheet is such a file itself, the next of its names."""
    kind = SheetKind.CSV if path.suffix.lower() in TEXT_SUFFIXES else SheetKind.XLSX
    wished = results_path(Path(path.name), kind, None)
    return wished.name if wished.name != path.name else f"{wished.stem}-2{wished.suffix}"


def _moved(source: Path, wished: Path) -> Path:
    """Move a file to the first free name, never over another; where it is then."""
    final = move_into_place(source, wished)
    source.unlink(missing_ok=True)
    sync_folder(source.parent)
    return final
