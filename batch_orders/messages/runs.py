"""What people read about a run as a whole: why it stopped, what it will do, how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages.outcomes import STATUS_MEANINGS
from batch_orders.models import FindingCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_orders.models import RowStatus

_NEXT_STEPS = {
    0: "Nothing: every row of the sheet is taken care of.",
    1: "Read the message above: it says what was and was not done. Then run the same command again.",
    3: "Nothing was sent. Mend the marked cells in the results file, then submit that file.",
    4: "Some rows need a person: do what their messages in the results file say there, then submit that file.",
    5: "Look the unknown orders up at Device Hub; `batch-orders status` says how to settle them.",
    6: "Run the same command again: it goes on where it stopped, and nothing is sent twice.",
}
_NEXT_STEPS_AFTER_CHECK = {
    0: "Everything is fine: submit the sheet to place what is ready.",
    3: "Mend these cells in the sheet and check again (--output FILE writes a copy with the cells marked).",
    4: "Mend what is named above and check again (--output FILE writes a copy with the cells marked), or submit: "
    "the orders that are ready are placed, and the others wait.",
}
_NEXT_STEPS_IN_COPY = {
    3: "Mend what the messages say in {file}, and check or submit that file.",
    4: "Mend what the messages say in {file}, and check or submit that file: the orders that are ready are placed, and "
    "the others wait.",
}


def installing(extra: str) -> str:
    """How the packages of an extra are installed, in the middle of a sentence. The program is in no package index."""
    return f"in the folder of its clone, `.venv/bin/pip install -c constraints.txt -e '.[{extra}]'`"


def line_stopped(unknown: int) -> str:
    """Too many orders ended unknown."""
    which = "An order" if unknown == 1 else f"{unknown} orders in a row"
    return f"{which} ended without proof whether it was placed, so the run stopped before sending more."


def how_to_settle() -> str:
    """What to do with unknown orders."""
    return (
        "Look the unknown orders up at Device Hub (`batch-orders status` lists them). The next run goes on carefully, "
        "one order at a time."
    )


def patience_ended(last: str, waited: float) -> str:
    """Nothing worked for longer than `patience`."""
    return f"The run stopped: nothing could be ordered for {waited:.0f} s. {last}"


def how_to_go_on() -> str:
    """After an early stop."""
    return "Run the same command again later: it goes on where it stopped, and nothing is sent twice."


def how_to_fix_settings() -> str:
    """After a 403, a redirect or a wrong path."""
    return "Check base_url and the account's rights, then submit the sheet again."


def login_lost() -> str:
    """Two refusals of one order with different tokens."""
    return "Device Hub no longer accepts the login, also after a new one; the run stopped."


def how_to_fix_login() -> str:
    """After a lost login."""
    return "Check client_id and client_secret with the vendor, then submit the sheet again."


def waiting(last: str, seconds: float) -> str:
    """A pause in sending."""
    return f"{last} Trying again in {seconds:.0f} s."


def interrupted() -> str:
    """SIGINT or SIGTERM."""
    return "Interrupted: nothing new was sent; orders that were on their way were finished."


def declined() -> str:
    """The person said no at the prompt."""
    return "Nothing was sent: you did not confirm."


def limit_reached(limit: int) -> str:
    """`--limit` was reached."""
    return f"Stopped after --limit {limit}; the rest was not sent."


def others_busy() -> str:
    """Another live run did not finish with some orders."""
    return "Another run still has some of these orders in hand."


def too_many(found: int, allowed: int) -> str:
    """More orders than max_orders."""
    return f"The sheet would place {found} orders, more than max_orders allows ({allowed}). Nothing was sent."


def how_to_allow_more() -> str:
    """After max_orders."""
    return "If that is right, allow it with --max-orders, or place a few first with --limit."


def status_line(status: RowStatus, rows: int, orders: int, reasons: Sequence[str] = ()) -> str:
    """How many rows (and orders) have a status, and what it means; `reasons` are why, where that differs."""
    people = f" ({count(orders, 'order')})" if orders else ""
    return f"{count(rows, 'row')}{people}: {'; '.join(reasons) or STATUS_MEANINGS[status]}"


def why_held(code: FindingCode | None) -> str:
    """Why rows that are fine in themselves are held: a guard's finding, or (None) another row of their order."""
    match code:
        case None:
            return "fine in itself, but another row of the order is not"
        case FindingCode.UNKNOWN_HISTORY:
            return "the sheet says that it was ordered, and this ledger does not know of it"
        case _:
            return "looks like something ordered already, or twice in the sheet"


def next_step(exit_code: int, *, is_check: bool) -> str:
    """What a person does after a run that ended with this exit code."""
    if is_check and exit_code in _NEXT_STEPS_AFTER_CHECK:
        return _NEXT_STEPS_AFTER_CHECK[exit_code]
    return _NEXT_STEPS[exit_code]


def next_step_while_waiting() -> str:
    """All is well, and some rows wait for their dates."""
    return (
        "Nothing yet: rows that wait are ordered by the first run on or after their day (their messages name it). "
        "Submit the sheet again then, or leave it in an inbox; nothing is sent twice."
    )


def next_step_in_copy(exit_code: int, file: str) -> str:
    """What a person does after a `check` that wrote a copy with the cells marked; "" where that changes nothing."""
    return _NEXT_STEPS_IN_COPY.get(exit_code, "").format(file=file)


def next_step_in_sandbox(exit_code: int) -> str:
    """What a person does after a run whose ledger is thrown away; "" where that changes nothing."""
    mend = "Some rows need a person: do what their messages in the results file say. "
    return {4: mend + sandbox_forgets(), 5: sandbox_forgets(), 6: sandbox_forgets()}.get(exit_code, "")


def sandbox_forgets() -> str:
    """A --sandbox without --ledger."""
    return (
        "The sandbox forgets everything when it ends; to go on or to settle, add --ledger try.sqlite to each command."
    )


def next_step_after_limit() -> str:
    """--limit was reached, and nothing else is the matter."""
    return "Run it again without --limit: the rest is sent, and nothing twice."


def next_step_after_no(*, is_all_fine: bool) -> str:
    """The person said no at the question."""
    return f"Nothing was sent. {'Run' if is_all_fine else 'Mend the cells above, or run'} it again and answer y."


def next_step_for_old_run() -> str:
    """`results` of a run that stopped early."""
    return "Submit the sheet again: it goes on where it stopped, and nothing is sent twice."


def count(number: int, thing: str) -> str:
    """1 order, 2 orders, 1,204 orders."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def no_ledger() -> str:
    """`check` without a ledger."""
    return "none yet, so nothing counts as ordered before (`batch-orders init` makes one)"


def interrupting() -> str:
    """The first interrupt."""
    return "Stopping: no new orders; finishing those on their way (interrupt again to leave at once) …"


def bug(kind: str) -> str:
    """Something happened that nobody foresaw."""
    return f"Unexpected failure ({kind}): nothing new was sent; orders that were on their way were finished."


def cannot_release(name: str, found: int) -> str:
    """`--release` that names no order of the sheet, or several."""
    many = "no order" if found == 0 else f"{found} orders"
    return f"--release {name}: the sheet has {many} with this id. Nothing was sent."


def how_to_release() -> str:
    """How to find an order's id."""
    return "The id is in `batch-orders check FILE --json`, and beside the order in the list of what is held."


def no_ledger_note() -> str:
    """`check` without a ledger, for whoever does not see the summary."""
    return "There is no ledger yet, so nothing counts as ordered before."


def how_to_adopt() -> str:
    """After a file that is no results file."""
    return "Name results files that `submit` wrote: they end in .results.csv or .results.xlsx."


def results_not_written(folder: Path, reason: str, *, is_run: bool) -> str:
    """The results sheet could not be written; in a run, after its orders."""
    kept = " Everything that was ordered is in the ledger; only this file is missing." if is_run else ""
    return f"The results could not be written in {folder}: {reason}.{kept}"


def how_to_write_results(run_id: str | None) -> str:
    """After results that could not be written."""
    again = f"run `batch-orders results {run_id} --output PATH`" if run_id else "run the same command again"
    return f"Make room or choose another place, then {again}."


def plain_results(reason: str = "") -> tuple[str, str]:
    """The summary's line where the results could not stand in the person's own workbook."""
    has = f"it has {reason}" if reason else "it is laid out in an unusual way"
    return _plain(f"{has}, and so could not be added to safely")


def other_workbook(suffix: str) -> tuple[str, str]:
    """The summary's line where the person's own workbook is in a format that is read, but not written."""
    return _plain(f"it is an .{suffix} file, and results are written as .xlsx")


def _plain(why: str) -> tuple[str, str]:
    text = (
        "These results stand in a plain workbook, with your rows but without your other sheets, formulas and formats: "
        f"{why}. Your own file is as it was."
    )
    return ("Layout", text)
