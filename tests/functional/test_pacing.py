"""The pace, in a file and in a database: shared by processes, kept between runs, and never one order too many."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock, patch

import psycopg
import pytest

from batch_orders.adapters import postgres
from batch_orders.adapters.ledger import Ledger
from batch_orders.adapters.pace_tables import PaceTables
from batch_orders.adapters.pacing import HeldPace, Hold, SharedPace
from batch_orders.errors import BatchOrdersError
from batch_orders.sending import Stop
from batch_orders.stages.pace import MARGIN
from tests import raw
from tests.rates import GRACE, most_in_a_window

if TYPE_CHECKING:
    from batch_orders.places import LedgerPlace, LedgerUrl
    from tests import postgres as postgresql


_PROCESS = """
import asyncio, json, sys
from tests import raw
from tests.functional.test_pacing import leave
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(asyncio.run(leave(raw.place_of(sys.argv[1]), orders=int(sys.argv[2]), seconds=float(sys.argv[3])))))
"""


@pytest.fixture(params=["file", "database"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerPlace:
    """Where a pace is that nobody has used yet."""
    if request.param == "file":
        return tmp_path / "pace"
    url: LedgerUrl = request.getfixturevalue("ledger_database")
    return url


async def leave(place: LedgerPlace, *, orders: int, seconds: float, workers: int = 3) -> list[float]:
    """The instants at which orders left, with several on their way at once, in seconds since the epoch."""
    left: list[float] = []
    ends_at = time.time() + seconds

    async def work(pace: SharedPace) -> None:
        while time.time() < ends_at:
            slot: float | None = await pace.reserve()
            while slot is not None:
                await asyncio.sleep(max(0.0, slot - time.time()))
                slot = await pace.enter(slot)
            left.append(time.time())

    with closing(SharedPace(place, orders=orders, window=1.0, last_sent_at=None)) as pace:
        await asyncio.gather(*(work(pace) for _ in range(workers)))
    return left


def test_processes_share_the_rate(place: LedgerPlace) -> None:
    """Three processes, each as fast as it may: together never more than the rate in any second."""
    command = [sys.executable, "-c", _PROCESS, raw.address(place), "40", "3"]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    lists = [json.loads(process.communicate(timeout=30)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert all(lists)
    left = [at for each in lists for at in each]
    assert most_in_a_window(left) <= 40
    # Two seconds' worth in three: that the limit is not kept by doing nothing.
    assert len(left) > 80


def test_a_lower_rate_counts_what_left_before(place: LedgerPlace) -> None:
    """The next run goes slower: its first orders wait until the last second of the run before it is over."""
    before = asyncio.run(leave(place, orders=40, seconds=0.8))
    after = asyncio.run(leave(place, orders=4, seconds=1.6))
    both = before + after
    assert len(before) > 16
    assert len(after) >= 3
    assert all(sum(at - 1.0 + GRACE < other <= at for other in both) <= 4 for at in after)


def test_a_higher_rate_counts_too(place: LedgerPlace) -> None:
    """What left at the lower rate belongs to the higher one's first window."""
    left = asyncio.run(leave(place, orders=5, seconds=0.9)) + asyncio.run(leave(place, orders=40, seconds=1.2))
    assert len(left) > 16
    assert most_in_a_window(left) <= 40


def test_a_pause_is_for_every_process(place: LedgerPlace) -> None:
    """Slots taken before the pause wait for its end, and so does another process."""

    async def main() -> tuple[float, float]:
        with closing(SharedPace(place, orders=10, window=1.0, last_sent_at=None)) as pace:
            slot = await pace.reserve()
            until = time.time() + 1.5
            await pace.pause(until)
            await pace.pause(until - 1.0)  # a shorter one does not shorten it
            later = await pace.enter(slot)
            assert later is not None
            assert await pace.reserve() >= until - early
            return until, later

    # Of a database whoever asks is told to ask a little early, so that the question is there at the instant.
    early = 0.0 if isinstance(place, Path) else GRACE
    until, later = asyncio.run(main())
    assert later >= until - early
    command = [sys.executable, "-c", _PROCESS, raw.address(place), "10", "0.5"]
    done = subprocess.run(command, input="go\n", capture_output=True, text=True, check=True, timeout=30)
    left = json.loads(done.stdout.removeprefix("ready\n"))
    assert left
    assert min(left) >= until - early


def test_nobody_rushes_when_a_pause_ends(place: LedgerPlace) -> None:
    """Those who waited leave one by one, at the pace's own distance."""

    async def main() -> tuple[float, list[float | None]]:
        with closing(SharedPace(place, orders=10, window=1.0, last_sent_at=None)) as pace:
            slots = [await pace.reserve() for _ in range(4)]
            until = time.time() + 5.0
            await pace.pause(until)
            return until, [await pace.enter(slot) for slot in slots]

    until, later = asyncio.run(main())
    assert later == [pytest.approx(until + number / 10, abs=GRACE) for number in range(4)]


def test_a_lost_file_waits_out_a_window(tmp_path: Path) -> None:
    """Nobody knows what left in the last window, so it is waited out since the ledger's last attempt."""
    path = tmp_path / "pace"
    asyncio.run(leave(path, orders=20, seconds=0.2))
    path.unlink()
    last = datetime.now(UTC)
    with closing(SharedPace(path, orders=20, window=1.0, last_sent_at=last)) as pace:
        slot = asyncio.run(pace.reserve())
        assert slot >= last.timestamp() + 1.0
        assert asyncio.run(pace.enter(slot)) == slot
    with closing(SharedPace(path, orders=20, window=1.0, last_sent_at=last)) as again:
        assert asyncio.run(again.reserve()) > slot


def test_lost_tables_wait_out_a_window(ledger_database: LedgerUrl) -> None:
    """After a crash of the server they are empty, which is found when a run begins, and in the middle of one."""
    place = ledger_database
    asyncio.run(leave(place, orders=20, seconds=0.2))
    raw.run(place, "TRUNCATE pace, left_at")
    last = datetime.now(UTC)
    with closing(SharedPace(place, orders=20, window=1.0, last_sent_at=last)) as pace:
        slot = asyncio.run(pace.reserve())
        assert slot >= last.timestamp() + 1.0 - GRACE
        raw.run(place, "TRUNCATE pace, left_at")
        now = time.time()
        assert asyncio.run(pace.reserve()) >= now + 1.0 - GRACE
    with closing(SharedPace(place, orders=20, window=1.0, last_sent_at=last)) as again:
        assert asyncio.run(again.reserve()) > now + 1.0


def test_a_machine_whose_clock_is_wrong(ledger_database: LedgerUrl) -> None:
    """It is told instants of its own clock, and leaves at the right one of everybody's; so does its pause end."""
    place, wrong = ledger_database, 3_600.0

    async def scenario() -> None:
        with (
            closing(SharedPace(place, orders=5, window=1.0, last_sent_at=None)) as right,
            closing(
                SharedPace(place, orders=5, window=1.0, last_sent_at=None, clock=lambda: time.time() + wrong)
            ) as other,
        ):
            first: float | None = await right.reserve()
            second: float | None = await other.reserve()
            assert second - wrong - first == pytest.approx(0.2, abs=GRACE)
            while first is not None:
                await asyncio.sleep(max(0.0, first - time.time()))
                first = await right.enter(first)
            while second is not None:
                assert abs(second - wrong - time.time()) < 5.0
                await asyncio.sleep(max(0.0, second - wrong - time.time()))
                second = await other.enter(second)
            await other.pause(time.time() + wrong + 2.0)
            assert await right.reserve() == pytest.approx(time.time() + 2.0, abs=2 * GRACE)
        (one,), (two,) = raw.run(place, "SELECT at FROM left_at ORDER BY number")
        assert two - one >= 0.2 - GRACE
        assert abs(two - time.time()) < 5.0

    asyncio.run(scenario())


def test_a_connection_whose_cut_shows_only_in_the_rollback(ledger_database: LedgerUrl) -> None:
    """The server's last words may come when the command has failed already: it is made anew all the same."""
    store = PaceTables(ledger_database, orders=5, window=1.0, clock=time.time)
    store.open(0.0)
    with closing(store):
        cut = psycopg.OperationalError("terminating connection due to administrator command")
        with patch.multiple(store._connection, execute=Mock(side_effect=cut), rollback=Mock(side_effect=cut)):
            assert store.transact(lambda rows: rows.now()) == pytest.approx(time.time(), abs=1.0)


def test_a_cut_connection_is_made_anew(ledger_database: LedgerUrl) -> None:
    """What was taken is taken, and what left is counted once."""
    place = ledger_database
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'batch-orders pace'"

    async def scenario() -> None:
        with closing(SharedPace(place, orders=5, window=1.0, last_sent_at=None)) as pace:
            await pace.reserve()
            slot: float | None = await pace.reserve()
            assert raw.run(place, cut) == [(True,)]
            assert await pace.reserve() == pytest.approx(slot + 0.2, abs=GRACE)
            assert raw.run(place, cut) == [(True,)]
            while slot is not None:  # by the time that the connection stands again the slot may be missed
                await asyncio.sleep(max(0.0, slot - time.time()))
                slot = await pace.enter(slot)
            assert raw.run(place, "SELECT count(*) FROM left_at") == [(1,)]

    asyncio.run(scenario())


def test_a_database_that_is_away_is_a_clear_error(
    own_postgres: postgresql.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has been waited for long enough, at the beginning and in the middle, and no thread is left behind."""
    place = own_postgres.url
    Ledger.create(place).close()
    threads = set(threading.enumerate())
    monkeypatch.setattr(postgres, "PATIENCE", 1)
    pace = SharedPace(place, orders=1, window=1.0, last_sent_at=None)
    own_postgres.stop()
    with closing(pace), pytest.raises(BatchOrdersError, match="cannot be read or written"):
        asyncio.run(pace.reserve())
    with pytest.raises(BatchOrdersError, match="cannot be read or written"):
        SharedPace(place, orders=1, window=1.0, last_sent_at=None)
    assert set(threading.enumerate()) == threads


def test_a_missed_slot_is_not_used(tmp_path: Path) -> None:
    """An order that comes late by more than a tenth of an interval gets a new slot; an early one is told to wait."""
    now = 1_000.0
    with closing(SharedPace(tmp_path / "pace", orders=2, window=1.0, last_sent_at=None, clock=lambda: now)) as pace:

        async def main() -> None:
            nonlocal now
            first, second = await pace.reserve(), await pace.reserve()
            assert (first, second) == (1_000.0, 1_000.5)
            assert await pace.enter(second) == 1_000.5
            now = 1_000.06
            assert await pace.enter(first) == 1_001.0
            now = 1_000.509
            assert await pace.enter(second) is None
            now = 1_001.0
            assert await pace.enter(1_001.0) is None
            now = 1_001.5
            # The one of 1000.509 is less than a second ago.
            assert await pace.enter(1_001.5) == pytest.approx(1_001.509 + MARGIN)

        asyncio.run(main())


def test_the_file_is_private(tmp_path: Path) -> None:
    """0600 whatever the umask."""
    path = tmp_path / "pace"
    with closing(SharedPace(path, orders=1, window=1.0, last_sent_at=None)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["other", "zeros", "torn"])
def test_a_broken_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    """What a power cut may leave stops no run: a new file waits out a window, as where it is lost."""
    path = tmp_path / "pace"
    asyncio.run(leave(path, orders=20, seconds=0.2))
    content = path.read_bytes()
    half = len(content) // 2
    broken = {"other": b"no database " * 1_000, "zeros": content[:half] + bytes(half), "torn": content[:half]}[damage]
    path.write_bytes(broken)
    last = datetime.now(UTC)
    with closing(SharedPace(path, orders=20, window=1.0, last_sent_at=last)) as pace:
        slot = asyncio.run(pace.reserve())
        assert slot >= last.timestamp() + 1.0
        with closing(SharedPace(path, orders=20, window=1.0, last_sent_at=last)) as other:
            assert asyncio.run(other.reserve()) > slot
    assert path.with_name("pace.broken").read_bytes() == broken


def test_a_file_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    """No traceback, and no thread left behind."""
    path = tmp_path / "pace"
    path.mkdir()
    threads = set(threading.enumerate())
    with pytest.raises(BatchOrdersError):
        SharedPace(path, orders=1, window=1.0, last_sent_at=None)
    assert set(threading.enumerate()) == threads


def test_under_a_hold_no_slot_is_given_and_none_is_kept(place: LedgerPlace) -> None:
    """A held run takes no slot from others, an open connection gives its own up, and then everything goes on."""

    async def scenario() -> None:
        hold, stop = Hold(), Stop()
        with closing(SharedPace(place, orders=5, window=1.0, last_sent_at=None)) as shared:
            held = HeldPace(shared, hold, stop)
            slot = await held.reserve()
            hold.turn(on=True)
            later = await held.enter(slot)
            assert later is not None
            assert later > time.time() + 60  # so far away that nobody waits for it with a connection open
            waiting = asyncio.ensure_future(held.reserve())
            await asyncio.sleep(0.5)
            assert not waiting.done()
            before = await shared.reserve()
            hold.turn(on=False)
            got = await asyncio.wait_for(waiting, 10)
            assert got > before  # it was taken when the hold was over, after the other's
            at: float | None = got
            while at is not None:
                assert at < time.time() + 5.0
                await asyncio.sleep(max(0.0, at - time.time()))
                at = await held.enter(at)

    asyncio.run(scenario())


def test_a_stopped_run_does_not_wait_for_the_end_of_its_hold(place: LedgerPlace) -> None:
    """Stop, pressed while everything is held, ends the run."""

    async def scenario() -> None:
        hold, stop = Hold(), Stop()
        hold.turn(on=True)
        with closing(SharedPace(place, orders=5, window=1.0, last_sent_at=None)) as shared:
            waiting = asyncio.ensure_future(HeldPace(shared, hold, stop).reserve())
            await asyncio.sleep(0.2)
            assert not waiting.done()
            stop.because("enough")
            await asyncio.wait_for(waiting, 10)

    asyncio.run(scenario())
