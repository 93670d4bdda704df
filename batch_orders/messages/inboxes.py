"""What people read about the inbox: a folder of sheets that is worked through, by cron usually."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_orders.messages.runs import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def no_folder(folder: Path) -> str:
    """There is no such folder."""
    return f"There is no folder {folder}. Nothing was sent."


def name_a_folder() -> str:
    """After a folder that is not there."""
    return "Name the folder that sheets are dropped into; make it first."


def not_writable(folder: Path, reason: str) -> str:
    """Sheets could not be moved on."""
    return f"The folder {folder} cannot be written in: {reason}. Nothing was sent."


def how_to_open_it() -> str:
    """After a folder that cannot be written in."""
    return "Sheets move to its folders done, attention and waiting: let this user write there."


def beginning(name: str) -> str:
    """A sheet's turn."""
    return f"{name}:"


def still_growing(name: str) -> str:
    """A sheet whose upload is not complete."""
    return f"{name} is still being written; the next run looks at it again."


def has_it(name: str) -> str:
    """Another job has the sheet in hand."""
    return f"{name} is in the hands of another inbox job."


def not_reached(name: str) -> str:
    """The job stopped before this sheet's turn."""
    return f"{name} stays where it is: the job stopped before its turn."


def cannot_be_moved(name: str, reason: str) -> str:
    """A sheet that was worked through, and stays all the same."""
    return (
        f"{name} was worked through, and could not be moved: {reason}. The next run looks at it again; nothing is sent "
        "twice."
    )


def how_to_move() -> str:
    """After a sheet that cannot be moved."""
    return "Look at the folder's rights and its disk."


# What a job that comes again does by itself, where a person would run a command again.
_BY_ITSELF = (
    (re.compile("Run the same command again later: it goes on where it stopped"),
     "The next run goes on where this one stopped"),
    (re.compile(", then submit the sheet again"), "; the next run then goes on with it"),
    (re.compile(" and run the same command again, or submit without --queue"), "; the next run then goes on"),
    (re.compile("run the same command again"), "the next run goes on"),
)  # fmt: skip

# What a note tells somebody who has a folder, and no command line.
_IN_FOLDER = (
    (re.compile(r"Save it as “CSV UTF-8”, or .*", re.DOTALL), "Save it as “CSV UTF-8”, and put that into the inbox."),
    (re.compile(r"Say which one with --sheet NAME\."), "Keep one of them, and put the sheet into the inbox again."),
    (re.compile(r"; or say with --sheet NAME which visible sheet is meant"), ", and put it into the inbox again"),
    (re.compile(r"allow it with --max-orders, or place a few first with --limit"),
     "have the setting max_orders (or --max-orders) raised, or divide the sheet; then put it into the inbox again"),
    (re.compile("run the same command again"), "put the sheet into the inbox again"),
)  # fmt: skip


def in_folder(text: str) -> str:
    """What is to be done about a sheet, by whoever drops it into the inbox."""
    return _in_words(text, _IN_FOLDER)


def goes_on_by_itself(text: str) -> str:
    """What a run says when it stops, where the next job goes on without anybody's doing."""
    return _in_words(text, _BY_ITSELF)


def _in_words(text: str, words: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for by_hand, here in words:
        text = by_hand.sub(here, text)
    return text


def earlier_waits(path: Path, earlier: Sequence[str]) -> str:
    """A sheet was dropped whose name others have that wait."""
    names = ", ".join(f"waiting/{name}" for name in earlier)
    return f"{path.name}: {earlier_of_that_name(len(earlier), names)}"


def earlier_of_that_name(number: int, where: str) -> str:
    """What becomes of sheets that wait, when one of their name is dropped: they may be older states of it."""
    if number == 1:
        return (
            f"an earlier sheet of that name still waits ({where}), and will order by itself. If this one replaces it, "
            "take the earlier one out of waiting/."
        )
    return (
        f"{number:,} earlier sheets of that name still wait ({where}), and will order by themselves. If this one "
        "replaces them, take the earlier ones out of waiting/."
    )


def summary(lines: Iterable[str], worked: int) -> str:
    """What the job did, sheet by sheet."""
    return "\n".join([*lines, f"{count(worked, 'sheet')} worked through."])


def line(name: str, where: str, told: str) -> str:
    """One sheet in the summary."""
    return f"{name} → {where}: {told}"
