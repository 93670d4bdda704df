"""What somebody is told who did not watch: the message at the end of a job. Nothing here names anybody.

Names, cells and what Device Hub said stand only in what is passed in (`detail`, `error_detail`), where the settings
allow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.errors import (
    BatchOrdersError,
    LedgerAwayError,
    LedgerError,
    LedgerLoginError,
    LoginLostError,
    LoginRefusedError,
    RunStoppedError,
    SettingsError,
    SheetError,
    TooManyOrdersError,
    UnreachableError,
    UsageError,
)
from batch_orders.messages.outcomes import STATUS_MEANINGS
from batch_orders.messages.runs import count, installing
from batch_orders.models import RowStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

_TITLES = {
    0: "all is well",
    1: "failed",
    2: "the settings or the account are wrong",
    3: "a sheet cannot be ordered from",
    4: "some rows need a person",
    5: "an order's end is unknown",
    6: "stopped early",
}
# The first that fits an error is told of it: its own words could quote a cell, or what Device Hub said.
_ERRORS: tuple[tuple[type[BaseException], str], ...] = (
    (SheetError, "The sheet cannot be read, so nothing of it was ordered."),
    (TooManyOrdersError, "The sheet would place more orders than max_orders allows, so nothing of it was ordered."),
    (LoginRefusedError, "Device Hub refuses the login or the account."),
    (SettingsError, "A setting is missing or wrong."),
    (LedgerAwayError, "The database that holds the ledger cannot be reached, so nothing was sent."),
    (LedgerLoginError, "The database that holds the ledger refuses the user or the password, so nothing was sent."),
    (LedgerError, "The ledger is missing, not the one of this account, or not to be used as it is."),
    (UsageError, "Something in the settings, or in how the command was called, is wrong."),
    (LoginLostError, "Device Hub no longer accepted the login, so the run stopped."),
    (UnreachableError, "Device Hub could not be reached, or kept failing, so the run stopped."),
    (RunStoppedError, "The run stopped early."),
    (BatchOrdersError, "Something went wrong on this machine."),
    (KeyboardInterrupt, "The job was interrupted."),
)
# For these the exit code says too little: the subject, and what to do next.
_BY_ERROR: tuple[tuple[type[BaseException], str, str], ...] = (
    (
        LedgerAwayError,
        "the ledger's database cannot be reached",
        "look whether the database server runs and can be reached from there. Nothing is lost: the next run goes on.",
    ),
    (
        TooManyOrdersError,
        "a sheet would place more than max_orders allows",
        "if that is right, allow more with the setting max_orders (or --max-orders), and run it again.",
    ),
    (
        LedgerLoginError,
        "the ledger's database refuses the login",
        "check the user in the setting `ledger`, and the password (or PGPASSWORD, or ~/.pgpass); then run it again.",
    ),
)
_SETTLE = "look the unknown orders up at Device Hub; `batch-orders status` lists them, and says how to settle them. "
_NEXT_IN_INBOX = {
    3: "do what the messages in the results file say there, then put that file into {folder}.",
    4: "do what the messages in the results file say there, then put that file into {folder}.",
    5: _SETTLE + "Then put the sheet into {folder} again.",
    6: "nothing, if this is the first time: the next run goes on where this one stopped, and nothing is sent twice.",
}
_NEXT_WHILE_WAITING = {
    4: "do what the messages in the results file say there, then put that file into {folder}, and take the sheet out "
    "of {folder}/waiting: it is tried again by itself, and what waits in it is in that file too.",
    5: _SETTLE + "The sheet waits in {folder}/waiting, and the next run goes on with it by itself.",
}
_NEXT_AFTER_FAILURE = {
    1: "read what the job printed (cron's mail, the journal): it says what was and was not done. Then run it again; "
    "nothing is sent twice.",
    2: "read what the job printed (cron's mail, the journal), mend that, and run it again.",
}


_UNTOUCHED = "The orders and the exit code are not touched by that."


def title(exit_code: int, error: BaseException | None) -> str:
    """The subject; `error` is what ended the job, if anything did."""
    by_error = next((title for kind, title, _ in _BY_ERROR if isinstance(error, kind)), "")
    return f"batch-orders: {by_error or _TITLES.get(exit_code, _TITLES[1])}"


def title_of_a_warning() -> str:
    """The subject where everything was ordered, and something is worth a look."""
    return "batch-orders: something to look at"


def title_of_a_reminder(unknown: int) -> str:
    """The subject where the job went well, and orders of earlier jobs still wait for a person."""
    wait = "waits" if unknown == 1 else "wait"
    return f"batch-orders: {count(unknown, 'order')} of unknown end still {wait} for a person"


def title_of_queued() -> str:
    """The subject where nobody waited for the workers."""
    return "batch-orders: the orders are queued for the workers"


def worked_through(folder: Path, sheets: int, needing: int) -> str:
    """How an inbox job went, in a sentence."""
    if not sheets:
        return f"No sheet was worked through in {folder}."
    needs = f"; {needing:,} of them {'needs' if needing == 1 else 'need'} a person" if needing else ""
    return f"{count(sheets, 'sheet')} worked through in {folder}{needs}."


def not_reached(sheets: int) -> str:
    """Sheets whose turn did not come."""
    return f"{count(sheets, 'sheet')} not reached: the next run looks at {'it' if sheets == 1 else 'them'} again."


def sheet(name: str, where: str) -> str:
    """One sheet, and which of the inbox's folders it is in now ("" where it has not moved)."""
    return f"{name or 'A sheet'}{f' → {where}' if where else ''}"


def counts(found: Mapping[str, int]) -> str:
    """A sheet's rows by status, in a few words: for a sheet that needs nobody, and for a monitor."""
    told = [f"{found[status.value]:,} {status.value}" for status in RowStatus if found.get(status.value)]
    return ", ".join(told) or "no rows"


def status(name: RowStatus, rows: int) -> str:
    """How many rows have a status, and what that means."""
    return f"- {count(rows, 'row')} {name.value}: {STATUS_MEANINGS[name]}"


def detail(row: int, email: str, message: str) -> str:
    """A row that needs a person, where people may be named."""
    return f"- row {row}{f', {email}' if email else ''}: {message}"


def more(number: int) -> str:
    """Lines that were left out."""
    return f"- … and {number:,} more"


def more_sheets(number: int) -> str:
    """Sheets that were left out."""
    return f"… and {count(number, 'more sheet')}."


def error(found: BaseException) -> str:
    """What stopped a sheet or the whole job, without its own words."""
    said = next((text for kind, text in _ERRORS if isinstance(found, kind)), "Unexpected failure: a bug.")
    # What is about a sheet stands in the note beside it, or was printed as well.
    return f"{said} What the job printed says more."


def error_detail(message: str, hint: str) -> str:
    """What stopped a sheet or the whole job, in its own words."""
    return "\n".join(part for part in (message, hint) if part)


def ordered_long_ago() -> str:
    """A warning that is told although everything is ordered."""
    return (
        "Some rows count as ordered because of very old orders: if somebody was hired again, their rows need an order "
        "reference. The results file says which."
    )


def next_in_inbox(exit_code: int, folder: Path, where: str) -> str:
    """What to do next with a sheet that is there in the inbox now; "" where it is the same as everywhere."""
    steps = _NEXT_IN_INBOX | (_NEXT_WHILE_WAITING if where == "waiting" else {})
    return steps.get(exit_code, "").format(folder=folder)


def next_after_failure(exit_code: int) -> str:
    """What to do next where it is not the sheet's fault; "" where it may be."""
    return _NEXT_AFTER_FAILURE.get(exit_code, "")


def next_after_error(exit_code: int, error: BaseException | None) -> str:
    """What to do next where there was no run, or it came to nothing."""
    by_error = next((text for kind, _, text in _BY_ERROR if isinstance(error, kind)), "")
    return (
        by_error
        or _NEXT_AFTER_FAILURE.get(exit_code)
        or {
            3: "mend the sheet, and submit it again.",
        }.get(exit_code, "run it again: it goes on where it stopped, and nothing is sent twice.")
    )


def next_with_note(folder: Path) -> str:
    """What to do next with a sheet that has a note beside it."""
    return f"the note beside it says what is wrong. Mend the sheet, then put it into {folder} again."


def next_after_too_many(folder: Path) -> str:
    """What to do next with a sheet of the inbox that would place more than one run may."""
    return (
        "if that is right, allow more with the setting max_orders (or --max-orders), or divide the sheet; then put it "
        f"into {folder} again."
    )


def with_notes(sheets: int, place: Path, folder: Path) -> str:
    """Sheets that cannot be ordered from, of which nothing more may be said."""
    if sheets == 1:
        return (
            f"A sheet cannot be ordered from, so nothing of it was. It is in {place}, and a note beside it says why "
            f"(it ends in .problem.txt).\nWhat next: mend the sheet, then put it into {folder} again."
        )
    return (
        f"{sheets:,} sheets cannot be ordered from, so nothing of them was. They are in {place}, and a note beside "
        f"each says why (it ends in .problem.txt).\nWhat next: mend the sheets, then put them into {folder} again."
    )


def next_step(text: str) -> str:
    """What to do next."""
    return f"What next: {text[:1].lower()}{text[1:]}"


def results(path: Path, *, is_named: bool) -> str:
    """Where the results are; where it names somebody, only in which folder."""
    return f"Results: {path}" if is_named else f"Results: in {path.parent}, beside the sheet"


def note(path: Path, *, is_named: bool) -> str:
    """Where the note is that says why a sheet cannot be ordered from; where it names somebody, only in which folder."""
    return f"Note: {path}" if is_named else f"Note: in {path.parent}, beside the sheet (it ends in .problem.txt)"


def run(run_id: str) -> str:
    """How to see more of a run."""
    return f"Run: {run_id} (more of it: `batch-orders status {run_id}`)"


def unknown_altogether(number: int, oldest: datetime | None) -> str:
    """Orders in the ledger, of this and earlier jobs, that a person has to settle."""
    since = f" The oldest was sent on {oldest:%Y-%m-%d} at {oldest:%H:%M} UTC." if oldest else ""
    wait, them = ("waits", "it") if number == 1 else ("wait", "them")
    return (
        f"Altogether {count(number, 'order')} of unknown end {wait} for a person.{since} `batch-orders status` lists "
        f"{them}, and says how to settle {them}."
    )


def nobody_is_named() -> str:
    """Why the message is so short."""
    return "This message names nobody: the results file and `batch-orders status` do."


def ping(exit_code: int, found: Mapping[str, int]) -> str:
    """What a monitor shows of a job."""
    return f"exit {exit_code}; rows: {counts(found)}"


# When nobody can be told ------------------------------------------------------------------------------------------


def needs_apprise(setting: str) -> str:
    """`notify` is set, and nothing could be sent."""
    return f"{setting} is set, and the package that sends the messages is not installed, or broken. Nothing was sent."


def how_to_install() -> str:
    """After a package that is missing."""
    return f"Install it: {installing('notify')}. Or take the setting out."


def misunderstood(setting: str, numbers: str) -> str:
    """`notify` has addresses that apprise does not know."""
    return f"{setting}: apprise does not understand {numbers} of its addresses. Nothing was sent."


def how_to_write_addresses() -> str:
    """After an address that apprise does not know. It is never shown: it holds passwords."""
    return (
        "Try each one by itself, as `apprise -vv -b test ADDRESS`, which says what is wrong with it. An address has no "
        "space in it; a character such as @ or / in a password is written %40 or %2F."
    )


def not_told(numbers: str) -> str:
    """Somebody could not be told; the run is what it is."""
    return f"Warning: the message to {numbers} of notify's addresses could not be sent. {_UNTOUCHED}"


def not_told_at_all(kind: str) -> str:
    """Something happened that nobody foresaw."""
    return f"Warning: not everybody could be told how it ended ({kind}). {_UNTOUCHED}"


def not_pinged(host: str) -> str:
    """The monitor did not get every ping."""
    return f"Warning: the monitor at {host} could not be pinged. {_UNTOUCHED}"


def not_written(path: Path, reason: str) -> str:
    """The file of figures could not be written."""
    return f"Warning: {path} could not be written: {reason}. {_UNTOUCHED}"


def numbered(addresses: Sequence[tuple[int, str]]) -> str:
    """Which of several addresses, by number and scheme: "number 2 (slack)". The rest of them is secret."""
    told = ", ".join(f"{number} ({scheme})" for number, scheme in addresses)
    return f"number {told}" if len(addresses) == 1 else f"numbers {told}"
