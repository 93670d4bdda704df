"""Four machines, one account: a PostgreSQL ledger that they share, and a strict server as the only oracle.

        pytest -s tests/cluster --shared-orders 4000

The machines are network namespaces where this system lets us make them. CI orders less; the figures of the command
above stand in docs/reliability.md.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pytest

from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import BatchOrdersError
from batch_orders.models import OrderState
from tests.cluster.hosts import Hosts
from tests.crash.forks import Forks
from tests.crash.waves import write_sheet
from tests.hostile import HostileHub
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.hostile.tls import Certificates
from tests.postgres import Server, own_server, why_none_of_our_own
from tests.rates import most_in_a_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from batch_orders.places import LedgerUrl
    from tests.crash.forks import Fork
    from tests.hostile import Call
    from tests.program import Program

_MACHINES = 4
_RATE = 50
_CONCURRENCY = 4
# Seconds between two kills of a worker, and that the database is away each time.
_KILL_EVERY = 2.0
_AWAY = 3.0
_LONGEST = 900.0


@dataclass(frozen=True)
class Cluster:
    """The machines (the first is where sheets are submitted), their ledger's server, and Device Hub."""

    programs: Sequence[Program]
    database: Server
    place: LedgerUrl
    hub: HostileHub


@pytest.fixture
def cluster(tmp_path: Path, own_data: None) -> Iterator[Cluster]:  # noqa: ARG001 - what it does counts
    """Four machines with an account that is new."""
    if reason := why_none_of_our_own():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with ExitStack() as stack:
        hosts = stack.enter_context(Hosts(_MACHINES, tmp_path))
        database = stack.enter_context(own_server(hosts.network))
        place = stack.enter_context(database.database())
        certificates = Certificates(tmp_path, address=hosts.address)
        hub = stack.enter_context(HostileHub(host=hosts.address, tls=certificates.good, latency=0.02))
        settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        settings |= {"ca_file": str(certificates.ca_file), "ledger": str(place), "max_orders": "100000"}
        settings |= {"rate": f"{_RATE}/s", "concurrency": str(_CONCURRENCY), "patience": "30"}
        programs = [hosts.program(number, settings) for number in range(_MACHINES)]
        assert programs[0].run("init", "--new").returncode == 0
        yield Cluster(programs, database, place, hub)


def _start(program: Program, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """A job nobody listens to: what it writes to a pipe that nobody reads would stop it."""
    return subprocess.Popen(
        [*program.command, *map(str, arguments)],
        cwd=program.folder,
        env=program.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _used(calls: Sequence[Call]) -> float:
    """The share of the rate that was used, from the first order to the last."""
    at = sorted(call.at for call in calls)
    return (len(at) - 1) / (at[-1] - at[0]) / _RATE


@pytest.mark.timeout(1200)
def test_machines_share_the_pace(cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Each places a sheet of its own: every order is sent once, and never more than the rate come at the server."""
    each = int(request.config.getoption("--shared-orders")) // _MACHINES
    header, *people = write_sheet(tmp_path / "all.csv", each * _MACHINES).read_text().splitlines(keepends=True)
    sheets = []
    for number in range(_MACHINES):
        sheet = tmp_path / f"wave-{number}.csv"
        sheet.write_text("".join([header, *people[number * each : (number + 1) * each]]))
        sheets.append(sheet)
    jobs = [
        _start(program, "submit", sheet, "--yes", "--quiet")
        for program, sheet in zip(cluster.programs, sheets, strict=True)
    ]
    assert [job.wait(_LONGEST) for job in jobs] == [0] * _MACHINES
    placed = Counter(call.email for call in cluster.hub.placed)
    most, used = most_in_a_window(call.at for call in cluster.hub.calls), _used(cluster.hub.calls)
    print(f"{_MACHINES} machines: {len(placed)} placed, once each; at most {most} of {_RATE} in 1 s; {used:.1%} used")  # noqa: T201 - with -s
    assert len(placed) == each * _MACHINES
    assert set(placed.values()) == {1}
    assert len(cluster.hub.calls) == len(placed)
    assert most <= _RATE


@pytest.mark.timeout(1800)
def test_workers_are_killed_and_the_database_is_cut_off(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A worker is killed every 2 s, and the database goes away twice: nothing is sent twice, and nothing is lost."""
    orders = int(request.config.getoption("--shared-orders"))
    sheet = write_sheet(tmp_path / "hires.csv", orders)
    with BadNights(cluster, cuts=[orders // 3, 2 * orders // 3]) as nights:
        codes: list[int] = []
        ends_at = time.monotonic() + _LONGEST
        while not codes or _left(cluster, orders):  # the same command again: it goes on
            assert nights.error is None
            assert time.monotonic() < ends_at, codes
            codes.append(_start(cluster.programs[0], "submit", sheet, "--yes", "--queue", "--quiet").wait(_LONGEST))
    placed = Counter(call.email for call in cluster.hub.placed)
    with closing(Ledger(cluster.place)) as ledger:
        states = {order.email: order.state for order in ledger.orders()}
        assert ledger.verify() > 0
    unknown = {email for email, state in states.items() if state is OrderState.UNKNOWN}
    most = most_in_a_window(call.at for call in cluster.hub.calls)
    print(  # noqa: T201 - with -s
        f"{nights.killed} workers killed, the database cut off {nights.cut} times, submitted {len(codes)} times: "
        f"{len(placed)} placed, once each, {len(unknown)} unknown; at most {most} of {_RATE} in 1 s"
    )
    assert set(placed.values()) == {1}, "an order was placed twice"
    assert len(states) == orders, "an order was lost"
    assert set(states.values()) <= {OrderState.ORDERED, OrderState.UNKNOWN}
    assert set(states) - set(placed) <= unknown
    assert len(unknown) <= (nights.killed + nights.cut * _MACHINES) * _CONCURRENCY
    assert most <= _RATE
    assert nights.cut == 2
    assert nights.killed > 0
    assert unknown, "nobody was killed, and nothing cut off, while an order was on its way"


def _left(cluster: Cluster, orders: int) -> bool:
    """Whether an order has not come to an end, or nobody can tell because the database is away."""
    try:
        with closing(Ledger(cluster.place)) as ledger:
            return len(ledger.orders(OrderState.ORDERED, OrderState.UNKNOWN)) < orders
    except BatchOrdersError:
        return True


class BadNights:
    """A worker on each machine, killed now and then and started again, and a database that goes away.

    A context manager. `cuts` are how many orders have been placed when it does.
    """

    def __init__(self, cluster: Cluster, *, cuts: Sequence[int]) -> None:
        self._cluster = cluster
        self._cuts = list(cuts)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watched)
        self._stack = ExitStack()
        self.killed = self.cut = 0
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        self._machines = [
            self._stack.enter_context(Forks(program, "worker", "--until-empty", "--quiet"))
            for program in self._cluster.programs
        ]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._stack.close()
        if self.error is not None:
            raise self.error

    def _watched(self) -> None:
        try:
            self._go_on()
        except BaseException as error:
            self.error = error
            raise

    def _go_on(self) -> None:
        chance = random.Random(1)  # noqa: S311 - a seed makes the run repeatable
        workers = [machine.start("worker", "--quiet") for machine in self._machines]
        next_kill = time.monotonic() + _KILL_EVERY
        while not self._over.wait(0.05):
            if self._cuts and len(self._cluster.hub.placed) >= self._cuts[0]:
                self._cuts.pop(0)
                self._cut()
            if time.monotonic() >= next_kill:
                next_kill = time.monotonic() + _KILL_EVERY
                self._kill(chance.choice(workers))
            workers = [
                worker if worker.poll() is None else machine.start("worker", "--quiet")
                for worker, machine in zip(workers, self._machines, strict=True)
            ]
        for worker in workers:
            worker.send(signal.SIGTERM)
        self.codes = [worker.wait(60) for worker in workers]

    def _cut(self) -> None:
        """The database crashes, and is away for a while."""
        self._cluster.database.stop(how=signal.SIGQUIT)
        time.sleep(_AWAY)
        self._cluster.database.start()
        self.cut += 1

    def _kill(self, worker: Fork) -> None:
        worker.send(signal.SIGKILL)
        self.killed += worker.wait() == -signal.SIGKILL
