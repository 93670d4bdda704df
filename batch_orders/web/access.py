"""Who may come in, and what every answer carries: in front of every route, so that none can be forgotten.

Without a session there is the way in (`/login`, `/enter`) and what it looks like (`/static/`), nothing else. A request
that changes something needs the session's own token besides, in a form field or a header, and comes from the page's
own origin where the browser says so. No body is read beyond what its route may take.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from batch_orders.web.sessions import csrf_ok

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from batch_orders.web.sessions import Session

# What a form without a file may hold, in bytes: a mended cell, a note.
_FORM_SIZE = 256_000
# A multipart form is larger than its file by its boundaries and other fields.
_AROUND_THE_FILE = 16_000
_SAFE = {"GET", "HEAD"}
_WAY_IN = ("/login", "/enter", "/static/")

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": with that a browser sends no Origin with a form, and it is looked at.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "x-robots-tag": "noindex, nofollow",
}


class TooLargeError(Exception):
    """A body is larger than its route may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeping:
    """What the gate goes by.

    `hosts` are the names that the page is called by (None: any); `find` gives a token's session. `is_https` says that
    people reach the page by https, so that its cookie never travels without.
    """

    hosts: Collection[str] | None
    find: Callable[[str], Session | None]
    max_upload: int
    is_https: bool

    @property
    def cookie(self) -> str:
        """The cookie's name: with https the browser itself keeps others from setting it."""
        return "__Host-session" if self.is_https else "session"

    def set_cookie(self, response: Response, token: str) -> None:
        """Let this browser in until it, or the session, ends."""
        response.set_cookie(self.cookie, token, httponly=True, samesite="strict", secure=self.is_https, path="/")


class Gate:
    """The application behind everything that must hold for every request."""

    def __init__(self, app: ASGIApp, keeping: Gatekeeping) -> None:
        self._app = app
        self._keeping = keeping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        send = _with_headers(send, is_static=scope["path"].startswith("/static/"), is_https=self._keeping.is_https)
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        limit = self._keeping.max_upload + _AROUND_THE_FILE if scope["path"] == "/sheets" else _FORM_SIZE
        if int(request.headers.get("content-length") or 0) > limit:
            await _too_large()(scope, receive, send)
            return
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, _capped(receive, limit), sending)
        except TooLargeError:
            if not answered:
                await _too_large()(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        """Why the request goes no further; None where it does, with its session."""
        hosts = self._keeping.hosts
        if hosts is not None and _host(request.headers.get("host", "")) not in hosts:
            return PlainTextResponse("This page is not called by that name.", status_code=421)
        if request.method not in {*_SAFE, "POST"}:
            return PlainTextResponse("There is no such thing to do here.", status_code=405)
        if not _is_length(request.headers.get("content-length", "0")):
            return PlainTextResponse("That is no request.", status_code=400)
        if request.method not in _SAFE and _comes_from_elsewhere(request.headers):
            return PlainTextResponse("This was not sent from the page itself.", status_code=403)
        session = self._keeping.find(request.cookies.get(self._keeping.cookie, ""))
        request.state.session = session
        if session is not None or request.url.path.startswith(_WAY_IN):
            return None
        if request.method in _SAFE and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return PlainTextResponse("Log in first.", status_code=401)


async def require_token(request: Request) -> None:
    """A dependency of every route: what changes something carries its session's token. HTTPException 403 without."""
    from fastapi import HTTPException  # noqa: PLC0415 - costly, and app.py has it already

    if request.method in _SAFE or request.url.path == "/login":
        return
    given = request.headers.get("x-csrf") or (await request.form()).get("csrf")
    session: Session | None = request.state.session
    if session is None or not isinstance(given, str) or not csrf_ok(session, given):
        raise HTTPException(403, "This page was open for too long. Load it again, and do it once more.")


def _host(text: str) -> str:
    """A Host header without its port."""
    return (urlsplit(f"//{text}").hostname or "") if text.isascii() else ""


def _comes_from_elsewhere(headers: Headers) -> bool:
    """Whether the browser says that another site sent this."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20  # noqa: PLR2004 - more than any body


def _capped(receive: Receive, limit: int) -> Receive:
    """TooLargeError at the first byte beyond the limit, whatever the headers said."""
    seen = 0

    async def capped() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLargeError
        return message

    return capped


def _too_large() -> Response:
    text = "This file is larger than the page takes. Delete what is not needed, or split the sheet."
    return PlainTextResponse(text, status_code=413, headers={"connection": "close"})


def _with_headers(send: Send, *, is_static: bool, is_https: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "max-age=300" if is_static else "no-store")
            if is_https:
                headers["strict-transport-security"] = "max-age=31536000"
        await send(message)

    return sending
