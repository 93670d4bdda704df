"""The hostile server: accepts, reads, places, answers or does not, as its plan says; every fault on a real socket."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

from batch_orders.sandbox.faults import FAULTS, End, Fault, Read, Scene, coded, http, success
from tests.hostile.orderbook import Call, OrderBook
from tests.hostile.plan import Plan
from tests.hostile.tokens import Tokens
from tests.hostile.wire import GoneError, Wire

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

CLIENT_ID = "hr@example.com"
CLIENT_SECRET = "hostile-secret"
TITLES = ("Logitech M185 Wireless Mouse", 'Dell 27" Monitor P2723DE', "MacBook Pro 14 M4 24 GB")
_KINDS = {
    ("POST", "/api/v1/auth/login"): "login",
    ("POST", "/api/v1/refresh-token"): "refresh",
    ("GET", "/api/v1/device-hub/warehouses"): "warehouses",
    ("GET", "/api/v1/device-hub/inventory"): "inventory",
    ("POST", "/api/v1/device-hub/place-order"): "order",
}
_WAREHOUSES = [{"warehouse_id": "QebLm2p7", "name": "East", "shipping_options": ["UPS Ground", "Overnight"]}]
# Seconds: the longest any one connection lives, and how long threads get to end.
_LIMIT = 60.0
_JOIN = 10.0


class HostileHub:
    """A Device Hub that goes wrong as `plan` says, from the first line of its `with` block to the last.

    `log` gets a fsynced line for each order received, read and placed. `on_first_byte` is called when an order's
    request line stands, before anything else is read of it; what it gives back is kept in the call's `seen`. Tokens
    hold for `token_lifetime` seconds by their own `exp`. `latency` is the seconds before any answer, after placing.
    `answers` replaces the faithful answer of "warehouses" or "inventory"; with `quotes` every error repeats all that
    was sent, as careless servers do. `client_ids` are those that may log in; `host` is the address it listens on;
    `titles`, what the inventory lists, may change while the server runs.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
        tls: ssl.SSLContext | None = None,
        on_first_byte: Callable[[], object] | None = None,
        token_lifetime: float = 14_400,
        latency: float = 0.0,
        answers: Mapping[str, Any] | None = None,
        client_ids: Sequence[str] = (CLIENT_ID,),
        titles: Sequence[str] = TITLES,
        listening: bool = True,
        quotes: bool = False,
    ) -> None:
        self.plan = plan or Plan()
        self.book = OrderBook(log)
        self.on_first_byte = on_first_byte
        self.titles = tuple(titles)
        self._tls = tls
        self._latency = latency
        self._answers = dict(answers or {})
        self._client_ids = frozenset(client_ids)
        self._quotes = quotes
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # Held while a connection is waited for: a port that somebody waits at cannot be closed.
        self._accepting = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._tokens = Tokens(token_lifetime)
        self._threads: list[threading.Thread] = []
        self._host = host
        self._bound = _bound(host, port)
        self.port: int = self._bound.getsockname()[1]
        self.base_url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._listening = listening

    def __enter__(self) -> Self:
        if self._listening:
            self._bound.listen(512)
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        ends_at = time.monotonic() + _JOIN
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        self._bound.close()
        self.book.close()

    # What tests ask ---------------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[Call]:
        """Every order whose first byte came, in the order of coming."""
        return list(self.book.calls)

    @property
    def placed(self) -> list[Call]:
        """Those of them that were placed."""
        return [call for call in self.calls if call.order_number]

    def count(self, what: str) -> int:
        """Calls by kind; also "connections", and "redirected" for calls that followed one of our redirects."""
        with self._lock:
            return self._counts[what]

    # What tests do ----------------------------------------------------------------------------------------------

    def close_port(self) -> None:
        """Refuse connections from now on, without giving the port away."""
        self._listening = False
        with self._accepting:
            self._bound.close()
            self._bound = _bound(self._host, self.port)

    def open_port(self) -> None:
        """Accept connections again."""
        with self._accepting:
            self._bound.listen(512)
            self._listening = True

    def wait_until_idle(self) -> None:
        """Wait until every connection that was made so far has been served to its end."""
        with socket.create_connection((self._host, self.port), timeout=_JOIN) as last:
            last.shutdown(socket.SHUT_WR)
            last.recv(1)  # ends when it was accepted and served: those before it were accepted too
        for thread in self._threads[1:]:  # the first one accepts
            thread.join(_LIMIT)

    def expire_tokens(self) -> None:
        """No token holds any longer for calls; a refresh with one still works."""
        self._tokens.mark("expire")

    def revoke_tokens(self) -> None:
        """No token holds any longer for anything."""
        self._tokens.mark("revoke")

    # Connections ------------------------------------------------------------------------------------------------

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="hostile", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            with self._accepting, contextlib.suppress(TimeoutError):
                if self._listening:
                    connection, _ = self._bound.accept()
                    self._counted("connections")
                    self._start(self._serve, connection)
                    continue
            self._stop.wait(0.005)

    def _serve(self, connection: socket.socket) -> None:
        wire = Wire(connection, self._stop, _LIMIT)
        with contextlib.suppress(GoneError):
            fault = self.plan.at_accept() if self._tokens.any_issued else None
            if fault is not None:
                _end(wire, fault)
                return
            if self._tls is not None:
                wire.start_tls(self._tls)
            while wire.first_byte() and self._answer_one(wire):
                pass
        wire.abandon()

    def _answer_one(self, wire: Wire) -> bool:
        """One request; false where the connection is over."""
        method, _, target = wire.line().decode("latin-1").removesuffix(" HTTP/1.1").partition(" ")
        address = urlsplit(target)
        kind = _KINDS.get((method, address.path), "other")
        self._counted(kind)
        if "redirected" in parse_qs(address.query):
            self._counted("redirected")
        call = self.book.receive() if kind == "order" else None
        if call is not None and self.on_first_byte is not None:
            call.seen = self.on_first_byte()
        fault = self.plan.take(kind)
        if call is not None and fault is not None:
            call.fault = fault.name
        if fault is not None and fault.read is Read.FIRST_BYTE:
            return _end(wire, fault)
        headers = wire.head()
        if fault is not None and fault.read is Read.HEAD:
            return _end(wire, fault)
        body = wire.exactly(int(headers.get("content-length", "0")))
        if call is not None:
            fault = self._read(call, headers, body, fault)
        fault = fault or FAULTS["ok"]
        if fault.tokens:
            self._tokens.mark(fault.tokens)
        keep = headers.get("connection", "").lower() != "close"
        return (self._react(wire, kind, fault, call, headers=headers, body=_document(body)) and keep) or _close(wire)

    def _read(self, call: Call, headers: Mapping[str, str], body: bytes, fault: Fault | None) -> Fault:
        call.headers = headers
        call.body = _document(body)
        call.email = str(call.body.get("email", ""))
        call.sha256 = hashlib.sha256(body).hexdigest()
        fault = fault or self.plan.take_for(call.email)
        call.fault = fault.name
        self.book.read(call)
        return fault

    def _react(
        self,
        wire: Wire,
        kind: str,
        fault: Fault,
        call: Call | None,
        *,
        headers: Mapping[str, str],
        body: dict[str, Any],
    ) -> bool:
        """Place, answer, end; true where the connection may go on."""
        refusal = None if kind in {"login", "refresh"} else self._refusal(headers)
        if refusal is not None:
            self._stop.wait(self._latency)
            wire.send(refusal)
            return True
        known = self.book.known_number
        if call is not None and fault.placed:
            self.book.place(call)
        self._stop.wait(self._latency)
        number = call.order_number if call is not None else ""
        scene = Scene(base_url=self.base_url, order_number=number, known_number=known or number, body=body)
        if fault.faithful:
            wire.send(self._faithful(kind, scene))
        elif fault.answer is not None:
            answer = fault.answer(scene)
            wire.send(_quoting(answer, body) if self._quotes else answer, one_byte_a_second=fault.one_byte_a_second)
        if fault.refuses:
            self._start(self._refuse_for, fault.refuses)
        return fault.end is End.KEEP or _end(wire, fault)

    def _refuse_for(self, seconds: float) -> None:
        self.close_port()
        self._stop.wait(seconds)
        self.open_port()

    # Answers ----------------------------------------------------------------------------------------------------

    def _faithful(self, kind: str, scene: Scene) -> bytes:
        match kind:
            case "login":
                known = scene.body.get("client_id") in self._client_ids
                right = known and scene.body.get("client_secret") == CLIENT_SECRET
                return self._token("Login successful") if right else http(401, {"message": "Invalid email or password"})
            case "refresh":
                status = self._tokens.refusal_of_refresh(str(scene.body.get("refresh_token")))
                return http(status, {"message": "Invalid or expired refresh token"}) if status else self._token("OK")
            case "warehouses":
                listed = {"success": True, "status": 200, "message": "OK", "data": {"ware_houses": _WAREHOUSES}}
                return http(200, self._answers.get(kind, listed))
            case "inventory":
                return http(200, self._answers.get(kind, inventory(self.titles)))
            case "order":
                return http(200, success(scene, scene.order_number))
            case _:
                return http(404, {"message": "Not Found"})

    def _refusal(self, headers: Mapping[str, str]) -> bytes | None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.holds(token):
            return None
        return http(401, coded("TOKEN_EXPIRED", "The access token has expired"))

    def _token(self, message: str) -> bytes:
        return http(200, {"message": message, "token": self._tokens.issue()})

    def _counted(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1


def inventory(titles: Sequence[str], pieces: int = 100_000) -> dict[str, Any]:
    """One warehouse's inventory in the documented shape."""
    products = [{"company_sku": f"SKU-{n}", "title": title, "quantity": pieces} for n, title in enumerate(titles)]
    return {"success": True, "message": "OK", "data": [{"category_name": "All", "products": products}]}


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """The address of a port where connecting gets no answer at all: its queue is full, and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bound("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _bound(host: str, port: int) -> socket.socket:
    """A socket that has a port and does not listen yet: who connects is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.settimeout(0.02)
    return bound


def _end(wire: Wire, fault: Fault) -> bool:
    """End the connection as the fault says. Always false: it is over."""
    if fault.end is End.HANG:
        wire.hang()
    if fault.end is End.RESET:
        wire.reset()
    elif fault.read is Read.BODY:
        wire.close()
    else:
        wire.abandon()
    return False


def _quoting(answer: bytes, sent: Mapping[str, Any]) -> bytes:
    """An error with all that was sent in its message; any other answer as it is."""
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
    return http(status, {"message": f"Cannot take {json.dumps(sent)}"}) if status >= HTTPStatus.BAD_REQUEST else answer


def _close(wire: Wire) -> bool:
    wire.close()
    return False


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
