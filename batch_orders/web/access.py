"""Who may come in, and what every answer carries: in front of every route, so that none can be forgotten.

Without a session there is the way in (`/login`, `/enter`) and what it looks like (`/static/`), nothing else. A request
that changes something needs the session's own token besides, in a form field or a header, and comes from the page's
own origin where the browser says so. No body is read beyond what its route may take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from batch_orders.logs import get_logger
from batch_orders.web.sessions import csrf_ok

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from batch_orders.web.sessions import Session

# What a form without a file may hold, in bytes: a mended cell, a note.
_FORM_SIZE = 256_000
# A multipart form is larger than its file by its boundaries and other fields.
_AROUND_THE_FILE = 16_000
_SAFE = {"GET", "HEAD"}
_WAY_IN = {"/login", "/enter"}
_STATIC = "/static/"
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?\Z")
_TOO_LARGE = "This file is larger than the page takes. Delete what is not needed, or split the sheet."

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


class TooLargeError(HTTPException):
    """A body is larger than its route may take. An HTTPException, as the framework makes a 400 of any other."""

    def __init__(self) -> None:
        super().__init__(413, _TOO_LARGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeping:
    """What the gate goes by.

    `hosts` are the names that the page is called by (None: any); `find` gives a token's session. `page_url` is what
    people type where that is not what the page listens at.
    """

    hosts: Collection[str] | None
    find: Callable[[str], Session | None]
    max_upload: int
    page_url: str | None

    @property
    def is_https(self) -> bool:
        """Whether people reach the page by https, so that its cookie never travels without."""
        return bool(self.page_url and self.page_url.startswith("https:"))

    @property
    def cookie(self) -> str:
        """The cookie's name: with https the browser itself keeps others from setting it."""
        return "__Host-session" if self.is_https else "session"

    def set_cookie(self, response: Response, token: str) -> None:
        """Let this browser in until it, or the session, ends."""
        response.set_cookie(self.cookie, token, httponly=True, samesite="strict", secure=self.is_https, path="/")

    def delete_cookie(self, response: Response) -> None:
        """Let this browser forget that it was in."""
        response.delete_cookie(self.cookie, httponly=True, samesite="strict", secure=self.is_https, path="/")


class Gate:
    """The application behind everything that must hold for every request."""

    def __init__(self, app: ASGIApp, keeping: Gatekeeping) -> None:
        self._app = app
        self._keeping = keeping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        limit = self._keeping.max_upload + _AROUND_THE_FILE if scope["path"] == "/sheets" else _FORM_SIZE
        body = _Capped(receive, limit, has_body=_has_body(Headers(scope=scope)))
        with_headers = _with_headers(send, is_static=_is_static(scope), is_https=self._keeping.is_https)
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            answered = True
            if message["type"] == "http.response.start" and not body.is_read:
                # Else the server would go on reading what nobody wants, to its end.
                MutableHeaders(scope=message)["connection"] = "close"
            await with_headers(message)

        try:
            await self._answer(scope, body, sending)
        except Exception as error:
            if answered:
                raise
            # The users file cannot be read, say. The server's own answer would come without the headers.
            get_logger().error("unexpected", exc_info=error)
            await PlainTextResponse("Something went wrong. Nothing was changed.", 500)(scope, receive, sending)

    async def _answer(self, scope: Scope, body: _Capped, send: Send) -> None:
        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is None and int(request.headers.get("content-length") or 0) > body.limit:
            refusal = PlainTextResponse(_TOO_LARGE, status_code=413)
        await (refusal or self._app)(scope, body, send)

    def _refusal(self, request: Request) -> Response | None:
        """Why the request goes no further; None where it does, with its session."""
        hosts, host = self._keeping.hosts, _host(request.headers.get("host", ""))
        if not host or (hosts is not None and host not in hosts):
            return PlainTextResponse("This page is not called by that name.", status_code=421)
        if request.method not in {*_SAFE, "POST"}:
            return PlainTextResponse("There is no such thing to do here.", status_code=405)
        if not _is_length(request.headers.get("content-length", "0")):
            return PlainTextResponse("That is no request.", status_code=400)
        if request.method not in _SAFE and _comes_from_elsewhere(request.headers, self._keeping.page_url):
            return PlainTextResponse("This was not sent from the page itself.", status_code=403)
        session = self._keeping.find(request.cookies.get(self._keeping.cookie, ""))
        request.state.session = session
        # The very path that is routed by, and not the URL, which is put together from headers.
        if session is not None or request.scope["path"] in _WAY_IN or _is_static(request.scope):
            return None
        if request.method in _SAFE and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", status_code=303)
        return PlainTextResponse("Log in first.", status_code=401)


async def require_token(request: Request) -> AsyncIterator[None]:
    """A dependency of every route: what changes something carries its session's token. HTTPException 403 without."""
    try:
        await _check_token(request)
        yield
    finally:
        await request.close()  # files that came where none belongs


async def _check_token(request: Request) -> None:
    if request.method in _SAFE or request.scope["path"] == "/login":
        return
    given = request.headers.get("x-csrf") or (await request.form()).get("csrf")
    session: Session | None = request.state.session
    if session is None or not isinstance(given, str) or not csrf_ok(session, given):
        raise HTTPException(403, "This page was open for too long. Load it again, and do it once more.")


def _host(text: str) -> str:
    """A Host header without its port; "" for what is none."""
    found = _HOST.match(text.lower())
    return found[1].strip("[]") if found else ""


def _comes_from_elsewhere(headers: Headers, page_url: str | None) -> bool:
    """Whether the browser says that another site sent this."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    host = headers.get("host", "").lower()
    return origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}", page_url}


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20  # noqa: PLR2004 - more than any body


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _is_static(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_STATIC)


class _Capped:
    """A body: TooLargeError at the first byte beyond the limit, whatever the headers said. `is_read`: to its end."""

    def __init__(self, receive: Receive, limit: int, *, has_body: bool) -> None:
        self.limit = limit
        self.is_read = not has_body
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self.limit:
            raise TooLargeError
        self.is_read = self.is_read or not message.get("more_body", False)
        return message


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
