"""What a ledger in PostgreSQL promises beyond what every ledger does: it is shared, and its server may come and go."""

from __future__ import annotations

import dataclasses
import stat
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from batch_orders.adapters.ledger import SANDBOX_ACCOUNT, Ledger, in_postgres, session_locks
from batch_orders.adapters.ledger.in_postgres import InPostgres
from batch_orders.errors import BatchOrdersError, LedgerError, LedgerLoginError, RunStoppedError
from batch_orders.models import Claim, OrderState, Verdict, VerdictKind
from batch_orders.places import LedgerUrl
from tests import orders as made
from tests import postgres as postgresql
from tests import raw

if TYPE_CHECKING:
    from pathlib import Path

_ORDERED = Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number="1001", status=200, evidence="HTTP 200")
_CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'batch-orders'"


def _begun(ledger: Ledger, run_id: str = "r1", *names: str) -> list[Claim]:
    """A run that is under way, with orders for these people in hand."""
    ledger.begin_run(made.run(run_id))
    pairs = [(ledger.key(order), order) for order in map(made.order, names or ["ana"])]
    return list(ledger.claim(run_id, pairs, retry_rejected=False).ours)


def _cut(ledger: Ledger) -> None:
    """Every session of the program's ends, as when the network fails or an administrator ends it."""
    assert isinstance(ledger.place, LedgerUrl)
    query = f"{_CUT} AND datname = '{ledger.place.database}'"
    assert raw.run(dataclasses.replace(ledger.place, database="postgres"), query) != [(0,)]


def test_a_run_survives_a_cut(shared_ledger: Ledger) -> None:
    """The next session takes the run's lock before anything else: everybody sees it alive, and it goes on."""
    (claim,) = _begun(shared_ledger)
    attempt = shared_ledger.intend(claim, "hash")
    _cut(shared_ledger)
    assert shared_ledger.conclude(attempt, _ORDERED).state is OrderState.ORDERED
    with closing(Ledger(shared_ledger.place)) as other:
        assert other.is_alive("r1")
        shared_ledger.end_run("r1", 0)
        assert not other.is_alive("r1")
        assert other.verify() == 2


def test_reading_survives_a_cut(shared_ledger: Ledger) -> None:
    """Whoever only looks is not told of it."""
    _begun(shared_ledger)
    _cut(shared_ledger)
    assert shared_ledger.counts()["planned"] == 1
    _cut(shared_ledger)
    assert shared_ledger.is_alive("r1")
    assert not shared_ledger.is_alive("r2")


def test_what_others_took_after_a_cut_is_not_sent(shared_ledger: Ledger) -> None:
    """Without its session a run is dead to others. What they freed or judged it does not send, nor judge again."""
    sending, planned = _begun(shared_ledger, "r1", "ana", "ben")
    attempt = shared_ledger.intend(sending, "hash")
    _cut(shared_ledger)
    with closing(Ledger(shared_ledger.place)) as other:
        assert not other.is_alive("r1")
        (taken,) = _begun(other, "r2", "ben")
        assert other.find(sending.key).state is OrderState.UNKNOWN
        with pytest.raises(RunStoppedError):
            shared_ledger.conclude(attempt, _ORDERED)
        with pytest.raises(RunStoppedError):
            shared_ledger.intend(planned, "hash")
        shared_ledger.end_run("r1", 5)
        other.conclude(other.intend(taken, "hash"), _ORDERED)
        assert shared_ledger.find(planned.key).order_number == "1001"
        assert other.verify() == shared_ledger.verify() == 4


def test_a_cut_in_the_middle_of_a_write_is_an_error_and_nothing_is_written(shared_ledger: Ledger) -> None:
    """As with a disk that is full; what comes after it is written."""

    def fail() -> None:
        with shared_ledger._write() as connection:
            shared_ledger._note(connection, "attempt", None, None)
            _cut(shared_ledger)
            shared_ledger._note(connection, "attempt", None, None)

    _begun(shared_ledger)
    with pytest.raises(BatchOrdersError, match="cannot be read or written"):
        fail()
    assert shared_ledger.verify() == 0
    shared_ledger.end_run("r1", 1)
    assert shared_ledger.run("r1")[0].exit_code == 1


@pytest.mark.parametrize("crash", [False, True])
def test_a_restart_of_the_server_is_waited_out(own_postgres: postgresql.Server, *, crash: bool) -> None:
    """What is written while it is away is written when it is back, also after a crash."""
    with closing(Ledger.create(own_postgres.url)) as ledger:
        (claim,) = _begun(ledger)
        attempt = ledger.intend(claim, "hash")
        own_postgres.stop(how=postgresql.CRASH if crash else postgresql.FAST)
        starting = threading.Timer(1.0, own_postgres.start)
        starting.start()
        assert ledger.conclude(attempt, _ORDERED).state is OrderState.ORDERED
        starting.join()
        assert ledger.is_alive("r1")
        ledger.end_run("r1", 0)
        assert ledger.verify() == 2


def test_after_a_restart_a_run_is_given_time_to_come_back(
    own_postgres: postgresql.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes only when it has something to write. One that begins later, and is killed, is dead at once."""
    with closing(Ledger.create(own_postgres.url)) as ledger:
        (claim,) = _begun(ledger)
        attempt = ledger.intend(claim, "hash")
        own_postgres.stop()
        own_postgres.start()
        with closing(Ledger(own_postgres.url)) as other:
            assert other.is_alive("r1")
            assert other.find(claim.key).state is OrderState.SENDING
            assert ledger.conclude(attempt, _ORDERED).state is OrderState.ORDERED
            gone = Ledger(own_postgres.url)
            _begun(gone, "r2", "ben")
            gone.close()
            ends_at = time.monotonic() + 10
            while other.is_alive("r2"):
                assert time.monotonic() < ends_at
            monkeypatch.setattr(session_locks, "_COMES_BACK", 0)
            ledger.close()
            while other.is_alive("r1"):
                assert time.monotonic() < ends_at


def test_a_server_that_stays_away_is_waited_for_once(
    own_postgres: postgresql.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write waits, those after it do not: a run that stops has several things to write."""
    monkeypatch.setattr(in_postgres.postgres, "PATIENCE", 1.5)
    with closing(Ledger.create(own_postgres.url)) as ledger:
        (claim,) = _begun(ledger)
        own_postgres.stop()
        began = time.monotonic()
        with pytest.raises(BatchOrdersError, match="cannot be read or written"):
            ledger.intend(claim, "hash")
        assert time.monotonic() - began > 1.5
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(BatchOrdersError, match="cannot be read or written"):
                ledger.end_run("r1", 1)
        assert time.monotonic() - began < 5.0


def test_a_killed_process_holds_nobody_up(shared_ledger: Ledger) -> None:
    """Killed within a transaction that writes: its lock goes, and what it had not committed."""
    program = textwrap.dedent(f"""
        import os
        from batch_orders.adapters.ledger import Ledger
        from tests import orders as made, raw
        ledger = Ledger(raw.place_of({raw.address(shared_ledger.place)!r}))
        ledger.begin_run(made.run("dead"))
        with ledger._write() as connection:
            ledger._note(connection, "attempt", None, None)
            os.kill(os.getpid(), 9)
    """)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    _begun(shared_ledger)
    assert shared_ledger.verify() == 0
    assert not shared_ledger.is_alive("dead")


def test_writers_take_turns(shared_ledger: Ledger) -> None:
    """Many at once: no entry of the audit is lost, doubled or out of order, and every claim has one owner."""
    won: list[str] = []

    def work(run_id: str) -> None:
        with closing(Ledger(shared_ledger.place)) as ledger:
            for claim in _begun(ledger, run_id, *(f"e{number}" for number in range(10))):
                ledger.intend(claim, "hash")
                won.append(claim.key)
            ledger.end_run(run_id, 0)

    threads = [threading.Thread(target=work, args=(f"r{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(set(won)) == 10
    assert shared_ledger.verify() == 20  # each was begun, and became unknown as its run ended
    times = [at for (at,) in raw.run(shared_ledger.place, "SELECT at FROM audit ORDER BY id")]
    assert times == sorted(times)


def test_a_unix_socket_will_do(postgres: postgresql.Server, ledger_database: LedgerUrl) -> None:
    """The server's own machine needs no network; its folder stands in the address."""
    if postgres.folder is None:
        pytest.skip(f"the server of {postgresql.VARIABLE} is somewhere else")
    query = (("host", str(postgres.folder)), ("port", str(ledger_database.port)))
    place = LedgerUrl.parse(str(dataclasses.replace(ledger_database, host="", port=None, query=query)))
    with closing(Ledger(place)) as ledger, closing(Ledger(ledger_database)) as other:
        _begun(ledger)
        assert other.is_alive("r1")


def test_two_ledgers_in_one_database_do_not_wait_for_each_other(database: LedgerUrl) -> None:
    """Each in a schema of its own: while one is being written into the other is too, and neither sees the other's."""
    raw.run(database, "CREATE SCHEMA one", "CREATE SCHEMA two")
    places = [dataclasses.replace(database, query=(("options", f"-csearch_path={name}"),)) for name in ("one", "two")]
    assert "search_path" in str(places[0])
    with closing(Ledger.create(places[0])) as one, closing(Ledger.create(places[1])) as two:
        assert one.account.id != two.account.id
        with one._write():
            _begun(two, "r1", "ana")
        assert one.runs() == ()
        assert one.counts()["planned"] == 0
        assert two.counts()["planned"] == 1
        assert one._mark.path != two._mark.path


def test_times_are_the_databases(shared_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is a day off writes no wrong time, and its run began when it did."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr(in_postgres, "datetime", Wrong)
    run = dataclasses.replace(made.run("r1"), started_at=datetime.now(UTC) + timedelta(days=1, minutes=-5))
    shared_ledger.begin_run(run)
    began = shared_ledger.run("r1")[0].started_at
    order = made.order("ana")
    (claim,) = shared_ledger.claim("r1", [(shared_ledger.key(order), order)], retry_rejected=False).ours
    shared_ledger.intend(claim, "hash")
    sent = shared_ledger.find(claim.key).submitted_at
    now = datetime.now(UTC)
    assert abs(now - timedelta(minutes=5) - began) < timedelta(seconds=20)
    assert sent is not None
    assert abs(now - sent) < timedelta(seconds=20)


def test_commits_are_durable_there(shared_ledger: Ledger) -> None:
    """Whatever the database's own default is: the session sets it, and reads it back."""
    assert isinstance(shared_ledger.place, LedgerUrl)
    raw.run(shared_ledger.place, f"ALTER DATABASE {shared_ledger.place.database} SET synchronous_commit = off")
    with closing(Ledger(shared_ledger.place)) as ledger, ledger._read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"


def test_a_server_that_does_not_sync_is_refused(own_postgres: postgresql.Server) -> None:
    """It could forget an order that it has been told of."""
    Ledger.create(own_postgres.url).close()
    own_postgres.configure("fsync = off")
    with pytest.raises(LedgerError, match="cannot be written durably") as caught:
        Ledger(own_postgres.url)
    assert "fsync" in caught.value.hint


def test_tables_cannot_be_emptied(shared_ledger: Ledger) -> None:
    """TRUNCATE, which no trigger for rows sees, is refused as well."""
    for table, said in (("audit", "append-only"), ("orders, attempts, order_numbers, traces, notes", "never deleted")):
        with pytest.raises(raw.REFUSED, match=said):
            raw.run(shared_ledger.place, f"TRUNCATE {table}")


def test_the_mark_is_this_machines(shared_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the user's data folder, private; a machine that never sent has none, and does not object."""
    (claim,) = _begun(shared_ledger)
    saved = raw.save(shared_ledger.place, tmp_path)
    shared_ledger.conclude(shared_ledger.intend(claim, "hash"), _ORDERED)
    mark = shared_ledger._mark.path
    assert mark.is_relative_to(tmp_path / "data")
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    shared_ledger.close()
    raw.restore(shared_ledger.place, saved)
    with closing(Ledger(shared_ledger.place)) as restored, pytest.raises(LedgerError, match="high-water mark"):
        restored.begin_run(made.run("r2"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    with closing(Ledger(shared_ledger.place)) as elsewhere:
        elsewhere.begin_run(made.run("r3"))


def test_two_sandboxes_have_a_mark_each(postgres: postgresql.Server, own_data: None) -> None:
    """Their accounts have one and the same id: the one must not take the other for an old copy of itself."""
    del own_data
    with postgres.database() as one, postgres.database() as two:
        for place in (one, two):
            with closing(Ledger.create(place, account_id=SANDBOX_ACCOUNT)) as ledger:
                (claim,) = _begun(ledger)
                ledger.intend(claim, "hash")
                ledger.end_run("r1", 5)
        with closing(Ledger(one)) as ledger:
            ledger.begin_run(made.run("r2"))


def test_a_pooler_is_refused(ledger_database: LedgerUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers as PgBouncer does, with a process number of its own making: nobody could tell who is alive."""

    class Pooled:
        def __init__(self, connection: Any) -> None:
            self._connection = connection
            self.info = self

        backend_pid = 4711

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

    look = InPostgres._look_at
    monkeypatch.setattr(InPostgres, "_look_at", lambda self, connection: look(self, Pooled(connection)))
    with pytest.raises(LedgerError, match="pooler"):
        Ledger(ledger_database)


def test_of_several_inits_at_once_one_wins(database: LedgerUrl) -> None:
    """The others are told that there is a ledger, and there is one account."""
    made_by: list[str] = []
    refused: list[str] = []

    def create() -> None:
        try:
            with closing(Ledger.create(database)) as ledger:
                made_by.append(ledger.account.id)
        except LedgerError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made_by) == 1
    assert len(refused) == 3
    assert all("already" in message for message in refused)


def test_what_is_there_already_is_left_alone(database: LedgerUrl) -> None:
    """Tables of something else: nothing is made among them, nor taken for a ledger."""
    raw.run(database, "CREATE TABLE invoices (id int)")
    with pytest.raises(LedgerError, match="something else"):
        Ledger.create(database)
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger(database)
    raw.run(database, "CREATE TABLE account (name text)")
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger(database)
    assert raw.run(database, "SELECT relname FROM pg_class WHERE relname IN ('orders', 'runs')") == []


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        ({"port": 1}, "cannot be opened", "server runs"),
        ({"database": "no_such_database"}, "does not exist", "createdb"),
        ({"user": "nobody_of_this_name"}, "nobody_of_this_name", ""),
        ({"query": (("options", "-csearch_path=no_such_schema"),)}, "no such schema", "CREATE SCHEMA"),
        ({"query": (("no_such_option", "1"),)}, "no_such_option", ""),
    ],
)
def test_a_database_that_cannot_be_opened(database: LedgerUrl, change: dict[str, Any], said: str, hint: str) -> None:
    """Each is told apart, with what to do, and nothing is said of the password."""
    database = dataclasses.replace(database, password=database.password or "hunter2")
    wrong = dataclasses.replace(database, **change)
    for opens in (Ledger, Ledger.create, Ledger.exists):
        with pytest.raises(LedgerError, match=said) as caught:
            opens(wrong)
        assert hint in caught.value.hint
        assert database.password not in f"{caught.value.message} {caught.value.hint} {wrong!r} {wrong}"


def test_a_wrong_password_and_a_missing_right(own_postgres: postgresql.Server) -> None:
    """The login is refused, or may not make tables: two things, and two remedies."""
    own_postgres.run("CREATE ROLE hr LOGIN PASSWORD 'right'")
    own_postgres.demand_passwords()
    hr = dataclasses.replace(own_postgres.url, user="hr")
    for password in ("hunter2", ""):
        with pytest.raises(LedgerLoginError) as caught:
            Ledger.create(dataclasses.replace(hr, password=password))
        assert "password" in caught.value.message
        assert ".pgpass" in caught.value.hint
        assert "hunter2" not in caught.value.message
    with pytest.raises(LedgerError, match="permission denied") as caught:
        Ledger.create(dataclasses.replace(hr, password="right"))
    assert "GRANT CREATE" in caught.value.hint


def test_no_error_tells_what_is_in_the_ledger(shared_ledger: Ledger) -> None:
    """The server's errors come with the row that they are about; people's names in it are not passed on."""
    _begun(shared_ledger)
    with pytest.raises(BatchOrdersError) as caught, shared_ledger._write() as connection:
        connection.exec_driver_sql("UPDATE orders SET state = 'nonsense', claimed_by = 'x'")
    assert "cannot be read or written" in caught.value.message
    error: BaseException | None = caught.value
    while error is not None:
        for private in ("ana@example.com", "Sample", "Main Street"):
            assert private not in str(error)
        error = error.__cause__
    assert caught.value.__suppress_context__


def test_nothing_is_left_open(ledger_database: LedgerUrl) -> None:
    """A closed ledger has no session on the server."""
    ledger = Ledger(ledger_database)
    _begun(ledger)
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'batch-orders'"
    assert raw.run(ledger_database, f"{query} AND datname = current_database()") == [(1,)]
    ledger.close()
    ends_at = time.monotonic() + 10
    while raw.run(ledger_database, f"{query} AND datname = current_database()") != [(0,)]:
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    with closing(Ledger(ledger_database)) as later:
        assert not later.is_alive("r1")


def test_the_driver_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the extra is named, and nothing else is tried."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(BatchOrdersError, match="further package") as caught:
        Ledger(LedgerUrl(user="", password="", host="127.0.0.1", port=1, database="x"))
    assert caught.value.exit_code == 2
    assert ".venv/bin/pip install -c constraints.txt -e '.[postgres]'" in caught.value.hint
    assert psycopg is not None
