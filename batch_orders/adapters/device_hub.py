"""The Device Hub client: the only file that talks to it.

Paths, bodies and answers are the vendor's API reference's. Nothing here follows a redirect, trusts a proxy or a
certificate from the environment, or turns verification off. An order goes over a connection of its own: a kept-alive
one that the server is just closing would leave an order whose end nobody knows.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import certifi
import httpx

from batch_orders.adapters import device_hub_answers as answers
from batch_orders.errors import BatchOrdersError, LoginLostError, LoginRefusedError, SettingsError, UnreachableError
from batch_orders.messages import hub as messages
from batch_orders.models import Catalog, Evidence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/refresh-token"
WAREHOUSES = "/api/v1/device-hub/warehouses"
INVENTORY = "/api/v1/device-hub/inventory"
PLACE_ORDER = "/api/v1/device-hub/place-order"

# Seconds for the name look-up, TCP and TLS together.
_CONNECT = 10.0
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "batch-orders"}
# A token that ends within this many seconds is renewed before it is used.
_RENEW_BEFORE = 60.0
# Bytes: an order's answer is small; an inventory may list thousands of titles.
_LONGEST_ANSWER = 1_000_000
_LONGEST_LIST = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """How to reach Device Hub. Times are in seconds; `proxy` and `ca_file` only where they are set on purpose."""

    base_url: str
    client_id: str
    client_secret: str
    timeout: float
    patience: float
    proxy: str | None = None
    ca_file: str | None = None
    idempotency_header: str | None = None

    def __repr__(self) -> str:
        """No secrets, and no login."""
        return f"HubOptions(base_url={self.base_url!r})"


@dataclass(frozen=True, slots=True)
class _Token:
    number: int
    text: str
    ends_at: float | None


class DeviceHub:
    """A client for one account. Use it as an async context manager."""

    def __init__(self, options: HubOptions, *, note: Callable[[str], None] = lambda _: None) -> None:
        self._options = options
        self._note = note
        self._host = httpx.URL(options.base_url).netloc.decode()
        # A little less than asyncio.timeout, which bounds all the rest: so httpx itself gives up first, and closes the
        # socket.
        self._timeout = httpx.Timeout(None, connect=0.95 * _CONNECT, pool=_CONNECT)
        self._tls = ssl.create_default_context(cafile=options.ca_file or certifi.where())
        self._token: _Token | None = None
        self._renewing = asyncio.Lock()
        self._failed: tuple[int, BatchOrdersError] | None = None
        # Orders go out below httpx's client, whose redirects and cookies must not touch them (nor cost their time).
        self._orders_url = httpx.URL(options.base_url + PLACE_ORDER)
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._lists = self._client()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._lists.aclose()
        for transport in self._idle:
            await transport.aclose()

    # The catalog ----------------------------------------------------------------------------------------------

    async def fetch_catalog(self) -> Catalog:
        """All warehouses and each one's inventory.

        Raises LoginRefusedError or SettingsError where the account or the address is wrong, UnreachableError where
        Device Hub does not answer within `patience`, or not understandably: nothing is judged by a guess.
        """
        try:
            found = answers.read_warehouses(await self._get(WAREHOUSES))
            warehouses = [
                answers.read_warehouse(
                    warehouse, await self._get(INVENTORY, {"warehouse_id": str(warehouse["warehouse_id"])})
                )
                for warehouse in found
            ]
        except ValueError as error:
            raise UnreachableError(messages.broken_answer(self._host, str(error))) from None
        catalog = Catalog(warehouses=tuple(warehouses))
        if not catalog.stock:
            raise UnreachableError(messages.empty_catalog(self._host), hint=messages.how_to_get_access())
        return catalog

    async def _get(self, path: str, params: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """A list from Device Hub. Reading changes nothing there, so it is tried again within `patience`."""
        patience = _Patience(self._options.patience)
        refused: int | None = None
        while True:
            token = await self._current_token()
            try:
                response = await self._call("GET", path, params=params, token=token)
            except (httpx.HTTPError, TimeoutError) as error:
                await self._wait(patience, type(error).__name__, None)
                continue
            status = response.status_code
            if status == HTTPStatus.UNAUTHORIZED and refused is None:
                refused = token.number
                await self._renew(refused)
            elif status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                retry_after = answers.seconds_of(response.headers.get("Retry-After"), now=datetime.now(UTC))
                await self._wait(patience, f"HTTP {status}", retry_after)
            else:
                return self._list(response)

    def _list(self, response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
        status, said = response.status_code, self._said(response)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            text = messages.account_refused(self._host, status, said)
            raise LoginRefusedError(text, hint=messages.how_to_get_access())
        if not response.is_success:
            text = messages.not_device_hub(self._host, f"HTTP {status}")
            raise SettingsError(text, hint=messages.how_to_fix_base_url())
        return answers.read_json(response.content)

    async def _wait(self, patience: _Patience, failure: str, retry_after: float | None) -> None:
        seconds = patience.next_wait(retry_after)
        if seconds is None:
            text = messages.unreachable(self._host, failure, patience.waited)
            raise UnreachableError(text, hint=messages.how_to_go_on())
        self._note(messages.trying_again(self._host, failure, seconds))
        await asyncio.sleep(seconds)

    # Orders ---------------------------------------------------------------------------------------------------

    async def place(self, body: bytes, gate: Callable[[], Awaitable[None]], *, idempotency_key: str) -> Evidence:
        """Place one order, and tell what is known of it afterwards, whatever happens on the way.

        `gate` is awaited when the connection stands and before the first byte of the order (httpx's trace event
        `http11.send_request_headers.started`); where it raises, nothing is sent. From there the call may take
        `timeout` seconds, to the last byte of the answer. LoginLostError or UnreachableError where there is no
        login to send with: then nothing was sent either.
        """
        token = await self._token_for_orders()
        headers = _HEADERS | {"Content-Type": "application/json", "Connection": "close"} | _bearer(token)
        if self._options.idempotency_header:
            headers[self._options.idempotency_header] = idempotency_key
        call = _OrderCall(gate, self._options.timeout)
        transport = self._idle.pop() if self._idle else self._transport()
        extensions = {"trace": call.trace, "timeout": self._timeout.as_dict()}
        try:
            async with asyncio.timeout(_CONNECT) as call.deadline:
                request = httpx.Request("POST", self._orders_url, content=body, headers=headers, extensions=extensions)
                response = await transport.handle_async_request(request)
                response.request = request
                try:
                    content = await _read(response, _LONGEST_ANSWER)
                finally:
                    await response.aclose()
            retry_after = response.headers.get("Retry-After")
            answer = answers.read_answer(response.status_code, retry_after, content, now=datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - whatever it was: the gate, not the exception's name, is the evidence
            return Evidence(gate_opened=call.gate_opened, failure=_names(error), token=token.number)
        finally:
            self._idle.append(transport)
        return Evidence(gate_opened=call.gate_opened, answer=answer, token=token.number)

    async def log_in(self) -> None:
        """Have a token at hand, so that no order has to wait for one once its slot is taken. Raises as `place`."""
        await self._token_for_orders()

    async def renew_login(self, refused: int) -> None:
        """Get a newer token than number `refused`: one refresh, else one login, shared by everyone who waits."""
        try:
            await self._renew(refused)
        except (LoginRefusedError, SettingsError) as error:
            raise LoginLostError(messages.login_lost(self._host), hint=error.hint) from error

    # The login ------------------------------------------------------------------------------------------------

    async def _token_for_orders(self) -> _Token:
        try:
            return await self._current_token()
        except (LoginRefusedError, SettingsError) as error:
            raise LoginLostError(messages.login_lost(self._host), hint=error.hint) from error

    async def _current_token(self) -> _Token:
        token = self._token
        if token is not None and (token.ends_at is None or token.ends_at > time.time() + _RENEW_BEFORE):
            return token
        return await self._renew(token.number if token else 0)

    async def _renew(self, refused: int) -> _Token:
        async with self._renewing:
            token = self._token
            if token is not None and token.number > refused:
                return token
            if self._failed is not None and self._failed[0] == refused:
                # Whoever waited here for the same token gets the same answer: failed logins lock the account.
                raise self._failed[1]
            text = await self._refresh(token) if token else None
            try:
                text = text or await self._log_in()
            except BatchOrdersError as error:
                self._failed = (refused, error)
                raise
            ends_at = answers.expiry_of(text)
            if ends_at is not None and ends_at <= time.time() + _RENEW_BEFORE:
                # This machine's clock, or a very short token: the token's end would make us renew it at every call.
                ends_at = None
            self._token = _Token(refused + 1 if token is None else token.number + 1, text, ends_at)
            return self._token

    async def _refresh(self, token: _Token) -> str | None:
        """A new token for the current one; None where Device Hub gives none (then a login is due)."""
        try:
            response = await self._call("POST", REFRESH, body={"refresh_token": token.text}, token=token)
        except (httpx.HTTPError, TimeoutError):
            return None
        return _token_in(response) if response.is_success else None

    async def _log_in(self) -> str:
        """One login. Only a connection that never stood is tried again: failed logins lock the account."""
        patience = _Patience(self._options.patience)
        body = {"client_id": self._options.client_id, "client_secret": self._options.client_secret}
        while True:
            try:
                response = await self._call("POST", LOGIN, body=body)
                break
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
                await self._wait(patience, type(error).__name__, None)
            except (httpx.HTTPError, TimeoutError) as error:
                text = messages.unreachable(self._host, type(error).__name__, patience.waited)
                raise UnreachableError(text, hint=messages.how_to_go_on()) from None
        return self._read_login(response)

    def _read_login(self, response: httpx.Response) -> str:
        status, said = response.status_code, self._said(response)
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            text = messages.login_refused(self._host, status, said)
            raise LoginRefusedError(text, hint=messages.how_to_log_in())
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            text = messages.unreachable(self._host, f"HTTP {status} at the login", 0)
            raise UnreachableError(text, hint=messages.how_to_go_on())
        token = _token_in(response) if response.is_success else None
        if token is None:
            text = messages.not_device_hub(self._host, f"HTTP {status} at the login")
            raise SettingsError(text, hint=messages.how_to_fix_base_url())
        return token

    def _said(self, response: httpx.Response) -> str:
        """What Device Hub says in an error; "" where it repeats what nobody may read."""
        said = answers.read_error(_document(response))[0]
        tokens = [self._token.text] if self._token else []
        private = (self._options.client_id, self._options.client_secret, *tokens)
        return "" if any(text in said for text in private) else said

    # Calls ----------------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, str] | None = None,
        token: _Token | None = None,
    ) -> httpx.Response:
        """One call that is not an order, with its whole answer, within `timeout` seconds."""
        async with asyncio.timeout(_CONNECT + self._options.timeout):
            request = self._lists.build_request(
                method, path, params=params, json=body, headers=_bearer(token) if token else None
            )
            response = await self._lists.send(request, stream=True)
            try:
                content = await _read(response, _LONGEST_LIST)
            finally:
                await response.aclose()
        return httpx.Response(response.status_code, headers=_plain(response.headers), content=content, request=request)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._options.base_url,
            verify=self._tls,
            proxy=self._options.proxy,
            trust_env=False,
            follow_redirects=False,
            headers=_HEADERS,
            limits=httpx.Limits(max_keepalive_connections=None),
            timeout=self._timeout,
        )

    def _transport(self) -> httpx.AsyncBaseTransport:
        """One order after the other, each over a connection of its own."""
        return httpx.AsyncHTTPTransport(
            verify=self._tls,
            proxy=self._options.proxy,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )


class _OrderCall:
    """One place-order call: opens the gate at the first byte, and bounds the time from there."""

    def __init__(self, gate: Callable[[], Awaitable[None]], timeout: float) -> None:
        self.gate_opened = False
        self.deadline: asyncio.Timeout
        self._gate = gate
        self._timeout = timeout

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """The trace callback. A proxy's CONNECT raises the same event; only the order's own POST is the gate's."""
        if event != "http11.send_request_headers.started" or info["request"].method != b"POST":
            return
        if self.gate_opened:
            raise RuntimeError("an order would have been sent twice in one call")
        self.deadline.reschedule(None)  # waiting for the pace does not count
        await self._gate()
        self.deadline.reschedule(asyncio.get_running_loop().time() + self._timeout)
        self.gate_opened = True  # the last statement: from here on a byte may have left


class _Patience:
    """Growing waits, until `seconds` have passed since it was made."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._step = 0.5

    @property
    def waited(self) -> float:
        """Seconds since the first try."""
        return time.monotonic() - self._began

    def next_wait(self, retry_after: float | None) -> float | None:
        """Seconds to wait before the next try; None where patience is at its end."""
        left = self._seconds - self.waited
        wanted = retry_after if retry_after is not None else self._step * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._step = min(self._step * 2, 15.0)
        if left <= 0 or (retry_after is not None and retry_after > left):
            return None
        return min(wanted, left)


async def _read(response: httpx.Response, longest: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > longest:
            raise httpx.DecodingError(f"the answer is longer than {longest} bytes", request=response.request)
    return bytes(content)


def _bearer(token: _Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.text}"}


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """The headers of a body that has been decoded already."""
    return {k: v for k, v in headers.items() if k.lower() not in {"content-encoding", "transfer-encoding"}}


def _token_in(response: httpx.Response) -> str | None:
    token = _document(response).get("token")
    return token if isinstance(token, str) and token.isascii() and token.strip() == token and token else None


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = answers.read_json(response.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _names(error: BaseException) -> str:
    """The types of an exception and its causes: what happened, and nothing that could be private."""
    names: list[str] = []
    current: BaseException | None = error
    while current is not None and len(names) < 5:  # noqa: PLR2004 - deep enough to see the operating system's own
        names.append(type(current).__name__)
        current = current.__cause__ or current.__context__
    return " < ".join(names)
