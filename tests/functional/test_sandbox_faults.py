"""The simulated Device Hub on a bad day: does it fail as each fault says, and go on serving afterwards?"""

from __future__ import annotations

import contextlib
import gc
import json
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from batch_orders.sandbox import OFFERED, Sandbox, SandboxOptions, running
from batch_orders.sandbox.chance import Chance
from batch_orders.sandbox.faults import FAULTS, HUGE
from tests.functional.test_sandbox import PLACE_ORDER, REFRESH, UNUSED_TLS, WAREHOUSES, bearer, log_in, order, place

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds: which no answer on this machine takes; after which nothing is silence, and after which it is between two
# bytes that drip once a second.
_PATIENCE = 30.0
_SILENCE = 1.5
_DRIP = 0.7
_TRIES = 20

_PLACED = '"message": ?"Order placed successfully", ?"data": ?{'
_DATE = r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
# What a client sees of each fault, as `_seen` says it.
_SEEN = {
    "refuse": rf'200 {{{_PLACED}"order_number":"\d+"',
    "expire": "401 .*TOKEN_EXPIRED",
    "revoke": "401 .*revoked",
    # A client that still sends may hear of a reset there, and then of an end; and bytes that nobody read turn an end
    # into a reset. What these are has a test of its own.
    "reset_before_reading": "reset|closed",
    "close_after_head": "closed|reset",
    "reset_after_head": "reset|closed",
    "close_after_body": "closed",
    "reset_after_body": "reset",
    "close_after_placing": "closed",
    "reset_after_placing": "reset",
    "hang_before_reading": "silence",
    "hang_before_placing": "silence",
    "hang_after_placing": "silence",
    "drip": "silence",  # between two bytes; what comes has a test of its own
    "hang_in_body": "200, then silence",
    "truncated_head": "closed",
    "truncated_body": "200, then closed",
    "bad_gzip": "200, then nonsense",
    "html": "200 <html>",
    "empty_body": "200 $",
    "no_content": "204 $",
    "not_utf8": r"200 .*\\xff\\xfe",
    "json_list": r"200 \[1, 2\]$",
    "deep_json": r"200 \[{200000}$",
    "garbage": "no HTTP",
    "huge_body": rf"200 {{{_PLACED}.* {{{HUGE // 2}}}",
    "huge_head": "no HTTP",  # httpx will not read a head of that size
    "empty_number": f'200 {{{_PLACED}"order_number": ""',
    "blank_number": f'200 {{{_PLACED}"order_number": "  "',
    "null_number": f'200 {{{_PLACED}"order_number": null',
    "long_number": f'200 {{{_PLACED}"order_number": "9{{5000}}"',
    "missing_number": f"200 {{{_PLACED}}}}}$",
    "half_a_character": rf'200 {{{_PLACED}"order_number": "\\ud800"',
    "number_seen_before": rf'200 {{{_PLACED}"order_number": "\d+"',
    **{
        f"{status}_{when}": f'{status} {{"message": "Something went wrong"}}$'
        for status in (408, 409, 425, 500, 502, 503, 504)
        for when in ("before", "after")
    },
    **{
        str(status): rf"{status} location: http://127.0.0.1:\d+{PLACE_ORDER}\?redirected={status} $"
        for status in (301, 302, 303, 307, 308)
    },
    **{f"{status}_coded": f'{status} {{"success": false, .*shipping_zip' for status in (400, 422)},
    **{f"{status}_plain": f'{status} {{"message": "shipping_zip' for status in (400, 422)},
    "422_half_a_character": r'422 {"message": .*\\ud800"}$',
    "401": "401 .*TOKEN_EXPIRED",
    "403": '403 {"message": "Forbidden"}$',
    "404_coded": "404 .*PRODUCT_NOT_FOUND",
    "404_plain": '404 {"message": "Not Found"}$',
    "404_html": "404 <html>",
    "429_none": '429 {"message"',
    "429_seconds": '429 retry-after: 1 {"message"',
    "429_zero": '429 retry-after: 0 {"message"',
    "429_imf": f"429 retry-after: {_DATE} ",
    "429_rfc850": r"429 retry-after: \w+day, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT ",
    "429_asctime": r"429 retry-after: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} ",
    "429_garbage": "429 retry-after: soon, I hope ",
    "429_odd_zone": r"429 retry-after: Sun, 06 Nov 2044 08:49:37 \+9{30} ",
    "429_negative": "429 retry-after: -5 ",
    "429_huge": "429 retry-after: 9{40} ",
}


def _bad(rate: float = 1, *names: str, **options: Any) -> SandboxOptions:
    """A sandbox where each of these faults strikes at this rate."""
    return SandboxOptions(faults=dict.fromkeys(names, rate), rate_limit=100_000, **options)


def _seen(hub: Sandbox, token: str, *, patience: float = _PATIENCE) -> str:
    """What a client sees of one order: how the connection ended, or the answer's status, telling headers and body."""
    head: httpx.Response | None = None
    try:
        with httpx.stream(
            "POST", hub.base_url + PLACE_ORDER, json=order(), headers=bearer(token), timeout=patience, verify=UNUSED_TLS
        ) as head:
            head.read()
    except httpx.ReadTimeout:
        ending = "silence"
    except httpx.ReadError:
        ending = "reset"
    except httpx.DecodingError:
        ending = "nonsense"
    except httpx.RemoteProtocolError as error:
        is_closed = "disconnected without sending" in str(error) or "peer closed connection" in str(error)
        ending = "closed" if is_closed else "no HTTP"
    else:
        telling = [f"{name}: {head.headers[name]}" for name in ("retry-after", "location") if name in head.headers]
        body = head.content.decode("utf-8", "backslashreplace")
        return " ".join([str(head.status_code), *telling, body])
    return f"{head.status_code}, then {ending}" if head is not None else ending


def _patience(name: str, silence: float) -> float:
    """How long to wait for the next byte where this fault strikes; `silence` where none comes."""
    return _DRIP if name == "drip" else silence if "silence" in _SEEN[name] else _PATIENCE


def _alive(hub: Sandbox) -> bool:
    """Whether it still serves, and shows what it placed."""
    listed = httpx.get(hub.base_url + "/sandbox/orders", verify=UNUSED_TLS).json()
    return [each["order_number"] for each in listed] == [each.order_number for each in hub.orders]


def _until(what: Callable[[], bool]) -> None:
    """Wait for something that takes a moment."""
    for _ in range(int(_PATIENCE / 0.05)):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def _listens(hub: Sandbox) -> bool:
    try:
        return httpx.get(hub.base_url + "/", verify=UNUSED_TLS).status_code == 200
    except httpx.ConnectError:
        return False


def test_every_fault_is_offered_but_those_of_the_bare_connection() -> None:
    """What a hostile Device Hub does in the tests, people can have too; each says what it does in a line."""
    assert FAULTS.keys() - OFFERED.keys() == {"ok", "accept_close", "accept_reset"}
    assert OFFERED.keys() == _SEEN.keys()
    assert all(fault.means and "\n" not in fault.means and len(fault.means) < 90 for fault in FAULTS.values())
    assert len({fault.means for fault in FAULTS.values()}) == len(FAULTS)


@pytest.mark.parametrize("name", OFFERED)
def test_each_fault_is_what_it_says(name: str) -> None:
    """The client sees it, the order is placed or not as the table says, and the sandbox lives on."""
    with running(_bad(1, name)) as hub:
        seen = _seen(hub, log_in(hub), patience=_patience(name, _SILENCE))
        assert re.match(f"(?:{_SEEN[name]})", seen), seen[:300]
        assert [each.body for each in hub.orders] == [order()] * OFFERED[name].placed
        assert hub.struck == {name: 1}
        _until(lambda: _listens(hub))
        assert _alive(hub)


@pytest.mark.parametrize("name", ["reset_after_placing", "hang_after_placing", "drip", "huge_head", "500_before"])
def test_four_at_once(name: str) -> None:
    """Struck side by side, none holds up another, nor somebody who looks on."""
    with running(_bad(1, name)) as hub, ThreadPoolExecutor(4) as pool:
        token = log_in(hub)
        seen = [pool.submit(_seen, hub, token, patience=_patience(name, 4)) for _ in range(4)]
        _until(lambda: hub.struck == {name: 4})
        if name == "hang_after_placing":
            assert not any(each.done() for each in seen)
        assert _alive(hub)
        assert all(re.match(_SEEN[name], each.result()) for each in seen)
        assert len(hub.orders) == 4 * OFFERED[name].placed


def _connected(hub: Sandbox) -> socket.socket:
    address = urlsplit(hub.base_url)
    return socket.create_connection((address.hostname, address.port), timeout=_PATIENCE)


def _head(token: str, length: int) -> bytes:
    lines = [f"POST {PLACE_ORDER} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}"]
    lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("reset_before_reading", ConnectionResetError),
        ("reset_after_head", ConnectionResetError),
        ("close_after_head", None),
        ("hang_before_reading", TimeoutError),
    ],
)
def test_faults_before_the_body(name: str, ending: type[OSError] | None) -> None:
    """They strike while the order itself has not even been sent."""
    with running(_bad(1, name)) as hub, _connected(hub) as client:
        client.sendall(_head(log_in(hub), 100))
        _until(lambda: hub.struck == {name: 1})
        if ending is TimeoutError:
            client.settimeout(_SILENCE)
        with pytest.raises(ending) if ending else contextlib.nullcontext():
            assert client.recv(1) == b""


def test_drip() -> None:
    """The answer comes, but so slowly that nobody can wait for it."""
    with running(_bad(1, "drip")) as hub:
        body = json.dumps(order()).encode()
        with _connected(hub) as client:
            client.sendall(_head(log_in(hub), len(body)) + body)
            came = client.recv(1)
            began = time.monotonic()
            came += b"".join(client.recv(1) for _ in range(3))
            took = time.monotonic() - began
        assert came == b"HTTP"
        assert took > 2.5
        assert _alive(hub)


@pytest.mark.parametrize("name", ["hang_before_reading", "hang_after_placing", "hang_in_body", "drip"])
def test_stopping_waits_for_nobody(name: str) -> None:
    """Who still waits when the sandbox ends gets no answer: not even one that says that it ended."""
    seen: list[str] = []
    with running(_bad(1, name)) as hub:
        token = log_in(hub)
        waiting = threading.Thread(target=lambda: seen.append(_seen(hub, token)))
        waiting.start()
        _until(lambda: hub.struck == {name: 1})
        if name == "hang_in_body":
            time.sleep(0.5)
    waiting.join(_PATIENCE)
    assert seen
    assert re.fullmatch("(200, then )?(closed|reset)", seen[0]), seen
    assert not hub.alive


def test_the_port_closes_and_opens_again() -> None:
    """`refuse`: the order is answered, who connects next is refused, and a moment later all is well."""
    refused = 0
    with running(_bad(1, "refuse")) as hub:
        token = log_in(hub)
        for _ in range(_TRIES):
            answer = place(hub, token, order())
            assert answer.json()["data"]["order_number"] == hub.orders[-1].order_number
            refused += not _listens(hub)
            _until(lambda: _listens(hub))
            if refused == 2:
                break
        assert refused == 2
        place(hub, token, order())
    assert not hub.alive
    assert not _listens(hub)
    gc.collect()  # a socket that was left open is told of now, and fails the test


def test_all_logins_expire() -> None:
    """`expire`: no token holds any longer, and each can be refreshed."""
    with running(_bad(1, "expire")) as hub:
        mine, other = log_in(hub), log_in(hub)
        assert place(hub, mine, order()).json()["error"]["code"] == "TOKEN_EXPIRED"
        assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(other)).status_code == 401
        for token in (mine, other):
            answer = httpx.post(hub.base_url + REFRESH, json={"refresh_token": token})
            assert answer.status_code == 200
            assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(answer.json()["token"])).status_code == 200


def test_all_logins_are_revoked() -> None:
    """`revoke`: no token holds any longer, and none can be refreshed; logging in works."""
    with running(_bad(1, "revoke")) as hub:
        mine, other = log_in(hub), log_in(hub)
        assert place(hub, mine, order()).status_code == 401
        assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(other)).status_code == 401
        for token in (mine, other):
            assert httpx.post(hub.base_url + REFRESH, json={"refresh_token": token}).status_code == 403
        assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(log_in(hub))).status_code == 200


def test_the_number_of_the_first_order_comes_again() -> None:
    """`number_seen_before`: each order has a number of its own, and the answer has the first one's."""
    with running(_bad(1, "number_seen_before")) as hub:
        token = log_in(hub)
        answered = [place(hub, token, order()).json()["data"]["order_number"] for _ in range(3)]
        placed = [each.order_number for each in hub.orders]
    assert answered == [placed[0]] * 3
    assert len(set(placed)) == 3


def test_only_orders_are_struck() -> None:
    """A call that is refused anyway uses up no throw; what cannot be placed is refused by a fault that would place."""
    with running(_bad(1, "500_after")) as hub:
        token = log_in(hub)
        assert place(hub, "nonsense", order()).status_code == 401
        assert httpx.get(hub.base_url + WAREHOUSES, headers=bearer(token)).status_code == 200
        assert hub.struck == {}
        assert place(hub, token, order(email="")).status_code == 422
        assert place(hub, token, order()).status_code == 500
        assert len(hub.orders) == 1


def test_an_answer_keeps_the_connection() -> None:
    """Where a fault is a mere answer, the same connection goes on."""
    with running(_bad(1, "503_before")) as hub, httpx.Client(base_url=hub.base_url, verify=UNUSED_TLS) as client:
        token = log_in(hub)
        for _ in range(3):
            assert client.post(PLACE_ORDER, json=order(), headers=bearer(token)).status_code == 503
        assert client.get(WAREHOUSES, headers=bearer(token)).status_code == 200
        assert hub.orders == []


def _statuses(seed: int) -> list[int]:
    faults = {"500_before": 0.3, "422_plain": 0.2}
    with running(SandboxOptions(faults=faults, seed=seed, rate_limit=100_000)) as hub:
        token = log_in(hub)
        with httpx.Client(base_url=hub.base_url, headers=bearer(token), verify=UNUSED_TLS) as client:
            return [client.post(PLACE_ORDER, json=order()).status_code for _ in range(40)]


def test_a_seed_plays_the_same_day_again() -> None:
    """The same rates and seed strike the same orders; another seed strikes others."""
    first = _statuses(1)
    assert set(first) == {200, 500, 422}
    assert first == _statuses(1)
    assert first != _statuses(2)


def test_rates_are_shares_of_the_orders() -> None:
    """Each fault strikes its share, whatever else may strike; 0 is never, and what is left goes well."""
    chance = Chance({"drip": 0.0, "500_after": 0.3, "401": 0.1, "html": 0.05}, seed=3)
    thrown = Counter(chance.throw().name for _ in range(10_000))
    assert chance.struck == {name: count for name, count in thrown.items() if name != "ok"}
    assert {name: round(count / 10_000, 2) for name, count in thrown.items()} == pytest.approx(
        {"500_after": 0.3, "401": 0.1, "html": 0.05, "ok": 0.55}, abs=0.02
    )


def test_seeds_are_chosen_by_chance() -> None:
    """Without one every day is another, and its seed is known."""
    assert len({SandboxOptions().seed for _ in range(5)}) > 1
