"""READ FIRST: the whole flow on one page.

    read → map columns → validate → group → plan (`check` ends here) → submit → report

Both commands walk the same way to the plan; `submit` then carries it out. Everything outside comes through ports.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from batch_orders.errors import BatchOrdersError, RunStoppedError, TooManyOrdersError, UsageError
from batch_orders.messages import ledgers, mappings, outcomes, queues, runs, template
from batch_orders.models import Catalog, Column, History, Outcome, PastOrder, RowStatus, RunRecord, Warehouse
from batch_orders.queueing import place_by_workers
from batch_orders.sending import Line, SendingPolicy, Stop, send_orders
from batch_orders.stages import report as reporting
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group, only_lines
from batch_orders.stages.plan import numbers_in_sheet, placed_since, plan, standing, traces_asked_for
from batch_orders.stages.template import gone_titles, set_example_aside
from batch_orders.stages.validate import validate
from batch_orders.stages.validate.texts import squeeze

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from batch_orders.models import Claim, Contents, Finding, Mapped, MappingFile, Plan, Remembered, Report, Sheet
    from batch_orders.ports import CatalogSource, LedgerPort, Memory, OrderDesk, Pace, Progress, ResultsPlace, Workers

# Seconds between two looks at orders that another run has in hand; and at least so many times as long as a look takes,
# which keeps that run from writing: for thousands of orders that is most of a second.
_LOOK_AGAIN, _LOOKS_APART = 0.5, 5
UNEXPECTED = 1
# What the ledger knows of, and is told again that a sheet has it.
_SEEN_AGAIN = {RowStatus.ALREADY_ORDERED, RowStatus.CHANGED, RowStatus.REJECTED}
_SAY_PLACED = {RowStatus.ORDERED, RowStatus.ALREADY_ORDERED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What it takes to judge a sheet. `memory` is None where there is no ledger: then nothing was ordered yet.

    `forgets` says that the ledger is thrown away afterwards, as the sandbox's is.
    """

    read_sheet: Callable[[], Sheet]
    catalog: CatalogSource
    memory: Memory | None
    progress: Progress
    stop: Stop
    host: str
    now: datetime
    repeat_days: int
    order_ahead: timedelta | None = None
    shipping_days: Mapping[str, int] = field(default_factory=dict)
    retry_rejected: bool = False
    released: Sequence[str] = ()
    mapping: MappingFile | None = None
    forgets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering:
    """What it takes to carry a plan out. `limit` places at most so many orders now (None: all).

    Where there are `workers` the orders are handed to them, and without `waits` nobody waits for how they end.
    """

    ledger: LedgerPort
    desk: OrderDesk
    pace: Pace
    policy: SendingPolicy
    reserve_results: Callable[[Sheet], AbstractContextManager[ResultsPlace]]
    confirm: Callable[[Plan, Mapped], bool]
    options: Mapping[str, str | None]
    run_id: str
    max_orders: int
    limit: int | None = None
    workers: Workers | None = None
    waits: bool = True


async def check(judging: Judging) -> Report:
    """Validate the sheet against the live catalog and the ledger's memory; send nothing."""
    report, _ = await preview(judging)
    return report


async def preview(judging: Judging, *, refusal: BatchOrdersError | None = None) -> tuple[Report, Plan]:
    """What `check` tells, and the plan that `submit` would carry out now; send nothing.

    `refusal` is why the ledger would not let anything be sent.
    """
    mapped, planned = await _judge(judging)
    if judging.memory is None:
        judging.progress.note(runs.no_ledger_note())
    report = reporting.report(
        planned,
        mapped,
        command="check",
        run_id=None,
        ended={},
        unsent=Outcome(status=RowStatus.READY, message=outcomes.ready()),
        about=_about(mapped, judging.host, has_ledger=judging.memory is not None),
    )
    return (reporting.refused(report, refusal) if refusal else report), planned


async def submit(judging: Judging, ordering: Ordering) -> tuple[Report, BatchOrdersError | None]:
    """Validate, place the orders, write the results sheet: gives the report, and why the sheet could not be written.

    Raises UsageError, before anything is sent, where the plan would place more orders than `max_orders`. Where the
    person declines, nothing is sent or written.
    """
    mapped, planned = await _judge(judging)
    to_send = planned.to_send[: ordering.limit]
    if len(to_send) > ordering.max_orders:
        raise TooManyOrdersError(runs.too_many(len(to_send), ordering.max_orders), hint=runs.how_to_allow_more())
    submission = _Submission(judging, ordering, mapped, planned)
    if to_send and not ordering.confirm(planned, mapped):
        judging.stop.because(runs.declined())
        return submission.report({}, was_run=False), None
    # A place that cannot be written is found now, while nothing has been sent.
    with ordering.reserve_results(mapped.sheet) as results:
        ordering.ledger.note_contents(_contents_to_note(planned))
        done = await submission.carry_out()
        judging.progress.stage("writing the results")
        try:
            results.write(done)
        except BatchOrdersError as error:
            # The orders are placed: how each of them ended is told all the same.
            return reporting.without_results(done, hint=error.hint, exit_code=error.exit_code), error
        return done, None


def rebuild(
    run: RunRecord,
    frozen: bytes,
    sheet: Sheet,
    remembered: Mapping[str, Remembered],
    *,
    mapping: MappingFile | None = None,
) -> Report:
    """An earlier run's report from what the ledger keeps, with its orders as they stand now."""
    sheet = dataclasses.replace(sheet, path=run.input)
    return reporting.thaw(frozen, _mapped(sheet, mapping), run_id=run.run_id, now=remembered)


def past_orders(sheet: Sheet, mapping: MappingFile | None = None) -> tuple[PastOrder, ...]:
    """The orders that a results file says were placed, or may have been; UsageError where it is none.

    A row tells of the past where it says `ordered` or `already_ordered`, or carries an order number whatever it says
    (it was held, or has errors, and kept its number). An order is made of these rows alone: a row that was added since
    is none of what was ordered. Where they do not agree on one number, or one says that the order was changed after it
    was placed, the number is "", and a person has to look.
    """
    mapped = _mapped(sheet, mapping)
    if not mapped.results:
        raise UsageError(ledgers.no_results_file(mapped.sheet.path), hint=runs.how_to_adopt())
    checked = validate(mapped, _own_catalog(mapped))
    orders, _ = group(checked)
    said = mapped.history()
    status, number = [status for status, _ in said], [number for _, number in said]
    submitted_at = mapped.own_values(mapped.results[3])
    found = []
    for order in orders:
        placed = [line for line in order.lines if number[line] or status[line] in _SAY_PLACED]
        unknown = [line for line in order.lines if status[line] == RowStatus.UNKNOWN]
        told = placed or unknown
        if not told:
            continue
        numbers = {number[line] for line in placed}
        is_sure = len(numbers) == 1 and not unknown and all(status[line] != RowStatus.CHANGED for line in placed)
        found.append(
            PastOrder(
                order=only_lines(checked, order, told),
                row=mapped.row_number(told[0]),
                order_number=numbers.pop() if is_sure else "",
                submitted_at=_instant(submitted_at[told[0]]),
                unknown=not placed,
            )
        )
    return tuple(found)


def _own_catalog(mapped: Mapped) -> Catalog:
    """The sheet's own titles and options, as they were put right: what was ordered need not be in today's catalog."""
    titles, options = (
        [squeeze(text) for text in mapped.values(column)] for column in (Column.PRODUCT_TITLE, Column.EXPEDITE_SHIPPING)
    )
    stock = {title: 0 for title in titles if title}
    own = Warehouse(id="", name="", shipping_options=tuple({option for option in options if option}), stock=stock)
    return Catalog(warehouses=(own,))


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def keys_in(frozen: bytes) -> tuple[str, ...]:
    """The keys of a kept report's orders."""
    return reporting.frozen_keys(frozen)


async def _judge(judging: Judging) -> tuple[Mapped, Plan]:
    """The sheet and the plan for it: the part that `check` and `submit` share."""
    judging.progress.stage("reading the sheet")
    mapped = _mapped(judging.read_sheet(), judging.mapping)
    judging.progress.stage("fetching the catalog")
    catalog = await _unless_stopped(judging)
    judging.progress.stage("checking every row")
    checked = validate(mapped, catalog, dates=judging.order_ahead is not None)
    grouped, loose_lines = group(checked)
    await asyncio.sleep(0)  # an interrupt that came while the loop stood still is heard now
    if judging.stop:
        raise RunStoppedError(judging.stop.reason, hint=runs.how_to_go_on())
    memory = judging.memory
    orders = [(memory.key(order) if memory else None, order) for order in grouped]
    history = History(
        now=judging.now,
        repeat_days=judging.repeat_days,
        order_ahead=judging.order_ahead,
        shipping_days=judging.shipping_days,
    )
    if memory:
        history = dataclasses.replace(
            history,
            look_alikes=memory.look_alikes(traces_asked_for(order for _, order in orders)),
            known_numbers=memory.known_numbers(set(numbers_in_sheet(checked).values())),
        )
    planned = plan(
        checked,
        orders,
        loose_lines,
        remembered=memory.recall([key for key, _ in orders if key]) if memory else {},
        history=history,
        catalog=catalog,
        retry_rejected=judging.retry_rejected,
        released=_released(judging.released, [key for key, _ in orders if key]),
    )
    return mapped, dataclasses.replace(planned, notes=tuple(_notes(mapped, planned)))


def _mapped(sheet: Sheet, mapping: MappingFile | None = None) -> Mapped:
    """The sheet with its columns known, and without the template's example row."""
    return set_example_aside(map_columns(sheet, mapping))


def _notes(mapped: Mapped, planned: Plan) -> Iterator[str]:
    """What is worth saying of the sheet as a whole."""
    sheet = mapped.sheet
    if sheet.aside:
        yield template.example_set_aside(sorted(sheet.aside))
    yield from mapped.notes
    gone = gone_titles(mapped, planned.findings)
    if sheet.template and gone:
        yield template.gone_since(sheet.template.catalog_date, gone)


def _released(names: Sequence[str], keys: Sequence[str]) -> frozenset[str]:
    """The orders that `--release` names; UsageError where the sheet has no such order, or several."""
    released = set()
    for name in names:
        found = [key for key in keys if name and key.startswith(name.lower())]
        if len(found) != 1:
            raise UsageError(runs.cannot_release(name, len(found)), hint=runs.how_to_release())
        released.add(found[0])
    return frozenset(released)


async def _unless_stopped(judging: Judging) -> Catalog:
    """The catalog; an interrupt does not wait for a Device Hub that is away."""
    fetching = asyncio.ensure_future(judging.catalog.fetch_catalog())
    stopping = asyncio.ensure_future(judging.stop.event.wait())
    await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not fetching.done():
        fetching.cancel()
        await asyncio.wait({fetching})
        raise RunStoppedError(judging.stop.reason, hint=runs.how_to_go_on())
    return fetching.result()


class _Submission:
    """A plan that is carried out, and what comes of it."""

    def __init__(self, judging: Judging, ordering: Ordering, mapped: Mapped, planned: Plan) -> None:
        self._judging = judging
        self._ordering = ordering
        self._mapped = mapped
        self._planned = planned
        self._to_send = planned.to_send[: ordering.limit]
        # About orders that look like one placed since the plan was made.
        self._since: list[Finding] = []

    def report(self, ended: Mapping[str, Outcome], *, was_run: bool = True) -> Report:
        """How it stands, with the outcomes so far by the orders' keys."""
        judging, ordering, planned = self._judging, self._ordering, self._planned
        done = reporting.report(
            dataclasses.replace(planned, findings=(*planned.findings, *self._since)),
            self._mapped,
            command="submit",
            run_id=ordering.run_id if was_run else None,
            ended={**_beyond_limit(planned, ordering.limit), **ended},
            unsent=Outcome(status=RowStatus.NOT_SENT, message=outcomes.left_over()),
            about=_about(
                self._mapped,
                judging.host,
                has_ledger=True,
                run=(ordering.run_id, judging.now) if was_run else None,
            ),
            stopped=_stopped(judging, planned, ordering.limit),
            stop_code=judging.stop.exit_code or RunStoppedError.exit_code,
            what_next=self._what_next if was_run else self._what_after_no,
        )
        return dataclasses.replace(done, stop_hint=judging.stop.hint, is_handed_over=judging.stop.is_handed_over)

    def _what_next(self, exit_code: int) -> str:
        """What a person does next, where that is not the usual."""
        if self._judging.forgets:
            return runs.next_step_in_sandbox(exit_code)
        if exit_code == RunStoppedError.exit_code and self._judging.stop.is_handed_over:
            return queues.next_step(self._ordering.run_id)
        is_limit = exit_code == RunStoppedError.exit_code and not self._judging.stop
        return runs.next_step_after_limit() if is_limit and self._is_limited else ""

    def _what_after_no(self, _: int) -> str:
        is_all_fine = not self._planned.held_back and not self._planned.loose_lines
        return runs.next_step_after_no(is_all_fine=is_all_fine)

    @property
    def _is_limited(self) -> bool:
        """Whether `limit` keeps some orders back."""
        return len(self._to_send) < len(self._planned.to_send)

    async def carry_out(self) -> Report:
        """Place the orders. The ledger knows of the run from before the first to after the last of them."""
        judging, ordering = self._judging, self._ordering
        ledger, run_id = ordering.ledger, ordering.run_id
        careful = ledger.begin_run(
            RunRecord(
                run_id=run_id,
                command="submit",
                input=self._mapped.sheet.path,
                host=judging.host,
                started_at=judging.now,
                sheet=self._mapped.sheet.content,
                options=ordering.options,
            )
        )
        try:
            ledger.note_release(run_id, self._planned.released)
            # Should the process die on the way, the results can be rebuilt from here.
            report = self.report({})
            ledger.save_report(run_id, reporting.freeze(report))
            # Where nothing is to be sent it all stands as it was planned; else this one is large, and of no use.
            as_planned = None if self._to_send else report
            del report
            ended = await self._place(careful=careful)
        except BaseException:
            ledger.end_run(run_id, UNEXPECTED)
            raise
        done = self.report(ended) if as_planned is None or judging.stop else as_planned
        try:
            if done is not as_planned:
                ledger.save_report(run_id, reporting.freeze(done))
            ledger.end_run(run_id, done.exit_code)
        except BatchOrdersError as error:
            # What was ordered is told all the same: the results sheet may be the only place that has it whole.
            judging.stop.because(error.message, hint=error.hint, exit_code=error.exit_code)
            return self.report(ended)
        return done

    async def _place(self, *, careful: bool) -> Mapping[str, Outcome]:
        """How each order ended, by its key."""
        judging, ordering = self._judging, self._ordering
        line = Line(
            desk=ordering.desk,
            journal=ordering.ledger,
            pace=ordering.pace,
            policy=dataclasses.replace(ordering.policy, careful=careful),
            progress=judging.progress,
            stop=judging.stop,
        )
        judging.progress.sending(len(self._to_send), len(self._planned.held_back))
        try:
            return await self._claim_and_send(line)
        finally:
            line.close()

    async def _claim_and_send(self, line: Line) -> Mapping[str, Outcome]:
        """Send what can be claimed; what another live run has in hand is waited for and reported as that leaves it."""
        judging, ordering = self._judging, self._ordering
        orders = {decision.key: decision.order for decision in self._to_send if decision.key is not None}
        pending = list(orders.items())
        ended: dict[str, Outcome] = {}
        seen: object = None
        changed_at = time.monotonic()
        while pending and not line.stop:
            batch, began = pending, time.monotonic()
            claims = await line.write(
                lambda batch=batch: ordering.ledger.claim(  # type: ignore[misc] # mypy cannot infer a default's type here
                    ordering.run_id, batch, retry_rejected=judging.retry_rejected
                )
            )
            took = time.monotonic() - began
            held = await self._hold_look_alikes(line, claims.ours) if claims.ours else {}
            ended |= held
            ended |= await self._send(line, [claim for claim in claims.ours if claim.key not in held])
            for key, remembered in claims.others.items():
                outcome = standing(remembered, orders[key].contents, retry_rejected=False)
                if outcome is not None:
                    ended[key] = outcome
                    judging.progress.ended(outcome.status.value)
            pending = [(key, order) for key, order in batch if key in claims.others and key not in ended]
            now_seen = [(key, claims.others[key].state, claims.others[key].attempts) for key, _ in pending]
            if claims.ours or now_seen != seen:
                seen, changed_at = now_seen, time.monotonic()
            elif time.monotonic() - changed_at > ordering.policy.patience:
                line.stop.because(runs.others_busy())
            if pending:
                await line.pause(max(_LOOK_AGAIN, _LOOKS_APART * took))
        return ended

    async def _send(self, line: Line, claims: Sequence[Claim]) -> Mapping[str, Outcome]:
        """Send them from here, or have them sent."""
        ordering = self._ordering
        if ordering.workers is None:
            return await send_orders(line, claims)
        if not claims:
            return {}
        return await place_by_workers(line, ordering.workers, ordering.ledger, claims, waits=ordering.waits)

    async def _hold_look_alikes(self, line: Line, claims: Sequence[Claim]) -> Mapping[str, Outcome]:
        """The claimed orders that look like one placed, or taken in hand by another run, since the plan was made.

        They stay this run's until it ends, so that whoever looks while it lasts sees them too.
        """
        judging, ordering = self._judging, self._ordering
        traces = traces_asked_for(claim.order for claim in claims)
        known = await line.write(lambda: ordering.ledger.look_alikes(traces, besides=ordering.run_id))
        history = History(now=judging.now, repeat_days=judging.repeat_days, look_alikes=known)
        claimed = [(claim.key, claim.order) for claim in claims]
        found = placed_since(self._mapped, claimed, history, released=self._planned.released)
        self._since += found.values()
        for _ in found:
            judging.progress.ended(RowStatus.HELD.value)
        return {key: Outcome(status=RowStatus.HELD, message=finding.message) for key, finding in found.items()}


def _contents_to_note(planned: Plan) -> dict[str, Contents | None]:
    """What the sheet holds for orders that are known: other contents than were placed (a person may accept them)."""
    return {
        decision.key: decision.order.contents if decision.settled.status is RowStatus.CHANGED else None
        for decision in planned.decisions
        if decision.key and decision.settled and decision.settled.status in _SEEN_AGAIN
    }


def _beyond_limit(planned: Plan, limit: int | None) -> dict[str, Outcome]:
    if limit is None:
        return {}
    beyond = Outcome(status=RowStatus.NOT_SENT, message=outcomes.beyond_limit())
    return {decision.key: beyond for decision in planned.to_send[limit:] if decision.key is not None}


def _stopped(judging: Judging, planned: Plan, limit: int | None) -> str:
    stop = judging.stop
    if stop:
        hint = "" if judging.forgets else stop.hint  # there is no next run that could go on
        return " ".join(part for part in (stop.reason, hint) if part)
    if limit is not None and len(planned.to_send) > limit:
        return runs.limit_reached(limit)
    return ""


def _about(
    mapped: Mapped, host: str, *, has_ledger: bool, run: tuple[str, datetime] | None = None
) -> Sequence[tuple[str, str]]:
    sheet = mapped.sheet
    name = f"{sheet.path.name}, sheet “{sheet.sheet_name}”" if sheet.sheet_name else sheet.path.name
    lines = [("Sheet", name)]
    if mapped.mapping:
        lines.append(("Mapping", mappings.about_line(mapped.mapping)))
    lines.append(("Device Hub", host))
    if run is not None:
        lines += [("Run", run[0]), ("Started", f"{run[1]:%Y-%m-%d %H:%M:%S} UTC")]
    if not has_ledger:
        lines.append(("Ledger", runs.no_ledger()))
    return lines
