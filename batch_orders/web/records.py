"""What the ledger keeps of runs, and what waits in it for a person: looked up once for as long as it holds."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch_orders import wiring
from batch_orders.errors import LedgerError
from batch_orders.messages import page as words
from batch_orders.models import OrderState
from batch_orders.stages.report import frozen_held, frozen_keys

if TYPE_CHECKING:
    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Limits, OrderResult, Report, RunRecord

# Runs whose reports are looked through for orders that wait to be released.
_RUNS_LOOKED_AT = 30
_REPORTS_KEPT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run with its report as its orders stand now; None where it ended before it had one."""

    run: RunRecord
    report: Report | None
    is_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOrder:
    """An order that a run held because it looks like a mistake, and that nobody has sent since."""

    run: RunRecord
    order: OrderResult


class Records:
    """Looks things up in a ledger, and remembers them until the ledger knows more. Safe in several threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._reports: OrderedDict[tuple[str, int], KeptRun] = OrderedDict()
        self._held: tuple[Any, tuple[HeldOrder, ...]] = (None, ())
        # What is kept of a run that has ended does not change any more.
        self._told: OrderedDict[str, tuple[RunRecord, tuple[OrderResult, ...], frozenset[str]]] = OrderedDict()

    def run(self, ledger: Ledger, run_id: str) -> KeptRun | None:
        """The run of this very id; None where there is none."""
        known = next((run for run in ledger.runs() if run.run_id == run_id), None)
        if known is None:
            return None
        is_alive = known.ended_at is None and ledger.is_alive(run_id)
        key = (run_id, ledger.version())
        with self._lock:
            kept = self._reports.get(key)
        if kept is not None and not is_alive and kept.run.ended_at == known.ended_at:
            return kept
        try:
            run, report = wiring.rebuilt(ledger, run_id, self._limits)
        except LedgerError:
            return KeptRun(run=ledger.run(run_id)[0], report=None, is_alive=is_alive)
        kept = KeptRun(run=run, report=report, is_alive=is_alive)
        with self._lock:
            self._reports[key] = kept
            while len(self._reports) > _REPORTS_KEPT:
                self._reports.popitem(last=False)
        return kept

    def held(self, ledger: Ledger) -> tuple[HeldOrder, ...]:
        """Orders of the latest runs that are held still, each once: as the newest run with it in its sheet has it."""
        runs = ledger.runs()[:_RUNS_LOOKED_AT]
        key = (ledger.version(), [(run.run_id, run.ended_at) for run in runs])
        with self._lock:
            known, held = self._held
        if known != key:
            held = tuple(self._look_for_held(ledger, runs))
            with self._lock:
                self._held = (key, held)
        return held

    def _look_for_held(self, ledger: Ledger, runs: tuple[RunRecord, ...]) -> list[HeldOrder]:
        seen: set[str] = set()
        held: list[HeldOrder] = []
        for record in runs:
            run, orders, keys = self._told_by(ledger, record)
            found = {order.key: order for order in orders if order.key and order.key not in seen}
            known = ledger.recall(list(found)) if found else {}
            for key, order in found.items():
                if key not in known or known[key].state is OrderState.PLANNED:
                    told = dataclasses.replace(order, message=words.on_page(order.message))
                    held.append(HeldOrder(run=run, order=told))
            seen |= keys
        return held

    def _told_by(self, ledger: Ledger, record: RunRecord) -> tuple[RunRecord, tuple[OrderResult, ...], frozenset[str]]:
        """A run without its sheet, the orders that it held, and the keys of all its orders."""
        known = self._told.get(record.run_id)
        if known is not None:
            return known
        run, frozen = ledger.run(record.run_id)
        orders = frozen_held(frozen) if frozen is not None else ()
        keys = frozenset(frozen_keys(frozen)) if frozen is not None else frozenset()
        told = (dataclasses.replace(run, sheet=b""), orders, keys)
        if run.ended_at is not None:
            with self._lock:
                self._told[record.run_id] = told
                while len(self._told) > _RUNS_LOOKED_AT:
                    self._told.popitem(last=False)
        return told


def owner_of(run: RunRecord) -> str | None:
    """Whose sheet a run ordered from on the page; None where the command line did."""
    return run.options.get("uploaded_by")
