"""What people do besides submitting: verdicts true and wrong, backups, restoring one, adopting results.

Each act tells the vendor's book what the person has taken upon themselves: what they excuse may be sent again, and what
they misjudge is no fault of the program's.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch_orders import wiring
from batch_orders.errors import LedgerError
from batch_orders.models import Limits, OrderState
from tests.histories.sheets import handmade_results

if TYPE_CHECKING:
    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Remembered
    from tests.histories.sheets import OrderName
    from tests.histories.world import World

VERDICTS = ("placed", "not_placed", "cancelled", "keep")
# An order number as a person has it: this order's own, another one's, or none that was ever given.
NUMBERS = ("true", "true", "wrong", "other's")
# So many results files are adopted at once: the newest ones.
_ADOPTED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of the ledger's file, and which of the orders sent it knows of."""

    path: Path
    knows: frozenset[int]


# Verdicts ------------------------------------------------------------------------------------------------------------


def waiting_for(world: World, verdict: str) -> list[OrderName]:
    """The orders that a verdict may fit."""
    state = OrderState.UNKNOWN if verdict in {"placed", "not_placed"} else OrderState.ORDERED
    found = [(order, stands) for order, stands in world.ledger().items() if stands.state == state]
    return sorted(order for order, stands in found if verdict != "keep" or stands.is_changed)


def settle(world: World, order: OrderName, verdict: str, which_number: str) -> None:
    """A person gives a verdict, whether it fits or not; it is taken where it fits, and only there."""
    number = _number(world, order, which_number)
    with world.open_ledger() as ledger:
        remembered = ledger.find(world.ledger()[order].key)
        fits = {
            "placed": remembered.state is OrderState.UNKNOWN and not ledger.known_numbers([number]),
            "not_placed": remembered.state is OrderState.UNKNOWN,
            "cancelled": remembered.state is OrderState.ORDERED,
            "keep": remembered.state is OrderState.ORDERED and remembered.other_contents is not None,
        }[verdict]
        takes_back = verdict == "placed" and _may_take_back(ledger, remembered, number)
        was_taken = _say(ledger, remembered, verdict, number)
        fits = fits or (takes_back and was_taken)
    assert was_taken == fits, f"{verdict} was {'taken' if was_taken else 'refused'} for an order that is {remembered}"
    world.tally[f"settled as {verdict}" if was_taken else "verdicts refused"] += 1
    if was_taken:
        world.nobody_is_alone()
        _hold_responsible(world, order, verdict, number)


def _may_take_back(ledger: Ledger, remembered: Remembered, number: str) -> bool:
    """Whether --placed may mend an earlier verdict. Tests of their own say when it does (tests/contract)."""
    was_settled = any("settled as" in line for line in ledger.evidence(remembered.key))
    is_free = all(known.key == remembered.key for known in ledger.known_numbers([number]).values())
    return was_settled and is_free and remembered.state in {OrderState.PLANNED, OrderState.ORDERED}


def settle_truly(world: World, order: OrderName, *, may_cancel: bool) -> None:
    """A person says what is so of an unknown order; or the vendor cancels an ordered one, and they say that."""
    standing = world.vendor.standing(order)
    state = world.ledger()[order].state
    if state in {OrderState.UNKNOWN, OrderState.SENDING}:  # the latter is unknown too, where its run is dead
        settle(world, order, "placed" if standing else "not_placed", "true")
        if world.ledger()[order].state == OrderState.UNKNOWN:
            world.misjudged.add(order)  # another order was settled with this one's number
    elif state == OrderState.ORDERED and may_cancel:
        for sent in standing:
            sent.is_cancelled = True
        settle(world, order, "cancelled", "true")


def _number(world: World, order: OrderName, which: str) -> str:
    mine = [sent.number for sent in world.vendor.standing(order)]
    others = [sent.number for sent in world.vendor.book if sent.stands and sent.order != order]
    found = {"true": mine, "other's": others, "wrong": []}[which]
    return found[-1] if found else f"X{len(world.vendor.book)}-{order.employee}{order.reference}"


def _say(ledger: Ledger, remembered: Remembered, verdict: str, number: str) -> bool:
    """What `batch-orders settle` does; whether the verdict was taken."""
    try:
        match verdict:
            case "placed":
                ledger.settle_placed(remembered, number, "as the vendor says")
            case "not_placed":
                ledger.settle_not_placed(remembered, "as the vendor says")
            case "cancelled":
                ledger.settle_cancelled(remembered, "as the vendor says")
            case "keep":
                ledger.settle_keep(remembered, "as it should be")
    except LedgerError:
        return False
    return True


def _hold_responsible(world: World, order: OrderName, verdict: str, number: str) -> None:
    standing = world.vendor.standing(order)
    if verdict == "placed":
        if number not in {sent.number for sent in standing}:
            world.misjudged |= {order, *(sent.order for sent in world.vendor.book if sent.number == number)}
    elif verdict != "keep":
        _excuse(world, order)
        if standing:
            world.misjudged.add(order)


def _excuse(world: World, order: OrderName) -> None:
    for sent in world.vendor.of(order):
        sent.excused = sent.excused or "a person said so"


# Backups -------------------------------------------------------------------------------------------------------------


def back_up(world: World) -> None:
    """The ledger's file is copied, at any moment between two commits."""
    path = world.folder / f"copy-{len(world.copies)}"
    shutil.copy(world.path, path)
    known = frozenset(place for place, sent in enumerate(world.vendor.book) if not sent.forgotten)
    world.copies.append(Copy(path=path, knows=known))


def restore(world: World, copy: Copy) -> None:
    """A copy takes the ledger's place; its neighbours (the mark, the locks) stay as they are."""
    shutil.copy(copy.path, world.path)
    for place, sent in enumerate(world.vendor.book):
        sent.forgotten = place not in copy.knows
    world.is_restored = True
    # What the vendor has cancelled since, the copy takes for ordered; whoever restored it has to say so again.
    ordered = {order for order, stands in world.ledger().items() if stands.state == OrderState.ORDERED}
    world.misjudged |= {order for order in ordered if not world.vendor.standing(order)}
    world.tally["restored an old copy"] += world.has_forgotten


def adopt(world: World, *, carefully: bool) -> None:
    """A person brings the ledger up to date from the newest results files, and from what they see at the vendor's.

    They vouch for what they leave out: whoever is careful leaves out nothing that was placed.
    """
    adopted = world.results[-_ADOPTED:]
    if carefully:
        placed = [(sent.order, sent.number, sent.body) for sent in world.vendor.book if sent.stands]
        adopted = [*adopted, handmade_results(placed)]
    if not adopted:
        return
    paths = [Path(f"results-{number}.csv") for number in range(len(adopted))]
    world.files.update(zip(paths, (results.sheet() for results in adopted), strict=True))
    with world.open_ledger() as ledger:
        wiring.adopt(ledger, paths, Limits(), up_to_date=carefully)
        is_old = ledger.too_old() is not None
    world.nobody_is_alone()
    if is_old:  # it sends nothing, as before, and knows more
        world.tally["adopted, and still old"] += 1
        return
    listed = {(order, number) for results in adopted for order, number in results.placed().items()}
    _hold_responsible_for_adopting(world, listed)
    world.tally["adopted"] += 1


def _hold_responsible_for_adopting(world: World, listed: set[tuple[OrderName, str]]) -> None:
    ledger = world.ledger()
    true = {(sent.order, sent.number) for sent in world.vendor.book if sent.stands}
    for order, number in listed - true:  # cancelled since, or never so
        if order in ledger and ledger[order].number == number:
            world.misjudged.add(order)
    for order, number in listed & true:
        if order not in world.misjudged and not world.alive:
            assert ledger[order].number == number, f"{order} was adopted as {number}, and is {ledger[order]}"
    # What was entered as unknown waits for a verdict, as ever.
    known = {order for order, _ in listed & true} | {o for o, s in ledger.items() if s.state == OrderState.UNKNOWN}
    for sent in world.vendor.book:
        if sent.forgotten and sent.order not in known:
            sent.excused = sent.excused or "a person said so"
            if sent.stands:
                world.misjudged.add(sent.order)
        sent.forgotten = False
    world.is_restored = False
