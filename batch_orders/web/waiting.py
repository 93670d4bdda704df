"""The routes of the orders that wait for a person: what is known of each, and every verdict as a button."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from batch_orders.errors import LedgerError
from batch_orders.messages import page as words
from batch_orders.messages.outcomes import changed
from batch_orders.models import OrderState, order_id
from batch_orders.stages.report import only_order
from batch_orders.web.page import new_draft, page_of, person_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Remembered
    from batch_orders.web.page import Page
    from batch_orders.web.people import Person

router = APIRouter()

_LONGEST_NOTE = 2_000
# Nobody documents what an order number looks like; a sentence, or a slip of the hand, is none.
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/#:-]{0,63}")
_RUN = re.compile(r"/runs/[0-9a-f-]{1,40}")


@router.get("/waiting")
async def show_waiting(request: Request, settled: str = "", order: str = "") -> Response:
    """The queue: unknown, changed, rejected and held orders, each with what helps to decide."""
    page, person = page_of(request), person_of(request)
    waiting, held = await page.waiting(person)

    def ask(ledger: Ledger) -> list[dict[str, Any]]:
        return [_told(order, ledger.evidence(order.key, is_plain=True)) for order in waiting]

    told = await page.in_ledger(ask)
    return await page.render(
        request,
        "waiting.html",
        orders=told,
        held=[(each.run, each.order) for each in held],
        settled=settled,
        about=await _email_of(page, person, order) if settled and order else "",
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
    if not sure:
        raise HTTPException(400, words.look_it_up_first())
    if verdict == "placed" and not _NUMBER.fullmatch(number.strip()):
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
    if _RUN.fullmatch(back):
        return RedirectResponse(f"{back}?settled={verdict}", status_code=303)
    return RedirectResponse(f"/waiting?settled={verdict}&order={order_id(found.key)}", status_code=303)


@router.post("/waiting/{order}/again")
async def again(
    request: Request, order: str, run_id: Annotated[str, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """One order alone, to be looked at and confirmed again: a refused one as it is, or a held one on purpose."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        raise HTTPException(403, words.may_only_look())
    kept = await page.kept_run(person, run_id)
    report = kept.report
    key = next((each.key for each in report.orders if each.key and order_id(each.key) == order), "") if report else ""
    part = only_order(report, key) if report and key else None
    if part is None:
        raise HTTPException(404, words.no_such_order())
    state = await page.in_ledger(lambda ledger: ledger.recall([key]).get(key))
    is_refused = state is not None and state.state is OrderState.REJECTED
    draft = await new_draft(
        page,
        person,
        kept.run,
        part,
        released=() if is_refused else (order,),
        retry_rejected=is_refused,
        note=note.strip()[:_LONGEST_NOTE],
        reason=words.on_page(next(each.message for each in report.orders if each.key == key)) if report else "",
    )
    return RedirectResponse(f"/sheets/{draft}", status_code=303)


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
    try:
        found: Remembered = await page.in_ledger(lambda ledger: ledger.find(name))
    except LedgerError:
        raise HTTPException(404, words.no_such_order()) from None
    mine = page.runs_of(person)
    if order_id(found.key) != name or not (mine is None or found.run_id in mine):
        raise HTTPException(404, words.no_such_order())
    return found
