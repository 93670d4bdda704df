"""What the page says: sentences that a person would say. What others say is told there by `on_page`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages.on_page import Button, as_answered, on_page, what_happened
from batch_orders.messages.runs import count
from batch_orders.messages.sheets import size
from batch_orders.models import RowStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import RunRecord

__all__ = ["Button", "as_answered", "on_page", "what_happened"]

_LONGEST_SHOWN = 40

# Colour never stands alone: each status and severity has a sign of its own.
SIGNS: dict[RowStatus, str] = {
    RowStatus.ALREADY_ORDERED: "✓",
    RowStatus.UNKNOWN: "?",
    RowStatus.INVALID: "✕",
    RowStatus.CHANGED: "‖",
    RowStatus.HELD: "‖",
    RowStatus.WAITING: "…",
    RowStatus.READY: "✓",
    RowStatus.ORDERED: "✓",
    RowStatus.REJECTED: "✕",
    RowStatus.NOT_SENT: "…",
}
NAMES: dict[RowStatus, str] = {status: status.value.replace("_", " ") for status in RowStatus}


def unexpected(kind: str) -> str:
    """A bug, told without anybody's data."""
    return f"Something went wrong that nobody foresaw ({kind}). Nothing was sent by this page. The log has the place."


# A sheet that is looked through ---------------------------------------------------------------------------------


def ready_headline(ready: int, orders: int, *, done: int, asides: bool) -> str:
    """Where a sheet stands, in one sentence."""
    if not orders:
        return "No row of this sheet is an order yet"
    if done == orders and not asides:
        return "Everything in this sheet is ordered already"
    rest = orders - done
    if ready == rest and ready:
        return "The order is ready" if rest == 1 else f"All {rest:,} orders are ready"
    if ready:
        return f"{ready:,} of {count(rest, 'order')} {'is' if ready == 1 else 'are'} ready"
    return "No order is ready yet"


def what_it_means(*, ready: int, waiting: int, done: int, unsettled: int, dated: int) -> str:
    """What the state of a sheet means for its people."""
    parts = []
    if waiting:
        people = "One person waits" if waiting == 1 else f"{_number(waiting)} people wait"
        rows = "until the rows below are mended"
        everybody = "; everybody else can be ordered for now" if ready else ""
        parts.append(f"{people} {rows}{everybody}.")
    elif ready:
        parts.append("Nothing is ordered before you confirm.")
    if done:
        parts.append(f"{count(done, 'order').capitalize()} {'was' if done == 1 else 'were'} placed before.")
    if dated:
        parts.append(f"{count(dated, 'order').capitalize()} {'waits' if dated == 1 else 'wait'} for a start date.")
    if unsettled:
        them = "is" if unsettled == 1 else "are"
        parts.append(f"{count(unsettled, 'order').capitalize()} {them} to be settled first.")
    return " ".join(parts)


def _number(number: int) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return words[number] if number < len(words) else f"{number:,}"


def seconds_left(seconds: float) -> str:
    """How long something still takes, as a person would say it."""
    if seconds < 1:
        return "about a second"
    if seconds < 90:  # noqa: PLR2004 - from here on minutes are said
        return f"about {count(round(seconds), 'second')}"
    if seconds < 5400:  # noqa: PLR2004 - from here on hours are said
        return f"about {count(round(seconds / 60), 'minute')}"
    return f"about {seconds / 3600:.1f} hours"


def place_sentence(orders: int, items: int, countries: int, host: str) -> str:
    """The plain sentence that a person says yes to."""
    where = "1 country" if countries == 1 else f"{countries:,} countries"
    return f"Place {count(orders, 'order')}, {count(items, 'item')}, to {where}, at {host}"


def other_than_seen() -> str:
    """The plan at the moment of ordering was not the one that was confirmed."""
    return (
        "What would have been ordered is not what you confirmed: the sheet, the stock or the orders placed meanwhile "
        "have changed. Nothing was sent. Look at it once more."
    )


def ended_headline(ordered: int, tried: int, *, unknown: int, refused: int, left: int) -> str:
    """How a run ended, in one sentence."""
    if not tried:
        return "There was nothing to order"
    if ordered == tried:
        return "The order is placed" if tried == 1 else f"All {tried:,} orders are placed"
    verb = "is" if 1 in (ordered, tried) else "are"
    told = f"{ordered:,} of {count(tried, 'order')} {verb} placed"
    rest: Sequence[str] = [
        f"{number:,} {what}"
        for number, what in ((unknown, "to settle"), (refused, "refused"), (left, "not sent yet"))
        if number
    ]
    return f"{told}, {', '.join(rest)}" if rest else told


def unexpected_in_run(kind: str) -> str:
    """A bug while orders went out."""
    return (
        f"Something went wrong that nobody foresaw ({kind}). Orders that were sent are in the ledger; nothing is sent "
        "twice when you go on."
    )


def closing() -> str:
    """The server is being stopped."""
    return "The page is being stopped, so nothing new is begun. Nothing was sent."


# Small things ---------------------------------------------------------------------------------------------------


def wait_to_log_in(seconds: int) -> str:
    """Too many logins failed."""
    return f"Too many tries. Wait {count(seconds, 'second')}, then try again."


def wrong_password() -> str:
    """A login that failed; it does not say whether there is such a person."""
    return "That is not right: check the name and the password."


def link_used_up() -> str:
    """The one-time link was used, or is of an earlier start."""
    return "This link was used already, or is an old one. It works once: stop the page and start it for a new one."


def ordered_already(row: int) -> str:
    """A row that somebody wants to change is placed."""
    return f"Row {row} is ordered already, so it stays as it was ordered. Nothing was changed."


def the_only_row() -> str:
    """A sheet would have no rows left."""
    return "This is the only row of the sheet. Nothing was changed."


def left_out(row: int) -> str:
    """A row that was left out, to be undone."""
    return f"Row {row} is left out"


def look_it_up_first() -> str:
    """A verdict without the tick that says it is meant."""
    return "Look the order up at Device Hub first, then tick the box that says so. Nothing was settled."


def still_looking() -> str:
    """Something is to be changed in a sheet that is not judged yet."""
    return "The sheet is still being looked through. Nothing was changed; try again in a moment."


def nothing_changed() -> str:
    """After a change that could not be made."""
    return "Nothing was changed."


def somebody_else_approves() -> str:
    """A yes or no to one's own sheet, or of somebody who may not say it."""
    return "Somebody else has to approve this sheet: an approver who did not upload it."


def not_approved() -> str:
    """An order without a second person's yes to what is ordered."""
    return "This has to be approved by a second person first. Nothing was sent."


def declined(by: str, note: str) -> str:
    """A second person's no."""
    return f"{by} did not approve it: “{note}”"


def declined_meanwhile(by: str) -> str:
    """A yes to what another approver has declined."""
    return f"{by} declined it, so it was not approved. It can be approved when its uploader asks again."


def say_why() -> str:
    """A no without a reason."""
    return "Write why: whoever uploaded the sheet reads it, and mends it. Nothing was declined."


def changed_since() -> str:
    """A no to what is another sheet by now."""
    return "This has changed since you looked at it. Nothing was declined: look at it as it is now, and say it again."


def going_out() -> str:
    """A no to orders that have been confirmed already."""
    return (
        "Its orders are going out already, so nothing was declined. You find the run under Runs, and can stop it there."
    )


_SAID = {"asked": "{} asked for approval", "approved": "{} approved it", "declined": "{} declined it"}


def said(what: str, by: str) -> str:
    """One word of the story of a sheet that needs a second person's yes."""
    return _SAID[what].format(by)


def not_theirs_to_change(owner: str) -> str:
    """Somebody wants to change another one's sheet."""
    return f"This sheet is from {owner}: only they can change it. You can download it."


def not_theirs_to_order(owner: str) -> str:
    """Somebody wants to order another one's sheet."""
    return f"This sheet is from {owner}: only they can order it."


def whoever_started() -> str:
    """Who came in by the link, as a team reads it that has come to the page since."""
    return "whoever had the link"


def page_is_running() -> str:
    """A second page over one ledger."""
    return "Another page is running for this ledger. This one was not started."


def how_to_run_one() -> str:
    """After a second page over one ledger."""
    return "Use that one, or stop it first. Other ledgers can have pages of their own."


def not_ahead() -> str:
    """A browser fetched the one-time link before anybody opened it."""
    return "This link is not opened ahead of time. Open it yourself."


def nothing_uploaded() -> str:
    """The upload form came without a file."""
    return "There was no file in that, or an empty one. Choose a sheet: Excel or CSV."


def kept_for(seconds: float) -> str:
    """How long an uploaded sheet stays: never more than it does."""
    days = int(seconds // 86_400)
    return count(days, "day") if days > 1 else count(int(seconds // 3600), "hour")


def not_kept(reason: str) -> str:
    """An upload that the disk did not take."""
    return f"The sheet could not be kept here: {reason}. Nothing was sent; tell whoever runs this page."


def too_large(limit: int) -> str:
    """A file beyond the limit."""
    return f"The file is larger than {size(limit)}. Delete what is not needed, or split the sheet."


def corrected_name(name: str) -> str:
    """What a mended sheet is called when it is downloaded."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.corrected.{suffix}" if dot else f"{name}.corrected"


def mended(header: str, cells: Sequence[str], before: str, after: str) -> str:
    """What was mended, to be undone."""
    where = cells[0] if len(cells) == 1 else count(len(cells), "row")
    return f"{header}, {where}: {_shown(before)} → {_shown(after)}"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return "blank"
    return f"“{text}”" if len(text) <= _LONGEST_SHOWN else f"“{text[:_LONGEST_SHOWN]}…”"


def columns_left_open(missing: Sequence[str]) -> str:
    """Needed columns that nothing was chosen for."""
    return f"Every order needs {', '.join(missing)}: choose a column for each, or write what it always is."


def item_without_title(header: str) -> str:
    """A column of numbers, and nobody said of what."""
    return f"“{header}” says how many: choose of which product."


def no_such_sheet() -> str:
    """A sheet that is not there, or not for this person."""
    return "There is no such sheet here, or not any more."


def no_such_run() -> str:
    """A run that is not there, or not for this person."""
    return "There is no such run here."


def no_such_order() -> str:
    """An order that is not there, or not for this person."""
    return "There is no such order here."


def no_orders_planned() -> str:
    """A run that ended before it had anything to report."""
    return "This run ended before any order was planned: it has no results, and nothing was sent."


def forgotten(run: RunRecord) -> str:
    """A run whose personal data was removed."""
    return (
        f"What this run kept of people was removed on {run.forgotten_at:%Y-%m-%d}: its sheet and its results are not "
        "known any more. What it ordered still counts as ordered. To go on with what it left, upload its sheet again."
    )


def may_only_look() -> str:
    """A viewer who wants to change something."""
    return "You may look at everything here, and change nothing."


def number_needed() -> str:
    """An order that is said to be placed, without its number."""
    return "Write the order number that Device Hub has for it, in one word. Nothing was settled."


def who_said_cancelled() -> str:
    """An order that is said to be cancelled, without a note: the next run orders it again."""
    return "Write who said that it was cancelled, and when. Nothing was settled."


def waits_no_more() -> str:
    """A held or refused order that somebody else has seen to meanwhile."""
    return "This order does not wait any more: somebody has sent it, or is sending it. Nothing was changed."


def no_such_limit() -> str:
    """What says how many orders to place is no number."""
    return "Write how many orders to place at most as a number from 1 up, or leave it blank. Nothing was sent."


def no_such_verdict() -> str:
    """A form that was tampered with."""
    return "There is no such verdict. Nothing was settled."


def stopped_here() -> str:
    """Somebody pressed Stop on the page."""
    return "Stopped from the page: nothing new was sent; orders that were on their way were finished."


def under_way() -> str:
    """A run of another process."""
    return "Ordering is under way in another program"


def on_its_way(rate: float, left: float | None, *, held: bool, stopping: bool) -> str:
    """How a run goes, in one line."""
    if stopping:
        return "Stopping: nothing new is sent; orders that are on their way are finished."
    if held:
        return "Paused: nothing new is sent until you go on. You can close this page."
    if left is None:
        return "You can close this page; ordering goes on."
    return f"{rate:.1f} orders a second, {seconds_left(left)} left. You can close this page; ordering goes on."


SETTLED = {
    "placed": "Settled: the order counts as ordered, under the number you wrote.",
    "not_placed": "Settled: the order was not placed. The next run with its sheet sends it.",
    "cancelled": "Settled: the vendor cancelled it. The next run with its sheet orders it again.",
    "keep": "Settled: what the sheet says now counts as ordered; nothing is sent for it.",
}


def goes_on() -> str:
    """A run in the list that has not ended."""
    return "is under way"


def how_it_ended(exit_code: int | None, *, was_stopped: bool) -> str:
    """A run in the list, in a few words; where two things hold, both."""
    if exit_code is None:
        return "was cut off: go on with it"
    ended = _ENDED.get(exit_code, "ended")
    return f"{_ENDED[_STOPPED]}, and {ended}" if was_stopped and exit_code != _STOPPED else ended


_STOPPED = 6
_ENDED = {
    0: "everything is ordered",
    1: "ended by a failure",
    2: "was refused before it began",
    3: "no row was an order",
    4: "some rows need work",
    5: "some orders are to be settled",
    6: "stopped early",
}


# Starting the page ----------------------------------------------------------------------------------------------


def announced(link: str, host: str) -> str:
    """What `serve` prints when the page answers."""
    once = " (it lets one browser in, once)" if "key=" in link else ""
    return f"Open {link}{once}\nOrders go to {host}. Interrupt (Ctrl+C) to stop; orders on their way are finished."


def nobody_may_come_in(host: str) -> str:
    """The page would be open to other machines, and there are no users."""
    return f"At {host} other machines could reach the page, and nobody is entered who may use it. It was not started."


def how_to_add_users() -> str:
    """After a page without users."""
    return "Enter people first: `batch-orders user add NAME --role approver`."


def nobody_to_approve() -> str:
    """Approval is required, and there are no users."""
    return 'approval is "required", and nobody is entered who could approve. The page was not started.'


def no_port(host: str, port: int, reason: str) -> str:
    """The address and port cannot be had."""
    return f"The page cannot listen at {host}, port {port}: {reason or 'the system refuses'}."


def how_to_choose_port() -> str:
    """After a port that cannot be had."""
    return "Choose another with --port, or 0 for any free one."
