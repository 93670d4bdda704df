"""Everything that can go wrong with one call, by name: how much is read, what is placed, what comes back.

One table for two servers: the sandbox plays these faults for people, and the tests' hostile Device Hub for tests.
"""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Longer than any answer the client should be ready to keep in memory.
HUGE = 3_000_000
# What the waits of a 429 ask for, in seconds. An HTTP date has whole seconds, so it may say almost one less.
RETRY_AFTER = 1
# Seconds for which a port stays closed.
REFUSED = 0.3


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


Answer: TypeAlias = "Callable[[Scene], bytes]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for a call to go, and in `means` what that is, for people.

    Without `answer` not a byte comes back; `faithful` answers as Device Hub would.
    """

    name: str
    means: str
    read: Read = Read.BODY
    placed: bool = False
    answer: Answer | None = None
    faithful: bool = False
    one_byte_a_second: bool = False
    end: End = End.KEEP
    # What happens to all tokens first: "expire" (a refresh still works) or "revoke" (only a login does). The call's own
    # is one of them, so it is refused.
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


def _says(status: int, body: bytes | Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Answer:
    return lambda _: http(status, body, headers)


def _numbered(order_number: object) -> Answer:
    """A success in all but its order number."""
    return lambda scene: http(200, success(scene, order_number))


def _ok(scene: Scene) -> bytes:
    return http(200, success(scene, scene.order_number))


def _seen_before(scene: Scene) -> bytes:
    return http(200, success(scene, scene.known_number))


def _truncated_head(scene: Scene) -> bytes:
    return _ok(scene)[:30]


def _truncated_body(scene: Scene) -> bytes:
    raw = json.dumps(success(scene, scene.order_number)).encode()
    return http(200, raw, {"Content-Length": str(len(raw) + 10)})


def _huge_head(scene: Scene) -> bytes:
    return http(200, success(scene, scene.order_number), {"X-Filler": "x" * HUGE})


def _huge_body(scene: Scene) -> bytes:
    return http(200, json.dumps(success(scene, scene.order_number)).encode().ljust(HUGE))


def _broken_gzip(scene: Scene) -> bytes:
    raw = bytearray(gzip.compress(json.dumps(success(scene, scene.order_number)).encode()))
    raw[12:20] = b"\xff" * 8
    return http(200, bytes(raw), {"Content-Encoding": "gzip"})


def _garbage(_: Scene) -> bytes:
    return b"\x16\x03\x01 this is no HTTP\r\n\r\n"


def _redirect(status: int) -> Answer:
    """A redirect to where the request came from; whoever follows it is counted by the mark in the address."""
    return lambda scene: http(
        status, b"", {"Location": f"{scene.base_url}/api/v1/device-hub/place-order?redirected={status}"}
    )


def _busy(retry_after: Callable[[], str] | None) -> Answer:
    body = {"message": "Rate limit exceeded"}
    return lambda _: http(429, body, {"Retry-After": retry_after()} if retry_after else None)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=RETRY_AFTER)


def _imf() -> str:
    return format_datetime(_later(), usegmt=True)


def _asctime() -> str:
    return time.asctime(_later().utctimetuple())


def _rfc_850() -> str:
    return f"{_later():%A, %d-%b-%y %H:%M:%S} GMT"


def _nothing_comes_back() -> list[Fault]:
    def fault(name: str, means: str, end: End, *, read: Read = Read.BODY, placed: bool = False) -> Fault:
        return Fault(name=name, means=means, read=read, placed=placed, end=end)

    return [
        fault("accept_close", "the connection is closed as soon as it stands", End.CLOSE, read=Read.NOTHING),
        fault("accept_reset", "the connection is reset as soon as it stands", End.RESET, read=Read.NOTHING),
        fault(
            "reset_before_reading",
            "the order is not even read; the connection is reset without an answer",
            End.RESET,
            read=Read.FIRST_BYTE,
        ),
        fault(
            "close_after_head",
            "only the request's head is read; the connection is closed without an answer",
            End.CLOSE,
            read=Read.HEAD,
        ),
        fault(
            "reset_after_head",
            "only the request's head is read; the connection is reset without an answer",
            End.RESET,
            read=Read.HEAD,
        ),
        fault(
            "close_after_body",
            "the order is read, and not placed; the connection is closed without an answer",
            End.CLOSE,
        ),
        fault(
            "reset_after_body",
            "the order is read, and not placed; the connection is reset without an answer",
            End.RESET,
        ),
        fault(
            "close_after_placing",
            "the order is placed; the connection is closed without an answer",
            End.CLOSE,
            placed=True,
        ),
        fault(
            "reset_after_placing",
            "the order is placed; the connection is reset without an answer",
            End.RESET,
            placed=True,
        ),
        fault(
            "hang_before_reading",
            "the order is not even read; the connection stays open, and silent",
            End.HANG,
            read=Read.FIRST_BYTE,
        ),
        fault(
            "hang_before_placing", "the order is read, and not placed; the connection stays open, and silent", End.HANG
        ),
        fault(
            "hang_after_placing", "the order is placed; the connection stays open, and silent", End.HANG, placed=True
        ),
    ]


def _no_proof_comes_back() -> list[Fault]:
    """Every one of them places the order, and none says so in a way that proves it."""

    def fault(name: str, means: str, answer: Answer, *, end: End = End.CLOSE, drip: bool = False) -> Fault:
        return Fault(name=name, means=means, placed=True, answer=answer, end=end, one_byte_a_second=drip)

    page = b"<html><body>Bad gateway</body></html>"
    return [
        fault("drip", "the answer comes at one byte a second", _ok, drip=True),
        fault(
            "hang_in_body",
            "the answer's last bytes never come, and the connection stays open",
            _truncated_body,
            end=End.HANG,
        ),
        fault("truncated_head", "the answer breaks off in its head", _truncated_head),
        fault("truncated_body", "the answer breaks off in its body", _truncated_body),
        fault("bad_gzip", "HTTP 200 with a compressed body that is broken", _broken_gzip),
        fault("html", "HTTP 200 with a page of HTML instead of JSON", _says(200, page, {"Content-Type": "text/html"})),
        fault("empty_body", "HTTP 200 with an empty body", _says(200, b"")),
        fault("no_content", "HTTP 204, which has no body", _says(204, b"", {"Content-Length": "0"})),
        fault(
            "not_utf8", "HTTP 200 with text that is not UTF-8", _says(200, b'{"data": {"order_number": "\xff\xfe"}}')
        ),
        fault("json_list", "HTTP 200 with a JSON list instead of an object", _says(200, b"[1, 2]")),
        fault("deep_json", "HTTP 200 with JSON that is nested 200,000 deep", _says(200, b"[" * 200_000)),
        fault("garbage", "bytes that are no HTTP at all", _garbage),
        fault("huge_body", f"HTTP 200 with a body of {HUGE:,} bytes", _huge_body),
        fault("huge_head", f"HTTP 200 with a head of {HUGE:,} bytes", _huge_head),
        fault("empty_number", "success with an empty order number", _numbered("")),
        fault("blank_number", "success with an order number of spaces", _numbered("  ")),
        fault("null_number", "success with null for an order number", _numbered(None)),
        fault("long_number", "success with an order number of 5,000 digits", _numbered("9" * 5_000)),
        fault(
            "missing_number",
            "success without an order number",
            _says(200, {"message": "Order placed successfully", "data": {}}),
        ),
        fault("half_a_character", "success with half a Unicode character for an order number", _numbered("\ud800")),
        fault("number_seen_before", "success with the order number of the first order of all", _seen_before),
    ]


def _statuses() -> Iterator[Fault]:
    for status in (408, 409, 425, 500, 502, 503, 504):
        says = _says(status, {"message": "Something went wrong"})
        yield Fault(name=f"{status}_before", means=f"HTTP {status}, and the order is not placed", answer=says)
        yield Fault(name=f"{status}_after", means=f"HTTP {status}, yet the order is placed", answer=says, placed=True)
    for status in (301, 302, 303, 307, 308):
        yield Fault(name=str(status), means=f"HTTP {status}: a redirect to the same place", answer=_redirect(status))
    for status in (400, 422):
        coded_body = coded("VALIDATION_ERROR", "Validation failed", ("shipping_zip", "is not a ZIP code"))
        plain_body = {"message": "shipping_zip is not a ZIP code"}
        means = f"HTTP {status}: the order is refused, in the"
        yield Fault(name=f"{status}_coded", means=f"{means} longer documented form", answer=_says(status, coded_body))
        yield Fault(name=f"{status}_plain", means=f"{means} shorter documented form", answer=_says(status, plain_body))


def _refusals() -> list[Fault]:
    def fault(name: str, means: str, body: bytes | Mapping[str, Any], content_type: str = "application/json") -> Fault:
        status = int(name.partition("_")[0])
        return Fault(
            name=name, means=f"HTTP {status}{means}", answer=_says(status, body, {"Content-Type": content_type})
        )

    half = b'{"message": "Half a character: \\ud800"}'
    return [
        fault("422_half_a_character", ": the order is refused, with half a Unicode character in the reason", half),
        fault("401", ": the login is said to have expired", coded("TOKEN_EXPIRED", "The access token has expired")),
        fault("403", ": the account may not order", {"message": "Forbidden"}),
        fault(
            "404_coded",
            ": the order is refused, for a product that does not exist",
            coded("PRODUCT_NOT_FOUND", "No such product"),
        ),
        fault("404_plain", ": nothing is said to be at this address", {"message": "Not Found"}),
        fault("404_html", " with a page of HTML", b"<html>Not Found</html>", "text/html"),
    ]


def _too_fast() -> list[Fault]:
    def fault(name: str, means: str, retry_after: Callable[[], str] | None) -> Fault:
        return Fault(name=f"429_{name}", means=f"HTTP 429: too fast; {means}", answer=_busy(retry_after))

    return [
        fault("none", "how long to wait is not said", None),
        fault("seconds", f"wait {RETRY_AFTER} s", lambda: str(RETRY_AFTER)),
        fault("zero", "wait 0 s", lambda: "0"),
        fault("imf", f"wait {RETRY_AFTER} s, said as a date", _imf),
        fault("rfc850", f"wait {RETRY_AFTER} s, said as a date of the form of RFC 850", _rfc_850),
        fault("asctime", f"wait {RETRY_AFTER} s, said as a date of C's form", _asctime),
        fault("garbage", "how long to wait is said in words", lambda: "soon, I hope"),
        fault(
            "odd_zone", "wait until a date in an impossible time zone", lambda: f"Sun, 06 Nov 2044 08:49:37 +{'9' * 30}"
        ),
        fault("negative", "wait less than no time", lambda: "-5"),
        fault("huge", "wait longer than anybody lives", lambda: "9" * 40),
    ]


def _faithful() -> list[Fault]:
    return [
        Fault(name="ok", means="all goes well", placed=True, faithful=True),
        Fault(
            name="refuse",
            means=f"the order is placed and answered; then the port is closed for {REFUSED} s",
            placed=True,
            faithful=True,
            refuses=REFUSED,
        ),
        Fault(
            name="expire",
            means="HTTP 401: all logins have really expired; a refresh still works",
            faithful=True,
            tokens="expire",
        ),
        Fault(
            name="revoke",
            means="HTTP 401: all logins are really revoked; only a new one helps",
            faithful=True,
            tokens="revoke",
        ),
    ]


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.name: fault
        for fault in (
            *_faithful(),
            *_nothing_comes_back(),
            *_no_proof_comes_back(),
            *_statuses(),
            *_refusals(),
            *_too_fast(),
        )
    }
)
