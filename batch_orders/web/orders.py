"""The routes of runs (live and past), and of the orders that wait for a person."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from batch_orders import wiring
from batch_orders.adapters.results_writer import render, results_path
from batch_orders.errors import LedgerError
from batch_orders.messages import page as words
from batch_orders.messages.outcomes import changed
from batch_orders.models import OrderState, RowStatus, Severity, order_id
from batch_orders.stages.report import frozen_held, frozen_keys, only_order
from batch_orders.web.page import page_of, person_of
from batch_orders.web.sheets import as_download

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import OrderResult, Remembered, Report, RunRecord
    from batch_orders.web.live import LiveRun
    from batch_orders.web.page import Page
    from batch_orders.web.people import Person

router = APIRouter()

# Seconds between two looks at a run under way, and between two words to a browser when nothing happens.
_LOOK = 0.5
_WORD = 10.0
_NEWEST = 12
_FAILED_SHOWN = 8
_RUNS_SHOWN = 50
# Runs whose reports are looked through for orders that wait to be released.
_RUNS_LOOKED_AT = 30
_ORDERS_A_PAGE = 50
_LONGEST_NOTE = 2_000
_REPORTS_KEPT = 6
_FAILED = (OrderState.REJECTED, OrderState.UNKNOWN)
_ENDED = (OrderState.ORDERED, *_FAILED)

_reports: OrderedDict[tuple[str, int], tuple[RunRecord, Report]] = OrderedDict()


@router.get("/runs")
async def show_runs(request: Request) -> Response:
    """Every run that this person may see, the newest first; and the sheets that wait for their yes."""
    page, person = page_of(request), person_of(request)

    def ask(ledger: Ledger) -> list[tuple[RunRecord, bool]]:
        mine = _mine(page, person)
        seen = [run for run in ledger.runs() if mine is None or run.run_id in mine or _owner(run) == person.name]
        return [(run, run.ended_at is None and ledger.is_alive(run.run_id)) for run in seen[:_RUNS_SHOWN]]

    runs = await page.in_ledger(ask)
    return await page.render(request, "runs.html", runs=runs, to_approve=page.asked(person))


@router.get("/runs/{run_id}")
async def show_run(request: Request, run_id: str, show: str = "", at: int = 1) -> Response:
    """A run as it stands: under way here, or as the ledger has it."""
    page, person = page_of(request), person_of(request)
    live = page.live.find(run_id)
    if live is not None and page.sees(person, live.owner):
        if not live.ended.is_set():
            view = await _live_view(page, live)
            return await page.render(request, "live.html", step=4, view=view, run=live)
        if live.trouble is not None and live.report is None:
            return await page.render(request, "untold.html", step=4, run=live, trouble=live.trouble)
        if live.report is not None and live.report.declined:
            return await page.render(request, "untold.html", step=4, run=live, trouble=live.trouble)
    run, report, is_alive = await _found(page, person, run_id)
    draft = page.drafts.of_run(run_id)
    if report is None:
        nothing = LedgerError(words.no_orders_planned())
        return await page.render(request, "ended.html", step=5, record=run, draft=draft, view=None, trouble=nothing)
    trouble = live.trouble if live else None
    view = await run_sync(_ended_view, run, report, show, at, is_alive)
    return await page.render(request, "ended.html", step=5, record=run, draft=draft, view=view, trouble=trouble)


@router.get("/runs/{run_id}/events")
async def watch(request: Request, run_id: str) -> Response:
    """The run under way, told again whenever something has happened (server-sent events)."""
    page, person = page_of(request), person_of(request)
    live = page.live.find(run_id)
    if live is None or not page.sees(person, live.owner):
        raise HTTPException(404, words.no_such_run())
    csrf = request.state.session.csrf

    async def tell() -> AsyncIterator[str]:
        told, said_at = None, 0.0
        while not live.ended.is_set() and not page.is_closing():
            now = (live.done, live.stage, bool(live.hold), live.is_stopping, live.notes)
            if now != told or (live.is_sending and time.monotonic() - said_at > 1.0):
                told, said_at = now, time.monotonic()
                view = await _live_view(page, live)
                html = page.fragment("_live.html", view=view, run=live, csrf=csrf, person=person)
                yield "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"
            elif time.monotonic() - said_at > _WORD:
                said_at = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(_LOOK)
        yield "event: ended\ndata: \n\n"

    return StreamingResponse(tell(), media_type="text/event-stream")


@router.post("/runs/{run_id}/{act}")
async def act_on_run(request: Request, run_id: str, act: str) -> Response:
    """Pause, go on, stop; or take the run's sheet up again."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    if act == "again":
        return await _take_up_again(page, person, run_id)
    live = page.live.find(run_id)
    if live is None or not page.sees(person, live.owner) or act not in {"pause", "resume", "stop"}:
        raise HTTPException(404, words.no_such_run())
    if not live.ended.is_set():
        if act == "stop":
            live.stop(words.stopped_here())
        else:
            live.pause(on=act == "pause")
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


@router.get("/runs/{run_id}/results")
async def download_results(request: Request, run_id: str) -> Response:
    """The results as they stand now."""
    page = page_of(request)
    run, report, _ = await _found(page, person_of(request), run_id)
    if report is None:
        raise HTTPException(404, words.no_orders_planned())
    kind = report.mapped.sheet.kind.results
    name = results_path(run.input, report.mapped.sheet.kind, None).name
    return as_download(await run_sync(render, kind, report), name)


@router.get("/runs/{run_id}/sheet")
async def download_sheet(request: Request, run_id: str) -> Response:
    """The sheet as it was ordered from."""
    run, _, _ = await _found(page_of(request), person_of(request), run_id)
    return as_download(run.sheet, run.input.name)


# What waits for a person ----------------------------------------------------------------------------------------


@router.get("/waiting")
async def show_waiting(request: Request, settled: str = "") -> Response:
    """The queue: unknown, changed, rejected and held orders, each with what helps to decide."""
    page, person = page_of(request), person_of(request)
    waiting = await page.waiting(person)

    def ask(ledger: Ledger) -> tuple[list[dict[str, Any]], list[tuple[RunRecord, OrderResult]]]:
        told = [_told(order, ledger.evidence(order.key, is_plain=True)) for order in waiting]
        return told, _held(page, person, ledger)

    told, held = await page.in_ledger(ask)
    return await page.render(request, "waiting.html", orders=told, held=held, settled=settled[:200])


@router.post("/waiting/{order}/settle")
async def settle(
    request: Request,
    order: str,
    verdict: Annotated[str, Form()],
    number: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """A person's verdict on an order, as the command line's `settle` has it."""
    page, person = page_of(request), person_of(request)
    found = await _order_to_settle(page, person, order)
    if verdict == "placed" and not number.strip():
        raise HTTPException(400, words.number_needed())
    said = f"{note.strip()[:_LONGEST_NOTE]} ({person.name}, on the page)".strip()

    def record(ledger: Ledger) -> None:
        fresh = ledger.find(found.key)
        match verdict:
            case "placed":
                ledger.settle_placed(fresh, number.strip(), said)
            case "not_placed":
                ledger.settle_not_placed(fresh, said)
            case "cancelled":
                ledger.settle_cancelled(fresh, said)
            case "keep":
                ledger.settle_keep(fresh, said)
            case _:
                raise HTTPException(400, words.no_such_verdict())

    await page.in_ledger(record)
    page.judge.forget()
    return RedirectResponse(f"/waiting?settled={verdict}", status_code=303)


@router.post("/waiting/{order}/again")
async def again(
    request: Request, order: str, run_id: Annotated[str, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """One order alone, to be looked at and confirmed again: a refused one as it is, or a held one on purpose."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    run, report, _ = await _found(page, person, run_id)
    key = next((each.key for each in report.orders if each.key and order_id(each.key) == order), "") if report else ""
    part = only_order(report, key) if report and key else None
    if part is None:
        raise HTTPException(404, words.no_such_order())
    state = await page.in_ledger(lambda ledger: ledger.recall([key]).get(key))
    is_refused = state is not None and state.state is OrderState.REJECTED
    draft = await _new_draft(
        page,
        person,
        run,
        part,
        released=() if is_refused else (order,),
        retry_rejected=is_refused,
        note=note.strip()[:_LONGEST_NOTE],
    )
    return RedirectResponse(f"/sheets/{draft}", status_code=303)


# Parts ----------------------------------------------------------------------------------------------------------


async def _take_up_again(page: Page, person: Person, run_id: str) -> Response:
    """On with what is left: the very sheet where it is still here and theirs, else the run's results as a new one."""
    run, report, _ = await _found(page, person, run_id)
    draft = page.drafts.of_run(run_id)
    if draft is not None and draft.owner == person.name:
        return RedirectResponse(f"/sheets/{draft.id}", status_code=303)
    if report is None:
        content, mapping = run.sheet, run.options.get("mapping") or ""
        kept = page.drafts.add(
            run.input.name,
            content,
            owner=person.name,
            mapping=mapping,
            encoding=run.options.get("encoding"),
            sheet_name=run.options.get("sheet_name"),
        )
        return RedirectResponse(f"/sheets/{kept.id}", status_code=303)
    return RedirectResponse(f"/sheets/{await _new_draft(page, person, run, report)}", status_code=303)


async def _new_draft(page: Page, person: Person, run: RunRecord, report: Report, **chosen: Any) -> str:  # noqa: ANN401 - Draft's fields
    """A new sheet of a run's results; its id."""
    kind = report.mapped.sheet.kind
    content = await run_sync(render, kind.results, report)
    name = results_path(run.input, kind, None).name
    mapping = run.options.get("mapping") or ""
    draft = await run_sync(lambda: page.drafts.add(name, content, owner=person.name, mapping=mapping, **chosen))
    return draft.id


async def _found(page: Page, person: Person, run_id: str) -> tuple[RunRecord, Report | None, bool]:
    """A run with its report as its orders stand now, and whether it is under way; HTTPException 404."""

    def ask(ledger: Ledger) -> tuple[RunRecord, Report | None, bool]:
        known = [run for run in ledger.runs() if run.run_id == run_id]
        mine = _mine(page, person)
        if not known or not (mine is None or run_id in mine or _owner(known[0]) == person.name):
            raise HTTPException(404, words.no_such_run())
        is_alive = known[0].ended_at is None and ledger.is_alive(run_id)
        key = (run_id, ledger.version())
        if key in _reports and not is_alive:
            return (*_reports[key], False)
        try:
            run, report = wiring.rebuilt(ledger, run_id, page.world.settings.limits)
        except LedgerError:
            return (ledger.run(run_id)[0], None, is_alive)
        _reports[key] = (run, report)
        while len(_reports) > _REPORTS_KEPT:
            _reports.popitem(last=False)
        return run, report, is_alive

    found: tuple[RunRecord, Report | None, bool] = await page.in_ledger(ask)
    return found


def _owner(run: RunRecord) -> str | None:
    return run.options.get("placed_by")


def _mine(page: Page, person: Person) -> set[str] | None:
    """The runs of this person's sheets; None where they see all."""
    if person.sees_all:
        return None
    return {run_id for draft in page.drafts.all() if draft.owner == person.name for run_id in draft.runs}


async def _live_view(page: Page, live: LiveRun) -> dict[str, Any]:
    """A run under way as its page shows it: the figures are this server's, the orders the ledger's."""

    def ask(ledger: Ledger) -> tuple[Sequence[Remembered], Sequence[Remembered]]:
        newest = ledger.ended(live.run_id, *_ENDED, most=_NEWEST)
        failed = ledger.ended(live.run_id, *_FAILED, most=_FAILED_SHOWN) if live.total else ()
        return newest, failed

    newest, failed = await page.in_ledger(ask)
    states = live.states
    return {
        "done": live.done,
        "total": live.total,
        "percent": round(100 * live.done / live.total) if live.total else 0,
        "ordered": states[RowStatus.ORDERED.value] + states[RowStatus.ALREADY_ORDERED.value],
        "refused": states[RowStatus.REJECTED.value],
        "unknown": states[RowStatus.UNKNOWN.value],
        "left": max(0, live.total - live.done),
        "newest": [_line(order) for order in newest],
        "failed": [_line(order) for order in failed],
        "sentence": words.on_its_way(live.rate, live.seconds_left, held=bool(live.hold), stopping=live.is_stopping),
    }


def _line(order: Remembered) -> dict[str, Any]:
    """One order of a run, in a line."""
    status = RowStatus(order.state.value)
    return {
        "at": order.submitted_at,
        "email": order.email,
        "items": sum(int(item.quantity) for item in order.contents.items if item.quantity.isdecimal()),
        "status": status.value,
        "name": words.NAMES[status],
        "sign": words.SIGNS[status],
        "told": order.order_number if status is RowStatus.ORDERED else words.on_page(order.message),
    }


def _ended_view(run: RunRecord, report: Report, show: str, at: int, is_alive: bool) -> dict[str, Any]:
    """A run that has ended, or goes on in another process: its orders, as they stand now."""
    by_status = Counter(order.status for order in report.orders)
    done = by_status[RowStatus.ORDERED]
    earlier = by_status[RowStatus.ALREADY_ORDERED]
    tried = [o for o in report.orders if o.status in {RowStatus.ORDERED, *_TRIED}]
    kinds = [("all", "All", list(report.orders))]
    kinds += [
        (status.value, words.NAMES[status].capitalize(), [o for o in report.orders if o.status is status])
        for status in RowStatus
        if by_status[status]
    ]
    chosen = next((kind for kind in kinds if kind[0] == show), kinds[0])
    pages = max(1, -(-len(chosen[2]) // _ORDERS_A_PAGE))
    at = min(max(at, 1), pages)
    numbers, rows = report.mapped.sheet.row_numbers, report.rows
    left = by_status[RowStatus.NOT_SENT]
    headline = words.ended_headline(
        done, len(tried), unknown=by_status[RowStatus.UNKNOWN], refused=by_status[RowStatus.REJECTED], left=left
    )
    return {
        "headline": words.under_way() if is_alive else headline,
        "is_alive": is_alive,
        "was_cut_off": run.ended_at is None and not is_alive,
        "ordered": done,
        "earlier": earlier,
        "unknown": by_status[RowStatus.UNKNOWN],
        "refused": by_status[RowStatus.REJECTED],
        "left": left,
        "need_work": sum(by_status[s] for s in (RowStatus.INVALID, RowStatus.HELD, RowStatus.CHANGED)),
        "loose": sum(row.status is RowStatus.INVALID for row in rows) if not report.orders else 0,
        "stopped": words.on_page(report.stopped),
        "chips": [(name, label, len(orders)) for name, label, orders in kinds],
        "show": chosen[0],
        "at": at,
        "pages": pages,
        "orders": [
            {
                "rows": ", ".join(str(numbers[row]) for row in order.rows),
                "email": order.email,
                "reference": order.order_reference,
                "status": order.status.value,
                "name": words.NAMES[order.status],
                "sign": words.SIGNS[order.status],
                "number": order.order_number or "",
                "id": order_id(order.key) if order.key else "",
                "message": words.on_page(_message(order, report)),
            }
            for order in chosen[2][(at - 1) * _ORDERS_A_PAGE : at * _ORDERS_A_PAGE]
        ],
        "asides": report.counts["rows"] - sum(len(order.rows) for order in report.orders),
    }


_TRIED = {RowStatus.REJECTED, RowStatus.UNKNOWN, RowStatus.NOT_SENT}


def _message(order: OrderResult, report: Report) -> str:
    """What is told of an order: of one with errors, each of its errors once, on whichever of its rows they are."""
    if order.status is not RowStatus.INVALID:
        return order.message
    numbers = {report.mapped.sheet.row_numbers[row] for row in order.rows}
    wrong = [f for f in report.findings if f.severity is Severity.ERROR and not numbers.isdisjoint(f.rows)]
    return " ".join(dict.fromkeys(finding.told for finding in wrong)) or order.message


def _told(order: Remembered, evidence: Sequence[str]) -> dict[str, Any]:
    """An order that waits, with all that helps to decide."""
    contents = order.contents
    is_changed = order.other_contents is not None and order.state is OrderState.ORDERED
    kind = "changed" if is_changed else order.state.value
    place = (contents.shipping_address, contents.shipping_city, contents.shipping_state, contents.shipping_zip)
    message = changed(order, order.other_contents) if is_changed and order.other_contents else order.message
    return {
        "id": order_id(order.key),
        "kind": kind,
        "email": order.email,
        "reference": order.order_reference,
        "number": order.order_number or "",
        "person": f"{contents.firstname} {contents.lastname}",
        "address": ", ".join(part for part in (*place, contents.shipping_country) if part),
        "items": [(item.quantity, item.product_title) for item in contents.items],
        "sent_at": order.submitted_at,
        "message": words.on_page(message),
        "evidence": list(map(words.on_page, evidence)),
        "run_id": order.run_id or "",
    }


def _held(page: Page, person: Person, ledger: Ledger) -> list[tuple[RunRecord, OrderResult]]:
    """Orders of the latest runs that are still held because they look like a mistake, each once."""
    mine = _mine(page, person)
    seen: set[str] = set()
    held: list[tuple[RunRecord, OrderResult]] = []
    for record in ledger.runs()[:_RUNS_LOOKED_AT]:
        if mine is not None and record.run_id not in mine and _owner(record) != person.name:
            continue
        run, frozen = ledger.run(record.run_id)
        if frozen is None:
            continue
        found = {order.key: order for order in frozen_held(frozen) if order.key and order.key not in seen}
        known = ledger.recall(list(found))
        is_open = {key for key in found if key not in known or known[key].state is OrderState.PLANNED}
        held += [(run, dataclasses.replace(found[key], message=words.on_page(found[key].message))) for key in is_open]
        seen |= set(found) | set(frozen_keys(frozen))
    return held


async def _order_to_settle(page: Page, person: Person, name: str) -> Remembered:
    """An order that this person may settle; HTTPException 403 or 404."""
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    try:
        found: Remembered = await page.in_ledger(lambda ledger: ledger.find(name))
    except LedgerError:
        raise HTTPException(404, words.no_such_order()) from None
    mine = _mine(page, person)
    if order_id(found.key) != name or not (mine is None or found.run_id in mine):
        raise HTTPException(404, words.no_such_order())
    return found
