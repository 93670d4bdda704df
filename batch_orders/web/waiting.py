"""The routes of the orders that wait for a person: what is known of each, and every verdict as a button."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from batch_orders.adapters.new_files import reason
from batch_orders.errors import LedgerError
from batch_orders.messages import page as words
from batch_orders.messages.forgetting import contents_gone, whose
from batch_orders.messages.ledgers import number_taken, parted
from batch_orders.messages.outcomes import changed
from batch_orders.models import OrderState, order_id
from batch_orders.stages.report import only_order
from batch_orders.web.page import NOTHING_TYPED, Typed, new_draft, page_of, person_of
from batch_orders.web.people import LINK_NAME
from batch_orders.web.records import RUNS_LOOKED_AT, About
from batch_orders.web.runs import show_ended

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Remembered
    from batch_orders.web.page import Page
    from batch_orders.web.people import Person

    # When something happened, and what.
    _Line = tuple[dt.datetime | None, str]

router = APIRouter()

_LONGEST_NOTE = 2_000
# Nobody documents what an order number looks like; a sentence, or a slip of the hand, is none.
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/#:-]{0,63}")
# A run's page, as its forms say where they stand.
_RUN = re.compile(r"/runs/([0-9a-f-]{1,40})\?show=([a-z_]{1,20})&at=([0-9]{1,6})")


@router.get("/waiting")
async def show_waiting(request: Request, settled: str = "", order: str = "") -> Response:
    """The queue: unknown, changed, rejected and held orders, each with what helps to decide."""
    page, person = page_of(request), person_of(request)
    about = await _email_of(page, person, order) if settled and order else ""
    return await _show(request, page, person, settled=settled, about=about)


async def _show(  # noqa: PLR0917 - the query's own parts
    request: Request,
    page: Page,
    person: Person,
    status: int = 200,
    typed: Typed = NOTHING_TYPED,
    settled: str = "",
    about: str = "",
) -> Response:
    waiting, held = await page.waiting(person)

    def ask(ledger: Ledger) -> list[dict[str, Any]]:
        return [
            _told(
                order,
                [_as_signed(page, line) for line in ledger.evidence(order.key, is_plain=True)],
                [_as_signed(page, line) for line in ledger.evidence(order.key)],
            )
            for order in waiting
        ]

    told = await page.in_ledger(ask)
    names = {*(each["id"] for each in told), *(order_id(each.order.key or "") for each in held)}
    return await page.render(
        request,
        "waiting.html",
        status,
        orders=told,
        held=held,
        runs_looked_at=RUNS_LOOKED_AT
        if await page.in_ledger(lambda ledger: len(ledger.runs())) > RUNS_LOOKED_AT
        else 0,
        waiting=len(waiting) + len(held),
        typed=typed,
        nobodys=NOTHING_TYPED,
        is_elsewhere=bool(typed.wrong) and typed.order not in names,
        settled=settled,
        about=about,
    )


@router.post("/waiting/{order}/settle")
async def settle(  # noqa: PLR0917 - the form's own fields
    request: Request,
    order: str,
    verdict: Annotated[str, Form()],
    number: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """A person's verdict on an order, as the command line's `settle` has it."""
    page, person = page_of(request), person_of(request)
    found = await _order_to_settle(page, person, order)
    note, number = note.strip()[:_LONGEST_NOTE], number.strip()
    typed = Typed(order=order, note=note, number=number[:_LONGEST_NOTE], is_sure=bool(sure))
    field, wrong = _wrong_with(typed, verdict)
    status = 400
    if not wrong:
        try:
            await page.in_ledger(lambda ledger: _record(ledger, found.key, verdict, number, _signed(note, person.name)))
        except LedgerError as error:
            field = "number" if error.message == number_taken(number) else "act"
            wrong, status = words.on_page(f"{error.message} {error.hint}".strip()), 409
    of_run = _RUN.fullmatch(back)
    if wrong:
        typed = replace(typed, field=field, wrong=wrong)
        if of_run:
            return await show_ended(
                request, page, person, of_run[1], status, show=of_run[2], at=int(of_run[3]), typed=typed
            )
        return await _show(request, page, person, status, typed)
    page.judge.forget()
    if of_run:
        return RedirectResponse(f"{back}&settled={verdict}", status_code=303)
    return RedirectResponse(f"/waiting?settled={verdict}&order={order_id(found.key)}", status_code=303)


def _wrong_with(typed: Typed, verdict: str) -> tuple[str, str]:
    """The field that keeps a verdict from being taken, and why; ("", "") where nothing does."""
    if verdict not in words.SETTLED:
        return "act", words.no_such_verdict()
    if not typed.is_sure:
        return "sure", words.look_it_up_first()
    if verdict == "placed" and not _NUMBER.fullmatch(typed.number):
        return "number", words.number_needed()
    if verdict == "cancelled" and not typed.note:
        return "note", words.who_said_cancelled()
    return "", ""


def _record(ledger: Ledger, key: str, verdict: str, number: str, note: str) -> None:
    fresh = ledger.find(key)
    match verdict:
        case "placed":
            ledger.settle_placed(fresh, number, note)
        case "not_placed":
            ledger.settle_not_placed(fresh, note)
        case "cancelled":
            ledger.settle_cancelled(fresh, note)
        case "keep":
            ledger.settle_keep(fresh, note)


def _signed(note: str, name: str) -> str:
    return f"{note} ({name}, on the page)".strip()


def _as_signed(page: Page, line: str) -> tuple[dt.datetime | None, str]:
    """A line of what happened; whoever came in by the link is nobody of today's team."""
    at, told = parted(line)
    return at, told.replace(_signed("", LINK_NAME), _signed("", page.who(LINK_NAME)))


@router.post("/waiting/{order}/again")
async def again(
    request: Request, order: str, run_id: Annotated[str, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """One order alone, to be looked at and confirmed again: a refused one as it is, or a held one on purpose."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    kept = await page.kept_run(person, run_id)
    if kept.run.forgotten_at:
        raise HTTPException(404, words.forgotten(kept.run))
    note = note.strip()[:_LONGEST_NOTE]
    typed = Typed(order=order, note=note, field="act")
    report = kept.report
    key = next((each.key for each in report.orders if each.key and order_id(each.key) == order), "") if report else ""
    part = only_order(report, key) if report and key else None
    if part is None:
        return await _show(request, page, person, 404, replace(typed, wrong=words.no_such_order()))
    state = await page.in_ledger(lambda ledger: ledger.recall([key]).get(key))
    is_refused = state is not None and state.state is OrderState.REJECTED
    if not is_refused and state is not None and state.state is not OrderState.PLANNED:
        return await _show(request, page, person, 409, replace(typed, wrong=words.waits_no_more()))
    try:
        draft = await new_draft(
            page,
            person,
            kept.run,
            part,
            released=() if is_refused else (order,),
            retry_rejected=is_refused,
            note=note,
            reason=words.on_page(next(each.message for each in part.orders)),
        )
    except OSError as error:
        return await _show(request, page, person, 507, replace(typed, wrong=words.not_kept(reason(error))))
    return RedirectResponse(f"/sheets/{draft}", status_code=303)


def _told(order: Remembered, happened: Sequence[_Line], evidence: Sequence[_Line]) -> dict[str, Any]:
    """An order that waits, with all that helps to decide; `evidence` is for whoever looks into it."""
    is_changed = order.other_contents is not None and order.state is OrderState.ORDERED
    contents = order.other_contents if order.forgotten_at and order.other_contents else order.contents
    kind = "changed" if is_changed else order.state.value
    message = changed(order, order.other_contents) if is_changed and order.other_contents else order.message
    return {
        "id": order_id(order.key),
        "kind": kind,
        "email": whose(order),
        "reference": order.order_reference,
        "number": order.order_number or "",
        "about": About.of(dataclasses.asdict(contents), contents.items),
        "items_gone": contents_gone() if order.forgotten_at else "",
        "sent_at": order.submitted_at,
        "message": words.on_page(message),
        "happened": [(at, words.what_happened(said)) for at, said in happened],
        "evidence": evidence,
        "answered": words.as_answered(message),
        "run_id": order.run_id or "",
    }


async def _email_of(page: Page, person: Person, name: str) -> str:
    """Whose order was settled; "" where that is not for this person to know."""
    try:
        return (await _order_to_settle(page, person, name)).email
    except HTTPException:
        return ""


async def _order_to_settle(page: Page, person: Person, name: str) -> Remembered:
    """An order that this person may settle; HTTPException 403 or 404."""
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    found: Remembered
    try:
        found, mine = await page.in_ledger(lambda ledger: (ledger.find(name), page.runs_of(person, ledger)))
    except LedgerError:
        raise HTTPException(404, words.no_such_order()) from None
    if order_id(found.key) != name or not (mine is None or found.run_id in mine):
        raise HTTPException(404, words.no_such_order())
    return found
