"""The routes of a sheet on its way: upload, review, mend, match columns, confirm (and approve), order."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.adapters.new_files import reason
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages import page as words
from batch_orders.models import Cell, order_id
from batch_orders.web import matching
from batch_orders.web.drafts import Said, shown_name
from batch_orders.web.judging import MAPPING_NAME
from batch_orders.web.page import page_of, person_of
from batch_orders.web.review import Look, alike, ordered_rows, paged, review

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_orders.models import Plan, Report
    from batch_orders.web.drafts import Draft
    from batch_orders.web.judging import Judged, Judging
    from batch_orders.web.page import Page
    from batch_orders.web.people import Person

router = APIRouter()

# Seconds that a page waits for a judgement before it shows that it is being made.
_WAIT = 1.5
_LONGEST_TEXT = 2_000


@router.get("/")
async def show_upload(request: Request, at: int = 1) -> Response:
    """Where a new sheet comes in, and the sheets that are on their way."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        return RedirectResponse("/runs", status_code=303)
    return await _show_upload(request, page, person, at=at)


@router.get("/template.xlsx")
async def download_template(request: Request) -> Response:
    """A workbook with today's titles."""
    content, today = await matching.template_of(page_of(request))
    return as_download(content, f"new-hires-{today}.xlsx")


@router.post("/sheets")
async def upload(request: Request, file: UploadFile) -> Response:
    """Keep an uploaded sheet; the gate has seen to its size."""
    page, person = page_of(request), person_of(request)
    if not person.may_upload:
        raise HTTPException(403, "You may look at runs here, and not upload sheets.")
    content = await file.read()
    if not content or not file.filename:
        return await _show_upload(request, page, person, 400, trouble=words.nothing_uploaded())
    if len(content) > page.world.settings.max_file_size:
        raise HTTPException(413, words.too_large(page.world.settings.max_file_size))
    try:
        draft = await run_sync(lambda: page.drafts.add(file.filename or "", content, owner=person.name))
    except OSError as error:
        raise HTTPException(507, words.not_kept(reason(error))) from error
    return _to(draft)


@router.get("/sheets/{draft_id}")
async def show_review(  # noqa: PLR0917 - the query's own parameters
    request: Request, draft_id: str, show: str = "", at: int = 1, columns: str = "", edit: str = ""
) -> Response:
    """What would be ordered and what needs work; or what keeps the sheet from being read, and what to choose."""
    page, person = page_of(request), person_of(request)
    draft = page.draft(person, draft_id)
    judged = await _judged(page, draft)
    if judged is None:
        return await _show_progress(request, page, draft)
    if judged.report is None or judged.plan is None or judged.catalog is None:
        return await _show_trouble(request, page, draft, judged)
    ignores_dates = page.world.settings.order_ahead is None
    look = Look(show=show, page=at, every_column=columns == "all", ignores_dates=ignores_dates)
    draft = _as_judged(draft, judged)
    view = await run_sync(review, draft, judged.report, judged.plan, judged.catalog, look)
    sheet = judged.report.mapped.sheet
    return await page.render(
        request,
        "review.html",
        step=2,
        draft=draft,
        view=view,
        edit=edit,
        sheet=sheet,
        catalog=judged.catalog,
        may_change=page.may_change(person, draft),
        running=page.live.of_draft(draft.id),
    )


@router.get("/sheets/{draft_id}/file")
async def download_sheet(request: Request, draft_id: str) -> Response:
    """The sheet with its mended cells."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id)
    judged = await _judged(page, draft) if draft.cells else None
    if judged is not None and judged.request is not None and judged.request.content is not None:
        return as_download(judged.request.content, words.corrected_name(judged.request.path.name))
    if draft.cells:
        raise HTTPException(409, words.still_looking())
    return as_download(await run_sync(page.drafts.content, draft), draft.name)


@router.post("/sheets/{draft_id}/choose")
async def choose(
    request: Request, draft_id: str, encoding: Annotated[str, Form()] = "", sheet: Annotated[str, Form()] = ""
) -> Response:
    """In which encoding a text file is read, or which sheet of a workbook is meant."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    chosen: dict[str, Any] = {"encoding": encoding[:40] or None, "sheet_name": sheet or draft.sheet_name}
    # Cells that were mended in another sheet, or as they read otherwise, are not these.
    changes = chosen | ({"steps": ()} if (draft.encoding, draft.sheet_name) != tuple(chosen.values()) else {})
    return _to(_change(page, draft, lambda draft: dataclasses.replace(draft, **changes)))


@router.post("/sheets/{draft_id}/mend")
async def mend(  # noqa: PLR0917 - the form's own fields
    request: Request,
    draft_id: str,
    column: Annotated[int, Form()],
    after: Annotated[str, Form()] = "",
    row: Annotated[int, Form()] = 0,
    before: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Change one cell (`row`), or every cell of a column with an error that holds `before`."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    report, _ = await _judged_for_a_change(page, draft)
    if len(after) > _LONGEST_TEXT:
        raise HTTPException(400, f"A cell holds at most {_LONGEST_TEXT:,} characters here.")
    sheet, after = report.mapped.sheet, after.strip("\r\n")
    if row:
        cell = Cell(row, column)
        if row not in sheet.row_numbers or not 0 <= column - sheet.first_column < len(sheet.headers):
            raise HTTPException(400, "There is no such cell in this sheet.")
        cells: Mapping[Cell, str] = {cell: sheet.text(cell)}
        if row in ordered_rows(report):
            raise HTTPException(409, words.ordered_already(row))
    else:
        cells = alike(report, column, before)
    changes = {cell: (text, after) for cell, text in cells.items() if text != after}
    if changes:
        header = sheet.headers[column - sheet.first_column]
        label = words.mended(header, list(map(str, changes)), next(iter(changes.values()))[0], after)
        draft = _change(page, draft, lambda draft: draft.mended(label, changes))
    return _to(draft, back, f"#{Cell(row, column)}" if row else "#mend")


@router.post("/sheets/{draft_id}/undo")
async def undo(
    request: Request, draft_id: str, step: Annotated[str, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Take one mend back."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    report, _ = await _judged_for_a_change(page, draft)
    # What was ordered stays as it was ordered.
    kept = ordered_rows(report)
    return _to(_change(page, draft, lambda draft: draft.without(step, but_rows=kept)), back, "#mend")


@router.post("/sheets/{draft_id}/leave-out")
async def leave_out(
    request: Request, draft_id: str, row: Annotated[int, Form()], back: Annotated[str, Form()] = ""
) -> Response:
    """Empty a whole row: it is then no row any more, until that is undone."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    report, _ = await _judged_for_a_change(page, draft)
    sheet = report.mapped.sheet
    if row not in sheet.row_numbers or row in ordered_rows(report):
        raise HTTPException(409, words.ordered_already(row))
    if len(sheet.row_numbers) == 1:
        raise HTTPException(409, words.the_only_row())
    position = sheet.position(row)
    cells = [sheet.cell(position, column) for column in range(len(sheet.headers))]
    changes = {cell: (sheet.text(cell), "") for cell in cells if sheet.text(cell)}
    return _to(_change(page, draft, lambda draft: draft.mended(words.left_out(row), changes)), back, "#mend")


@router.post("/sheets/{draft_id}/release")
async def release(  # noqa: PLR0917 - the form's own fields
    request: Request,
    draft_id: str,
    order: Annotated[str, Form()],
    note: Annotated[str, Form()] = "",
    hold: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Send a held order on purpose; or, with `hold`, hold it again."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    _, plan = await _judged_for_a_change(page, draft)
    if order not in {order_id(decision.key) for decision in plan.decisions if decision.key}:
        raise HTTPException(400, "There is no such order in this sheet.")
    note = note.strip()[:_LONGEST_TEXT]
    return _to(
        _change(page, draft, lambda draft: draft.holding(order) if hold else draft.releasing(order, note)),
        back,
        "#mend",
    )


@router.get("/sheets/{draft_id}/columns")
async def show_columns(request: Request, draft_id: str) -> Response:
    """Which of the sheet's columns is which of ours: guesses, to be looked at."""
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    view = await matching.matching(page, draft)
    return await page.render(request, "columns.html", step=2, draft=draft, view=view, trouble="")


@router.post("/sheets/{draft_id}/columns")
async def match_columns(request: Request, draft_id: str) -> Response:
    """Read the sheet with these columns from now on, and remember them for sheets with the same headers.

    What was mended stays, unless other rows than before are read now.
    """
    page = page_of(request)
    draft = page.draft(person_of(request), draft_id, to_change=True)
    form = await request.form()
    view = await matching.matching(page, draft)
    try:
        text = matching.mapping_text(view, {name: str(value) for name, value in form.items()})
        parse_mapping(MAPPING_NAME, text)
    except UsageError as error:
        return await page.render(
            request, "columns.html", 400, step=2, draft=draft, view=view, trouble=words.on_page(error.message)
        )
    await run_sync(matching.remember, page, draft, view, text)
    stays = await run_sync(matching.reads_alike, page, draft, text)
    return _to(_change(page, draft, lambda d: dataclasses.replace(d, mapping=text, steps=d.steps if stays else ())))


@router.get("/sheets/{draft_id}/confirm")
async def show_confirm(request: Request, draft_id: str) -> Response:
    """One plain sentence, and the act; or what a second person has to say yes or no to."""
    page, person = page_of(request), person_of(request)
    return await _show_confirm(request, page, page.draft(person, draft_id))


async def _show_confirm(
    request: Request, page: Page, draft: Draft, status: int = 200, *, trouble: str = "", note: str = ""
) -> Response:
    """The page; `trouble` is about the word of whoever declines, and `note` what they had typed."""
    person = person_of(request)
    running = page.live.of_draft(draft.id)
    if running is not None:
        return RedirectResponse(f"/runs/{running.run_id}", status_code=303)
    judged = await _judged(page, draft, anew=True)
    if judged is None:
        return await _show_progress(request, page, draft)
    if judged.report is None or judged.plan is None or judged.catalog is None or not judged.plan.to_send:
        return _to(draft)
    draft = _as_judged(draft, judged)
    view = await run_sync(review, draft, judged.report, judged.plan, judged.catalog, Look(show="all"))
    is_approved = draft.approval is not None and draft.approval.fingerprint == judged.fingerprint
    return await page.render(
        request,
        "confirm.html",
        status,
        step=3,
        draft=draft,
        view=view,
        fingerprint=judged.fingerprint,
        sentence=words.place_sentence(view.ready, view.items, view.countries, page.host),
        is_own=page.may_change(person, draft),
        may_order=_may_order(page, person, draft),
        may_answer=_may_answer(page, person, draft),
        is_approved=is_approved,
        is_void=draft.approval is not None and not is_approved,
        too_many=max(0, view.ready - page.world.settings.max_orders),
        trouble=trouble,
        note=note,
    )


@router.post("/sheets/{draft_id}/ask")
async def ask(request: Request, draft_id: str) -> Response:
    """Ask a second person to approve."""
    page, person = page_of(request), person_of(request)
    draft = page.draft(person, draft_id, to_change=True)
    word = Said(what="asked", by=person.name, at=time.time())
    return _to(_change(page, draft, lambda draft: draft.asking(word)), "/confirm")


@router.post("/sheets/{draft_id}/approve")
async def approve(request: Request, draft_id: str, fingerprint: Annotated[str, Form()]) -> Response:
    """A second person's yes to exactly what they were shown."""
    page, person = page_of(request), person_of(request)
    draft = page.draft(person, draft_id)
    if not _may_answer(page, person, draft):
        raise HTTPException(403, words.somebody_else_approves())
    word = Said(what="approved", by=person.name, at=time.time())

    def approved(draft: Draft) -> Draft:
        if draft.declined is not None:
            raise HTTPException(409, words.declined_meanwhile(draft.declined.by))
        return draft.approved(word, fingerprint)

    return _to(_change(page, draft, approved), "/confirm")


@router.post("/sheets/{draft_id}/decline")
async def decline(
    request: Request, draft_id: str, version: Annotated[int, Form()] = -1, note: Annotated[str, Form()] = ""
) -> Response:
    """A second person's no, and why, to the `version` that they were shown: the uploader mends it and asks again."""
    page, person = page_of(request), person_of(request)
    draft = page.draft(person, draft_id)
    if not _may_answer(page, person, draft):
        raise HTTPException(403, words.somebody_else_approves())
    note = note.strip()[:_LONGEST_TEXT]
    if not note:
        return await _show_confirm(request, page, draft, 400, trouble=words.say_why())
    word = Said(what="declined", by=person.name, at=time.time(), note=note)
    changed = _change(page, draft, lambda draft: draft if draft.version != version else draft.with_no(word))
    if word not in changed.said:
        if page.live.of_draft(draft.id) is not None:
            raise HTTPException(409, words.going_out())
        return await _show_confirm(request, page, changed, 409, trouble=words.changed_since(), note=note)
    return _to(changed, "/confirm")


@router.post("/sheets/{draft_id}/order")
async def order(
    request: Request,
    draft_id: str,
    fingerprint: Annotated[str, Form()],
    sure: Annotated[str, Form()] = "",
    limit: Annotated[str, Form()] = "",
) -> Response:
    """Place what was confirmed, unless it is something else by now."""
    page, person = page_of(request), person_of(request)
    draft = page.draft(person, draft_id)
    if not _may_order(page, person, draft):
        raise HTTPException(403, words.not_theirs_to_order(page.who(draft.owner)))
    if not sure:
        raise HTTPException(400, "Tick the box that says you are sure. Nothing was sent.")
    _require_approval(page, draft, fingerprint)
    most = _most_orders(limit)
    judged = await _judged(page, draft, patiently=True)
    if judged is None or judged.request is None:
        return _to(draft)
    # Somebody may have declined it meanwhile; from here on nobody comes in between.
    draft = page.draft(person, draft_id)
    _require_approval(page, draft, fingerprint)
    about = {
        "uploaded_by": draft.owner,
        "placed_by": person.name,
        "approved_by": draft.approval.by if draft.approval else "",
        "declined_by": ", ".join(draft.declined_by),
        "note": draft.note,
    }
    placed = dataclasses.replace(
        judged.request,
        limit=most,
        about={name: text for name, text in about.items() if text},
    )
    run = page.live.start(
        placed,
        draft_id=draft.id,
        owner=draft.owner,
        expected=fingerprint,
        results=page.drafts.results_folder(draft),
    )
    _change(page, draft, lambda d: d if run.run_id in d.runs else dataclasses.replace(d, runs=(*d.runs, run.run_id)))
    return RedirectResponse(f"/runs/{run.run_id}", status_code=303)


def _as_judged(draft: Draft, judged: Judged) -> Draft:
    """The draft with those releases alone whose orders are still in the sheet."""
    return dataclasses.replace(draft, released=judged.request.release if judged.request else ())


def _may_order(page: Page, person: Person, draft: Draft) -> bool:
    """Whether this is their own sheet, or one that they may approve."""
    return person.may_upload and (draft.owner == person.name or (page.needs_approval and person.may_approve))


def _may_answer(page: Page, person: Person, draft: Draft) -> bool:
    """Whether they are the second person, who says yes or no to this sheet."""
    return page.needs_approval and person.may_approve and draft.owner != person.name


def _require_approval(page: Page, draft: Draft, fingerprint: str) -> None:
    """HTTPException 403 where a second person has to say yes to this and has not."""
    if page.needs_approval and (draft.approval is None or draft.approval.fingerprint != fingerprint):
        raise HTTPException(403, words.not_approved())


def _most_orders(text: str) -> int | None:
    """How many orders are placed at most, None for all. HTTPException 400 for what is no number: it is not "all"."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):  # noqa: PLR2004 - beyond any sheet
        raise HTTPException(400, words.no_such_limit())
    return int(text)


async def _show_upload(
    request: Request, page: Page, person: Person, status: int = 200, *, trouble: str = "", at: int = 1
) -> Response:
    sheets, at, pages = paged([draft for draft in page.drafts.all() if draft.owner == person.name], at)
    return await page.render(request, "upload.html", status, sheets=sheets, at=at, pages=pages, trouble=trouble)


async def _judged(page: Page, draft: Draft, *, anew: bool = False, patiently: bool = False) -> Judged | None:
    """The draft, judged; None where that still takes a while."""
    judging: Judging = page.judge.look(draft, anew=anew)
    await run_sync(judging.done.wait, 20.0 if patiently else _WAIT)
    return judging.result


async def _judged_for_a_change(page: Page, draft: Draft) -> tuple[Report, Plan]:
    """The draft's report and plan; HTTPException 409 where it cannot be said what the change is about."""
    judged = await _judged(page, draft, patiently=True)
    if judged is None:
        raise HTTPException(409, words.still_looking())
    if judged.report is None or judged.plan is None:
        reason = words.on_page(judged.trouble.message) if judged.trouble else ""
        raise HTTPException(409, f"{reason} {words.nothing_changed()}".strip())
    return judged.report, judged.plan


async def _show_progress(request: Request, page: Page, draft: Draft) -> Response:
    judging = page.judge.look(draft)
    return await page.render(
        request, "reading.html", step=2, draft=draft, stage=judging.stage, seconds=int(time.monotonic() - judging.began)
    )


async def _show_trouble(request: Request, page: Page, draft: Draft, judged: Judged) -> Response:
    """Why the sheet cannot be read, with what there is to choose."""
    trouble = judged.trouble
    assert trouble is not None  # noqa: S101 - what is not judged has a reason
    found = trouble if isinstance(trouble, SheetError) else None
    may_change = page.may_change(person_of(request), draft)
    if found is not None and found.findings and not draft.mapping and may_change:
        remembered = await run_sync(matching.remembered, page, draft)
        if remembered:
            changed = _change(page, draft, lambda draft: dataclasses.replace(draft, mapping=remembered))
            return _to(changed)
    return await page.render(
        request,
        "trouble.html",
        200,
        step=2,
        draft=draft,
        trouble=trouble,
        is_sheet=found is not None,
        encodings=found.encodings if found else (),
        sheets=found.sheets if found else (),
        findings=[words.on_page(finding.told) for finding in found.findings] if found else [],  # type: ignore[attr-defined] # errors import nothing
        may_change=may_change,
    )


def _change(page: Page, draft: Draft, how: Any) -> Draft:  # noqa: ANN401 - Drafts.change has its type
    try:
        return page.drafts.change(draft.id, how)
    except KeyError:
        raise HTTPException(404, words.no_such_sheet()) from None


def _to(draft: Draft, back: str = "", place: str = "") -> Response:
    """On to the draft's page; `back` is the query that a person had there."""
    tail = back if back.startswith(("?", "/confirm")) and "\n" not in back and "\r" not in back else ""
    return RedirectResponse(f"/sheets/{draft.id}{tail}{place}", status_code=303)


def as_download(content: bytes, name: str) -> Response:
    """A download under this name, which no browser opens in its place."""
    name = shown_name(name)  # a file of the command line may be called anything
    kind = "text/csv" if name.lower().endswith(".csv") else "application/octet-stream"
    plain = name.encode("ascii", "replace").decode().replace('"', "_").replace("\\", "_").replace("?", "_")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type=kind, headers={"content-disposition": disposition})
