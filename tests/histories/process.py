"""One run of the program, as a process that can be killed at any step: whatever it then still does reaches nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from batch_orders import pipeline
from batch_orders.adapters import results_layout
from batch_orders.adapters.device_hub import DeviceHub, HubOptions
from batch_orders.adapters.ledger import Ledger
from batch_orders.messages import runs
from batch_orders.pipeline import Judging, Ordering
from batch_orders.sending import SendingPolicy, Stop
from tests.histories.sheets import CATALOG, Results, who
from tests.histories.vendor import Turn, Vendor, Wire

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

    from batch_orders.models import Catalog, Report
    from tests.histories.sheets import OrderName, Paper
    from tests.histories.vendor import Sent
    from tests.histories.virtual_time import Clock

# Virtual seconds.
_TIMEOUT = 1.5
_PATIENCE = 2.0


class KilledError(BaseException):
    """The process is dead: it is asked to do something that it would never come to."""


class Trouble(NamedTuple):
    """What becomes of a process at its `at`-th commit.

    It may be killed "before" it, "after" it, or after it and before the high-water mark is raised ("unmarked"); or the
    disk may fail "once" or "from now on".
    """

    at: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How the program is called: its options, and what will happen to it.

    `late` is how many seconds each slot has moved on when its instant comes.
    """

    limit: int | None = None
    max_orders: int = 500
    retry_rejected: bool = False
    release: bool = False
    declines: bool = False
    concurrency: int = 2
    turns: Sequence[Turn] = ()
    late: Sequence[float] = ()
    trouble: Trouble | None = None


class SharedTime:
    """What processes share besides the ledger: the clock, and until when nobody may send."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.blocked_until = 0.0


class Process:
    """The program over one sheet, from its first line to its end or death."""

    def __init__(
        self,
        number: int,
        ledger: Path,
        document: Paper | Results,
        call: Call,
        *,
        released: Sequence[str],
        time: SharedTime,
        vendor: Vendor,
        ended: Callable[[Process], None],
    ) -> None:
        self.number = number
        self.call = call
        self.paper = document.paper if isinstance(document, Results) else document
        self.stop = Stop()
        self.report: Report | None = None
        self.results: Results | None = None
        self.error: BaseException | None = None
        self.in_flight = 0
        self.is_dead = False
        self.task: asyncio.Task[None]
        # For whoever judges it: the ledger is an old copy (and must know it), or may be one; nobody else was there.
        self.must_be_refused = False
        self.may_be_refused = False
        self.is_alone = True
        self._sheet = document.sheet()
        self._released = released
        self._vendor = vendor
        self._ended = ended
        self._sent_for: set[OrderName] = set()
        self._ledger = MortalLedger(ledger, self, call.trouble)
        self._pace = _Pace(self, time, call.late)

    @property
    def is_alive(self) -> bool:
        """Whether it may still do something."""
        return not self.is_dead and not self.task.done()

    async def run(self) -> None:
        """What `batch-orders submit` does, wired by hand."""
        try:
            async with _Hub(Wire(self, self._vendor, self.call.turns)) as hub:
                self.report, _ = await pipeline.submit(self._judging(), self._ordering(hub))
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._exit()

    def step(self, *, dies: bool = False) -> None:
        """A step that something outside would see; KilledError where nobody is left to take it."""
        if dies:
            self.kill()
        if self.is_dead:
            raise KilledError

    def kill(self) -> None:
        """SIGKILL: the locks go, an open transaction is rolled back, and nothing else is written, now or later."""
        if not self.is_dead:
            self.is_dead = True
            self._ledger.drop()
            self.task.cancel()

    def objections(self, sent: Sent) -> Iterator[str]:
        """What is wrong with this process sending this order now."""
        self._sent_for.add(sent.order)
        if who(sent.body["email"]) != sent.order.employee:
            yield f"{sent.order} was sent to {sent.body['email']}"
        items = {(item["product_title"], item["quantity"]) for item in sent.body["items"]}
        if not self.paper.is_valid(sent.order) or items != set(self.paper.items(sent.order)):
            yield f"{sent.order} was sent with {items}, which the sheet does not say"
        if self.call.limit is not None and len(self._sent_for) > self.call.limit:
            yield f"{len(self._sent_for)} orders were sent with --limit {self.call.limit}"
        if self.in_flight >= self.call.concurrency:
            yield f"{self.in_flight + 1} orders were in flight"
        if self.stop:
            yield f"{sent.order} was sent after the run had stopped: {self.stop.reason}"

    def _exit(self) -> None:
        """The operating system takes back what the process held."""
        if not self.is_dead:
            self._ledger.drop()
            self._ended(self)

    def _judging(self) -> Judging:
        return Judging(
            read_sheet=lambda: self._sheet,
            catalog=_Catalog(),
            memory=self._ledger,
            progress=_Silence(),
            stop=self.stop,
            host="https://hub.example.com",
            now=datetime.now(UTC),
            repeat_days=90,
            retry_rejected=self.call.retry_rejected,
            released=self._released,
        )

    def _ordering(self, hub: DeviceHub) -> Ordering:
        return Ordering(
            ledger=self._ledger,
            desk=hub,
            pace=self._pace,
            policy=SendingPolicy(
                concurrency=self.call.concurrency,
                patience=_PATIENCE,
                server_errors_not_applied=self._vendor.errors_prove,
            ),
            reserve_results=lambda _: contextlib.nullcontext(self),
            confirm=lambda *_: not self.call.declines,
            options={"sheet_name": None, "encoding": None},
            run_id=f"run-{self.number}",
            max_orders=self.call.max_orders,
            limit=self.call.limit,
        )

    def write(self, report: Report) -> Path:
        """The results sheet, as a value."""
        self.step()
        self.results = Results(self.paper, tuple(results_layout.rows(report)))
        return Path("hires.results.csv")

    def interrupt(self) -> None:
        """A first SIGINT."""
        self.stop.because(runs.interrupted(), hint=runs.how_to_go_on())


class MortalLedger:
    """The real ledger as one process has it open. A dead process' calls do not reach it."""

    def __init__(self, path: Path, process: Process, trouble: Trouble | None) -> None:
        self._real = Ledger(path)
        self._process = process
        self._trouble = trouble
        self._mark = self._real._mark.path
        self._commits = 0
        # After the commit: what the high-water mark was before it, where that is to be so again.
        self._is_doomed = False
        self._mark_before: bytes | None = None
        event.listen(self._real._engine, "begin", self._on_begin, insert=True)
        event.listen(self._real._engine, "commit", self._on_commit)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        if not callable(method):
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            self._process.step()
            try:
                result = method(*arguments, **options)
            except KilledError:
                self._process.kill()
                raise
            if self._is_doomed:
                self._process.step(dies=True)
            return result

        return call

    def drop(self) -> None:
        """What the operating system does at the end of a process: locks and file go; nothing is written."""
        for lock in self._real._liveness._held.values():
            lock.release(force=True)
            Path(lock.lock_file).touch()  # only the lock goes; whoever held it does not tidy up any more
        self._real._liveness._held.clear()
        self._real.close()
        if self._mark_before is not None:
            self._mark.write_bytes(self._mark_before)
            self._mark_before = None

    def _on_begin(self, _: object) -> None:
        if self._is_doomed:
            raise KilledError

    def _on_commit(self, _: object) -> None:
        self._commits += 1
        trouble = self._trouble
        if trouble is None or self._commits < trouble.at:
            return
        match trouble.what:
            case "before" if self._commits == trouble.at:
                raise KilledError
            case "after" | "unmarked":
                self._is_doomed = True
                if trouble.what == "unmarked" and self._mark.exists():
                    self._mark_before = self._mark.read_bytes()
            case "once" if self._commits > trouble.at:
                pass
            case "once" | "from now on":
                raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))


class _Hub(DeviceHub):
    """The real client, on a wire of our own."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        options = HubOptions(
            base_url="https://hub.example.com",
            client_id="hr@example.com",
            client_secret="secret",
            timeout=_TIMEOUT,
            patience=_PATIENCE,
        )
        super().__init__(options)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self._wire, base_url=self._options.base_url, trust_env=False)

    def _transport(self) -> httpx.AsyncBaseTransport:
        return self._wire


class _Catalog:
    async def fetch_catalog(self) -> Catalog:
        return CATALOG


class _Pace:
    """Never a wait but those that the history asks for."""

    def __init__(self, process: Process, time: SharedTime, late: Sequence[float]) -> None:
        self._process = process
        self._time = time
        self._late = list(reversed(late))

    async def reserve(self, lead: float) -> float:
        self._process.step()
        return max(self._time.clock.time() + lead, self._time.blocked_until)

    async def enter(self, slot: float) -> float | None:
        self._process.step()
        late = self._late.pop() if self._late else 0.0
        return max(slot, self._time.clock.time()) + late if late else None

    async def pause(self, until: float) -> None:
        self._process.step()
        self._time.blocked_until = max(self._time.blocked_until, until)


class _Silence:
    """Nobody watches."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None
