"""Uploaded sheets and what people did to them, each in a folder of its own that only the owner of the files may read.

    uploads/ID/sheet        the file as it came in, byte for byte
    uploads/ID/draft.json   its name, who brought it, the mended cells, what was chosen, approved and ordered

Names of files come from outside and are shown, never used as paths: IDs are random. A draft is a frozen value; whoever
changes one writes the whole again, so that it is there as before or as after.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from batch_orders.adapters.new_files import write_durably
from batch_orders.adapters.private_files import create_private, replace_private
from batch_orders.models import Cell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

_ID = re.compile(r"[0-9a-f]{32}\Z")
_LONGEST_NAME = 120
_MOST_SAID = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something a person mended, to be undone as one: the cells with what stood there before and stands there now."""

    id: str
    label: str
    cells: tuple[tuple[int, int, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A second person's yes to exactly this: any other fingerprint voids it. `at` is in seconds since the epoch."""

    by: str
    at: float
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A word on whether the sheet may be ordered: "asked", "approved" or "declined", by whom, when, and why."""

    what: str
    by: str
    at: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One uploaded sheet. `version` counts its changes; `uploaded_at` is in seconds since the epoch.

    `mapping` is a mapping file's text ("" without one), `released` are ids of held orders that are sent on purpose,
    `retry_rejected` says that refused ones are sent again; `note` is why. `reason` is what kept the orders back in the
    run that the draft was made of. `said` is what people said of it, the latest last; `runs` are the runs that ordered
    from it.
    """

    id: str
    name: str
    owner: str
    uploaded_at: float
    version: int = 0
    encoding: str | None = None
    sheet_name: str | None = None
    mapping: str = ""
    steps: tuple[Step, ...] = ()
    released: tuple[str, ...] = ()
    retry_rejected: bool = False
    note: str = ""
    reason: str = ""
    asked: bool = False
    approval: Approval | None = None
    said: tuple[Said, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def declined(self) -> Said | None:
        """A second person's no, until it is asked for anew."""
        return self.said[-1] if self.said and self.said[-1].what == "declined" else None

    @property
    def declined_by(self) -> tuple[str, ...]:
        """Everybody who ever said no, each once."""
        return tuple(dict.fromkeys(word.by for word in self.said if word.what == "declined"))

    def asking(self, word: Said) -> Draft:
        """The draft with its question to a second person: what was said before counts no more."""
        return dataclasses.replace(self, asked=True, approval=None, said=(*self.said, word)[-_MOST_SAID:])

    def approved(self, word: Said, fingerprint: str) -> Draft:
        """The draft with a second person's yes to exactly this."""
        approval = Approval(by=word.by, at=word.at, fingerprint=fingerprint)
        return dataclasses.replace(self, approval=approval, said=(*self.said, word)[-_MOST_SAID:])

    def with_no(self, word: Said) -> Draft:
        """The draft with a second person's no: whoever approved it, it is asked for anew."""
        return dataclasses.replace(self, asked=False, approval=None, said=(*self.said, word)[-_MOST_SAID:])

    def releasing(self, order: str, note: str) -> Draft:
        """The draft with a held order sent on purpose, and why; as it is where that was said before."""
        if order in self.released:
            return self
        notes = "; ".join(part for part in (self.note, note) if part)
        return dataclasses.replace(self, released=(*self.released, order), note=notes)

    def holding(self, order: str) -> Draft:
        """The draft with an order held again; where nothing is sent on purpose any more, no note says why it is."""
        released = tuple(each for each in self.released if each != order)
        note = self.note if released or self.retry_rejected else ""
        return dataclasses.replace(self, released=released, note=note)

    @property
    def cells(self) -> Mapping[Cell, str]:
        """What stands in the mended cells now."""
        return {Cell(row, column): after for step in self.steps for row, column, _, after in step.cells}

    def mended(self, label: str, cells: Mapping[Cell, tuple[str, str]]) -> Draft:
        """The draft with these cells changed, each from what it held to what it holds now."""
        changes = tuple((cell.row, cell.column, before, after) for cell, (before, after) in cells.items())
        step = Step(id=secrets.token_hex(4), label=label, cells=changes)
        return dataclasses.replace(self, steps=(*self.steps, step))

    def without(self, step_id: str, *, but_rows: Collection[int] = ()) -> Draft:
        """The draft with one step undone, but for these rows; what was mended later at the same cell stays."""
        steps = []
        for step in self.steps:
            left = tuple(cell for cell in step.cells if step.id != step_id or cell[0] in but_rows)
            if left:
                steps.append(dataclasses.replace(step, cells=left))
        return dataclasses.replace(self, steps=tuple(steps))


def shown_name(name: str) -> str:
    """A file's name as it may be shown and suggested: its last part, in printable characters, and not endless."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    clean = "".join(c for c in last if c.isprintable() and c not in '<>:"/\\|?*').strip(" .")
    if len(clean) > _LONGEST_NAME:
        suffix = PurePath(clean).suffix[:12]
        clean = clean[: _LONGEST_NAME - len(suffix)] + suffix
    return clean or "sheet"


class Drafts:
    """The uploads in a folder."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._folder = folder / "uploads"
        self._clock = clock
        self._lock = threading.RLock()
        # What was read, with the file that it was read from: one that is changed is another file.
        self._known: dict[str, tuple[tuple[int, int], Draft]] = {}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def add(self, name: str, content: bytes, *, owner: str, **chosen: Any) -> Draft:  # noqa: ANN401 - Draft's fields
        """Keep an uploaded file; OSError where the disk does not take it."""
        draft = Draft(id=secrets.token_hex(16), name=shown_name(name), owner=owner, uploaded_at=self._clock(), **chosen)
        place = self._folder / draft.id
        place.mkdir(mode=0o700)
        try:
            with _new_private(place / "sheet") as descriptor:
                write_durably(descriptor, content)
            self._write(draft)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return draft

    def find(self, draft_id: str) -> Draft | None:
        """The draft of this id; None where there is none, or not any more, or where its file makes no sense.

        A damaged file, or one of a later version, costs that sheet, and not the page with all the others.
        """
        if not _ID.match(draft_id):
            return None
        path = self._folder / draft_id / "draft.json"
        try:
            found = path.stat()
            file = (found.st_ino, found.st_mtime_ns)
            known = self._known.get(draft_id)
            if known is None or known[0] != file:
                # A change in between makes it another file than the one that is noted, so that it is read again.
                known = self._known[draft_id] = (file, _read(json.loads(path.read_bytes())))
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._known.pop(draft_id, None)
            return None
        return known[1]

    def content(self, draft: Draft) -> bytes:
        """The file as it was uploaded."""
        return (self._folder / draft.id / "sheet").read_bytes()

    def results_folder(self, draft: Draft) -> Path:
        """Where the results of its runs are written."""
        return self._folder / draft.id

    def change(self, draft_id: str, how: Callable[[Draft], Draft]) -> Draft:
        """Change a draft as it stands now, whoever else does so too; KeyError where it is gone."""
        with self._lock:
            draft = self.find(draft_id)
            if draft is None:
                raise KeyError(draft_id)
            changed = how(draft)
            if changed == draft:
                return draft
            changed = dataclasses.replace(changed, version=draft.version + 1)
            self._write(changed)
            return changed

    def all(self) -> tuple[Draft, ...]:
        """Every draft, the newest first."""
        found = [self.find(place.name) for place in self._folder.iterdir()]
        return tuple(sorted((draft for draft in found if draft), key=lambda draft: -draft.uploaded_at))

    def of_run(self, run_id: str) -> Draft | None:
        """The draft that a run ordered from."""
        return next((draft for draft in self.all() if run_id in draft.runs), None)

    def sweep(self, keep: float, *, but: Collection[str] = ()) -> int:
        """Remove what was uploaded more than `keep` seconds ago, and what a crash left; how many. `but` are ids."""
        swept = 0
        for place in self._folder.iterdir():
            if place.name in but:
                continue
            with contextlib.suppress(OSError):  # what cannot be looked at now is looked at in the next sweep
                draft = self.find(place.name)
                if self._clock() - (draft.uploaded_at if draft else place.stat().st_mtime) > keep:
                    shutil.rmtree(place, ignore_errors=True)
                    self._known.pop(place.name, None)
                    swept += 1
        return swept

    def _write(self, draft: Draft) -> None:
        path = self._folder / draft.id / "draft.json"
        replace_private(path, json.dumps(dataclasses.asdict(draft)).encode())


@contextlib.contextmanager
def _new_private(path: Path) -> Iterator[int]:
    descriptor = create_private(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(parts: Mapping[str, Any]) -> Draft:
    steps = (Step(**{**step, "cells": tuple(map(tuple, step["cells"]))}) for step in parts["steps"])
    return Draft(
        **{
            **parts,
            "steps": tuple(steps),
            "reason": parts.get("reason", ""),  # sheets of older versions have neither this nor what was said
            "released": tuple(parts["released"]),
            "approval": Approval(**parts["approval"]) if parts["approval"] else None,
            "said": tuple(Said(**word) for word in parts.get("said", ())),
            "runs": tuple(parts["runs"]),
        }
    )
