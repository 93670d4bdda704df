"""What would be ordered from an uploaded sheet, and what needs work: judged anew at every change, in the background.

Judging is `wiring.preview`, as the command line's `check` has it, over the very bytes that would be ordered: the mended
cells are written into the file first. What was judged is kept for a while, since a person looks at it page by page.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from batch_orders import wiring
from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.adapters.mended_sheet import mended
from batch_orders.adapters.progress import Quiet
from batch_orders.errors import BatchOrdersError, SheetError, UsageError
from batch_orders.identity import content_hash
from batch_orders.logs import get_logger
from batch_orders.messages import page as words
from batch_orders.models import Column, FindingCode, order_id
from batch_orders.sending import Stop
from batch_orders.stages.columns import map_columns
from batch_orders.wiring import SheetRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from batch_orders.models import Catalog, Mapped, MappingFile, Plan, Report, Sheet
    from batch_orders.web.drafts import Draft, Drafts
    from batch_orders.wiring import World

MAPPING_NAME = "the columns you matched"
# Seconds for which what was judged, and the catalog, may be looked at before both are asked for again.
_FRESH = 60.0
# Seconds for which it counts as made anew: a page that waits for a long one asks again and again.
_JUST_NOW = 10.0
# Seconds for which a Device Hub that is away is tried again before the page says so.
_PATIENCE = 8.0
# Sheets that are kept judged: a large one takes some hundred MB.
_MOST_KEPT = 6
_WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One version of a draft, judged: a report and a plan, or the trouble that keeps the sheet from being read.

    `request` is what would be submitted; `fingerprint` names exactly what would be ordered, from which stock.
    """

    request: SheetRequest | None = None
    report: Report | None = None
    plan: Plan | None = None
    catalog: Catalog | None = None
    trouble: BatchOrdersError | None = None
    fingerprint: str = ""


@dataclass(slots=True)
class Judging:
    """A judgement that is being made, or is made."""

    stage: str = ""
    stop: Callable[[], object] | None = None
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    result: Judged | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def is_older_than(self, seconds: float) -> bool:
        """Whether it was made so long ago that stock and titles may be others by now."""
        return self.done.is_set() and time.monotonic() - self.ended > seconds


class _Stages(Quiet):
    """Tells a judgement's stage, for the page to show."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._judging.stage = name


class RecentCatalog:
    """The catalog as it was a moment ago: a person who mends twenty cells does not ask Device Hub twenty times."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: tuple[float, Catalog] | None = None

    async def fetch_catalog(self) -> Catalog:
        """What Device Hub can deliver, or could within the last minute; UnreachableError where it does not say."""
        found = self._found
        if found is None or time.monotonic() - found[0] > _FRESH:
            catalog = await wiring.fetch_catalog(self._world)
            found = self._found = (time.monotonic(), catalog)
        return found[1]

    def forget(self) -> None:
        """Ask again the next time."""
        self._found = None


class Judge:
    """Judges drafts in threads of its own."""

    def __init__(self, world: World, drafts: Drafts) -> None:
        # Somebody looks at the page and can try again: they are told soon that Device Hub does not answer.
        hub = dataclasses.replace(world.hub, patience=min(world.hub.patience, _PATIENCE))
        self._world = world = dataclasses.replace(world, hub=hub)
        self._drafts = drafts
        self._catalog = RecentCatalog(world)
        self._kept: OrderedDict[str, tuple[int, Judging]] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="judging")

    def close(self) -> None:
        """Begin nothing new, and wait for no Device Hub that does not answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            judgings = [judging for _, judging in self._kept.values()]
        for judging in judgings:
            if judging.stop is not None and not judging.done.is_set():
                with contextlib.suppress(RuntimeError):  # it ended this very moment, and its loop with it
                    judging.stop()

    def look(self, draft: Draft, *, anew: bool = False) -> Judging:
        """The judgement on this version of the draft, perhaps still in the making; `anew` with the stock of now."""
        with self._lock:
            version, judging = self._kept.get(draft.id, (-1, None))
            is_old = judging is not None and judging.is_older_than(_JUST_NOW if anew else _FRESH)
            if judging is None or version != draft.version or is_old:
                if anew or is_old:
                    self._catalog.forget()
                judging = Judging()
                self._kept[draft.id] = (draft.version, judging)
                self._threads.submit(self._judge, draft, judging)
            self._kept.move_to_end(draft.id)
            # What is being made stays: whoever waits for it asks again and again, and would begin it anew each time.
            made = [kept for kept, (_, each) in self._kept.items() if each.done.is_set() and kept != draft.id]
            for kept in made[: max(0, len(self._kept) - _MOST_KEPT)]:
                del self._kept[kept]
            return judging

    def forget(self) -> None:
        """The ledger knows more now: everything is to be judged again."""
        with self._lock:
            self._kept.clear()
            self._catalog.forget()

    async def catalog(self) -> Catalog:
        """What Device Hub can deliver."""
        return await self._catalog.fetch_catalog()

    def _judge(self, draft: Draft, judging: Judging) -> None:
        try:
            judging.result = self._judged(draft, judging)
        except BatchOrdersError as error:
            judging.result = Judged(trouble=error)
        except Exception as error:  # noqa: BLE001 - told on the page, and without anybody's data
            get_logger().error("unexpected", exc_info=error)
            judging.result = Judged(trouble=BatchOrdersError(words.unexpected(type(error).__name__)))
        finally:
            judging.ended = time.monotonic()
            judging.done.set()

    def _judged(self, draft: Draft, judging: Judging) -> Judged:
        judging.stage = "reading the sheet"
        stop = Stop()
        world = dataclasses.replace(self._world, progress=_Stages(judging), stop=stop)
        request = request_for(draft, self._drafts.content(draft), world)

        async def steps() -> Judged:
            loop = asyncio.get_running_loop()
            judging.stop = lambda: loop.call_soon_threadsafe(stop.because, words.closing())
            judged = request
            try:
                report, plan = await wiring.preview(world, judged, catalog=self._catalog)
            except UsageError:
                if not request.release:
                    raise
                judged = await _still_there(world, request, self._catalog)
                report, plan = await wiring.preview(world, judged, catalog=self._catalog)
            named = fingerprint(plan, report.mapped)
            catalog = await self._catalog.fetch_catalog()
            return Judged(request=judged, report=report, plan=plan, catalog=catalog, fingerprint=named)

        return asyncio.run(steps())


def request_for(draft: Draft, content: bytes, world: World) -> SheetRequest:
    """What is read, judged and submitted for a draft: its file with the mended cells in it."""
    request = SheetRequest(
        path=Path(draft.name),
        content=content,
        sheet_name=draft.sheet_name,
        encoding=draft.encoding,
        mapping=parse_mapping(MAPPING_NAME, draft.mapping) if draft.mapping else None,
        release=draft.released,
        retry_rejected=draft.retry_rejected,
    )
    if not draft.cells:
        return request
    sheet = request.read(world.settings.limits)
    written = mended(sheet, draft.cells, encoding=draft.encoding, counts=_counts(sheet, request.mapping))
    return dataclasses.replace(
        request,
        path=path_of(draft.name, sheet, written.kind.value),
        content=written.content,
        encoding=written.encoding,
        sheet_name=sheet.sheet_name,
    )


async def _still_there(world: World, request: SheetRequest, catalog: RecentCatalog) -> SheetRequest:
    """The request without releases of orders that are no more: whose e-mail address was mended since, say."""
    _, plan = await wiring.preview(world, dataclasses.replace(request, release=()), catalog=catalog)
    orders = {order_id(decision.key) for decision in plan.decisions if decision.key}
    return dataclasses.replace(request, release=tuple(order for order in request.release if order in orders))


def _counts(sheet: Sheet, mapping: MappingFile | None) -> Collection[int]:
    """The columns (Excel's numbers) that say how many; none where the columns do not fit yet."""
    try:
        mapped = map_columns(sheet, mapping)
    except SheetError:
        return ()
    return {sheet.first_column + position for position in mapped.sources.get(Column.QUANTITY, ())}


def path_of(name: str, sheet: Sheet, kind: str) -> Path:
    """The name of the mended file: a workbook that cannot be edited in place became an .xlsx."""
    path = Path(name)
    return path if kind == sheet.kind.value else path.with_name(f"{path.stem}.{kind}")


def fingerprint(plan: Plan, mapped: Mapped) -> str:
    """Names exactly what would be ordered: the sheet's bytes, the orders with their contents, and the stock.

    Of the stock it is how much is short of what is asked for: a piece less of what there is plenty of changes nothing
    that anybody relied on.
    """
    short = [(f.code.value, f.rows, f.message) for f in plan.findings if f.code is FindingCode.OUT_OF_STOCK]
    orders = [(decision.key, content_hash(decision.order.contents)) for decision in plan.to_send]
    said = [hashlib.sha256(mapped.sheet.content).hexdigest(), orders, short, sorted(plan.released)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def confirms(expected: str) -> Callable[[Plan, Mapped], bool]:
    """Says yes to exactly what a person has seen, and to nothing else."""
    return lambda plan, mapped: fingerprint(plan, mapped) == expected
