"""The routes of runs: under way, ended, their files, and their sheets taken up again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from batch_orders.adapters.results_writer import render, results_path
from batch_orders.errors import LedgerError
from batch_orders.messages import page as words
from batch_orders.models import OrderState, RowStatus, Severity, order_id
from batch_orders.web.page import NOTHING_TYPED, new_draft, page_of, person_of
from batch_orders.web.review import paged
from batch_orders.web.sheets import as_download

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import OrderResult, Remembered, Report, RunRecord
    from batch_orders.web.live import LiveRun
    from batch_orders.web.page import Page, Typed
    from batch_orders.web.people import Person

router = APIRouter()

# Seconds between two looks at a run under way, and between two words to a browser when nothing happens.
_LOOK = 0.5
_WORD = 10.0
_NEWEST = 12
_FAILED_SHOWN = 8
_FAILED = (OrderState.REJECTED, OrderState.UNKNOWN)
_ENDED = (OrderState.ORDERED, *_FAILED)


@router.get("/runs")
async def show_runs(request: Request, at: int = 1) -> Response:
    """Every run that this person may see, the newest first; and the sheets that wait for their yes."""
    page, person = page_of(request), person_of(request)

    def ask(ledger: Ledger) -> tuple[list[tuple[RunRecord, str]], int, int]:
        mine = page.runs_of(person, ledger)
        seen = [run for run in ledger.runs() if mine is None or run.run_id in mine]
        shown, here, pages = paged(seen, at)
        return [(run, _how_it_ended(page, ledger, run)) for run in shown], here, pages

    runs, here, pages = await page.in_ledger(ask)
    return await page.render(request, "runs.html", runs=runs, at=here, pages=pages, to_approve=page.asked(person))


@router.get("/runs/{run_id}")
async def show_run(request: Request, run_id: str, show: str = "", at: int = 1, settled: str = "") -> Response:
    """A run as it stands: under way here, or as the ledger has it."""
    page, person = page_of(request), person_of(request)
    live = page.live.find(run_id)
    if live is not None and page.sees(person, live.owner):
        if not live.ended.is_set():
            view = await _live_view(page, live)
            return await page.render(request, "live.html", step=4, view=view, run=live)
        if live.trouble is not None and not await page.in_ledger(lambda ledger: page.records.run(ledger, run_id)):
            return await page.render(request, "untold.html", step=4, run=live, trouble=live.trouble)
    return await show_ended(request, page, person, run_id, show=show, at=at, settled=settled)


async def show_ended(
    request: Request,
    page: Page,
    person: Person,
    run_id: str,
    status: int = 200,
    *,
    show: str = "",
    at: int = 1,
    settled: str = "",
    typed: Typed = NOTHING_TYPED,
) -> Response:
    """A run as the ledger has it; `typed` is what somebody sent about one of its orders, where it was not taken."""
    kept, live = await page.kept_run(person, run_id), page.live.find(run_id)
    run, report, trouble = kept.run, kept.report, live.trouble if live else None
    view, may_cancel = None, frozenset[str]()
    if report is None:
        trouble = LedgerError(words.forgotten(run) if run.forgotten_at else words.no_orders_planned())
    else:
        view = await run_sync(_ended_view, run, report, show, at, kept.is_alive)
        may_cancel = await _may_cancel(page, person, [order["key"] for order in view["orders"] if order["is_ordered"]])
    return await page.render(
        request,
        "ended.html",
        status,
        step=5,
        record=run,
        draft=page.drafts.of_run(run_id),
        view=view,
        may_cancel=may_cancel,
        trouble=trouble,
        settled=settled if view else "",
        typed=typed,
        nobodys=NOTHING_TYPED,
    )


async def _may_cancel(page: Page, person: Person, keys: Sequence[str]) -> frozenset[str]:
    """Those of these placed orders of which this person may say that the vendor cancelled them: of their own runs."""
    if not (person.may_upload and keys):
        return frozenset()

    def ask(ledger: Ledger) -> frozenset[str]:
        mine = page.runs_of(person, ledger)
        return frozenset(key for key, order in ledger.recall(keys).items() if mine is None or order.run_id in mine)

    found: frozenset[str] = await page.in_ledger(ask)
    return found


@router.get("/runs/{run_id}/events")
async def watch(request: Request, run_id: str) -> Response:
    """The run under way, told again whenever something has happened (server-sent events)."""
    page, person = page_of(request), person_of(request)
    live = page.live.find(run_id)
    if live is None or not page.sees(person, live.owner):
        raise HTTPException(404, words.no_such_run())
    csrf, token = request.state.session.csrf, request.cookies[page.keeping.cookie]

    async def tell() -> AsyncIterator[str]:
        told, said_at = None, 0.0
        # Who is logged out meanwhile, or removed, sees no more of it.
        while not live.ended.is_set() and not page.is_closing() and page.keeping.find(token) is not None:
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
        elif not live.by_workers:
            live.pause(on=act == "pause")
    return RedirectResponse(f"/runs/{run_id}", status_code=303)


@router.get("/runs/{run_id}/results")
async def download_results(request: Request, run_id: str) -> Response:
    """The results as they stand now."""
    page = page_of(request)
    kept = await page.kept_run(person_of(request), run_id)
    if kept.report is None:
        raise HTTPException(404, words.forgotten(kept.run) if kept.run.forgotten_at else words.no_orders_planned())
    kind = kept.report.mapped.sheet.kind
    name = results_path(kept.run.input, kind, None).name
    return as_download(await run_sync(render, kind.results, kept.report), name)


@router.get("/runs/{run_id}/sheet")
async def download_sheet(request: Request, run_id: str) -> Response:
    """The sheet as it was ordered from."""
    kept = await page_of(request).kept_run(person_of(request), run_id)
    if kept.run.forgotten_at:
        raise HTTPException(404, words.forgotten(kept.run))
    return as_download(kept.run.sheet, kept.run.input.name)


# Parts ----------------------------------------------------------------------------------------------------------


def _how_it_ended(page: Page, ledger: Ledger, run: RunRecord) -> str:
    if run.ended_at is None and ledger.is_alive(run.run_id):
        return words.goes_on()
    return words.how_it_ended(run.exit_code, was_stopped=page.records.was_stopped(ledger, run))


async def _take_up_again(page: Page, person: Person, run_id: str) -> Response:
    """On with what is left: the very sheet where it is still here and theirs, else the run's results as a new one."""
    kept = await page.kept_run(person, run_id)
    run, report = kept.run, kept.report
    if run.forgotten_at:
        raise HTTPException(404, words.forgotten(run))
    draft = page.drafts.of_run(run_id)
    if draft is not None and draft.owner == person.name:
        return RedirectResponse(f"/sheets/{draft.id}", status_code=303)
    if report is None:
        taken_up = await run_sync(
            lambda: page.drafts.add(
                run.input.name,
                run.sheet,
                owner=person.name,
                mapping=run.options.get("mapping") or "",
                encoding=run.options.get("encoding"),
                sheet_name=run.options.get("sheet_name"),
            )
        )
        return RedirectResponse(f"/sheets/{taken_up.id}", status_code=303)
    return RedirectResponse(f"/sheets/{await new_draft(page, person, run, report)}", status_code=303)


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
    orders, at, pages = paged(chosen[2], at)
    numbers = report.mapped.sheet.row_numbers
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
                "key": order.key or "",
                "id": order_id(order.key) if order.key else "",
                "is_ordered": order.status in {RowStatus.ORDERED, RowStatus.ALREADY_ORDERED},
                "message": words.on_page(_message(order, report)),
            }
            for order in orders
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
