"""The application: its parts, what every page shows, and how errors look."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException

from batch_orders.errors import BatchOrdersError
from batch_orders.logs import get_logger
from batch_orders.messages import page as words
from batch_orders.settings import is_on_this_machine
from batch_orders.web import login, runs, sheets, waiting
from batch_orders.web.access import Gate, require_token
from batch_orders.web.page import HERE, page_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp

    from batch_orders.web.page import Page


def create_app(page: Page) -> ASGIApp:
    """The application behind its gate."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(require_token)])
    app.state.page = page
    for router in (login.router, sheets.router, runs.router, waiting.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(BatchOrdersError, _troubled)
    app.add_exception_handler(Exception, _broken)
    return Gate(app, page.keeping)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for it
    return await _told(request, error.status_code, str(error.detail), "")


async def _not_understood(request: Request, _: Exception) -> Response:
    return await _told(request, 400, "The page did not understand that. Nothing was changed.", "Load it and try again.")


async def _troubled(request: Request, error: Exception) -> Response:
    assert isinstance(error, BatchOrdersError)  # noqa: S101 - registered for it
    return await _told(request, 409, words.on_page(error.message), words.on_page(error.hint))


async def _broken(request: Request, error: Exception) -> Response:
    get_logger().error("unexpected", exc_info=error)
    return await _told(request, 500, words.unexpected(type(error).__name__), "")


def _where_from(request: Request) -> str:
    """The page that a person was on, where that is one of ours."""
    came = urlsplit(request.headers.get("referer", ""))
    is_ours = came.netloc == request.headers.get("host", "") and came.path.startswith("/") and request.method == "POST"
    return came.path + (f"?{came.query}" if came.query else "") if is_ours and not came.path.startswith("//") else ""


async def _told(request: Request, status: int, message: str, hint: str) -> Response:
    """An error as a page; where even that fails, as plain text."""
    try:
        return await page_of(request).render(
            request, "error.html", status, message=message, hint=hint, back=_where_from(request)
        )
    except Exception as error:  # noqa: BLE001 - the ledger cannot be read, say: the message is what counts
        get_logger().error("unexpected", exc_info=error)
        return PlainTextResponse(f"{message} {hint}".strip(), status_code=status)


def allowed_hosts(listening: str, page_url: str | None) -> Collection[str] | None:
    """The names by which the page may be called: what it listens at, and what people type. None: by any.

    A browser that was lured to another name for this machine (DNS rebinding) gets nothing. Where the page listens to
    other machines everybody logs in, and without an address in the settings its names are not known.
    """
    is_local = is_on_this_machine(f"http://[{listening}]" if ":" in listening else f"http://{listening}")
    if not is_local and page_url is None:
        return None
    return {"localhost", "127.0.0.1", "::1", listening} | ({urlsplit(page_url).hostname or ""} if page_url else set())
