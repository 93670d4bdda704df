"""Workers: orders that `submit --queue` hands over, placed by other processes through a shared PostgreSQL ledger."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import time
from collections import Counter
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.device_hub import HubOptions
from batch_orders.adapters.ledger import Ledger
from batch_orders.errors import BatchOrdersError
from batch_orders.models import OrderState
from batch_orders.settings import Settings
from batch_orders.wiring import World
from batch_orders.working import Worked, work
from tests.crash.waves import write_sheet
from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET
from tests.program import Program
from tests.receivers import mail_server
from tests.served import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_orders.places import LedgerUrl
    from tests import postgres as postgresql
    from tests.program import Process

_PATIENCE = 40.0


class _Watched:
    """Who watches hears the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self.notes.append if name == "note" else lambda *_: None


def _work(database: LedgerUrl, hub: HostileHub, *, until_empty: bool = False) -> tuple[Worked, list[str]]:
    """A worker in this process, which ends by itself: how it ended, and what it said on the way."""
    options = HubOptions(
        base_url=hub.base_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout=1.0, patience=1.0
    )
    watched = _Watched()
    world = World(
        settings=Settings(), hub=options, host="here", ledger_place=database, is_sandbox=False, progress=watched
    )

    async def for_a_while() -> Worked:
        async with asyncio.timeout(25):
            return await work(world, until_empty=until_empty)

    return asyncio.run(for_a_while()), watched.notes


@pytest.fixture
def hub() -> Iterator[HostileHub]:
    """A Device Hub that does nothing wrong unless it is told to."""
    with HostileHub(Plan(), latency=0.02) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: HostileHub, database: LedgerUrl) -> Program:
    """A machine with an account whose ledger is shared."""
    settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    settings |= {"rate": "100/s", "patience": "3", "ledger": str(database)}
    made = Program(tmp_path, settings)
    assert made.run("init", "--new").returncode == 0
    return made


@contextmanager
def _worker(program: Program, *options: str) -> Iterator[Process]:
    """A worker that is told to end when the block does, and then ends well."""
    with program.start("worker", *options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=_PATIENCE)


def _until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < ends_at, "it does not come to that"
        time.sleep(0.05)


def _statuses(path: Path) -> Counter[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return Counter(row["order_status"] for row in csv.DictReader(file))


def test_workers_place_what_is_queued(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """The run waits, writes the results, and says that the orders are its own; both workers took part in it."""
    sheet = write_sheet(tmp_path / "hires.csv", 30)
    with _worker(program), _worker(program):
        _until(lambda: len(program.json("status", exit_code=0)["queue"]["workers"]) == 2)
        document = program.json("submit", sheet, "--yes", "--queue", exit_code=0)
        shown = program.json("status", exit_code=0)
    assert document["counts"]["ordered"] == 30
    assert _statuses(tmp_path / "hires.results.csv") == {"ordered": 30}
    assert Counter(call.email for call in hub.placed) == Counter(f"e{n}@example.com" for n in range(30))
    assert shown["queue"]["orders"] == 0
    assert [run["run_id"] for run in shown["runs"]] == [document["run_id"]]  # a worker is no run
    again = program.json("submit", sheet, "--yes", "--queue", exit_code=0)
    assert again["counts"]["already_ordered"] == 30


def test_nobody_waits(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """--no-wait ends with 6 and not_sent; a worker places them later, and `results` writes how they ended."""
    sheet = write_sheet(tmp_path / "hires.csv", 3)
    document = program.json("submit", sheet, "--yes", "--queue", "--no-wait", exit_code=6)
    assert document["counts"]["not_sent"] == 3
    assert f"results {document['run_id']}" in document["stopped"]
    assert "3 orders are queued; the workers place them" in document["stopped"]
    later = program.json("results", document["run_id"], exit_code=6)
    messages = [order["message"] for order in document["orders"] + later["orders"]]
    assert all(message.startswith("Not placed yet: it waits for a worker") for message in messages), messages
    assert hub.placed == []
    assert program.json("status", exit_code=0)["queue"] == {"workers": [], "orders": 3}
    worked = program.json("worker", "--until-empty", exit_code=0)
    assert (worked["orders"], worked["stopped"]) == (3, None)
    assert program.json("results", document["run_id"], exit_code=0)["counts"]["ordered"] == 3
    assert len(hub.placed) == 3


def test_who_did_not_wait_is_told_so(program: Program, tmp_path: Path) -> None:
    """Neither on the terminal nor in the message is the run one to be run again: the workers have its orders."""
    sheet = write_sheet(tmp_path / "hires.csv", 3)
    with mail_server() as mails:
        told = Program(tmp_path, program.settings | {"notify": mails.address})
        done = told.run("submit", sheet, "--yes", "--queue", "--no-wait")
    assert done.returncode == 6
    (mail,) = mails.received
    assert mail.subject == "batch-orders: the orders are queued for the workers"
    for text in (done.stdout, mail.text):
        assert "3 orders are queued; the workers place them" in text
        assert "Nothing now: the workers go on." in text or "nothing now: the workers go on." in text
        assert "writes the results later" in text
        assert "same command again" not in text


def test_an_inbox_without_a_worker_says_to_start_one(program: Program, tmp_path: Path) -> None:
    """And not that there is nothing to do."""
    (tmp_path / "inbox").mkdir()
    write_sheet(tmp_path / "inbox" / "hires.csv", 3)
    with mail_server() as mails:
        told = Program(tmp_path, program.settings | {"notify": mails.address, "queue": "yes"})
        told.json("inbox", "inbox", "--settled-for", "0", exit_code=6)
    (mail,) = mails.received
    assert "What next: start one (`batch-orders worker`); the next run then goes on." in mail.text
    assert "first time" not in mail.text


def test_without_a_worker_nothing_is_left_behind(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """The run gives up after `patience`, takes its orders back, and a worker that comes later has nothing to do."""
    sheet = write_sheet(tmp_path / "hires.csv", 3)
    document = program.json("submit", sheet, "--yes", "--queue", exit_code=6)
    assert document["counts"]["not_sent"] == 3
    assert "no worker" in document["stopped"]
    assert program.json("worker", "--until-empty", exit_code=0)["orders"] == 0
    assert hub.placed == []
    assert program.json("submit", sheet, "--yes", exit_code=0)["counts"]["ordered"] == 3


def test_an_interrupt_takes_back_what_was_not_begun(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """Whoever stops the run that waits stops its orders too; those on their way are told."""
    program.settings["rate"] = "3/s"
    sheet = write_sheet(tmp_path / "hires.csv", 200)
    with _worker(program), program.start("submit", sheet, "--yes", "--queue") as run:
        _until(lambda: len(hub.placed) > 2)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=_PATIENCE)
        assert run.returncode == 6
        placed = len(hub.placed)
        time.sleep(2)  # six more would have gone
        assert len(hub.placed) == placed < 200
    assert _statuses(tmp_path / "hires.results.csv") == {"ordered": placed, "not_sent": 200 - placed}


def test_a_run_that_was_stopped_orders_nothing_more(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """Also what a worker has in hand, and would not send before its turn comes, which may be long after the run."""
    program.settings.update(rate="15/min", patience="2")  # the worker holds four orders: 16 seconds
    sheet = write_sheet(tmp_path / "hires.csv", 6)
    with _worker(program) as worker, program.start("submit", sheet, "--yes", "--queue") as run:
        _until(lambda: len(hub.placed) == 1)
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=_PATIENCE)
        assert _statuses(tmp_path / "hires.results.csv") == {"ordered": 1, "not_sent": 5}
        time.sleep(6)
        assert len(hub.placed) == 1
        assert worker.poll() is None  # which goes on
        assert program.json("status", exit_code=0)["queue"]["orders"] == 0


def test_a_killed_worker_leaves_its_order_unknown_and_the_others_to_the_next(
    program: Program, hub: HostileHub, database: LedgerUrl, tmp_path: Path
) -> None:
    """Nothing is sent twice, and what was only queued is found again by the sweep although its jobs are gone."""
    hub.plan.then("order", "hang_after_placing")
    sheet = write_sheet(tmp_path / "hires.csv", 12)
    program.json("submit", sheet, "--yes", "--queue", "--no-wait", exit_code=6)
    with program.start("worker") as worker:
        _until(lambda: len(hub.calls) > 0)
        worker.kill()
        worker.communicate()
    worked = program.json("worker", "--until-empty", exit_code=0)
    placed = Counter(call.email for call in hub.placed)
    assert set(placed.values()) <= {1}
    with closing(Ledger(database)) as ledger:
        states = Counter(order.state for order in ledger.orders())
        unknown = {order.email for order in ledger.orders(OrderState.UNKNOWN)}
        assert ledger.verify() > 0
    assert set(states) == {OrderState.ORDERED, OrderState.UNKNOWN}
    assert states.total() == 12
    assert 1 <= states[OrderState.UNKNOWN] <= 4
    assert 0 < worked["orders"] <= states[OrderState.ORDERED]  # the first worker may have ended some
    assert {f"e{n}@example.com" for n in range(12)} - set(placed) <= unknown


def test_another_run_takes_an_order_out_of_the_queue(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """Who submits the sheet without --queue places it himself; the job that is left finds nothing to do."""
    sheet = write_sheet(tmp_path / "hires.csv", 3)
    program.json("submit", sheet, "--yes", "--queue", "--no-wait", exit_code=6)
    assert program.json("submit", sheet, "--yes", exit_code=0)["counts"]["ordered"] == 3
    assert program.json("worker", "--until-empty", exit_code=0)["orders"] == 0
    assert len(hub.placed) == 3


def test_a_queued_order_is_a_look_alike(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """The same person under another address is held while the first order only waits for a worker."""
    first = write_sheet(tmp_path / "hires.csv", 1)
    program.json("submit", first, "--yes", "--queue", "--no-wait", exit_code=6)
    second = tmp_path / "again.csv"
    second.write_text(first.read_text().replace("e0@example.com", "private@example.org"))
    document = program.json("submit", second, "--yes", exit_code=4)
    assert [finding["code"] for finding in document["findings"]] == ["near_duplicate"]
    assert hub.placed == []


def test_a_stopped_line_stops_every_worker(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """Three unknowns in a row end the worker with 5; the next one sends one order, and ends at its first unknown."""
    hub.plan.then("order", "500_before*")
    program.settings["concurrency"] = "1"
    sheet = write_sheet(tmp_path / "hires.csv", 10)
    program.json("submit", sheet, "--yes", "--queue", "--no-wait", exit_code=6)
    assert program.json("worker", "--until-empty", exit_code=5)["orders"] == 3
    assert program.json("worker", "--until-empty", exit_code=5)["orders"] == 1
    assert len(hub.calls) == 4


def test_the_page_has_its_runs_placed_by_workers(program: Program, hub: HostileHub, tmp_path: Path) -> None:
    """With the setting `queue` its orders go to workers; it shows how they end, and can stop them but not pause."""
    program.settings["queue"] = "yes"
    hub.plan.then("order", "hang_before_reading")
    sheet = write_sheet(tmp_path / "hires.csv", 5)
    with _worker(program, "--quiet"), serving(program) as page:
        visitor = page.enter()
        run = visitor.order(visitor.upload(sheet))
        _until(lambda: len(hub.placed) == 4)
        watched = visitor.get(f"/runs/{run}").text
        assert "Stop after those in flight" in watched
        assert 'id="pause"' not in watched
        hub.plan.then("order", "ok*")
        visitor.post(f"/runs/{run}/stop")
    assert {call.email for call in hub.placed} <= {f"e{n}@example.com" for n in range(5)}
    assert Counter(call.email for call in hub.placed).most_common(1)[0][1] == 1
    assert program.json("results", run, exit_code=5)["counts"]["ordered"] == 4


def test_a_ledger_in_a_file_has_no_queue(tmp_path: Path, hub: HostileHub) -> None:
    """Both ends say so before anything is done."""
    settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    program = Program(tmp_path, settings | {"ledger": "ledger.sqlite"})
    assert program.run("init", "--new").returncode == 0
    sheet = write_sheet(tmp_path / "hires.csv", 1)
    for arguments in (("worker",), ("submit", sheet, "--yes", "--queue")):
        done = program.run(*arguments)
        assert done.returncode == 2, done.stderr
        assert "this one is a file" in done.stderr
        assert "Waiting for orders" not in done.stderr
    assert program.run("submit", sheet, "--yes", "--no-wait").returncode == 2
    assert hub.calls == []


def test_a_sweep_that_fails_ends_the_worker(
    database: LedgerUrl, hub: HostileHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot read its ledger says so and ends: alive it would hold orders, and never open a gate again."""
    with closing(Ledger.create(database)) as ledger:
        ledger.add_login(hub.base_url, CLIENT_ID)
    asked: list[int] = []

    def queued(_: Ledger) -> tuple[()]:
        asked.append(1)
        if len(asked) == 2:  # the first is at the worker's start
            raise BatchOrdersError("The ledger cannot be read.")
        return ()

    monkeypatch.setattr(Ledger, "queued", queued)
    worked, _ = _work(database, hub)
    assert (worked.exit_code, worked.stopped) == (1, "The ledger cannot be read.")


def test_a_number_that_cannot_be_recorded_is_told(
    program: Program, database: LedgerUrl, hub: HostileHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No results sheet of a worker's has it: what it says is the only trace of the order."""

    def conclude(*_: object) -> None:
        raise BatchOrdersError("The ledger cannot be written.")

    sheet = write_sheet(tmp_path / "hires.csv", 1)
    program.json("submit", sheet, "--yes", "--queue", "--no-wait", exit_code=6)
    monkeypatch.setattr(Ledger, "conclude", conclude)
    worked, notes = _work(database, hub, until_empty=True)
    assert worked.exit_code == 1
    (call,) = hub.placed
    (told,) = [note for note in notes if call.order_number in note]
    with closing(Ledger(database)) as ledger:
        (order,) = ledger.orders(OrderState.UNKNOWN)
    assert order.key[:12] in told


def test_a_worker_that_loses_its_queue_says_so(
    own_postgres: postgresql.Server, hub: HostileHub, tmp_path: Path
) -> None:
    """It ends with 1, so that it is started again, and in words, also where the server is back in a moment."""
    settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    program = Program(tmp_path, settings | {"ledger": str(own_postgres.url)})
    assert program.run("init", "--new").returncode == 0
    with program.start("worker", "--json") as process:
        _until(lambda: len(program.json("status", exit_code=0)["queue"]["workers"]) == 1)
        time.sleep(1)  # until it listens
        own_postgres.stop()
        time.sleep(1)
        own_postgres.start()
        out, err = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 1
    assert "lost its queue" in err
    assert json.loads(out)["exit_code"] == 1


def test_a_worker_that_is_told_to_end_has_not_failed(program: Program) -> None:
    """An interrupt, or SIGTERM: whoever looks after it is not to start it again."""
    with program.start("worker", "--json") as process:
        _until(lambda: len(program.json("status", exit_code=0)["queue"]["workers"]) == 1)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_PATIENCE)
    assert process.returncode == 0
