"""The Device Hub client on real sockets: against the simulated one, and against one that goes wrong in every way."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from batch_orders.adapters import device_hub
from batch_orders.adapters.device_hub import DeviceHub, HubOptions
from batch_orders.errors import BatchOrdersError, LoginLostError, LoginRefusedError, SettingsError, UnreachableError
from batch_orders.sandbox import Sandbox, SandboxOptions, running
from batch_orders.sandbox.faults import Read
from batch_orders.sandbox.inventory import PRODUCTS
from batch_orders.sending import request_body
from tests import orders as made
from tests.hostile import FAULTS, Certificates, ConnectProxy, HostileHub, Plan, black_hole
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from batch_orders.models import Evidence

_T = TypeVar("_T")
_BODY = request_body(made.contents(), "ana@example.com")
# Seconds: what a deadline may be exceeded by, on a busy machine.
_SLACK = 0.5


def _options(hub: HostileHub | Sandbox | str, **changes: Any) -> HubOptions:
    """Options for this hub, with a short timeout and little patience."""
    login = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    if isinstance(hub, Sandbox):
        login = {"client_id": hub.client_id, "client_secret": hub.client_secret}
    base_url = hub if isinstance(hub, str) else hub.base_url
    return HubOptions(**{"base_url": base_url, "timeout": 5.0, "patience": 3.0, **login, **changes})


def _with(options: HubOptions, use: Callable[[DeviceHub], Coroutine[Any, Any, _T]]) -> _T:
    async def main() -> _T:
        async with DeviceHub(options) as hub:
            return await use(hub)

    return asyncio.run(main())


class _Gate:
    """A gate that opens after `seconds`, and knows when it did."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.opened_at: float | None = None
        self._seconds = seconds

    async def __call__(self) -> None:
        await asyncio.sleep(self._seconds)
        self.opened_at = time.monotonic()


async def _place(hub: DeviceHub, gate: Callable[[], Awaitable[None]] | None = None) -> Evidence:
    return await hub.place(_BODY, gate or _Gate(), idempotency_key="a key")


async def _place_without_login(hub: DeviceHub, gate: Callable[[], Awaitable[None]] | None = None) -> Evidence:
    """With a token that was never issued, for hubs that cannot even be logged in to."""
    hub._token = device_hub._Token(1, "token", None)
    return await _place(hub, gate)


def _catalog_of(category: Any) -> dict[str, int]:
    """The stock that the client reads out of an inventory with this one category."""
    answers = {"inventory": {"success": True, "data": [category]}}
    with HostileHub(answers=answers) as hostile:
        return _with(_options(hostile), DeviceHub.fetch_catalog).stock


# The catalog --------------------------------------------------------------------------------------------------------


def test_catalog_adds_up(hub: Sandbox) -> None:
    """Every title of every warehouse, with its pieces over all of them, and every way of shipping."""
    catalog = _with(_options(hub), DeviceHub.fetch_catalog)
    assert catalog.stock == {product.title: sum(product.stock.values()) for product in PRODUCTS}
    assert set(catalog.shipping_options) == {"UPS Ground", "2nd Day Air", "Overnight"}


def test_odd_categories_are_read() -> None:
    """The category's own field names do not matter; a product in two categories is in stock once."""
    mouse = {"company_sku": "S1", "title": "Mouse", "quantity": 3}
    assert _catalog_of({"name": "All", "products": [mouse]}) == {"Mouse": 3}
    assert _catalog_of(mouse) == {"Mouse": 3}
    assert _catalog_of({"products": [mouse, mouse, {**mouse, "company_sku": "S2"}]}) == {"Mouse": 6}
    odd = [{"title": "A", "quantity": -1}, {"title": "B", "quantity": None}, {"title": "C", "quantity": True}, {}, None]
    assert _catalog_of({"products": [*odd, mouse]}) == {"A": 0, "B": 0, "C": 0, "Mouse": 3}


@pytest.mark.parametrize("products", [None, 5, True, "Mouse", {"Mouse": 1}, []])
def test_a_catalog_without_titles_is_an_error(products: Any) -> None:
    """Whatever stands where the products were expected: nothing is judged against a guess."""
    with pytest.raises(UnreachableError):
        _catalog_of({"name": "All", "products": products})


@pytest.mark.parametrize(
    "answers",
    [
        {"warehouses": {"data": {}}},
        {"warehouses": {"data": {"ware_houses": [{"name": "no id"}]}}},
        {"warehouses": {"data": {"ware_houses": []}}},
        {"warehouses": {"data": {"ware_houses": [{"warehouse_id": "a", "shipping_options": 5}]}}, "inventory": {}},
        {"inventory": []},
        {"inventory": {"data": {"Laptops": []}}},
        {"inventory": b"<html>"},
        {"inventory": b""},
        {"inventory": b"[" * 200_000},
    ],
)
def test_a_catalog_of_another_shape_is_an_error(answers: dict[str, Any]) -> None:
    """The address may be right, so it is worth another try later; it is never a traceback."""
    with HostileHub(answers=answers) as hostile, pytest.raises(UnreachableError):
        _with(_options(hostile), DeviceHub.fetch_catalog)


@pytest.mark.parametrize(
    ("fault", "error"),
    [("403", LoginRefusedError), ("404_plain", SettingsError), ("302", SettingsError), ("400_coded", SettingsError)],
)
@pytest.mark.parametrize("path", ["warehouses", "inventory"])
def test_a_refused_catalog_is_not_asked_for_again(path: str, fault: str, error: type[BatchOrdersError]) -> None:
    """What will not get better by waiting is told at once, and no redirect is followed."""
    with HostileHub(Plan({path: [fault]})) as hostile:
        with pytest.raises(error):
            _with(_options(hostile), DeviceHub.fetch_catalog)
        assert hostile.count(path) == 1
        assert hostile.count("redirected") == 0


@pytest.mark.parametrize(
    "faults", [["503_before", "429_zero"], ["reset_after_body", "truncated_body"], ["bad_gzip"], ["401", "429_seconds"]]
)
def test_a_failing_catalog_is_asked_for_again(faults: list[str]) -> None:
    """Reading changes nothing there, so it is simply tried again."""
    with HostileHub(Plan({"inventory": faults})) as hostile:
        assert _with(_options(hostile), DeviceHub.fetch_catalog).stock
        assert hostile.count("inventory") == len(faults) + 1


def test_an_unreachable_catalog_is_waited_for() -> None:
    """A refused connection at the login is tried again until the port opens."""
    with HostileHub(listening=False) as hostile:
        timer = threading.Timer(0.7, hostile.open_port)
        timer.start()
        assert _with(_options(hostile), DeviceHub.fetch_catalog).stock
        timer.join()


@pytest.mark.parametrize("fault", ["503_before*", "429_zero*", "reset_after_body*"])
def test_patience_ends(fault: str) -> None:
    """A hub that keeps failing is given up after `patience`, and not much later."""
    with HostileHub(Plan({"inventory": [fault]})) as hostile:
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            _with(_options(hostile, patience=0.6), DeviceHub.fetch_catalog)
        assert 0.6 <= time.monotonic() - began < 0.6 + 2 * _SLACK
        assert hostile.count("inventory") > 1


def test_a_wait_beyond_patience_is_not_begun() -> None:
    """A `Retry-After` of years is given up at once."""
    with HostileHub(Plan({"inventory": ["429_huge"]})) as hostile:
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            _with(_options(hostile), DeviceHub.fetch_catalog)
        assert time.monotonic() - began < 1.5


# The login ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [True, False])
def test_a_wrong_password_is_tried_once(*, place: bool) -> None:
    """One login attempt, whatever asks for it, and a clear error."""
    with HostileHub() as hostile:
        with pytest.raises(LoginLostError if place else LoginRefusedError):
            _with(_options(hostile, client_secret="wrong"), _place if place else DeviceHub.fetch_catalog)
        assert hostile.count("login") == 1
        assert hostile.calls == []


def test_the_sandbox_refuses_a_wrong_password(hub: Sandbox) -> None:
    """With the reason that the server gives, and without the password."""
    with pytest.raises(LoginRefusedError, match="Invalid email or password") as refused:
        _with(_options(hub, client_secret="wrong-canary"), DeviceHub.fetch_catalog)
    assert "canary" not in str(refused.value) + refused.value.hint


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400_plain", LoginRefusedError),
        ("401", LoginRefusedError),
        ("403", LoginRefusedError),
        ("429_zero", UnreachableError),
        ("503_before", UnreachableError),
        ("reset_after_body", UnreachableError),
        ("truncated_body", UnreachableError),
        ("html", SettingsError),
        ("json_list", SettingsError),
        ("missing_number", SettingsError),
        ("307", SettingsError),
        ("deep_json", SettingsError),
    ],
)
def test_a_login_that_fails_is_tried_once(fault: str, error: type[BatchOrdersError]) -> None:
    """Failed logins lock the account, so only a connection that never stood is tried again."""
    with HostileHub(Plan({"login": [fault]})) as hostile:
        with pytest.raises(error):
            _with(_options(hostile), DeviceHub.fetch_catalog)
        assert hostile.count("login") == 1
        assert hostile.count("redirected") == 0


def test_a_token_is_renewed_before_its_own_end() -> None:
    """By its `exp`: one refresh, no second login, and no call is refused on the way."""

    async def use(hub: DeviceHub) -> list[Evidence]:
        first = await _place(hub)
        await asyncio.sleep(1.3)
        return [first, await _place(hub), await _place(hub)]

    with HostileHub(token_lifetime=device_hub._RENEW_BEFORE + 1.2) as hostile:
        evidence = _with(_options(hostile), use)
        assert [each.answer and each.answer.status for each in evidence] == [200, 200, 200]
        assert [each.token for each in evidence] == [1, 2, 2]
        assert (hostile.count("login"), hostile.count("refresh")) == (1, 1)


def test_tokens_of_a_moment_are_coped_with() -> None:
    """Tokens that end sooner than any renewal could help: each 401 costs one login, and every order is placed."""

    async def use(hub: DeviceHub) -> None:
        for _ in range(4):
            await asyncio.sleep(0.25)
            evidence = await _place(hub)
            while evidence.answer is not None and evidence.answer.status == 401:
                await hub.renew_login(evidence.token)
                evidence = await _place(hub)

    with running(SandboxOptions(token_lifetime=0.4, rate_limit=1000)) as sandbox:
        _with(_options(sandbox), use)
        assert len(sandbox.orders) == 4


async def _all_lose_their_login(hub: DeviceHub, lose: Callable[[], None]) -> list[BaseException | None]:
    """Six orders in flight at once get a 401 each, and each asks for a newer token."""
    assert (await _place(hub)).answer is not None
    lose()
    refused = await asyncio.gather(*(_place(hub) for _ in range(6)))
    assert [each.answer and each.answer.status for each in refused] == [401] * 6
    renewals = (hub.renew_login(each.token) for each in refused)
    return await asyncio.gather(*renewals, return_exceptions=True)


def test_a_lost_token_costs_one_refresh_for_all() -> None:
    """Counted at the server; afterwards orders are placed again."""

    async def use(hub: DeviceHub) -> None:
        assert await _all_lose_their_login(hub, hostile.expire_tokens) == [None] * 6
        assert (await _place(hub)).answer is not None

    with HostileHub() as hostile:
        _with(_options(hostile), use)
        assert (hostile.count("login"), hostile.count("refresh")) == (1, 1)
        assert len(hostile.placed) == 2


def test_a_refused_refresh_costs_one_login_for_all() -> None:
    """A revoked token cannot be refreshed: one login, shared by everyone."""

    async def use(hub: DeviceHub) -> None:
        assert await _all_lose_their_login(hub, hostile.revoke_tokens) == [None] * 6

    with HostileHub() as hostile:
        _with(_options(hostile), use)
        assert (hostile.count("login"), hostile.count("refresh")) == (2, 1)


def test_a_login_that_is_refused_in_mid_batch_is_tried_once_for_all() -> None:
    """Six orders in flight must not make six failed logins: Device Hub locks accounts for that."""

    async def use(hub: DeviceHub) -> None:
        errors = await _all_lose_their_login(hub, hostile.revoke_tokens)
        assert [type(error) for error in errors] == [LoginLostError] * 6

    with HostileHub(Plan({"login": ["ok", "401*"]})) as hostile:
        _with(_options(hostile), use)
        assert hostile.count("login") == 2


# Orders: what comes back --------------------------------------------------------------------------------------------


def test_an_order_is_placed(hub: Sandbox) -> None:
    """The evidence has the very number that the sandbox gave, and the body arrived as it was."""
    evidence = _with(_options(hub), _place)
    (placed,) = hub.orders
    assert evidence.gate_opened
    assert evidence.answer is not None
    assert evidence.answer.order_number == placed.order_number
    assert placed.body["email"] == "ana@example.com"


@pytest.mark.parametrize(
    ("fault", "message", "code"),
    [
        ("422_coded", "Validation failed; shipping_zip: is not a ZIP code", "VALIDATION_ERROR"),
        ("422_plain", "shipping_zip is not a ZIP code", ""),
        ("404_html", "", ""),
    ],
)
def test_both_error_shapes_are_read(fault: str, message: str, code: str) -> None:
    """What the server says reaches the person; a page of HTML does not."""
    with HostileHub(Plan({"order": [fault]})) as hostile:
        answer = _with(_options(hostile), _place).answer
    assert answer is not None
    assert (answer.message, answer.error_code) == (message, code)


def test_whatever_comes_back_is_evidence() -> None:
    """No answer, however odd, raises out of `place`: an exception there would end the run with orders in flight."""
    raised: dict[str, str] = {}

    async def use(hub: DeviceHub) -> None:
        for name in FAULTS:
            hostile.plan.then("order", name)
            try:
                evidence = await _place(hub)
                # A connection that is reset at once may fail before the gate.
                assert evidence.gate_opened or FAULTS[name].read is Read.NOTHING
            except Exception as error:  # noqa: BLE001 - all of them are collected
                raised[name] = repr(error)
            await hub.renew_login(hub._token.number if hub._token else 0)
            await asyncio.sleep(FAULTS[name].refuses * 1.5)

    with HostileHub() as hostile:
        _with(_options(hostile, timeout=0.3), use)
    assert raised == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """The redirect itself is the answer; nobody comes to where it points."""
    with HostileHub(Plan({"order": [str(status)]})) as hostile:
        answer = _with(_options(hostile), _place).answer
        assert answer is not None
        assert answer.status == status
        assert (hostile.count("order"), hostile.count("redirected")) == (1, 0)


@pytest.mark.parametrize("fault", ["huge_body", "huge_head"])
def test_huge_answers_are_refused(fault: str) -> None:
    """An order's answer of megabytes is not read to its end, and proves nothing."""
    with HostileHub(Plan({"order": [fault]})) as hostile:
        evidence = _with(_options(hostile), _place)
    assert (evidence.gate_opened, evidence.answer) == (True, None)


@pytest.mark.parametrize("name", [None, "Idempotency-Key"])
def test_the_idempotency_header_is_sent_only_where_it_is_set(name: str | None) -> None:
    """And has the order's own key."""
    with HostileHub() as hostile:
        _with(_options(hostile, idempotency_header=name), _place)
        assert hostile.calls[0].headers.get("idempotency-key") == (name and "a key")


def test_each_order_has_a_connection_of_its_own() -> None:
    """One connection for the login, and one for each order."""

    async def use(hub: DeviceHub) -> None:
        for _ in range(3):
            await _place(hub)
        await asyncio.gather(*(_place(hub) for _ in range(3)))

    with HostileHub() as hostile:
        _with(_options(hostile), use)
        assert hostile.count("connections") == 1 + 6
        assert {call.headers["connection"] for call in hostile.calls} == {"close"}


# Orders: the gate and the deadline ----------------------------------------------------------------------------------


def test_a_gate_that_raises_sends_nothing() -> None:
    """Not one byte of the order reaches the server."""

    async def shut() -> None:
        raise BatchOrdersError("the ledger cannot be written")

    with HostileHub() as hostile:
        evidence = _with(_options(hostile), lambda hub: _place(hub, shut))
        assert (evidence.gate_opened, evidence.answer) == (False, None)
        assert hostile.count("order") == 0
        assert "BatchOrdersError" in evidence.failure


def test_waiting_at_the_gate_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time to connect nor the timeout of the call runs while the gate is shut."""
    monkeypatch.setattr(device_hub, "_CONNECT", 0.3)
    with HostileHub() as hostile:
        evidence = _with(_options(hostile, timeout=0.3), lambda hub: _place(hub, _Gate(0.8)))
    assert evidence.answer is not None


@pytest.mark.parametrize(
    "fault", ["drip", "hang_before_reading", "hang_before_placing", "hang_after_placing", "hang_in_body"]
)
def test_the_deadline_holds(fault: str) -> None:
    """From the gate on the call takes `timeout` at most, whatever trickles in; its end is not known.

    The quickest of three calls counts: a busy machine delays some, and none can end too early.
    """
    took = []

    async def use(hub: DeviceHub) -> None:
        gate = _Gate()
        evidence = await _place(hub, gate)
        assert gate.opened_at is not None
        took.append(time.monotonic() - gate.opened_at)
        assert (evidence.gate_opened, evidence.answer) == (True, None)

    with HostileHub(Plan({"order": [f"{fault}*"]})) as hostile:
        for _ in range(3):
            _with(_options(hostile, timeout=0.5), use)
    assert 0.45 <= min(took) < 0.5 + _SLACK


@pytest.mark.parametrize("where", ["connecting", "handshake"])
def test_connecting_is_bounded(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A black hole, and a port that never says a word of TLS: given up in time, and the gate stays shut."""
    monkeypatch.setattr(device_hub, "_CONNECT", 0.5)
    gate = _Gate()
    with black_hole() as dark, socket.create_server(("127.0.0.1", 0)) as mute:
        base_url = dark if where == "connecting" else f"https://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        evidence = _with(_options(base_url), lambda hub: _place_without_login(hub, gate))
        assert 0.4 <= time.monotonic() - began < 0.5 + 2 * _SLACK
    assert (evidence.gate_opened, gate.opened_at) == (False, None)
    del evidence
    gc.collect()  # a connection that was left open is warned of here, and not in whichever test comes next


def test_a_refused_connection_is_not_sent() -> None:
    """A closed port is proof that nothing was sent."""
    gate = _Gate()
    with HostileHub(listening=False) as hostile:
        evidence = _with(_options(hostile), lambda hub: _place_without_login(hub, gate))
    assert (evidence.gate_opened, gate.opened_at) == (False, None)
    assert "ConnectError" in evidence.failure


# TLS, proxies, the environment --------------------------------------------------------------------------------------


def test_a_ca_file_is_trusted_where_it_is_set(tmp_path: Path) -> None:
    """A certificate of that authority for the right host is good."""
    certificates = Certificates(tmp_path)
    with HostileHub(tls=certificates.good) as hostile:
        _with(_options(hostile, ca_file=str(certificates.ca_file)), _place)
        assert len(hostile.placed) == 1


@pytest.mark.parametrize("wrong", ["expired", "other_host", "unknown authority"])
def test_a_wrong_certificate_gets_nothing(tmp_path: Path, wrong: str) -> None:
    """Not the order, and not the login either."""
    certificates = Certificates(tmp_path)
    context = getattr(certificates, wrong) if wrong != "unknown authority" else certificates.good
    ca_file = None if wrong == "unknown authority" else str(certificates.ca_file)
    gate = _Gate()
    with HostileHub(tls=context) as hostile:
        options = _options(hostile, ca_file=ca_file, patience=0.2)
        evidence = _with(options, lambda hub: _place_without_login(hub, gate))
        assert (evidence.gate_opened, gate.opened_at) == (False, None)
        with pytest.raises(UnreachableError):
            _with(options, DeviceHub.fetch_catalog)
        assert (hostile.count("login"), hostile.count("order")) == (0, 0)


def test_certificates_of_the_environment_are_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SSL_CERT_FILE` and `SSL_CERT_DIR` change nothing."""
    certificates = Certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with HostileHub(tls=certificates.good) as hostile:
        assert not _with(_options(hostile), _place_without_login).gate_opened


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the variables are called."""
    with ConnectProxy() as proxy, HostileHub() as hostile:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        _with(_options(hostile), _place)
        assert len(hostile.placed) == 1
        assert proxy.targets == []


def test_a_proxy_that_is_set_is_used(tmp_path: Path) -> None:
    """Through its tunnel; its CONNECT does not open the gate, the order's own POST does."""
    certificates = Certificates(tmp_path)
    gate = _Gate()
    at_connect: list[float | None] = []

    def look() -> None:
        at_connect.append(gate.opened_at)

    with ConnectProxy(on_connect=look) as proxy, HostileHub(tls=certificates.good) as hostile:
        options = _options(hostile, ca_file=str(certificates.ca_file), proxy=proxy.url)
        evidence = _with(options, lambda hub: _place(hub, gate))
        assert evidence.answer is not None
        assert len(hostile.placed) == 1
        assert proxy.targets == [f"127.0.0.1:{hostile.port}"] * 2
    assert at_connect == [None, None]
    assert gate.opened_at is not None


@pytest.mark.parametrize("how", [{"refuse": 407}, {"refuse": 502}, {"silent": True}])
def test_a_proxy_that_fails_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]) -> None:
    """Nothing of the order leaves while the tunnel does not stand."""
    monkeypatch.setattr(device_hub, "_CONNECT", 0.5)
    certificates = Certificates(tmp_path)
    gate = _Gate()
    with ConnectProxy(**how) as proxy, HostileHub(tls=certificates.good) as hostile:
        options = _options(hostile, ca_file=str(certificates.ca_file), proxy=proxy.url)
        evidence = _with(options, lambda hub: _place_without_login(hub, gate))
        assert proxy.methods == ["CONNECT"]
        assert hostile.count("connections") == 0
    assert (evidence.gate_opened, gate.opened_at) == (False, None)


def test_options_hide_what_is_secret() -> None:
    """Neither the login nor a proxy's password is in their repr."""
    options = _options("https://hub.example.com", client_secret="canary", proxy="http://user:canary@127.0.0.1:1")
    assert "hub.example.com" in repr(options)
    assert "canary" not in repr(options) + str(options)
    assert CLIENT_ID not in repr(options)
