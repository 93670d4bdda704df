"""What can happen, in any order, and what must hold after each step."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.histories import people
from tests.histories.process import Call, Trouble
from tests.histories.vendor import FATES, Turn
from tests.histories.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.histories.process import Process

_MOST_AT_ONCE = 3

# Among several fates the ones that let the run go on come more often: a dead or stopped run meets no others.
_FATES = [*FATES, *["ordered", "refused", "lost", "lost_after_placing", "failed", "token_expired"] * 3]
_EDITS = ("add", "add", "drop", "move", "quantity", "spoil", "title", "respell", "reference", "address")
_TROUBLES = ("before", "after", "unmarked", "once", "from now on")
_WHICH = st.integers(0, 23)
_SECONDS = st.sampled_from([0.005, 0.015, 0.03, 0.06, 0.1, 0.3, 1.0])
_STRIKES = st.sampled_from(["kill", "interrupt", "cancel"])
_edits = st.lists(st.tuples(st.sampled_from(_EDITS), _WHICH, _WHICH), max_size=3)
_turns = st.lists(st.builds(Turn, st.sampled_from(_FATES), st.sampled_from([0.0, 0.03, 1.0])), min_size=2, max_size=6)
_calls = st.builds(
    Call,
    limit=st.sampled_from([None, None, None, None, None, 0, 1, 2]),
    max_orders=st.sampled_from([500] * 9 + [2]),
    retry_rejected=st.booleans(),
    release=st.booleans(),
    declines=st.sampled_from([False] * 9 + [True]),
    concurrency=st.integers(1, 3),
    turns=_turns,
    late=st.lists(st.sampled_from([0.0, 0.0, 0.5, 5.0]), max_size=3),
    trouble=st.sampled_from([False, False, True]).flatmap(
        lambda comes: st.builds(Trouble, st.integers(1, 16), st.sampled_from(_TROUBLES)) if comes else st.none()
    ),
)


class Histories(RuleBasedStateMachine):
    """One ledger, one vendor, and people who use and misuse the program."""

    empty_ledger: ClassVar[Path]
    tally: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.empty_ledger)

    # What happens ----------------------------------------------------------------------------------------------------

    @initialize(errors_prove=st.booleans())
    def set_up(self, errors_prove: bool) -> None:
        """The operator says what a 5xx means."""
        self.world.vendor.errors_prove = errors_prove

    @precondition(lambda self: len(self.world.alive) < _MOST_AT_ONCE)
    @rule(edits=_edits, call=_calls, results=st.booleans())
    def submit(self, edits: Sequence[tuple[str, int, int]], call: Call, results: bool) -> None:
        """Somebody submits the sheet, edited or not, or the newest results file, and waits for the end."""
        self._start(edits, call, results=results)
        self.world.finish()

    @precondition(lambda self: len(self.world.alive) < _MOST_AT_ONCE)
    @rule(edits=_edits, call=_calls, results=st.booleans(), seconds=_SECONDS, how=st.just("") | _STRIKES)
    def begin(self, edits: Sequence[tuple[str, int, int]], call: Call, results: bool, seconds: float, how: str) -> None:
        """The same, and after a while the process is struck, or it goes on while something else happens."""
        process = self._start(edits, call, results=results)
        self.world.loop.run_for(seconds)
        if how and process.is_alive:
            self._strike(process, how)

    def _start(self, edits: Sequence[tuple[str, int, int]], call: Call, *, results: bool) -> Process:
        world = self.world
        people.back_up(world)
        for kind, which, value in edits:
            world.paper = world.paper.edited(kind, which, value)
        return world.start(world.results[-1] if results and world.results else world.paper, call)

    @precondition(lambda self: self.world.alive)
    @rule(seconds=_SECONDS | st.none())
    def go_on(self, seconds: float | None) -> None:
        """Time passes, or everything comes to its end; a backup of the ledger is made."""
        if seconds is None:
            self.world.finish()
        else:
            self.world.loop.run_for(seconds)
        people.back_up(self.world)

    @precondition(lambda self: self.world.alive)
    @rule(which=_WHICH, how=_STRIKES)
    def strike(self, which: int, how: str) -> None:
        """One of the processes is struck in the middle of whatever it does."""
        alive = self.world.alive
        self._strike(alive[which % len(alive)], how)

    def _strike(self, process: Process, how: str) -> None:
        {"kill": process.kill, "interrupt": process.interrupt, "cancel": process.task.cancel}[how]()
        self.world.tally[f"{how} in the middle"] += 1

    @precondition(lambda self: self.world.vendor.book)
    @rule(which=_WHICH, verdict=st.sampled_from(people.VERDICTS), number=st.sampled_from(people.NUMBERS),
          fits=st.booleans())  # fmt: skip
    def settle(self, which: int, verdict: str, number: str, fits: bool) -> None:
        """A person gives a verdict on an order: a true one or a wrong one, whether it fits or not."""
        orders = people.waiting_for(self.world, verdict) if fits else sorted(self.world.ledger())
        if orders:
            people.settle(self.world, orders[which % len(orders)], verdict, number)

    @precondition(lambda self: self.world.vendor.book)
    @rule(which=_WHICH)
    def settle_truly(self, which: int) -> None:
        """A person says what is so of an unknown order; or the vendor cancels an ordered one, and they say that."""
        orders = sorted(self.world.ledger())
        if orders:
            people.settle_truly(self.world, orders[which % len(orders)], may_cancel=True)

    @precondition(lambda self: self.world.copies and not self.world.alive)
    @rule(which=_WHICH)
    def restore(self, which: int) -> None:
        """A copy of the ledger takes its place."""
        people.restore(self.world, self.world.copies[which % len(self.world.copies)])

    @precondition(lambda self: self.world.results)
    @rule(carefully=st.booleans())
    def adopt(self, carefully: bool) -> None:
        """A person enters what results files say."""
        people.adopt(self.world, carefully=carefully)

    # What must hold --------------------------------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        """Nothing was sent without proof or against what was asked for, and the ledger knows what was placed."""
        self.world.check()

    def teardown(self) -> None:
        """The history's end: once everything is well again, every employee gets what the sheet says, once."""
        try:
            if sys.exc_info()[0] is None:
                self._last_run()
        finally:
            self.world.close()

    def _last_run(self) -> None:
        world = self.world
        world.finish()
        world.check()
        if world.is_restored:
            people.adopt(world, carefully=True)
        for order in sorted(world.ledger()):
            people.settle_truly(world, order, may_cancel=False)
        world.paper = world.paper.mended()
        world.held = ()
        for _ in range(2):  # what the guards hold in the first run is released by the second
            process = world.start(world.paper, Call(retry_rejected=True, release=True))
            world.finish()
            assert process.report is not None, process.error
            if not world.held:
                break
        world.check()
        for order in world.paper.orders() - world.misjudged:
            assert len(world.vendor.standing(order)) == 1, f"{order} was placed {world.vendor.of(order)}"
        with world.open_ledger() as ledger:
            ledger.verify()
        self.tally.update(world.tally)
        self.tally.update(world.vendor.seen)
        self.tally["orders sent"] += len(world.vendor.book)
        self.tally["orders at the end"] += len(world.paper.orders())
        self.tally["orders at the end, misjudged"] += len(world.paper.orders() & world.misjudged)
        self.tally["histories"] += 1
