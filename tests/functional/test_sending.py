"""Sending: the real client, ledger and pace against a hub that goes wrong; its log is what really happened."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sqlite3
import ssl
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

from batch_orders import sending
from batch_orders.adapters import device_hub
from batch_orders.adapters.device_hub import DeviceHub, HubOptions
from batch_orders.adapters.pacing import SharedPace
from batch_orders.errors import BatchOrdersError
from batch_orders.models import OrderState, RowStatus, Verdict, VerdictKind
from batch_orders.sandbox.faults import Read
from batch_orders.sending import Line, SendingPolicy, Stop, send_orders
from tests import orders as made
from tests.hostile import FAULTS, HostileHub, Plan, black_hole
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Attempt, Claim, Outcome, Remembered

_NOTHING = Verdict(kind=VerdictKind.NOT_SENT, message="nothing", evidence="nothing")


class _Silence:
    """Nobody watches."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@dataclass(kw_only=True)
class _Run:
    """How to send; the defaults suit a hub on this machine. `orders` is how many a second."""

    name: str = "r1"
    orders: int = 200
    concurrency: int = 4
    patience: float = 3.0
    timeout: float = 0.5
    not_applied: bool = False
    journal: Callable[[Ledger], Any] = lambda ledger: ledger
    pace: Callable[[SharedPace], Any] = lambda pace: pace
    stop_after: float | None = None
    log_in_first: bool = False
    retry_rejected: bool = False
    idempotency_header: str | None = None
    stop: Stop = field(default_factory=Stop)
    lines: list[Line] = field(default_factory=list)


def _send(ledger: Ledger, hub: HostileHub, count: int, run: _Run | None = None) -> tuple[Mapping[str, Outcome], Stop]:
    """One run over employees e0 … e(count-1), begun and ended in the ledger as the pipeline does."""
    run = run or _Run()
    return asyncio.run(_sending(ledger, hub, count, run)), run.stop


async def _sending(ledger: Ledger, hub: HostileHub, count: int, run: _Run) -> Mapping[str, Outcome]:
    options = HubOptions(
        base_url=hub.base_url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        timeout=run.timeout,
        patience=run.patience,
        idempotency_header=run.idempotency_header,
    )
    pace = SharedPace(ledger.place.with_suffix(".pace"), orders=run.orders, window=1.0, last_sent_at=None)
    careful = ledger.begin_run(made.run(run.name))
    policy = SendingPolicy(
        concurrency=run.concurrency, patience=run.patience, server_errors_not_applied=run.not_applied, careful=careful
    )
    orders = [made.order(f"e{number}") for number in range(count)]
    pairs = [(ledger.key(order), order) for order in orders]
    claims = ledger.claim(run.name, pairs, retry_rejected=run.retry_rejected)
    with closing(pace):
        async with DeviceHub(options) as desk:
            if run.log_in_first:
                await desk.fetch_catalog()
            line = Line(
                desk=desk,
                journal=run.journal(ledger),
                pace=run.pace(pace),
                policy=policy,
                progress=_Silence(),
                stop=run.stop,
            )
            run.lines.append(line)
            if run.stop_after is not None:
                asyncio.get_running_loop().call_later(run.stop_after, run.stop.because, "interrupted")
            try:
                return await send_orders(line, claims.ours)
            finally:
                line.close()
                ledger.end_run(run.name, None)


@contextlib.contextmanager
def _look_into(ledger: Ledger) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{ledger.place}?mode=ro", uri=True, timeout=10)) as database:
        yield database


def _states(ledger: Ledger) -> dict[str, int]:
    """How many orders stand in each state, without those where there are none."""
    return {state: count for state, count in ledger.counts().items() if count}


def _attempts(ledger: Ledger) -> list[str]:
    """Every attempt's verdict, oldest first; each must have its evidence."""
    with _look_into(ledger) as database:
        rows = database.execute("SELECT verdict, evidence, ended_at, message FROM attempts ORDER BY id").fetchall()
    assert all(evidence and ended_at and message for _, evidence, ended_at, message in rows)
    return [row[0] for row in rows]


# The outcome table --------------------------------------------------------------------------------------------------

_REJECTED = ["400_coded", "400_plain", "422_coded", "422_plain", "404_coded", "422_half_a_character"]
_SETTINGS = ["403", "404_plain", "404_html", "301", "302", "303", "307", "308"]
_BUSY = [name for name in FAULTS if name.startswith("429") and name != "429_huge"]
_LOGIN = ["401", "expire", "revoke"]
_ORDERED = ["ok", "refuse"]
_AT_ACCEPT = [name for name, fault in FAULTS.items() if fault.read is Read.NOTHING]
_NOT_UNKNOWN = {*_REJECTED, *_SETTINGS, *_BUSY, *_LOGIN, *_ORDERED, *_AT_ACCEPT, "429_huge"}
_UNKNOWN = [name for name in FAULTS if name not in _NOT_UNKNOWN]


@pytest.mark.parametrize("fault", _UNKNOWN)
def test_no_proof_is_unknown(ledger: Ledger, fault: str) -> None:
    """Sent once, whether it was placed or not; the evidence is kept."""
    with HostileHub(Plan({"order": ["ok", fault]})) as hub:
        outcomes, stop = _send(ledger, hub, 2, _Run(concurrency=1))
        assert not stop
        assert _states(ledger) == {"ordered": 1, "unknown": 1}
        assert _attempts(ledger) == ["ordered", "unknown"]
        assert sorted(outcome.status for outcome in outcomes.values()) == [RowStatus.ORDERED, RowStatus.UNKNOWN]
        assert hub.count("order") == 2


@pytest.mark.parametrize("fault", _REJECTED)
def test_a_refused_order_is_rejected(ledger: Ledger, fault: str) -> None:
    """With the reason that Device Hub gives, and never tried again by itself."""
    with HostileHub(Plan({"order": [fault]})) as hub:
        outcomes, stop = _send(ledger, hub, 1)
        assert not stop
        assert _states(ledger) == {"rejected": 1}
        assert _attempts(ledger) == ["rejected"]
        (outcome,) = outcomes.values()
        assert outcome.status is RowStatus.REJECTED
        assert outcome.message.isprintable()
        assert "Device Hub says: " in outcome.message
        assert hub.count("order") == 1


@pytest.mark.parametrize("fault", [*_BUSY, *_LOGIN])
def test_what_was_not_applied_is_tried_again(ledger: Ledger, fault: str) -> None:
    """429 with every form of `Retry-After`, 401 with every way to a new token: the order is placed once."""
    with HostileHub(Plan({"order": [fault]})) as hub:
        _, stop = _send(ledger, hub, 1)
        assert not stop, stop.reason
        assert len(hub.placed) == 1
        assert _attempts(ledger) == ["busy" if fault in _BUSY else "login", "ordered"]
        assert _states(ledger) == {"ordered": 1}


@pytest.mark.parametrize("fault", ["500_after", "reset_after_placing", "422_plain", "ok"])
def test_a_rerun_leaves_alone_what_has_ended(ledger: Ledger, fault: str) -> None:
    """Whatever an order ended as: the next run has nothing to send."""
    with HostileHub(Plan({"order": [fault]})) as hub:
        _send(ledger, hub, 1)
        assert _send(ledger, hub, 1, _Run(name="r2"))[0] == {}
        assert hub.count("order") == 1


@pytest.mark.parametrize("fault", _SETTINGS)
def test_wrong_settings_stop_the_run(ledger: Ledger, fault: str) -> None:
    """Nothing was applied; the order waits for the next run, and no redirect was followed."""
    with HostileHub(Plan({"order": [fault]})) as hub:
        outcomes, stop = _send(ledger, hub, 3, _Run(concurrency=1))
        assert (outcomes, stop.exit_code) == ({}, 6)
        assert _states(ledger) == {"planned": 3}
        assert _attempts(ledger) == ["settings"]
        assert (hub.count("order"), hub.count("redirected")) == (1, 0)


@pytest.mark.parametrize("fault", _AT_ACCEPT)
def test_a_connection_that_ends_at_once(ledger: Ledger, fault: str) -> None:
    """The gate decides: shut, the order is sent again; open, nobody knows (and nothing was placed)."""
    with HostileHub(Plan({"order": [fault]})) as hub:
        _send(ledger, hub, 1, _Run(log_in_first=True))
        assert len(hub.placed) == _states(ledger).get("ordered", 0)
        assert _attempts(ledger) in (["unknown"], ["ordered"])


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_by_setting(ledger: Ledger, status: int) -> None:
    """Where the operator says that a 5xx was not applied, the order is tried again; a 408 still proves nothing."""
    with HostileHub(Plan({"order": [f"{status}_before", "ok", "408_before"]})) as hub:
        _send(ledger, hub, 2, _Run(not_applied=True, concurrency=1))
        assert _attempts(ledger) == ["failing", "ordered", "unknown"]
        assert len(hub.placed) == 1


def test_a_wait_beyond_patience_stops(ledger: Ledger) -> None:
    """A `Retry-After` of years is not waited out; the order stays planned."""
    with HostileHub(Plan({"order": ["429_huge"]})) as hub:
        outcomes, stop = _send(ledger, hub, 2, _Run(concurrency=1))
        assert (outcomes, stop.exit_code) == ({}, 6)
        assert _states(ledger) == {"planned": 2}


def test_one_key_for_all_that_may_be_one_order(ledger: Ledger) -> None:
    """The same for every try without proof between them; another one after a rejection, or a cancelled order."""
    script = ["429_zero", "422_plain", "500_before", "ok", "ok"]
    with HostileHub(Plan({"order": script})) as hub:

        def send(name: str) -> Remembered:
            run = _Run(name=name, retry_rejected=True, idempotency_header="Idempotency-Key")
            _send(ledger, hub, 1, run)
            (order,) = ledger.orders()
            return order

        send("r1")  # busy, then rejected
        ledger.settle_not_placed(send("r2"), "")  # unknown
        ledger.settle_cancelled(send("r3"), "")  # ordered
        send("r4")
        keys = [call.headers["idempotency-key"] for call in hub.calls]
    first, again, second, resent, third = keys
    assert first == again
    assert second == resent
    assert len({first, second, third}) == 3


# After the gate -----------------------------------------------------------------------------------------------------

_PARTS: tuple[type[BaseException], ...] = (
    *(
        getattr(httpx, name)
        for name in ("ReadError", "WriteError", "RemoteProtocolError", "ConnectError", "PoolTimeout")
    ),
    *(getattr(httpcore, name) for name in ("ReadError", "ConnectError", "ConnectionNotAvailable", "ProxyError")),
    *(ConnectionResetError, BrokenPipeError, TimeoutError, ssl.SSLError, OSError, EOFError, RecursionError),
    *(ValueError, RuntimeError, KeyError, MemoryError, NotImplementedError, AssertionError, StopAsyncIteration),
    *(UnicodeError, LookupError, ZeroDivisionError, BatchOrdersError, sqlite3.OperationalError, BufferError),
)


def _generated(chance: random.Random) -> Exception:
    """An exception: of a known kind or of one made up for it, alone, with causes, or in a group."""
    kind = chance.choice(_PARTS)
    if chance.random() < 0.3:
        kind = type(f"Made{chance.randrange(10**6)}Error", (kind,), {})
    error = kind("x" * chance.randrange(20))
    assert isinstance(error, Exception)
    if chance.random() < 0.3:
        error.__cause__ = _generated(chance)
    return ExceptionGroup("several", [error]) if chance.random() < 0.1 else error


class _BrokenBody(httpx.AsyncByteStream):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def __aiter__(self) -> Any:
        yield b'{"message": "Order placed'
        raise self._error


class _Breaks(httpx.AsyncBaseTransport):
    """A transport that opens the gate as httpcore does, and then breaks: at once, or in the middle of the answer."""

    chance = random.Random(20_261_124)  # noqa: S311 - so that the same exceptions come every time
    broke = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        event = httpcore.Request("POST", str(request.url))
        await request.extensions["trace"]("http11.send_request_headers.started", {"request": event})
        _Breaks.broke += 1
        error = _generated(self.chance)
        if self.chance.random() < 0.5:
            raise error
        return httpx.Response(200, stream=_BrokenBody(error))


def test_every_exception_after_the_gate_is_unknown(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 of them, of every kind: 1,000 unknown, each sent once."""
    monkeypatch.setattr(sending, "UNKNOWNS_IN_A_ROW", 10_000)
    monkeypatch.setattr(DeviceHub, "_transport", lambda _: _Breaks())
    _Breaks.broke = 0
    with HostileHub() as hub:
        outcomes, stop = _send(ledger, hub, 1_000, _Run(orders=100_000, concurrency=8))
    assert not stop
    assert {outcome.status for outcome in outcomes.values()} == {RowStatus.UNKNOWN}
    assert _states(ledger) == {"unknown": 1_000}
    assert Counter(_attempts(ledger)) == {"unknown": 1_000}
    assert _Breaks.broke == 1_000


@pytest.mark.parametrize(
    "fault", ["drip", "hang_before_reading", "hang_before_placing", "hang_after_placing", "hang_in_body"]
)
def test_a_call_without_an_end_ends_by_its_deadline(ledger: Ledger, fault: str) -> None:
    """From the first byte at the server to the verdict in the ledger: `timeout` and at most 0.5 s; then it is unknown.

    The quickest of three calls counts: a busy machine delays some, and none can end too early.
    """
    with HostileHub(Plan({"order": [f"{fault}*"]})) as hub:
        outcomes, _ = _send(ledger, hub, 3, _Run(concurrency=1, timeout=0.5))
        assert {outcome.status for outcome in outcomes.values()} == {RowStatus.UNKNOWN}
        assert _attempts(ledger) == ["unknown"] * 3
        with _look_into(ledger) as database:
            ends = [row[0] for row in database.execute("SELECT ended_at FROM attempts ORDER BY id")]
        took = [datetime.fromisoformat(end).timestamp() - call.at for end, call in zip(ends, hub.calls, strict=True)]
    assert 0.4 < min(took) < 0.5 + 0.5


def test_a_black_hole_gets_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even a connection comes to be, the gate stays shut: nothing was sent, and the order can go later."""

    async def no_login(_: DeviceHub) -> str:
        return "a token"

    monkeypatch.setattr(device_hub, "_CONNECT", 0.3)
    monkeypatch.setattr(DeviceHub, "_log_in", no_login)
    took = []
    for name in ("r1", "r2", "r3"):
        began = time.monotonic()
        with black_hole() as base_url:
            outcomes, stop = _send(ledger, SimpleNamespace(base_url=base_url), 1, _Run(name=name, patience=0.0))
        took.append(time.monotonic() - began)
        assert (outcomes, stop.exit_code) == ({}, 6)
        assert (_states(ledger), _attempts(ledger)) == ({"planned": 1}, [])
    gc.collect()  # a connection that was left open is warned of here, and not in whichever test comes next
    # Connecting is bounded too; besides it there is the wait for the slot.
    assert min(took) < 0.3 + 0.5 + 0.5


def test_a_cancelled_run_leaves_unknowns(ledger: Ledger) -> None:
    """What was in flight is unknown, what was not is planned, and nothing is sent twice."""
    with HostileHub(Plan({"order": ["hang_after_placing*"]})) as hub:

        async def main() -> None:
            task = asyncio.create_task(_sending(ledger, hub, 6, _Run(concurrency=2, timeout=30)))
            while len(hub.placed) < 2:  # noqa: ASYNC110 - the server is in another thread
                await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()

        asyncio.run(main())
        assert _states(ledger) == {"planned": 4, "unknown": 2}
        assert hub.count("order") == 2


@pytest.mark.timeout(300)
def test_the_ledger_knows_before_the_first_byte(ledger: Ledger) -> None:
    """When the first byte of each of 1,000 orders arrives it is sending in the ledger, with the same body's hash."""

    def look() -> set[str]:
        with _look_into(ledger) as database:
            query = "SELECT request_hash FROM attempts JOIN orders USING (order_key) WHERE state = 'sending'"
            return {row[0] for row in database.execute(query + " AND ended_at IS NULL")}

    with HostileHub(on_first_byte=look) as hub:
        _send(ledger, hub, 1_000, _Run(orders=10_000, concurrency=8, timeout=30))
        assert len(hub.placed) == 1_000
        assert all(isinstance(call.seen, set) and call.sha256 in call.seen for call in hub.calls)


# Waiting ------------------------------------------------------------------------------------------------------------


def test_429_pauses_everybody(ledger: Ledger) -> None:
    """Nobody sends before the pause is over; then every order is placed."""
    with HostileHub(Plan({"order": ["ok", "429_seconds"]})) as hub:
        _, stop = _send(ledger, hub, 12, _Run(orders=20))
        assert not stop
        assert _states(ledger) == {"ordered": 12}
        refused = next(call for call in hub.calls if call.fault == "429_seconds")
        # Those already on their way when the answer came are not held back by it.
        assert [call for call in hub.calls if refused.at + 0.15 < call.at < refused.at + 0.95] == []
        assert len([call for call in hub.calls if call.at > refused.at + 0.95]) > 5


def test_unreachable_is_waited_out(ledger: Ledger) -> None:
    """The port opens within `patience`: everything is placed, and no attempt was spent on it."""
    with HostileHub() as hub:

        async def main() -> Mapping[str, Outcome]:
            threading.Timer(1.0, hub.open_port).start()
            return await _sending(ledger, hub, 6, _Run(patience=10.0))

        hub.close_port()
        outcomes = asyncio.run(main())
        assert {outcome.status for outcome in outcomes.values()} == {RowStatus.ORDERED}
        assert _attempts(ledger) == ["ordered"] * 6


@pytest.mark.parametrize("logged_in", [True, False])
def test_unreachable_beyond_patience_stops(ledger: Ledger, *, logged_in: bool) -> None:
    """Then the rest is not sent, and everything waits for the next run."""

    def then_close(pace: SharedPace) -> SharedPace:
        hub.close_port()
        return pace

    with HostileHub() as hub:
        run = _Run(patience=0.8, log_in_first=logged_in, pace=then_close)
        began = time.monotonic()
        outcomes, stop = _send(ledger, hub, 6, run)
        assert 0.8 <= time.monotonic() - began < 6
        assert (outcomes, stop.exit_code) == ({}, 6)
        assert _states(ledger) == {"planned": 6}
        assert hub.count("order") == 0
        hub.open_port()
        _send(ledger, hub, 6, _Run(name="r2"))
        assert len(hub.placed) == 6


def test_waiting_for_the_pace_uses_up_no_patience(ledger: Ledger) -> None:
    """At a slow pace the last success is long ago; one refused connection is still waited out."""
    timers: list[threading.Timer] = []

    def first_order() -> None:
        if not timers:
            timers.extend([threading.Timer(0.5, hub.close_port), threading.Timer(1.0, hub.open_port)])
            for timer in timers:
                timer.start()

    with HostileHub(on_first_byte=first_order) as hub:
        # The second order's slot comes a second after the first's: it connects while the port is closed.
        _, stop = _send(ledger, hub, 2, _Run(orders=1, concurrency=1, patience=0.6))
        for timer in timers:
            timer.join()
        assert not stop, stop.reason
        assert len(hub.placed) == 2


def test_a_missed_slot_is_taken_anew(ledger: Ledger) -> None:
    """A commit that stalls past the slot costs a new slot: no order leaves late on an old one."""
    left: list[tuple[float, float]] = []
    moved: list[float] = []

    class Slow:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def intend(self, claim: Claim, request_hash: str) -> Attempt:
            time.sleep(0.35)
            return self._ledger.intend(claim, request_hash)

    class Watched:
        def __init__(self, pace: SharedPace) -> None:
            self.reserve, self.pause, self._pace = pace.reserve, pace.pause, pace

        async def enter(self, slot: float) -> float | None:
            asked_at = time.time()
            later = await self._pace.enter(slot)
            if later is None:
                left.append((slot, asked_at))
            elif asked_at > slot + 0.01:
                moved.append(later - slot)
            return later

    with HostileHub() as hub:
        _, stop = _send(ledger, hub, 5, _Run(orders=20, journal=Slow, pace=Watched))
        assert not stop
        assert len(hub.placed) == 5
    assert len(left) == 5
    assert all(slot <= asked_at <= slot + 0.01 for slot, asked_at in left)
    assert moved
    assert min(moved) > 0.01


def test_one_slow_connection_does_not_waste_the_slots_after_it(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow login makes the next orders connect too early; they must not give their slot away for that."""
    monkeypatch.setattr(sending, "_LONGEST_HOLD", 0.2)  # the proportions of 10 s, 2 s and a slow pace, made short
    monkeypatch.setattr(sending, "_FIRST_LEAD", 0.05)
    log_in = DeviceHub._log_in

    async def slowly(self: DeviceHub) -> str:
        await asyncio.sleep(0.7)
        return await log_in(self)

    monkeypatch.setattr(DeviceHub, "_log_in", slowly)
    with HostileHub() as hub:
        _send(ledger, hub, 4, _Run(orders=2, concurrency=1, stop_after=5.0))
        assert len(hub.placed) == 4
    assert len(_attempts(ledger)) <= 4 + 2


# Stopping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500_before*", "reset_after_placing*", "hang_after_placing*", "html*"])
def test_three_unknowns_in_a_row_stop_the_line(ledger: Ledger, fault: str) -> None:
    """At most three, and those in flight, are sent; each further run sends one."""
    concurrency = 3
    with HostileHub(Plan({"order": [fault]})) as hub:
        outcomes, stop = _send(ledger, hub, 20, _Run(concurrency=concurrency))
        sent = hub.count("order")
        assert stop.exit_code == 5
        assert 3 <= sent <= 3 + concurrency
        assert {outcome.status for outcome in outcomes.values()} == {RowStatus.UNKNOWN}
        assert _states(ledger) == {"planned": 20 - sent, "unknown": sent}
        for further in range(1, 3):
            assert _send(ledger, hub, 20, _Run(name=f"r{further + 1}"))[1].exit_code == 5
            assert hub.count("order") == sent + further


def test_what_ends_the_row(ledger: Ledger) -> None:
    """Ordered and rejected do; a 429 in between does not."""
    unknown = "500_before"
    script = [unknown, unknown, "ok", unknown, unknown, "422_plain", unknown, unknown, "429_zero", unknown, "ok"]
    with HostileHub(Plan({"order": script})) as hub:
        _, stop = _send(ledger, hub, 20, _Run(concurrency=1))
        assert stop
        assert hub.count("order") == 10
        assert _states(ledger) == {"ordered": 1, "planned": 11, "rejected": 1, "unknown": 7}


@pytest.mark.parametrize("first", ["ok", "422_plain"])
def test_after_a_stop_one_order_goes_ahead(ledger: Ledger, first: str) -> None:
    """One in flight until it has ended well; then as many as are allowed, also in the runs after it."""
    with HostileHub(Plan({"order": ["500_before"] * 3}), latency=0.2) as hub:
        _send(ledger, hub, 3, _Run(concurrency=1, timeout=5))
        hub.plan.then("order", "429_zero", first)
        _, stop = _send(ledger, hub, 9, _Run(name="r2", concurrency=4, timeout=5, orders=1_000))
        assert not stop
        times = [call.at for call in hub.calls[3:]]
        assert times[1] - times[0] >= 0.2  # the 429 was answered first
        assert times[2] - times[1] >= 0.2
        assert times[5] - times[2] < 0.2  # four at once
        assert not ledger.begin_run(made.run("r3"))
        ledger.end_run("r3", 0)


def test_a_ledger_that_cannot_be_written_sends_nothing(ledger: Ledger) -> None:
    """A full disk at the first intent: no byte leaves, and the run stops with 1."""
    orders = [made.order(f"e{number}") for number in range(10)]
    ledger.begin_run(made.run("r0"))
    ledger.claim("r0", [(ledger.key(order), order) for order in orders], retry_rejected=False)
    ledger.end_run("r0", 0)

    class Full:
        """The real ledger, whose file may not grow by one page from the first intent on."""

        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def intend(self, claim: Claim, request_hash: str) -> Attempt:
            with self._ledger._read() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            for _ in range(1_000):  # until the last page is full
                self._ledger.withdraw(self._ledger.intend(claim, request_hash * 50), _NOTHING)
            return self._ledger.intend(claim, request_hash)

    with HostileHub() as hub:
        outcomes, stop = _send(ledger, hub, 10, _Run(journal=Full))
        assert hub.count("order") == 0
    assert outcomes == {}
    assert stop.exit_code == 1
    assert "full" in stop.reason
    assert _states(ledger) == {"planned": 10}


def test_nothing_leaves_once_the_ledger_has_failed(ledger: Ledger) -> None:
    """Not even an order whose intent was written before and whose slot has come."""

    class FailsLater:
        """The real ledger; the second intent fails while the first order waits for its slot."""

        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def intend(self, claim: Claim, request_hash: str) -> Attempt:
            if intended:
                writing.set()
                may_fail.wait(10)
                raise BatchOrdersError("The ledger cannot be written.")
            intended.append(claim.key)
            return self._ledger.intend(claim, request_hash)

    class EntersOnceItFailed:
        """A pace that lets an order go in the very instant after the failure, before anybody was told of it."""

        def __init__(self, pace: SharedPace) -> None:
            self.reserve, self.pause = pace.reserve, pace.pause

        async def enter(self, _: float) -> None:
            while not writing.is_set():  # noqa: ASYNC110 - it is set in the writer thread
                await asyncio.sleep(0.01)
            may_fail.set()
            while run.lines[0]._writer.failure is None:
                time.sleep(0.01)  # noqa: ASYNC251 - the loop stands still: nobody hears of the failure yet

    intended: list[str] = []
    writing, may_fail = threading.Event(), threading.Event()
    run = _Run(journal=FailsLater, pace=EntersOnceItFailed, concurrency=2)
    with HostileHub() as hub:
        outcomes, stop = _send(ledger, hub, 4, run)
        assert hub.count("order") == 0
    assert (outcomes, stop.exit_code) == ({}, 1)
    assert _states(ledger) == {"planned": 4}


def test_nothing_leaves_once_the_mark_has_failed(ledger: Ledger) -> None:
    """An order whose intent was written, and its mark was not, is taken back; the run stops with 1, and goes on."""
    mark = ledger.place.with_name(ledger.place.name + ".mark")
    mark.mkdir()
    with HostileHub() as hub:
        outcomes, stop = _send(ledger, hub, 4, _Run(concurrency=2))
        assert hub.count("order") == 0
        assert (outcomes, stop.exit_code) == ({}, 1)
        assert str(mark) in stop.reason
        assert _states(ledger) == {"planned": 4}
        mark.rmdir()
        assert not _send(ledger, hub, 4, _Run(name="r2"))[1]
        assert len(hub.placed) == 4


def test_an_interrupt_in_the_last_instant_keeps_the_gate_shut(ledger: Ledger) -> None:
    """The order was let go by the pace; it stays all the same."""

    class Interrupting:
        def __init__(self, pace: SharedPace) -> None:
            self.reserve, self.pause = pace.reserve, pace.pause

        async def enter(self, _: float) -> None:
            run.stop.because("interrupted")

    run = _Run(pace=Interrupting)
    with HostileHub() as hub:
        assert _send(ledger, hub, 2, run)[0] == {}
        assert hub.count("order") == 0
    assert _states(ledger) == {"planned": 2}


def test_an_answer_that_cannot_be_recorded_is_told(ledger: Ledger) -> None:
    """The order number may be the only trace of the order; the run stops, and the ledger says unknown."""

    class Broken:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def conclude(self, *_: object) -> None:
            raise BatchOrdersError("The ledger cannot be written.")

    with HostileHub() as hub:
        outcomes, stop = _send(ledger, hub, 5, _Run(concurrency=1, journal=Broken))
        (outcome,) = outcomes.values()
        assert (outcome.status, stop.exit_code) == (RowStatus.UNKNOWN, 1)
        assert hub.placed[0].order_number in outcome.message
        assert hub.count("order") == 1
    assert _states(ledger) == {"planned": 4, "unknown": 1}


def test_a_bug_in_the_gate_is_not_called_an_outage(ledger: Ledger) -> None:
    """An exception of our own making stops the run at once, instead of being tried again until `patience` ends."""

    class Buggy:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def intend(self, *_: object) -> None:
            asked.append(1)
            raise RuntimeError("a bug")

    asked: list[int] = []
    with HostileHub() as hub:
        with contextlib.suppress(Exception):
            _send(ledger, hub, 2, _Run(concurrency=1, patience=1.0, journal=Buggy))
        assert hub.count("order") == 0
    assert len(asked) == 1


def test_a_stop_in_the_wait_for_a_slot(ledger: Ledger) -> None:
    """Nothing new is sent after it, and those who wait do not wait any longer."""
    with HostileHub() as hub:
        began = time.time()
        outcomes, stop = _send(ledger, hub, 9, _Run(orders=2, concurrency=3, stop_after=1.2))
        assert time.time() - began < 2.5
        assert stop.reason == "interrupted"
        assert 1 <= len(outcomes) == hub.count("order") < 5
        assert all(call.at < began + 1.7 for call in hub.calls)
    assert _states(ledger) == {"ordered": len(outcomes), "planned": 9 - len(outcomes)}


def test_a_stop_lets_those_in_flight_end(ledger: Ledger) -> None:
    """Orders that were on their way are finished and recorded."""
    with HostileHub(latency=0.8) as hub:
        outcomes, _ = _send(ledger, hub, 5, _Run(timeout=5, concurrency=2, stop_after=1.3))
        assert len(outcomes) == len(hub.placed) == 2
    assert _states(ledger) == {"ordered": 2, "planned": 3}


def test_a_second_401_stops(ledger: Ledger) -> None:
    """With a token fetched after the first one: the login does not work any longer."""
    with HostileHub(Plan({"order": ["401*"]})) as hub:
        outcomes, stop = _send(ledger, hub, 4, _Run(concurrency=1))
        assert (outcomes, stop.exit_code) == ({}, 6)
        assert (hub.count("order"), hub.count("login"), hub.count("refresh")) == (2, 1, 1)
    assert _states(ledger) == {"planned": 4}
    assert _attempts(ledger) == ["login", "login"]


def test_a_401_in_mid_batch_costs_one_refresh(ledger: Ledger) -> None:
    """All orders in flight lose their token at once; all are placed, after one refresh."""
    with HostileHub(Plan({"order": ["ok"] * 5 + ["expire"]}), latency=0.1) as hub:
        _, stop = _send(ledger, hub, 16, _Run(concurrency=4, timeout=5))
        assert not stop
        assert len(hub.placed) == 16
        assert (hub.count("login"), hub.count("refresh")) == (1, 1)
    assert _states(ledger) == {"ordered": 16}


def test_a_lost_login_stops_with_one_attempt(ledger: Ledger) -> None:
    """The secret was changed in mid-batch: one login is tried, whatever is in flight, and the run stops with 6."""
    with HostileHub(Plan({"login": ["ok", "401*"], "order": ["ok"] * 3 + ["revoke"]}), latency=0.2) as hub:
        _, stop = _send(ledger, hub, 12, _Run(concurrency=4, timeout=5))
        assert stop.exit_code == 6
        assert hub.count("login") == 2
    assert set(_states(ledger)) == {"ordered", "planned"}


# By chance ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_a_very_bad_day(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Faults by chance: nobody is ordered for twice, and what the ledger says is true of the server's book."""
    monkeypatch.setattr(sending, "UNKNOWNS_IN_A_ROW", 10_000)
    rates = {"accept_close": 0.03, "reset_before_reading": 0.03, "reset_after_body": 0.03, "close_after_placing": 0.05}
    rates |= {"500_before": 0.03, "500_after": 0.03, "truncated_body": 0.03, "html": 0.02, "empty_number": 0.02}
    rates |= {"429_zero": 0.1, "expire": 0.03, "revoke": 0.02, "422_plain": 0.03}
    with HostileHub(Plan(rates=rates, seed=seed)) as hub:
        for number in range(3):
            _send(ledger, hub, 60, _Run(name=f"r{number}", concurrency=8, timeout=5, patience=20))
        placed = Counter(call.email for call in hub.placed)
        numbers = {call.email: call.order_number for call in hub.placed}
    assert max(placed.values()) == 1
    known = {remembered.email: remembered for remembered in ledger.orders()}
    assert len(known) == 60
    for email, remembered in known.items():
        match remembered.state:
            case OrderState.ORDERED:
                assert remembered.order_number == numbers[email]
            case OrderState.REJECTED | OrderState.PLANNED:
                assert email not in placed
            case state:
                assert state is OrderState.UNKNOWN
