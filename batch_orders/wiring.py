"""Settings → real parts → a ready pipeline. The only place that knows every adapter."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from batch_orders import pipeline
from batch_orders.adapters.device_hub import DeviceHub, HubOptions
from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.adapters.new_files import reason, write_new
from batch_orders.adapters.pacing import HeldPace, Hold, SharedPace
from batch_orders.adapters.results_writer import ResultsFile, failed_path, reserve, results_path
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.errors import LedgerError, UsageError
from batch_orders.messages import faults, forgetting, ledgers, queues, template
from batch_orders.models import Adopted
from batch_orders.pipeline import Judging, Ordering
from batch_orders.sandbox import SandboxOptions
from batch_orders.sandbox import running as running_sandbox
from batch_orders.sending import SendingPolicy, Stop
from batch_orders.settings import parse_duration
from batch_orders.stages.columns.propose import propose as propose_mapping
from batch_orders.stages.plan import LONG_AGO
from batch_orders.stages.report import marked_in, needing_work
from batch_orders.stages.validate.places import effective_country

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.adapters.order_queue import OrderQueue
    from batch_orders.errors import BatchOrdersError
    from batch_orders.models import Catalog, Limits, Mapped, MappingFile, Plan, Proposal, Report, RunRecord, Sheet
    from batch_orders.places import LedgerPlace
    from batch_orders.ports import CatalogSource, Progress
    from batch_orders.settings import Settings

_MOST_AGE = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRequest:
    """Which sheet, and what to do with it. `output` is where results go (None: beside the sheet).

    `failed_only` also writes just the rows that need work. `content` is the file's bytes where they are at hand:
    nothing is read from `path` then. Where the settings hand orders to workers nobody waits for them without `waits`.
    `about` is kept with the run: who placed it, and why. Without `keeps_file` the sheet comes without the file's bytes,
    which only results are made from.
    """

    path: Path
    content: bytes | None = field(default=None, repr=False)
    sheet_name: str | None = None
    encoding: str | None = None
    mapping: MappingFile | None = None
    output: Path | None = None
    failed_only: bool = False
    retry_rejected: bool = False
    release: tuple[str, ...] = ()
    limit: int | None = None
    waits: bool = True
    about: Mapping[str, str] = field(default_factory=dict)
    keeps_file: bool = True

    def read(self, limits: Limits) -> Sheet:
        """The sheet as it is in the file."""
        headers = self.mapping.needed_headers if self.mapping else ()
        sheet = read_sheet(
            self.path,
            sheet_name=self.sheet_name,
            encoding=self.encoding,
            headers=headers,
            limits=limits,
            content=self.content,
        )
        return sheet if self.keeps_file else dataclasses.replace(sheet, content=b"")


class Written(NamedTuple):
    """The files that a run left: the results, and just the rows that need work; and why one of them is missing."""

    results: Path | None = None
    failed: Path | None = None
    error: BatchOrdersError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where a command acts: which Device Hub, with which settings, and what remembers it."""

    settings: Settings
    hub: HubOptions
    host: str
    ledger_place: LedgerPlace
    is_sandbox: bool
    progress: Progress
    stop: Stop = field(default_factory=Stop)

    @property
    def is_throwaway(self) -> bool:
        """Whether all that is ordered here is forgotten in the end: a sandbox that was given no ledger."""
        return self.is_sandbox and self.settings.ledger is None

    def device_hub(self) -> DeviceHub:
        """A client, to be used as an async context manager."""
        return DeviceHub(self.hub, note=self.progress.note)

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The account's ledger; LedgerError where it is missing or another account's. The sandbox makes its own."""
        from batch_orders.adapters.ledger import SANDBOX_ACCOUNT, Ledger  # noqa: PLC0415 - costly, and not always asked

        if self.is_sandbox and not Ledger.exists(self.ledger_place):
            Ledger.create(self.ledger_place, account_id=SANDBOX_ACCOUNT).close()
        with contextlib.closing(Ledger(self.ledger_place)) as ledger:
            if self.is_sandbox != (ledger.account.id == SANDBOX_ACCOUNT):
                wrong = ledgers.real_ledger if self.is_sandbox else ledgers.sandbox_ledger
                raise LedgerError(wrong(self.ledger_place), hint=ledgers.how_to_choose_a_ledger())
            if not self.is_sandbox:
                ledger.check_login(self.hub.base_url, self.hub.client_id)
            yield ledger

    @contextlib.contextmanager
    def ledger_if_any(self) -> Iterator[Ledger | None]:
        """The ledger, or None where nothing was ever ordered; LedgerError where it is gone."""
        if self.is_sandbox or _may_be_there(self.ledger_place):
            with self.ledger() as ledger:
                yield ledger
        else:
            yield None


def _may_be_there(place: LedgerPlace) -> bool:
    """Whether a ledger is there, or was; where its folder has nothing of the kind, the ledger itself is not asked."""
    if isinstance(place, Path) and not place.exists() and not place.with_name(f"{place.name}.mark").exists():
        return False
    from batch_orders.adapters.ledger import Ledger  # noqa: PLC0415 - costly, and most first checks have none

    return Ledger.exists(place) or Ledger.had_predecessor(place)


@contextlib.contextmanager
def real_world(settings: Settings, progress: Progress) -> Iterator[World]:
    """The account that the settings name; SettingsError where they do not."""
    base_url, client_id, client_secret = settings.require_account()
    yield World(
        settings=settings,
        hub=HubOptions(
            base_url=base_url,
            client_id=client_id,
            client_secret=client_secret.get_secret_value(),
            timeout=settings.timeout,
            patience=settings.patience,
            proxy=settings.proxy.get_secret_value() if settings.proxy else None,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            idempotency_header=settings.idempotency_header,
        ),
        host=base_url,
        ledger_place=settings.require_ledger(),
        is_sandbox=False,
        progress=progress,
    )


@contextlib.contextmanager
def sandbox_world(settings: Settings, progress: Progress, options: SandboxOptions | None = None) -> Iterator[World]:
    """A simulated Device Hub in this process, with a throwaway ledger unless the settings (the flag) name one."""
    options = options or SandboxOptions()
    with running_sandbox(options) as sandbox, tempfile.TemporaryDirectory(prefix="batch-orders-") as folder:
        if options.faults:
            progress.note(faults.on(options.faults, options.seed))
        yield World(
            settings=settings,
            hub=HubOptions(
                base_url=sandbox.base_url,
                client_id=sandbox.client_id,
                client_secret=sandbox.client_secret,
                timeout=settings.timeout,
                patience=settings.patience,
            ),
            host=f"{sandbox.base_url} (sandbox: nothing is really ordered)",
            ledger_place=settings.ledger or Path(folder) / "ledger.sqlite",
            is_sandbox=True,
            progress=progress,
        )
        if options.faults:
            progress.note(faults.played(len(sandbox.orders), sandbox.struck))


async def fetch_catalog(world: World) -> Catalog:
    """What Device Hub can deliver now."""
    async with world.device_hub() as hub:
        return await hub.fetch_catalog()


async def write_template(world: World, output: Path | None) -> tuple[Path, Catalog, date]:
    """A template of today's catalog, in a file of its own: its path, the catalog and the day.

    UsageError where it cannot be written there; no file is ever overwritten.
    """
    from batch_orders.adapters import template_xlsx  # noqa: PLC0415 - openpyxl is costly, and no other command is waiting

    render = {".xlsx": template_xlsx.render_template, ".csv": template_xlsx.render_template_csv}
    path = output or Path("new-hires-template.xlsx")
    if path.suffix.lower() not in render:
        raise UsageError(template.wrong_suffix(path), hint=template.choose_another_place())
    catalog = await fetch_catalog(world)
    today = datetime.now(UTC).date()
    try:
        written = write_new(path, render[path.suffix.lower()](catalog, today))
    except OSError as error:
        folder = path.parent.absolute()
        raise UsageError(template.not_writable(folder, reason(error)), hint=template.choose_another_place()) from error
    return written, catalog, today


async def propose(world: World, request: SheetRequest) -> Proposal:
    """A mapping file for a foreign sheet, guessed from it and the catalog."""
    sheet = read_sheet(
        request.path,
        sheet_name=request.sheet_name,
        encoding=request.encoding,
        foreign=True,
        limits=world.settings.limits,
        content=request.content,
    )
    catalog = await fetch_catalog(world)
    return propose_mapping(sheet, catalog.stock, effective_country)


async def check(world: World, request: SheetRequest) -> Report:
    """Validate a sheet; send nothing."""
    writes = request.output is not None or request.failed_only
    report, _ = await preview(world, dataclasses.replace(request, keeps_file=writes))
    return report


async def preview(world: World, request: SheetRequest, *, catalog: CatalogSource | None = None) -> tuple[Report, Plan]:
    """Validate a sheet; send nothing. Also what `submit` would do now; `catalog` is asked in place of Device Hub."""
    with world.ledger_if_any() as ledger:
        refusal = ledger.refusal() if ledger is not None else None
        async with world.device_hub() as hub:
            judging = _judging(world, request, hub, ledger, datetime.now(UTC))
            judging = dataclasses.replace(judging, catalog=catalog or hub)
            return await pipeline.preview(judging, refusal=refusal)


def new_run_id(now: datetime) -> str:
    """The id of a run that begins now: it sorts by time, and nobody can guess it whole."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


async def submit(
    world: World,
    request: SheetRequest,
    *,
    confirm: Callable[[Plan, Mapped], bool],
    run_id: str | None = None,
    hold: Hold | None = None,
) -> tuple[Report, Written]:
    """Validate a sheet, place its orders, write the results. While `hold` is on, nothing new leaves."""
    settings = world.settings
    now = datetime.now(UTC)
    places: list[ResultsFile] = []

    def reserve_results(sheet: Sheet) -> ResultsFile:
        path = results_path(sheet.path, sheet.kind, request.output)
        places.append(reserve(path, failed_only=request.failed_only))
        return places[0]

    with world.ledger() as ledger, contextlib.closing(pace_of(world, ledger)) as pace:
        async with world.device_hub() as hub:
            ordering = Ordering(
                ledger=ledger,
                desk=hub,
                pace=HeldPace(pace, hold, world.stop) if hold is not None else pace,
                policy=policy_of(world),
                reserve_results=reserve_results,
                confirm=confirm,
                options={
                    "sheet_name": request.sheet_name,
                    "encoding": request.encoding,
                    "mapping": request.mapping.text if request.mapping else None,
                    "mapping_name": request.mapping.name if request.mapping else None,
                    **request.about,
                },
                run_id=run_id or new_run_id(now),
                max_orders=settings.max_orders,
                limit=request.limit,
                workers=queue_of(world, ledger) if settings.queue else None,
                waits=request.waits,
            )
            report, error = await pipeline.submit(_judging(world, request, hub, ledger, now), ordering)
    return report, Written(places[0].written, places[0].failed, error) if places else Written()


def write_checked(report: Report, request: SheetRequest) -> tuple[Report, Written]:
    """What `check` writes: an annotated sheet where one is asked for, and the rows that need work.

    Also the report for whoever reads it beside these files: it says in which of them to mend what is wrong.
    """
    written = _write_checked(marked_in(report, "this file"), request)
    file = written.failed or written.results
    return marked_in(report, str(file)) if file else report, written


def _write_checked(report: Report, request: SheetRequest) -> Written:
    if request.output is not None:
        with reserve(request.output, failed_only=request.failed_only) as place:
            return Written(place.write(report), place.failed)
    part = needing_work(report) if request.failed_only else None
    if part is None:
        return Written()
    sheet = report.mapped.sheet
    return Written(failed=_write(part, failed_path(results_path(sheet.path, sheet.kind, None))))


def _write(report: Report, path: Path) -> Path:
    with reserve(path) as place:
        return place.write(report)


def rebuild(ledger: Ledger, name: str, output: Path | None, limits: Limits) -> tuple[Report, Path]:
    """A run's results sheet, made anew from the ledger."""
    run, report = rebuilt(ledger, name, limits)
    beside = run.input if run.input.parent.is_dir() else Path(run.input.name)
    return report, _write(report, results_path(beside, report.mapped.sheet.kind, output))


def rebuilt(ledger: Ledger, name: str, limits: Limits) -> tuple[RunRecord, Report]:
    """A run, and its report with its orders as they stand now; LedgerError where it ended before it had one."""
    run, frozen = ledger.run(name)
    if run.forgotten_at:
        raise LedgerError(forgetting.run_forgotten(run), hint=forgetting.how_to_look_elsewhere())
    if frozen is None:
        raise LedgerError(ledgers.no_report(run.run_id))
    text = run.options.get("mapping")  # a run of an older version has none
    mapping = parse_mapping(run.options.get("mapping_name") or "", text) if text is not None else None
    request = SheetRequest(
        path=run.input,
        content=run.sheet,
        sheet_name=run.options["sheet_name"],
        encoding=run.options["encoding"],
        mapping=mapping,
    )
    sheet = request.read(limits)
    keys = pipeline.keys_in(frozen)
    return run, pipeline.rebuild(run, frozen, sheet, ledger.recall(keys), mapping=mapping)


def adopt(
    ledger: Ledger,
    paths: Sequence[Path],
    limits: Limits,
    *,
    mapping: MappingFile | None = None,
    up_to_date: bool = False,
) -> tuple[Counter[str], list[str]]:
    """Enter the orders of results files: how many were new, known or at odds, and a line for each of the latter.

    All files are read before anything is entered. Afterwards a restored copy counts as up to date where nothing is at
    odds and as much was entered since as it lacks by its high-water mark, or where a person says so (`up_to_date`).
    """
    sheets = [(path, SheetRequest(path=path, mapping=mapping).read(limits)) for path in paths]
    found = [(path, past) for path, sheet in sheets for past in pipeline.past_orders(sheet, mapping)]
    counts: Counter[str] = Counter()
    conflicts = []
    for path, past in found:
        adopted = Adopted.CONFLICT
        if past.unknown:
            adopted = ledger.adopt_unknown(past.order, past.submitted_at)
        elif past.order_number:
            adopted = ledger.adopt(past.order, past.order_number, past.submitted_at)
        else:
            # Something was placed, and this file does not say what: a person has to look before it may be sent.
            ledger.adopt_unknown(past.order, past.submitted_at)
        counts[adopted.value] += 1
        if adopted is Adopted.CONFLICT:
            conflicts.append(ledgers.at_odds(path, past.row, past.order_number))
    if up_to_date or (not conflicts and ledger.lacks_nothing()):
        ledger.trust_mark()
    return counts, conflicts


def age_to_forget(settings: Settings, older_than: str) -> timedelta:
    """How old what `forget` removes is at least; UsageError where that is no length of time, or too short a one."""
    try:
        seconds = parse_duration(older_than)
    except ValueError as error:
        raise UsageError(forgetting.not_an_age(str(error)), hint=forgetting.how_to_write_an_age()) from None
    least = max(LONG_AGO, timedelta(days=settings.repeat_days))
    if seconds < least.total_seconds():
        told = forgetting.too_young(least, settings.repeat_days)
        raise UsageError(told, hint=forgetting.how_to_write_an_age())
    if seconds > _MOST_AGE.total_seconds():
        raise UsageError(forgetting.too_old(), hint=forgetting.how_to_write_an_age())
    return timedelta(seconds=seconds)


def _judging(world: World, request: SheetRequest, hub: DeviceHub, ledger: Ledger | None, now: datetime) -> Judging:
    return Judging(
        read_sheet=lambda: request.read(world.settings.limits),
        catalog=hub,
        memory=ledger,
        progress=world.progress,
        stop=world.stop,
        host=world.host,
        now=now,
        repeat_days=world.settings.repeat_days,
        order_ahead=timedelta(seconds=ahead) if (ahead := world.settings.order_ahead) is not None else None,
        shipping_days=world.settings.shipping_days,
        retry_rejected=request.retry_rejected,
        released=request.release,
        mapping=request.mapping,
        forgets=world.is_throwaway,
    )


def policy_of(world: World) -> SendingPolicy:
    """How the settings have orders sent."""
    return SendingPolicy(
        concurrency=world.settings.concurrency,
        patience=world.settings.patience,
        server_errors_not_applied=world.settings.server_errors == "not_applied",
    )


def queue_of(world: World, ledger: Ledger) -> OrderQueue:
    """The queue beside the ledger; UsageError where that is a file, which nobody shares."""
    from batch_orders.adapters.order_queue import OrderQueue  # noqa: PLC0415 - needs an extra

    if isinstance(world.ledger_place, Path):
        raise UsageError(queues.needs_a_shared_ledger(), hint=queues.how_to_share_one())
    return OrderQueue(ledger, world.ledger_place)


def pace_of(world: World, ledger: Ledger) -> SharedPace:
    """The pace that everybody shares who sends with this ledger; to be closed."""
    rate = world.settings.rate
    return SharedPace(
        ledger.pace_place,
        orders=rate.orders,
        window=rate.window,
        last_sent_at=ledger.last_sent_at(),
    )
