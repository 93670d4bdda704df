"""The simulated Device Hub's HTTP face: thin, over `State`. Paths and shapes are those of the API's reference."""

import asyncio
import json
from dataclasses import asdict
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from batch_orders.sandbox.faults import Read
from batch_orders.sandbox.inventory import WAREHOUSES
from batch_orders.sandbox.page import render
from batch_orders.sandbox.playing import play
from batch_orders.sandbox.refusals import Refusal, coded, plain
from batch_orders.sandbox.state import State

_LARGEST_BODY = 1_000_000
# The page needs nothing but its own style sheet, so nothing else is let in.
_PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def create_app(state: State) -> Starlette:
    """The ASGI application over one state. It answers requests for loopback host names only."""
    app = Starlette(
        routes=[*_login_routes(state), *_device_hub_routes(state), *_sandbox_routes(state)],
        exception_handlers={
            Refusal: _answer_refusal,
            HTTPException: _answer_http_exception,
            Exception: _answer_bug,
        },
    )
    app.router.redirect_slashes = False
    # A web page elsewhere that rebinds its own name to 127.0.0.1 still sends that name: refused with 400.
    app.add_middleware(
        TrustedHostMiddleware,
        allowed_hosts=["localhost", "127.0.0.1", "[::1]", _as_written_in_urls(state.options.host)],
        www_redirect=False,
    )
    return app


def _login_routes(state: State) -> list[Route]:
    async def login(request: Request) -> JSONResponse:
        client_id, client_secret = _texts(await _json_object(request), "client_id", "client_secret")
        token = state.logins.log_in(client_id, client_secret)
        return JSONResponse({"message": "Login successful", "token": token})

    async def refresh_token(request: Request) -> JSONResponse:
        (token,) = _texts(await _json_object(request), "refresh_token")
        return JSONResponse({"message": "Token refreshed successfully", "token": state.logins.refresh(token)})

    return [
        Route("/api/v1/auth/login", login, methods=["POST"]),
        Route("/api/v1/refresh-token", refresh_token, methods=["POST"]),
    ]


def _device_hub_routes(state: State) -> list[Route]:
    async def warehouses(request: Request) -> JSONResponse:
        state.logins.check(request.headers.get("authorization"))
        listed = [asdict(warehouse) for warehouse in WAREHOUSES]
        message = "Warehouses retrieved successfully"
        return JSONResponse({"success": True, "status": 200, "message": message, "data": {"ware_houses": listed}})

    async def inventory(request: Request) -> JSONResponse:
        state.logins.check(request.headers.get("authorization"))
        asked = request.query_params
        answer = state.inventory(asked.get("warehouse_id"), asked.get("search"), asked.get("category_name"))
        return JSONResponse(answer)

    async def place_order(request: Request) -> Response:
        await _admit(request, state)
        fault = state.chance.throw()
        if fault.read is not Read.BODY:
            return await play(request, fault)
        raw = await _body(request)
        if fault.tokens:
            {"expire": state.logins.expire_all, "revoke": state.logins.revoke_all}[fault.tokens]()
            state.logins.check(request.headers.get("authorization"))  # its own is one of them: 401
        order, products = state.place(_parse(request, raw)) if fault.placed else (None, [])
        await asyncio.sleep(state.options.latency)
        if order is None or not fault.faithful:
            return await play(request, fault, order, state.first_number)
        if fault.refuses:
            request.state.server.refuse_for(fault.refuses)
        data = {"order_number": order.order_number, "products": products}
        return JSONResponse({"message": "Order placed successfully", "data": data})

    return [
        Route("/api/v1/device-hub/warehouses", warehouses),
        Route("/api/v1/device-hub/inventory", inventory),
        Route("/api/v1/device-hub/place-order", place_order, methods=["POST"]),
    ]


def _sandbox_routes(state: State) -> list[Route]:
    """What the real Device Hub does not have: looking at the orders, and making things go wrong."""

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse(render(state.orders), headers=_PAGE_HEADERS)

    async def orders(_: Request) -> JSONResponse:
        return JSONResponse(
            [
                {"order_number": order.order_number, "placed_at": order.placed_at.isoformat(), "body": order.body}
                for order in state.orders
            ]
        )

    async def discontinue(request: Request) -> JSONResponse:
        (title,) = _texts(await _json_object(request), "product_title")
        state.discontinue(title)
        return JSONResponse({"message": f'"{title}" is discontinued'})

    async def revoke_tokens(request: Request) -> JSONResponse:
        await _json_object(request)
        state.logins.revoke_all()
        return JSONResponse({"message": "All tokens are revoked"})

    return [
        Route("/", page),
        Route("/sandbox/orders", orders),
        Route("/sandbox/discontinue", discontinue, methods=["POST"]),
        Route("/sandbox/revoke-tokens", revoke_tokens, methods=["POST"]),
    ]


async def _admit(request: Request, state: State) -> None:
    """Let an order pass whose token holds and which does not come too fast; refused with 401 or 429 otherwise."""
    try:
        state.logins.check(request.headers.get("authorization"))
        state.admit()
    except Refusal:
        await _body(request)  # closing with unread bytes could cost the client the answer
        raise


async def _body(request: Request) -> bytes:
    """The whole body; refused with 400 where it is beyond all reason."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_BODY:
            raise plain(400, f"The request body is larger than {_LARGEST_BODY} bytes")
    return bytes(raw)


async def _json_object(request: Request) -> dict[str, Any]:
    return _parse(request, await _body(request))


def _parse(request: Request, raw: bytes) -> dict[str, Any]:
    """The body as a JSON object; refused with 400 where it is not one, or is not announced as JSON.

    Insisting on the content type also keeps out the forms of web pages elsewhere: they cannot send this one.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise plain(400, "Content-Type must be application/json")
    try:
        document = json.loads(raw.decode(), parse_constant=_no_such_constant)
        # Half a surrogate pair is legal JSON but no text: it could not be answered or shown.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise plain(400, "The request body is not valid JSON") from None
    if not isinstance(document, dict):
        raise plain(400, "The request body must be a JSON object")
    return document


def _no_such_constant(name: str) -> NoReturn:
    """Python's JSON knows NaN and Infinity; JSON does not."""
    raise ValueError(name)


def _texts(document: dict[str, Any], *fields: str) -> list[str]:
    """The values of these fields; refused with 400, naming those that are missing, empty or no text."""
    missing = [field for field in fields if not (isinstance(document.get(field), str) and document[field])]
    if missing:
        raise plain(400, f"Missing required fields: {', '.join(missing)}")
    return [document[field] for field in fields]


def _as_written_in_urls(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _answer_refusal(_: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refusal)  # noqa: S101 -- registered for nothing else; the type checker cannot know
    return JSONResponse(refusal.body, refusal.status, headers=refusal.headers)


async def _answer_http_exception(_: Request, error: Exception) -> JSONResponse:
    """No such path, or not with this method."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for nothing else; the type checker cannot know
    return JSONResponse({"message": error.detail}, error.status_code, headers=error.headers)


async def _answer_bug(request: Request, error: Exception) -> JSONResponse:
    """A mistake in the sandbox itself answers like the real one's 500, and says in the long shape that it is one."""
    refusal = coded(500, "INTERNAL_SERVER_ERROR", f"The sandbox failed: {type(error).__name__}")
    return await _answer_refusal(request, refusal)
