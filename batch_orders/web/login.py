"""The way in and out: a password for a team, the one-time link for whoever started the page."""

from __future__ import annotations

import math
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from batch_orders.messages import page as words
from batch_orders.web.page import page_of
from batch_orders.web.people import LINK_NAME

router = APIRouter()


@router.get("/login")
async def show_login(request: Request) -> Response:
    """Where to log in, or how to."""
    if request.state.session is not None:
        return RedirectResponse("/", status_code=303)
    return await page_of(request).render(request, "login.html", trouble="", name="")


@router.post("/login")
async def log_in(request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
    """Let somebody in by their password, as often as they may try."""
    page = page_of(request)
    if page.users is None:
        return await page.render(request, "login.html", 403, trouble="", name="")
    address = request.client.host if request.client else ""
    wait = page.limit.attempt(address, name)
    if wait:
        trouble = words.wait_to_log_in(math.ceil(wait))
        response = await page.render(request, "login.html", 429, trouble=trouble, name=name)
        response.headers["retry-after"] = str(math.ceil(wait))
        return response
    person = await run_sync(page.users.verify, name, password)
    fingerprint = page.users.fingerprint(person.name) if person else None
    if person is None or fingerprint is None:
        return await page.render(request, "login.html", 403, trouble=words.wrong_password(), name=name)
    page.limit.succeeded(address, name)
    # A new token at each login: whoever knew an old one is not let in with it.
    page.sessions.close(request.cookies.get(page.keeping.cookie, ""))
    inside = RedirectResponse("/", status_code=303)
    page.keeping.set_cookie(inside, page.sessions.open(person, fingerprint))
    return inside


@router.get("/enter")
async def enter(request: Request, key: str = "") -> Response:
    """Let in whoever has the one-time link."""
    page = page_of(request)
    if "prefetch" in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
        raise HTTPException(503, words.not_ahead())  # nobody has opened it yet, and it works once
    if page.link is None or not page.link.use(key):
        if request.state.session is not None:
            return RedirectResponse("/", status_code=303)
        return await page.render(request, "login.html", 403, trouble=words.link_used_up(), name="")
    # Not a redirect: a browser that came here from another program would not send the new cookie along with it.
    response = await page.render(request, "entered.html")
    page.keeping.set_cookie(response, page.sessions.open(page.link.person, LINK_NAME))
    return response


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """End the session."""
    page = page_of(request)
    page.sessions.close(request.cookies.get(page.keeping.cookie, ""))
    response = RedirectResponse("/login", status_code=303)
    page.keeping.delete_cookie(response)
    return response
