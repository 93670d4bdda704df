"""What people read about the ledger and the account."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from batch_orders.messages.forgetting import sheet_of, whom
from batch_orders.messages.runs import count, installing
from batch_orders.models import OrderState, VerdictKind, order_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batch_orders.models import Remembered, RunRecord
    from batch_orders.places import LedgerPlace


def missing(place: LedgerPlace) -> str:
    """There is no ledger where the settings say."""
    return f"There is no ledger at {place}. Without one the program would forget what it has ordered; nothing was sent."


def how_to_init() -> str:
    """What to do where there is no ledger."""
    return "Run `batch-orders init` once for the account, or point the setting `ledger` at the one you have."


def how_to_replace() -> str:
    """What to do where something stands that is no ledger, or not any more."""
    return (
        "If it was the account's ledger, it is damaged: restore it from the last backup, since a new one would order "
        "everything again. Where there is no backup, move it out of the way: the next command then says how to go on. "
        "If it is something else, point the setting `ledger` at the one you have, or at a place where nothing is yet."
    )


def lost(place: LedgerPlace) -> str:
    """There was a ledger where the settings say, and it is gone."""
    return (
        f"There was a ledger at {place}, and it is gone: what stands beside it is still there. Without it the program "
        "would order everything again that it has ordered; nothing was sent."
    )


def how_to_restore() -> str:
    """What to do after a ledger that is gone: in this order."""
    return (
        "Restore it from the last backup; where there is one, it says what is missing in it. Only if it is lost for "
        "good: `batch-orders init --new`, and then `batch-orders ledger adopt RESULTS…` with every results file that "
        "there is, before anything is submitted. (If it was only moved, point the setting `ledger` at it.)"
    )


def exists(place: LedgerPlace) -> str:
    """`init`: something is there already."""
    what = "file" if isinstance(place, Path) else "ledger"
    return f"There is a {what} at {place} already; it was not touched."


def how_to_go_on() -> str:
    """`init` where a ledger exists."""
    return "If it is this account's ledger, it is ready: go on with `batch-orders check FILE`."


def not_writable(path: Path, error: OSError) -> str:
    """The ledger's place cannot be written."""
    return f"The ledger cannot be written at {path}: {error.strerror or type(error).__name__}."


def how_to_place() -> str:
    """Where a ledger could go."""
    return "Choose a place that you may write to, with --ledger or the setting `ledger`."


def not_a_ledger(place: LedgerPlace) -> str:
    """The file is something else."""
    return f"{place} is not a ledger of batch-orders; it was not touched."


def other_version(place: LedgerPlace, found: int, ours: int) -> str:
    """The ledger's schema is another one."""
    which = "a newer version of the program" if found > ours else "an older version of the program"
    return (
        f"The ledger {place} is {which}'s: its schema version is {found}, and this program works with {ours}. "
        "It was not touched, and nothing was sent."
    )


def how_to_match_versions(found: int, ours: int) -> str:
    """After a ledger of another schema version."""
    if found > ours:
        return "Use the version of batch-orders that it belongs to, or a newer one."
    return "Back the ledger up, then run `batch-orders ledger upgrade`. From then on older versions refuse it."


def not_durable(place: LedgerPlace) -> str:
    """The database does not do what makes commits durable."""
    where = "on this file system" if isinstance(place, Path) else "by this server"
    return f"The ledger {place} cannot be written durably {where}; nothing was sent."


def how_to_sync() -> str:
    """After a server whose commits are not durable."""
    return "Set `fsync = on` in the server's postgresql.conf: an order that it forgets would be sent again."


def failed(place: LedgerPlace, reason: str) -> str:
    """A read or write failed."""
    return f"The ledger {place} cannot be read or written ({reason})."


def in_use(place: LedgerPlace, run_id: str) -> str:
    """`ledger upgrade` or `ledger copy` while a run is alive."""
    return f"The run {run_id} is using the ledger {place}; nothing was changed."


def how_to_await_run() -> str:
    """After a ledger that is in use."""
    return "Wait until it has ended (`batch-orders status`), or interrupt it; then run the same command again."


def upgraded(place: LedgerPlace, found: int, now: int) -> str:
    """`ledger upgrade`."""
    if found == now:
        return f"The ledger {place} has schema version {now} already; nothing was changed."
    return f"The ledger {place} now has schema version {now} (it had {found}). Older versions of the program refuse it."


def away(place: LedgerPlace, reason: str) -> str:
    """The database of a ledger cannot be opened."""
    return f"The ledger {place} cannot be opened ({reason}). Nothing was sent."


def how_to_reach() -> str:
    """After a database that cannot be opened, for which there is no better advice."""
    return "Check that the database server runs and can be reached from here, and the setting `ledger`."


def how_to_log_in() -> str:
    """The database refuses the login."""
    return (
        "Check the user in the setting `ledger`, and the password: it stands there, in PGPASSWORD or in a password "
        "file (~/.pgpass)."
    )


def how_to_make_database() -> str:
    """The database, or the schema, does not exist."""
    return "Create it (`createdb NAME`, or CREATE SCHEMA), or mend the setting `ledger`."


def how_to_permit() -> str:
    """The database does not let this user do what the program must."""
    return (
        "The user needs CREATE on the schema for `batch-orders init` and `ledger upgrade`, and is to own the tables: "
        "GRANT CREATE, USAGE ON SCHEMA … TO …"
    )


def pooled(place: LedgerPlace) -> str:
    """A connection pooler answered in the database's place."""
    return (
        f"Between this program and the ledger {place} stands a connection pooler (PgBouncer, say). Through one nobody "
        "can tell whether a run is alive. Nothing was sent."
    )


def how_to_connect_directly() -> str:
    """After a pooler."""
    return "Name the database server itself in the setting `ledger`."


def holds_something_else(place: LedgerPlace, table: str) -> str:
    """`init` in a database that is not empty."""
    return f"There are tables of something else at {place} already ({table}); nothing was touched."


def how_to_use_a_schema() -> str:
    """After a database that is not empty."""
    return "Give the ledger a database, or a schema, of its own: …/database?options=-csearch_path%3Dbatch_orders"


def needs_postgres() -> str:
    """The driver is not installed."""
    return "A ledger in PostgreSQL needs a further package. Nothing was sent."


def how_to_install_postgres() -> str:
    """After a driver that is not installed."""
    return f"Install it: {installing('postgres')}."


def moved(place: LedgerPlace, target: str) -> str:
    """A ledger that was copied to another place."""
    return f"The ledger {place} has moved to {target}: this copy is only to be read. Nothing was sent."


def unfinished(place: LedgerPlace) -> str:
    """A copy of a ledger that `ledger copy` did not finish."""
    return f"At {place} there is a copy of a ledger that was not finished. Nothing is sent with it."


def not_our_copy(place: LedgerPlace, target: LedgerPlace) -> str:
    """`ledger copy`: what was written there is not what was read."""
    return f"The copy at {target} is not what the ledger {place} holds. The ledger is as it was; use it."


def how_to_copy_anew() -> str:
    """After a copy that cannot be used."""
    return (
        "Run `batch-orders ledger copy` again, from the ledger it was made of and to the same place; where that "
        "refuses, take the copy away first (the file, or the schema's tables)."
    )


def how_to_choose_target() -> str:
    """After `ledger copy` to a place that is taken."""
    return "Name a file that does not exist yet, or an empty database or schema."


def copied(place: LedgerPlace, target: LedgerPlace, counts: Mapping[str, int]) -> str:
    """`ledger copy`."""
    return (
        f"The ledger {place} has moved to {target}: {count(counts['orders'], 'order')} and all "
        f"{counts['audit']:,} entries of the audit, proven there.\n"
        "What stays behind is only to be read: nothing more is sent with it.\n"
        "Next: point the setting `ledger` there, on every machine and in every job that uses it."
    )


def how_to_follow() -> str:
    """After a ledger that has moved."""
    return "Point the setting `ledger` there."


def how_to_reconnect() -> str:
    """After a read or write that failed in a database on a server."""
    return "Check that the database server can be reached, then run the same command again: nothing is sent twice."


def how_to_repair() -> str:
    """After a failed read or write."""
    return "Check the disk's space and the file's permissions, then run the same command again: nothing is sent twice."


def claim_lost() -> str:
    """An order is not in the state, or in the hands, that sending it needs."""
    return "An order was taken by another run in the meantime; this run did not send it."


def other_login(place: LedgerPlace, origin: str, known: Sequence[str]) -> str:
    """The settings name another host or login than the account's."""
    if origin in known:
        return (
            f"The ledger {place} belongs to an account at {origin}, which has ordered with another client_id so far "
            "than the settings name. Nothing was sent."
        )
    return (
        f"The ledger {place} belongs to an account that orders at {', '.join(known) or 'no host yet'}; "
        f"the settings name {origin}. Nothing was sent."
    )


def how_to_use_another() -> str:
    """Another login on purpose."""
    return (
        "Check base_url, client_id and ledger. If the same account has a new login or address, "
        "run `batch-orders init --add-login`. If this is a sandbox, give it a ledger of its own: "
        "--ledger sandbox.sqlite."
    )


def mixed(origin: str) -> str:
    """`init --add-login` of a Device Hub on this machine to a real account's ledger, or the other way round."""
    return (
        f"Warning: this ledger now holds a Device Hub on this machine and a real one ({origin} was added). What is "
        "ordered at the one counts as ordered at the other. If one of them is a sandbox, do not go on with this "
        "ledger: restore your copy of it, and give the sandbox one of its own (--ledger sandbox.sqlite)."
    )


def how_to_keep_apart() -> str:
    """After a sandbox and a real Device Hub that would have shared a ledger."""
    return (
        "If this is a sandbox, give it a ledger of its own: --ledger sandbox.sqlite (`batch-orders init --new --ledger "
        "sandbox.sqlite` makes it). For real orders, check base_url and ledger. Only where one account really has "
        "both: `batch-orders init --add-login`."
    )


def sandbox_ledger(place: LedgerPlace) -> str:
    """A sandbox's ledger used for real, or the other way round."""
    return f"The ledger {place} is the sandbox's; real orders need their own. Nothing was sent."


def real_ledger(place: LedgerPlace) -> str:
    """A real account's ledger used with --sandbox."""
    return f"The ledger {place} belongs to a real account; --sandbox does not touch it."


def how_to_choose_a_ledger() -> str:
    """After a sandbox's ledger used for real, or the other way round."""
    return "Give each a ledger of its own: --ledger sandbox.sqlite with --sandbox, and the account's without."


def no_such_run(name: str, found: int) -> str:
    """results, status: which run?"""
    return f"There is no run {name} in the ledger." if found == 0 else f"{found} runs begin with {name}."


def how_to_list_runs() -> str:
    """How to find a run's id."""
    return "`batch-orders status` lists the runs."


def no_report(run_id: str) -> str:
    """A run that ended before it had anything to report."""
    return f"The run {run_id} ended before any order was planned: it has no results, and nothing was sent."


def created(place: LedgerPlace, origin: str, *, had_predecessor: bool) -> str:
    """`init` made a ledger, perhaps where one was before."""
    lost = (
        "There was a ledger here before, and it is gone. What it knew this one does not: before you submit anything, "
        "enter the orders from your results files with `batch-orders ledger adopt RESULTS…`.\n"
    )
    return (
        f"The ledger is at {place}; it remembers every order placed at {origin}.\n"
        "Keep it and back it up: without it the program would not know what was ordered.\n"
        f"{lost if had_predecessor else ''}"
        "Next: `batch-orders check FILE`."
    )


def login_added(place: LedgerPlace, origin: str) -> str:
    """`init --add-login`."""
    return f"The ledger {place} now also orders at {origin} with this login; what was ordered before still counts."


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
        "If there is a ledger, point --ledger at it. If it is lost, run `batch-orders init --new`, and then "
        "`batch-orders ledger adopt` with the results files. If orders were placed by hand only, take those people out "
        "of the sheets first."
    )


def no_such_order(name: str, found: int) -> str:
    """`settle`: which order?"""
    return f"There is no order {name} in the ledger." if found == 0 else f"{found} orders begin with {name}."


def how_to_list_orders() -> str:
    """How to find an order's id."""
    return "`batch-orders status` lists the orders that wait for a person, each with its id."


def number_taken(order_number: str) -> str:
    """`settle --placed` with a number that is known already."""
    return f"The order number {order_number} belongs to another order in the ledger already. Nothing was settled."


def how_to_check_number() -> str:
    """After a number that is taken."""
    return "Look the number up at Device Hub again: each order has one of its own."


def nothing_to_keep() -> str:
    """`settle --keep` of an order that no sheet has changed."""
    return "No sheet holds other contents for this order than what was ordered, so there is nothing to keep."


def how_to_keep() -> str:
    """After `settle --keep` of an order that no run has seen changed."""
    return "Submit the sheet that holds the new contents first: nothing is sent for them, and then they can be kept."


_STATES = {
    OrderState.PLANNED: "planned (waits to be sent by the next run with its sheet)",
    OrderState.SENDING: "sending (a run has it in hand right now)",
    OrderState.ORDERED: "ordered",
    OrderState.REJECTED: "rejected (Device Hub refused it)",
    OrderState.UNKNOWN: "unknown (sent, and no proof either way)",
}


def state(state: OrderState) -> str:
    """How an order stands, in words."""
    return _STATES[state]


def cannot_settle(order: Remembered, verdict: str) -> str:
    """A verdict that does not fit how the order stands."""
    return f"The order is {state(order.state)}; --{verdict.replace('_', '-')} does not fit that. Nothing was settled."


def what_fits(order: Remembered, *, is_by_verdict: bool = False) -> str:
    """Which verdicts fit how the order stands; `is_by_verdict` says that a person's verdict alone made it so."""
    match order.state:
        case _ if order.busy or order.queued_by or order.state is OrderState.SENDING:
            return "It needs no verdict yet: wait for the run to end."
        case OrderState.UNKNOWN:
            return "What fits: --placed NUMBER, if Device Hub has the order, or --not-placed, if it does not."
        case OrderState.ORDERED:
            keep = ", or --keep, if its new contents are right" if order.other_contents is not None else ""
            number = ", or --placed NUMBER, if its number was mistyped" if is_by_verdict else ""
            return f"What fits: --cancelled, if the vendor cancelled it{keep}{number}."
        case OrderState.REJECTED:
            return "It needs no verdict: change the row and submit the sheet, or submit it with --retry-rejected."
        case OrderState.PLANNED if is_by_verdict:
            return (
                "The next run with its sheet SENDS IT AGAIN. If Device Hub has the order after all: --placed NUMBER "
                "takes the mistaken verdict back."
            )
        case _:
            return (
                "The next run with its sheet SENDS IT. If Device Hub has the order all the same, take the order's rows "
                "out of the sheet, and out of every later one: no verdict fits any more."
            )


def audit_broken(place: LedgerPlace, entry: int) -> str:
    """`ledger verify` found a change."""
    return f"The audit of {place} does not hold from entry {entry} on: something was changed, taken out or put in."


def order_differs(place: LedgerPlace, name: str) -> str:
    """`ledger verify`: an order is not what the audit says of it."""
    return f"In {place} the order {name} is not what its audit says: its row was changed, taken out or put in."


def damaged(place: LedgerPlace) -> str:
    """`ledger verify`: the database itself is damaged."""
    return f"The ledger {place} is damaged: the database's own check of it fails."


def how_to_act_on_broken_audit() -> str:
    """After a broken audit."""
    return "Do not order with this ledger. Restore the last good copy, and bring it up to date from results files."


def attempt(at: str, verdict: str | None, evidence: str | None, *, is_plain: bool) -> str:
    """One attempt at an order: when (UTC), and what came back.

    Evidence that is no answer is names of exceptions: they are left out where it is to be plain.
    """
    names = "" if is_plain else f" ({evidence})"
    if evidence is None:
        told = "the program ended before an answer came"
    elif verdict == VerdictKind.NOT_SENT:
        told = f"nothing was sent{names}"
    elif evidence.startswith("HTTP"):
        told = evidence
    elif "Timeout" in evidence:
        told = f"no complete answer within the time limit{names}"
    else:
        told = f"the connection broke, or what came back could not be read{names}"
    return f"{at[:19].replace('T', ' ')} UTC: {told}"


def verdict(at: str, said: str, note: str) -> str:
    """What a person said of an order, and when (UTC)."""
    told = f"settled as {said.replace('_', '-')}"
    return f"{at[:19].replace('T', ' ')} UTC: {told}{f' ({note})' if note else ''}"


def parted(line: str) -> tuple[datetime | None, str]:
    """When an attempt or a verdict was (UTC), and what is told of it; None where a line does not begin with that."""
    moment, _, told = line.partition(" UTC: ")
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC), told
    except ValueError:
        return None, line


def audit_holds(place: LedgerPlace, entries: int) -> str:
    """`ledger verify` found nothing."""
    return (
        f"The audit of {place} holds: {entries} entries, none changed, taken out or put in, and every order is what "
        "they say."
    )


def older_than_mark(place: LedgerPlace, entries: int) -> str:
    """The ledger was restored from an older copy, which may have got entries of its own since."""
    which = f" ({entries} entries are missing)" if entries > 0 else ""
    return (
        f"The ledger {place} is older than its own high-water mark{which}: it was restored "
        "from a copy, and does not know what was ordered since. Nothing was sent."
    )


def how_to_bring_up_to_date() -> str:
    """After a restored ledger."""
    return (
        "Enter what was ordered since from the results files: `batch-orders ledger adopt RESULTS…`. Where nothing "
        "was ordered since: `batch-orders ledger adopt --up-to-date`."
    )


def still_too_old() -> str:
    """`ledger adopt` into a restored ledger, of files that do not show that it is complete now."""
    return (
        "The ledger still sends nothing: it was restored from a copy, and these files do not show that it knows "
        "everything that was ordered since. Enter the results of all later runs; when nothing is missing, say so with "
        "`batch-orders ledger adopt --up-to-date RESULTS…`."
    )


def no_results_file(path: Path) -> str:
    """`ledger adopt` of a sheet without result columns."""
    return f"{path.name} is no results file: it lacks the columns that say what was ordered. Nothing was entered."


def nothing_to_adopt() -> str:
    """`ledger adopt` without files, and without a word on whether anything is missing."""
    return "No results file was named, so nothing was entered."


def how_to_adopt() -> str:
    """After a `ledger adopt` that says too little."""
    return (
        "Name the results files: `batch-orders ledger adopt RESULTS…`. Where a restored ledger misses nothing: "
        "`batch-orders ledger adopt --up-to-date`."
    )


def adoption(counts: Mapping[str, int], conflicts: Sequence[str], *, is_too_old: bool) -> str:
    """What `ledger adopt` did."""
    entered = count(counts["new"], "order")
    lines = [f"{entered} entered, {counts['known']:,} known already, {counts['conflict']:,} left alone."]
    return "\n".join([*lines, *conflicts, *([still_too_old()] if is_too_old else [])])


def at_odds(path: Path, row: int, order_number: str) -> str:
    """An order of a results file that does not fit the ledger, or (without a number) whose rows do not agree."""
    if not order_number:
        return (
            f"{path.name}, row {row}: this order's rows do not agree on one order number, or it was changed after it "
            "was placed. It waits for you now, unless the ledger knows it: look it up at Device Hub, and settle it."
        )
    return (
        f"{path.name}, row {row}: order {order_number} was left alone: the ledger has another number for this order, "
        "another order with this number, or a run has it in hand."
    )


def which_verdict() -> str:
    """`settle` with no verdict, or with several."""
    return "Say one verdict: --placed NUMBER, --not-placed, --cancelled or --keep. Nothing was settled."


def how_to_settle() -> str:
    """After a `settle` that says too little or too much."""
    return "Look the order up at Device Hub first; `batch-orders status` shows what is known of it."


_SETTLED = {
    "placed": "The order for {whom} counts as ordered, under the number {number}.",
    "not_placed": "The order for {whom} was not placed: the next run with its sheet{sheet} WILL SEND IT AGAIN.",
    "cancelled": "The order for {whom} was cancelled: the next run with its sheet{sheet} WILL ORDER IT AGAIN.",
    "keep": "The new contents for {whom} count as ordered; nothing is sent for them.",
}


def settled(verdict: str, order: Remembered, run: RunRecord | None) -> str:
    """What a verdict means from now on; the order is as it stands now, and the run is the one that sent it."""
    sheet = f", {sheet_of(run)}," if run else ""
    told = _SETTLED[verdict].format(whom=whom(order), number=order.order_number, sheet=sheet)
    if order.state is not OrderState.PLANNED:
        return told
    return (
        f"{told}\n"
        "Next: submit that sheet, or its results file, once more; if it came through an inbox, put it into the inbox "
        "again.\n"
        f"If this was a mistake: `batch-orders settle {order_id(order.key)} --placed NUMBER`, before that run."
    )
