"""One ledger, one vendor, the processes between them and the people around: what they do, and what is true of it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

from batch_orders import ledger_writer, pipeline, sending, wiring
from batch_orders.adapters import device_hub
from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import BatchOrdersError, LedgerError, RunStoppedError, UsageError
from batch_orders.models import RowStatus, order_id
from tests.histories.process import Process, SharedTime
from tests.histories.sheets import ORDERS, Line, OrderName, Paper, Results, named
from tests.histories.vendor import Vendor
from tests.histories.virtual_time import Clock, VirtualLoop, VirtualWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_orders.models import Sheet
    from tests.histories.people import Copy
    from tests.histories.process import Call

# Virtual seconds within which any run must have come to its end.
_LONG_ENOUGH = 1_000.0
# What a run's report may say of an order that stands so in the ledger (None: not there; then it can also be unknown,
# where a results file says so).
_AGREE: Mapping[RowStatus, set[str | None]] = {
    RowStatus.ORDERED: {"ordered"},
    RowStatus.ALREADY_ORDERED: {"ordered"},
    RowStatus.CHANGED: {"ordered"},
    RowStatus.UNKNOWN: {"unknown", "sending"},
    RowStatus.REJECTED: {"rejected"},
    RowStatus.NOT_SENT: {"planned", "rejected", None},
    RowStatus.INVALID: {"planned", "rejected", "ordered", None},
    RowStatus.HELD: {"planned", "rejected", None},
}

_ORDERS = """
SELECT email, order_reference, order_key, state, order_number, other_contents IS NOT NULL FROM orders
"""


class Stands(NamedTuple):
    """How an order stands in the ledger."""

    key: str
    state: str
    number: str | None
    is_changed: int


class World:
    """Everything that outlives a process."""

    def __init__(self, empty_ledger: Path) -> None:
        self._clean_up = ExitStack()
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - quick, and private by its mode
        self.folder = Path(self._clean_up.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        self.path = self.folder / "ledger.sqlite"
        shutil.copy(empty_ledger, self.path)
        self._time = SharedTime(Clock())
        self.files: dict[Path, Sheet] = {}
        self._replace_a_few_parts()
        self._processes: list[Process] = []
        self.loop = VirtualLoop(self._time.clock)
        self.vendor = Vendor(self.known_number)
        self.paper = Paper(lines=tuple(Line(OrderName(employee, 0), 0, "1") for employee in range(2)), doors={})
        self.results: list[Results] = []
        self.copies: list[Copy] = []
        # The ids of the orders that the last report holds.
        self.held: tuple[str, ...] = ()
        # Orders that a person said something untrue of, or lost track of: what follows is no fault of the program's.
        self.misjudged: set[OrderName] = set()
        # The ledger was restored from a copy, and nobody has brought it up to date since.
        self.is_restored = False
        self.tally: Counter[str] = Counter()

    def _replace_a_few_parts(self) -> None:
        """The clock, the ledger's thread and reading files; everything else is the program's own."""
        for module in (pipeline, sending, device_hub):
            self._clean_up.enter_context(mock.patch.object(module, "time", self._time.clock))
        self._clean_up.enter_context(mock.patch.object(ledger_writer, "ThreadPoolExecutor", VirtualWriter))
        self._clean_up.enter_context(mock.patch.object(wiring, "read_sheet", lambda path, **_: self.files[path]))

    def close(self) -> None:
        """The machine is switched off."""
        for process in self.alive:
            process.kill()
        self.loop.run_for(_LONG_ENOUGH)
        self.loop.close()
        self._clean_up.close()

    # Runs ------------------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> list[Process]:
        """The processes that may still do something."""
        return [process for process in self._processes if process.is_alive]

    def start(self, document: Paper | Results, call: Call) -> Process:
        """Somebody starts the program."""
        process = Process(
            len(self._processes),
            self.path,
            document,
            call,
            released=self.held if call.release else (),
            time=self._time,
            vendor=self.vendor,
            ended=self._judge,
        )
        process.must_be_refused = self.has_forgotten
        process.may_be_refused = self.is_restored
        process.is_alone = not self.alive
        self.nobody_is_alone()
        self._processes.append(process)
        process.task = self.loop.create_task(process.run())
        return process

    def finish(self) -> None:
        """Let everybody come to their end; they must."""
        ends_at = self.loop.time() + _LONG_ENOUGH
        while self.alive:
            assert self.loop.time() < ends_at, "a run does not end"
            self.loop.run_for(10.0)

    @property
    def has_forgotten(self) -> bool:
        """Whether something was sent that the ledger does not know of, being an old copy."""
        return any(sent.forgotten for sent in self.vendor.book)

    def nobody_is_alone(self) -> None:
        """Something happens beside the processes that are alive: their reports need not be the last word."""
        for process in self.alive:
            process.is_alone = False

    def _judge(self, process: Process) -> None:
        """A process has come to its end: is what it says so?"""
        try:
            sent = [each for each in self.vendor.book if each.by is process]
            assert not (process.must_be_refused and sent), "an old copy of the ledger sent something"
            if process.error is not None:
                self._judge_error(process, process.error, has_sent=bool(sent))
            else:
                self._judge_report(process)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self.vendor.breaches.append(str(error) or repr(error))

    def _judge_error(self, process: Process, error: BaseException, *, has_sent: bool) -> None:
        self.tally[f"ended by {type(error).__name__}"] += 1
        if isinstance(error, UsageError):
            assert not has_sent, f"sent, and then {error}"
            asked = process.call.release or process.call.max_orders < len(ORDERS)
            assert process.may_be_refused if isinstance(error, LedgerError) else asked, f"ended by {error}"
        elif isinstance(error, RunStoppedError):
            assert process.stop, f"ended by {error!r}"
            assert not has_sent, f"sent, and then {error!r}"
        elif isinstance(error, BatchOrdersError):
            assert process.call.trouble is not None, f"ended by {error!r}"
        else:
            assert isinstance(error, asyncio.CancelledError), f"ended by {error!r}"

    def _judge_report(self, process: Process) -> None:
        report, ledger = process.report, self.ledger()
        assert report is not None
        assert len(report.rows) == len(process.paper.lines)
        self.held = tuple(order_id(order.key) for order in report.orders if order.status is RowStatus.HELD)
        if process.results is not None:
            self.results.append(process.results)
        for order in report.orders:
            self.tally[order.status] += 1
            name = named(order.email, order.order_reference)
            stands = ledger.get(name)
            mine = [sent for sent in self.vendor.of(name) if sent.by is process]
            lost = [sent for sent in mine if not sent.told]
            if process.is_alone and (stands or mine or order.status is not RowStatus.UNKNOWN):
                state = stands.state if stands else None
                assert state in _AGREE[order.status], f"{name} is {order.status} in the report, {state} in the ledger"
            if lost and process.is_alone:
                assert order.status is RowStatus.UNKNOWN, f"{name} was sent, the answer was lost: {order.status}"
            if order.status is RowStatus.ORDERED:
                numbers = [sent.number for sent in self.vendor.of(name)]
                assert order.order_number in numbers or name in self.misjudged, f"{name} has a wrong number"

    # What must hold --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing was sent without proof; no order is lost track of, none is called ordered that was not placed."""
        assert not self.vendor.breaches, self.vendor.breaches
        if self.has_forgotten:
            return
        ledger = self.ledger()
        for order in set(ORDERS) - self.misjudged:
            stands = ledger.get(order)
            state = stands.state if stands else "not in the ledger"
            placed = [sent.number for sent in self.vendor.standing(order)]
            if placed:
                assert state in {"sending", "unknown", "ordered"}, f"{order} was placed, and is {state}"
            if stands and state == "ordered":
                assert placed == [stands.number], f"{order} is ordered as {stands.number}; placed is {placed}"

    # The ledger ------------------------------------------------------------------------------------------------------

    def ledger(self) -> dict[OrderName, Stands]:
        """Every order in the ledger's file, read past the program."""
        with closing(sqlite3.connect(self.path)) as database:
            rows = database.execute(_ORDERS)
            found = [(named(email, reference), Stands(*rest)) for email, reference, *rest in rows]
        assert len(dict(found)) == len(found), "an order stands in the ledger twice"
        return dict(found)

    def open_ledger(self) -> closing[Ledger]:
        """The ledger, as a person's command opens it."""
        return closing(Ledger(self.path))

    def known_number(self) -> str:
        """An order number that was given before; "" where there is none."""
        with closing(sqlite3.connect(self.path)) as database:
            return str(next(iter(*database.execute("SELECT min(order_number) FROM order_numbers"))) or "")
