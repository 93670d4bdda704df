"""What people read about the ledger and the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def missing(path: Path) -> str:
    """There is no ledger where the settings say."""
    return f"There is no ledger at {path}. Without one the program would forget what it has ordered; nothing was sent."


def how_to_init() -> str:
    """What to do where there is no ledger."""
    return "Run `batch-orders init` once for the account, or point the setting `ledger` at the one you have."


def exists(path: Path) -> str:
    """`init`: something is there already."""
    return f"There is a file at {path} already; it was not touched."


def how_to_go_on() -> str:
    """`init` where a ledger exists."""
    return "If it is this account's ledger, it is ready: go on with `batch-orders check FILE`."


def not_writable(path: Path, error: OSError) -> str:
    """The ledger's place cannot be written."""
    return f"The ledger cannot be written at {path}: {error.strerror or type(error).__name__}."


def how_to_place() -> str:
    """Where a ledger could go."""
    return "Choose a place that you may write to, with --ledger or the setting `ledger`."


def not_a_ledger(path: Path) -> str:
    """The file is something else."""
    return f"{path} is not a ledger of batch-orders; it was not touched."


def other_version(path: Path, found: int, ours: int) -> str:
    """The ledger's schema is another one."""
    return (
        f"The ledger {path} has schema version {found}; this program works with version {ours}. "
        "It was not touched, and nothing was sent: use the program version that it belongs to."
    )


def not_durable(path: Path) -> str:
    """SQLite does not do what makes commits durable."""
    return f"The ledger {path} cannot be written durably on this file system; nothing was sent."


def failed(path: Path, reason: str) -> str:
    """A read or write failed."""
    return f"The ledger {path} cannot be read or written ({reason})."


def how_to_repair() -> str:
    """After a failed read or write."""
    return "Check the disk's space and the file's permissions, then run the same command again: nothing is sent twice."


def claim_lost() -> str:
    """An order is not in the state, or in the hands, that sending it needs."""
    return "An order was taken by another run in the meantime; this run did not send it."


def other_login(path: Path, origin: str, known: Sequence[str]) -> str:
    """The settings name another host or login than the account's."""
    places = ", ".join(known) or "none"
    return (
        f"The ledger {path} belongs to an account that orders at {places}, with another login or host than the "
        f"settings name (now: {origin}). Nothing was sent."
    )


def how_to_use_another() -> str:
    """Another login on purpose."""
    return (
        "Check base_url, client_id and ledger. If the same account has a new login or address, "
        "run `batch-orders init --add-login`."
    )


def sandbox_ledger(path: Path) -> str:
    """A sandbox's ledger used for real, or the other way round."""
    return f"The ledger {path} is the sandbox's; real orders need their own. Nothing was sent."


def real_ledger(path: Path) -> str:
    """A real account's ledger used with --sandbox."""
    return f"The ledger {path} belongs to a real account; --sandbox does not touch it."


def no_such_run(name: str, found: int) -> str:
    """results, status: which run?"""
    return f"There is no run {name} in the ledger." if found == 0 else f"{found} runs begin with {name}."


def how_to_list_runs() -> str:
    """How to find a run's id."""
    return "`batch-orders status` lists the runs."


def no_report(run_id: str) -> str:
    """A run that ended before it had anything to report."""
    return f"The run {run_id} ended before any order was planned: it has no results, and nothing was sent."


def created(path: Path, origin: str) -> str:
    """`init` made a ledger."""
    return (
        f"The ledger is at {path}; it remembers every order placed at {origin}.\n"
        "Keep it and back it up: without it the program would not know what was ordered.\n"
        "Next: `batch-orders check FILE`."
    )


def login_added(path: Path, origin: str) -> str:
    """`init --add-login`."""
    return f"The ledger {path} now also orders at {origin} with this login; what was ordered before still counts."


def question_whether_ordered_before() -> str:
    """`init` on a terminal."""
    return "Was equipment ordered for this account before, with batch-orders or by hand?"


def is_it_new() -> str:
    """`init` off a terminal without --new."""
    return "`init` must know whether equipment was ordered for this account before: those orders would be placed again."


def how_to_say_new() -> str:
    """`init` off a terminal."""
    return "If nothing was ordered before, run `batch-orders init --new`."


def ordered_before() -> str:
    """`init`, and the person says that orders exist."""
    return (
        "No ledger was made: a new one would not know the orders placed before, "
        "and a sheet with those people in it would order for them twice."
    )


def how_to_start_anyway() -> str:
    """What to do with an account that has a history."""
    return (
        "If there is a ledger, point --ledger at it. If orders were placed by hand only, take those people out of the "
        "sheets first; then run `batch-orders init --new`."
    )
