"""What the ledger keeps of runs, and what waits in it for a person: looked up once for as long as it holds."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from batch_orders import wiring
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import page as words
from batch_orders.models import Column, LineItem, OrderState
from batch_orders.stages.report import EXIT_UNKNOWN, frozen_held, frozen_keys, frozen_stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Limits, OrderResult, Report, RunRecord

# Runs whose reports are looked through for orders that wait to be released.
RUNS_LOOKED_AT = 30
_REPORTS_KEPT = 6
_RUNS_KEPT = 100
_ADDRESS = (
    Column.SHIPPING_ADDRESS,
    Column.SHIPPING_CITY,
    Column.SHIPPING_STATE,
    Column.SHIPPING_ZIP,
    Column.SHIPPING_COUNTRY,
)
_SHOWN = (Column.FIRSTNAME, Column.LASTNAME, *_ADDRESS, Column.PRODUCT_TITLE, Column.QUANTITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run with its report as its orders stand now; None where it ended before it had one."""

    run: RunRecord
    report: Report | None
    is_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """For whom an order is, and what: quantities with titles."""

    person: str
    address: str
    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, str], items: Iterable[LineItem]) -> About:
        """By the names of our columns."""
        person = f"{values[Column.FIRSTNAME]} {values[Column.LASTNAME]}".strip()
        address = ", ".join(values[column] for column in _ADDRESS if values[column])
        return cls(person=person, address=address, items=tuple((item.quantity, item.product_title) for item in items))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOrder:
    """An order that a run held because it looks like a mistake, and that nobody has sent since.

    `about` is None where the run's sheet cannot be read any more.
    """

    run: RunRecord
    order: OrderResult
    about: About | None


class _Told(NamedTuple):
    """What is kept of a run: it without its sheet, the orders that it held, by key, and the keys of all its orders.

    `was_stopped` says that it ended before all of them had their turn.
    """

    run: RunRecord
    held: Mapping[str, tuple[OrderResult, About | None]]
    keys: frozenset[str]
    was_stopped: bool


class Records:
    """Looks things up in a ledger, and remembers them until the ledger knows more. Safe in several threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._reports: OrderedDict[tuple[str, int], KeptRun] = OrderedDict()
        self._held: tuple[Any, tuple[HeldOrder, ...]] = (None, ())
        # What is kept of a run that has ended does not change any more.
        self._told: OrderedDict[str, _Told] = OrderedDict()

    def run(self, ledger: Ledger, run_id: str) -> KeptRun | None:
        """The run of this very id; None where there is none."""
        key = (run_id, ledger.version())
        with self._lock:
            kept = self._reports.get(key)
        if kept is not None and kept.run.ended_at is not None:
            return kept
        try:
            run, report = self._found(ledger, run_id)
        except LedgerError:
            return None
        if run.run_id != run_id:
            return None  # as much of its beginning as is unique is enough for the ledger, and not for an address
        kept = KeptRun(run=run, report=report, is_alive=run.ended_at is None and ledger.is_alive(run_id))
        with self._lock:
            self._reports[key] = kept
            while len(self._reports) > _REPORTS_KEPT:
                self._reports.popitem(last=False)
        return kept

    def _found(self, ledger: Ledger, run_id: str) -> tuple[RunRecord, Report | None]:
        try:
            return wiring.rebuilt(ledger, run_id, self._limits)
        except LedgerError:
            return ledger.run(run_id)[0], None

    def held(self, ledger: Ledger) -> tuple[HeldOrder, ...]:
        """Orders of the latest runs that are held still, each once: as the newest run with it in its sheet has it."""
        runs = ledger.runs()[:RUNS_LOOKED_AT]
        key = (ledger.version(), [(run.run_id, run.ended_at) for run in runs])
        with self._lock:
            known, held = self._held
        if known != key:
            held = tuple(self._look_for_held(ledger, runs))
            with self._lock:
                self._held = (key, held)
        return held

    def was_stopped(self, ledger: Ledger, run: RunRecord) -> bool:
        """Whether a run ended before all its orders had their turn: an unknown order hides that in its exit code."""
        return run.exit_code == EXIT_UNKNOWN and self._told_by(ledger, run).was_stopped

    def _look_for_held(self, ledger: Ledger, runs: tuple[RunRecord, ...]) -> list[HeldOrder]:
        seen: set[str] = set()
        held: list[HeldOrder] = []
        for record in runs:
            told = self._told_by(ledger, record)
            found = {key: each for key, each in told.held.items() if key not in seen}
            known = ledger.recall(list(found)) if found else {}
            for key, (order, about) in found.items():
                if key not in known or known[key].state is OrderState.PLANNED:
                    as_told = dataclasses.replace(order, messages=(words.on_page(order.message),))
                    held.append(HeldOrder(run=told.run, order=as_told, about=about))
            seen |= told.keys
        return held

    def _told_by(self, ledger: Ledger, record: RunRecord) -> _Told:
        if record.forgotten_at:
            return _Told(run=record, held={}, keys=frozenset(), was_stopped=False)
        known = self._told.get(record.run_id)
        if known is not None:
            return known
        run, frozen = ledger.run(record.run_id)
        orders = frozen_held(frozen) if frozen is not None else ()
        keys = frozenset(frozen_keys(frozen)) if frozen is not None else frozenset()
        abouts = self._abouts(ledger, record.run_id, orders) if orders else {}
        held = {order.key: (order, abouts.get(order.key)) for order in orders if order.key}
        was_stopped = frozen is not None and frozen_stopped(frozen)
        told = _Told(dataclasses.replace(run, sheet=b""), held, keys, was_stopped)
        if run.ended_at is not None:
            with self._lock:
                self._told[record.run_id] = told
                while len(self._told) > _RUNS_KEPT:
                    self._told.popitem(last=False)
        return told

    def _abouts(self, ledger: Ledger, run_id: str, orders: Iterable[OrderResult]) -> Mapping[str, About]:
        """By key, for whom these orders are and what, as the run's sheet has it; none where it cannot be read."""
        try:
            _, report = wiring.rebuilt(ledger, run_id, self._limits)
        except BatchOrdersError:
            return {}
        mapped = report.mapped
        lines: dict[int, list[int]] = {}
        for line, row in enumerate(mapped.rows):
            lines.setdefault(row, []).append(line)
        values = {column: mapped.values(column) for column in _SHOWN}
        return {
            order.key: _about(values, [line for row in order.rows for line in lines[row]])
            for order in orders
            if order.key
        }


def _about(values: Mapping[Column, Sequence[str]], lines: Sequence[int]) -> About:
    """What these lines say; what stands in one of them holds for all."""
    once = {
        column: next((values[column][line] for line in lines if values[column][line].strip()), "") for column in _SHOWN
    }
    items = [LineItem(values[Column.PRODUCT_TITLE][line], values[Column.QUANTITY][line]) for line in lines]
    return About.of({column.value: text.strip() for column, text in once.items()}, items)


def owner_of(run: RunRecord) -> str | None:
    """Whose sheet a run ordered from on the page; None where the command line did."""
    return run.options.get("uploaded_by")
