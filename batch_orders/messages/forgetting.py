"""What people read of `batch-orders forget`, and of what was forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch_orders.messages.runs import count
from batch_orders.models import Kept, OrderState, order_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from batch_orders.models import Forgettable, Remembered, RunRecord
    from batch_orders.places import LedgerPlace

_STATES = {
    OrderState.ORDERED: "ordered",
    OrderState.REJECTED: "rejected",
    OrderState.PLANNED: "never placed, or cancelled",
}
_KEPT = {
    Kept.UNKNOWN: "{orders} unknown: whoever settles them needs the evidence",
    Kept.IN_HAND: "{orders} in a run's hands, or queued",
    Kept.CHANGED: "{orders} changed since they were placed, and in a sheet since that day: settle them",
    Kept.LATELY: "{orders} sent, settled or in a sheet since that day",
}


# What will go, and what went -------------------------------------------------------------------------------------


def will_go(found: Forgettable) -> str:
    """What `forget` would remove, and what it would keep."""
    if not found:
        return "\n".join([f"Nothing is older than {found.before:%Y-%m-%d} and not forgotten yet.", *_kept_lines(found)])
    lines = [f"Older than {found.before:%Y-%m-%d}, and to lose their personal data:", *_lines(found)]
    return "\n".join([*lines, *_kept_lines(found)])


def gone(found: Forgettable) -> str:
    """What `forget` removed, and what it kept."""
    if not found:
        return "\n".join([f"Nothing older than {found.before:%Y-%m-%d} was left to forget.", *_kept_lines(found)])
    lines = [f"The personal data of what is older than {found.before:%Y-%m-%d} was removed:", *_lines(found)]
    stays = (
        "What was ordered is not ordered again, and look-alikes are still held. Results files, the inbox's folders, "
        "the page's uploads and backups are not the ledger's: they keep theirs until you remove them."
    )
    return "\n".join([*lines, *_kept_lines(found), stays])


def question() -> str:
    """The question before anything is removed."""
    return "Remove it? There is no way back but a backup"


def declined() -> str:
    """The person said no."""
    return "Nothing was removed."


def document(found: Forgettable, *, is_removed: bool, exit_code: int) -> dict[str, Any]:
    """The command's `--json` document."""
    return {
        "command": "forget",
        "exit_code": exit_code,
        "before": found.before.isoformat(),
        "removed": is_removed,
        "orders": {state.value: found.orders.get(state, 0) for state in _STATES},
        "runs": found.runs,
        "sheets": found.sheets,
        "oldest": found.oldest.isoformat() if found.oldest else None,
        "newest": found.newest.isoformat() if found.newest else None,
        "kept": {reason.value: found.kept.get(reason, 0) for reason in Kept},
        "forgotten_earlier": found.earlier,
    }


def _lines(found: Forgettable) -> Iterable[str]:
    total = sum(found.orders.values())
    if total and found.oldest and found.newest:
        told = ", ".join(f"{number:,} {_STATES[state]}" for state, number in found.orders.items() if number)
        yield f"  {count(total, 'order')} ({told}), last changed {found.oldest:%Y-%m-%d} to {found.newest:%Y-%m-%d}"
    if found.runs:
        yield f"  {count(found.runs, 'run')}: the report, the sheet's name, the mapping, who placed it and why"
    if found.sheets:
        yield f"  {count(found.sheets, 'sheet')} that no later run used"


def _kept_lines(found: Forgettable) -> Iterable[str]:
    kept = [
        text.format(orders=count(found.kept[reason], "order"))
        for reason, text in _KEPT.items()
        if found.kept.get(reason)
    ]
    if kept:
        yield "Kept:"
        yield from (f"  {line}" for line in kept)


# Why not ---------------------------------------------------------------------------------------------------------


def not_an_age(problem: str) -> str:
    """`--older-than` that is no length of time; `problem` is to be read after the option's name."""
    return f"--older-than {problem}. Nothing was removed."


def how_to_write_an_age() -> str:
    """After an age that cannot be read, or is out of bounds."""
    return 'Write it like this: --older-than "400 days"'


def too_young(least: timedelta, repeat_days: int) -> str:
    """An age below the least one."""
    why = (
        f"within `repeat_days` ({repeat_days}) what was ordered is compared with every sheet"
        if least.days == repeat_days
        else "what was ordered within that time still counts as the same hire's, and `changed` has to say what differs"
    )
    return f"--older-than has to be at least {least.days} days: {why}. Nothing was removed."


def too_old() -> str:
    """An age that reaches before any ledger."""
    return "--older-than has to be less than 100 years. Nothing was removed."


def nobody_to_ask() -> str:
    """Off a terminal, without --yes."""
    return "Nobody can be asked here, so nothing was removed."


def how_not_to_be_asked() -> str:
    """After a question that could not be asked."""
    return "Add --yes to remove it without asking, or --dry-run to see what would go."


def not_swept(place: LedgerPlace, reason: str) -> str:
    """The rows are blank, but what they held may still stand in the database's unused space."""
    return (
        f"What was to be forgotten is out of the ledger {place}, but its files could not be written anew ({reason}): "
        "what was removed may still stand in their unused space."
    )


def how_to_sweep() -> str:
    """After a database that could not be written anew."""
    return "Mend that (is the disk full? are the tables this user's own?), and run the same command again."


def run_forgotten(run: RunRecord) -> str:
    """`results`, or the page, asked for a run that was forgotten."""
    return (
        f"The personal data of the run {run.run_id} was removed{_on(run)}: its sheet and its results are not known any "
        "more. What it ordered still counts as ordered."
    )


def how_to_look_elsewhere() -> str:
    """After a run that was forgotten."""
    return "If its results file was kept, that is where to look; `batch-orders status RUN` lists the orders' numbers."


# Who and what, where it is not known any more --------------------------------------------------------------------


def sheet_of(run: RunRecord) -> str:
    """The name of a run's sheet."""
    return f"(sheet removed{_on(run)})" if run.forgotten_at else run.input.name


def whose(order: Remembered) -> str:
    """Whose an order is: the e-mail address, or what there is instead of it."""
    return order.email or f"(personal data removed{_on(order)})"


def whom(order: Remembered) -> str:
    """Whom an order is for, in a sentence."""
    return order.email or f"somebody whose personal data was removed{_on(order)} ({order_id(order.key)})"


def contents_gone() -> str:
    """In place of an order's items."""
    return "what was ordered is not known any more"


def _on(what: RunRecord | Remembered) -> str:
    return f" on {what.forgotten_at:%Y-%m-%d}" if what.forgotten_at else ""
