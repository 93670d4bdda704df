"""Everything that can go wrong with one call, by name: how much is read, what is placed, what comes back."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Longer than any answer the client should be ready to keep in memory.
HUGE = 3_000_000
# What the waits of a 429 ask for, in seconds. An HTTP date has whole seconds, so it may say almost one less.
RETRY_AFTER = 1


class Read(StrEnum):
    """How much of the request is read before the fault strikes."""

    NOTHING = "nothing"  # as soon as the connection stands
    FIRST_BYTE = "first byte"
    HEAD = "head"
    BODY = "body"


class End(StrEnum):
    """What becomes of the connection in the end."""

    KEEP = "keep"  # as HTTP says: kept alive, unless the client asks otherwise
    CLOSE = "close"
    RESET = "reset"  # SO_LINGER 0: the peer gets RST
    HANG = "hang"  # open and silent, until the client goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What an answer may refer to: the server's own address, and order numbers (a new one, and one given before)."""

    base_url: str
    order_number: str
    known_number: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for a call to go. Without `answer` not a byte comes back; `faithful` answers as Device Hub would."""

    name: str
    read: Read = Read.BODY
    placed: bool = False
    answer: Callable[[Scene], bytes] | None = None
    faithful: bool = False
    one_byte_a_second: bool = False
    end: End = End.KEEP
    # What happens to all tokens first: "expire" (a refresh still works) or "revoke" (only a login does).
    tokens: str = ""
    # Seconds for which the port is closed afterwards.
    refuses: float = 0.0


def http(status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 answer; `headers` win over those that are made here."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    merged = {"Content-Type": "application/json", "Content-Length": str(len(raw))} | dict(headers or {})
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in merged.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def success(scene: Scene, order_number: object) -> dict[str, Any]:
    """The body of a placed order, as the vendor's reference shows it."""
    products = [
        {
            "name": item.get("product_title"),
            "qty": item.get("quantity"),
            "price": 10.5,
            "image": "https://example.com/p",
        }
        for item in scene.body.get("items", [])
        if isinstance(item, dict)
    ]
    return {"message": "Order placed successfully", "data": {"order_number": order_number, "products": products}}


def coded(code: str, message: str, *details: tuple[str, str]) -> dict[str, Any]:
    """The first of the two documented error shapes."""
    found = [{"field": name, "message": text} for name, text in details]
    return {"success": False, "error": {"code": code, "message": message, "details": found}}


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"


def _says(status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
    return lambda _: http(status, body, headers)


def _ok(scene: Scene) -> bytes:
    return http(200, success(scene, scene.order_number))


def _truncated_body(scene: Scene) -> bytes:
    raw = json.dumps(success(scene, scene.order_number)).encode()
    return http(200, raw, {"Content-Length": str(len(raw) + 10)})


def _broken_gzip(scene: Scene) -> bytes:
    raw = bytearray(gzip.compress(json.dumps(success(scene, scene.order_number)).encode()))
    raw[12:20] = b"\xff" * 8
    return http(200, bytes(raw), {"Content-Encoding": "gzip"})


def _redirect(status: int) -> Callable[[Scene], bytes]:
    """A redirect to where the request came from; whoever follows it is counted by the mark in the address."""
    return lambda scene: http(
        status, b"", {"Location": f"{scene.base_url}/api/v1/device-hub/place-order?redirected={status}"}
    )


def _busy(retry_after: Callable[[], str] | None) -> Callable[[Scene], bytes]:
    body = {"message": "Rate limit exceeded"}
    return lambda _: http(429, body, {"Retry-After": retry_after()} if retry_after else None)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=RETRY_AFTER)


def _asctime() -> str:
    return time.asctime(_later().utctimetuple())


def _rfc_850() -> str:
    return f"{_later():%A, %d-%b-%y %H:%M:%S} GMT"


def _nothing_comes_back() -> list[Fault]:
    return [
        Fault(name="accept_close", read=Read.NOTHING, end=End.CLOSE),
        Fault(name="accept_reset", read=Read.NOTHING, end=End.RESET),
        Fault(name="reset_before_reading", read=Read.FIRST_BYTE, end=End.RESET),
        Fault(name="close_after_head", read=Read.HEAD, end=End.CLOSE),
        Fault(name="reset_after_head", read=Read.HEAD, end=End.RESET),
        Fault(name="close_after_body", end=End.CLOSE),
        Fault(name="reset_after_body", end=End.RESET),
        Fault(name="close_after_placing", placed=True, end=End.CLOSE),
        Fault(name="reset_after_placing", placed=True, end=End.RESET),
        Fault(name="hang_before_reading", read=Read.FIRST_BYTE, end=End.HANG),
        Fault(name="hang_before_placing", end=End.HANG),
        Fault(name="hang_after_placing", placed=True, end=End.HANG),
    ]


def _no_proof_comes_back() -> list[Fault]:
    def fault(name: str, answer: Any, *, end: End = End.CLOSE, drip: bool = False) -> Fault:
        return Fault(name=name, placed=True, answer=answer, end=end, one_byte_a_second=drip)

    page = b"<html><body>Bad gateway</body></html>"
    return [
        fault("drip", _ok, drip=True),
        fault("hang_in_body", _truncated_body, end=End.HANG),
        fault("truncated_head", lambda scene: _ok(scene)[:30]),
        fault("truncated_body", _truncated_body),
        fault("bad_gzip", _broken_gzip),
        fault("html", _says(200, page, {"Content-Type": "text/html"})),
        fault("empty_body", _says(200, b"")),
        fault("no_content", _says(204, b"", {"Content-Length": "0"})),
        fault("not_utf8", _says(200, b'{"data": {"order_number": "\xff\xfe"}}')),
        fault("json_list", _says(200, b"[1, 2]")),
        fault("deep_json", _says(200, b"[" * 200_000)),
        fault("garbage", lambda _: b"\x16\x03\x01 this is no HTTP\r\n\r\n"),
        fault(
            "huge_body", lambda scene: http(200, json.dumps(success(scene, scene.order_number)).encode().ljust(HUGE))
        ),
        fault("huge_head", lambda scene: http(200, success(scene, scene.order_number), {"X-Filler": "x" * HUGE})),
        fault("empty_number", lambda scene: http(200, success(scene, ""))),
        fault("blank_number", lambda scene: http(200, success(scene, "  "))),
        fault("null_number", lambda scene: http(200, success(scene, None))),
        fault("long_number", lambda scene: http(200, success(scene, "9" * 5_000))),
        fault("missing_number", _says(200, {"message": "Order placed successfully", "data": {}})),
        fault("half_a_character", lambda scene: http(200, success(scene, "\ud800"))),
        fault("number_seen_before", lambda scene: http(200, success(scene, scene.known_number))),
    ]


def _statuses() -> list[Fault]:
    found = []
    for status in (408, 409, 425, 500, 502, 503, 504):
        answer = _says(status, {"message": "Something went wrong"})
        found.append(Fault(name=f"{status}_before", answer=answer))
        found.append(Fault(name=f"{status}_after", answer=answer, placed=True))
    found += [Fault(name=str(status), answer=_redirect(status)) for status in (301, 302, 303, 307, 308)]
    for status in (400, 422):
        body = coded("VALIDATION_ERROR", "Validation failed", ("shipping_zip", "is not a ZIP code"))
        found.append(Fault(name=f"{status}_coded", answer=_says(status, body)))
        found.append(Fault(name=f"{status}_plain", answer=_says(status, {"message": "shipping_zip is not a ZIP code"})))
    half = b'{"message": "Half a character: \\ud800"}'
    return [
        *found,
        Fault(name="422_half_a_character", answer=_says(422, half)),
        Fault(name="401", answer=_says(401, coded("TOKEN_EXPIRED", "The access token has expired"))),
        Fault(name="403", answer=_says(403, {"message": "Forbidden"})),
        Fault(name="404_coded", answer=_says(404, coded("PRODUCT_NOT_FOUND", "No such product"))),
        Fault(name="404_plain", answer=_says(404, {"message": "Not Found"})),
        Fault(name="404_html", answer=_says(404, b"<html>Not Found</html>", {"Content-Type": "text/html"})),
        Fault(name="429_none", answer=_busy(None)),
        Fault(name="429_seconds", answer=_busy(lambda: str(RETRY_AFTER))),
        Fault(name="429_zero", answer=_busy(lambda: "0")),
        Fault(name="429_imf", answer=_busy(lambda: format_datetime(_later(), usegmt=True))),
        Fault(name="429_rfc850", answer=_busy(_rfc_850)),
        Fault(name="429_asctime", answer=_busy(_asctime)),
        Fault(name="429_garbage", answer=_busy(lambda: "soon, I hope")),
        Fault(name="429_odd_zone", answer=_busy(lambda: f"Sun, 06 Nov 2044 08:49:37 +{'9' * 30}")),
        Fault(name="429_negative", answer=_busy(lambda: "-5")),
        Fault(name="429_huge", answer=_busy(lambda: "9" * 40)),
    ]


def _all() -> list[Fault]:
    return [
        Fault(name="ok", placed=True, faithful=True),
        Fault(name="refuse", placed=True, faithful=True, refuses=0.3),
        Fault(name="expire", placed=True, faithful=True, tokens="expire"),
        Fault(name="revoke", placed=True, faithful=True, tokens="revoke"),
        *_nothing_comes_back(),
        *_no_proof_comes_back(),
        *_statuses(),
    ]


FAULTS: dict[str, Fault] = {fault.name: fault for fault in _all()}
