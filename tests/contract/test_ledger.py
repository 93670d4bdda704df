"""What every ledger promises, whatever database it is in."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from batch_orders.adapters.device_hub_answers import read_answer
from batch_orders.adapters.ledger import Ledger, schema
from batch_orders.adapters.ledger.mark import Mark
from batch_orders.adapters.ledger.prepared import Prepared
from batch_orders.adapters.ledger.schema import TRANSITIONS
from batch_orders.errors import BatchOrdersError, LedgerError, RunStoppedError
from batch_orders.models import Claim, Order, OrderState, Verdict, VerdictKind
from tests import orders as made
from tests import raw

if TYPE_CHECKING:
    from pathlib import Path

_ORDERED = Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number="1001", status=200, evidence="HTTP 200")
_REJECTED = Verdict(kind=VerdictKind.REJECTED, message="No.", status=422, evidence="HTTP 422")
_UNKNOWN = Verdict(kind=VerdictKind.UNKNOWN, message="?", evidence="ReadError")
_NOT_SENT = Verdict(kind=VerdictKind.NOT_SENT, message="no connection", evidence="ConnectError")


def _claim(ledger: Ledger, order: Order, run_id: str = "r1", *, retry_rejected: bool = False) -> Claim:
    claims = ledger.claim(run_id, [(ledger.key(order), order)], retry_rejected=retry_rejected)
    assert len(claims.ours) == 1
    return claims.ours[0]


def _state(ledger: Ledger, order: Order) -> OrderState:
    return ledger.recall([ledger.key(order)])[ledger.key(order)].state


def _end(ledger: Ledger, order: Order, verdict: Verdict, run_id: str = "r1") -> None:
    ledger.conclude(ledger.intend(_claim(ledger, order, run_id), "hash"), verdict)


def test_an_order_is_remembered(ledger: Ledger) -> None:
    """Its number, contents, run and instant are known to whoever opens the ledger later."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    _end(ledger, order, _ORDERED)
    ledger.end_run("r1", 0)
    with closing(Ledger(ledger.place)) as later:
        remembered = later.recall([later.key(order)])[later.key(order)]
    assert remembered.state is OrderState.ORDERED
    assert (remembered.order_number, remembered.run_id, remembered.attempts) == ("1001", "r1", 1)
    assert remembered.contents == order.contents
    assert remembered.submitted_at is not None
    assert not remembered.busy


def test_recall_leaves_out_what_was_never_attempted(ledger: Ledger) -> None:
    """Many keys at once are fine, and unknown ones are left out."""
    assert ledger.recall([f"{number:064x}" for number in range(20_000)]) == {}


def test_claim_is_exclusive(ledger: Ledger) -> None:
    """Of two live runs one gets the order, the other sees that it is busy."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    ledger.begin_run(made.run("r2"))
    _claim(ledger, order, "r1")
    claims = ledger.claim("r2", [(ledger.key(order), order)], retry_rejected=False)
    assert claims.ours == ()
    assert claims.others[ledger.key(order)].busy


def test_intend_needs_the_claim(ledger: Ledger) -> None:
    """Neither a claim that was let go nor one that was used sends anything."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    old = _claim(ledger, order)
    current = _claim(ledger, order)
    with pytest.raises(RunStoppedError):
        ledger.intend(old, "hash")
    ledger.intend(current, "hash")
    with pytest.raises(RunStoppedError):
        ledger.intend(current, "hash")
    assert _state(ledger, order) is OrderState.SENDING


def test_withdraw_returns_the_order_to_its_run(ledger: Ledger) -> None:
    """After proof that nothing was sent the same claim may try again, and every attempt is kept."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    claim = _claim(ledger, order)
    ledger.withdraw(ledger.intend(claim, "hash"), _NOT_SENT)
    assert _state(ledger, order) is OrderState.PLANNED
    attempt = ledger.intend(claim, "hash")
    assert attempt.number == 2
    assert ledger.conclude(attempt, _ORDERED).order_number == "1001"
    verdicts = raw.run(ledger.place, "SELECT number, verdict, evidence FROM attempts ORDER BY number")
    assert verdicts == [(1, "not_sent", "ConnectError"), (2, "ordered", "HTTP 200")]


def test_a_number_seen_before_is_no_proof(ledger: Ledger) -> None:
    """The second order with the same number is unknown; the first keeps it."""
    ledger.begin_run(made.run("r1"))
    first, second = made.order("ana"), made.order("ben")
    _end(ledger, first, _ORDERED)
    _end(ledger, second, _ORDERED)
    assert _state(ledger, first) is OrderState.ORDERED
    remembered = ledger.recall([ledger.key(second)])[ledger.key(second)]
    assert (remembered.state, remembered.order_number) == (OrderState.UNKNOWN, None)
    assert "1001" in remembered.message


def test_whatever_device_hub_answers_can_be_written_down(ledger: Ledger) -> None:
    """Half a character, and NUL: JSON can spell both, and not every database takes them."""
    ledger.begin_run(made.run("r1"))
    body = rb'{"message": "no \u0000 such \ud800 title", "data": {"order_number": "12\u0000"}}'
    answer = read_answer(422, None, body, now=datetime.now(UTC))
    assert answer.order_number == ""  # what cannot be written down as it came is no number
    verdict = Verdict(kind=VerdictKind.REJECTED, message=answer.message, status=422, evidence="HTTP 422")
    order = made.order("ana")
    _end(ledger, order, verdict)
    assert ledger.recall([ledger.key(order)])[ledger.key(order)].message == "no ? such ? title"


@pytest.mark.parametrize("verdict", [_ORDERED, _UNKNOWN])
def test_ended_orders_are_not_claimed_again(ledger: Ledger, verdict: Verdict) -> None:
    """Neither contents nor --retry-rejected frees an ordered or unknown one."""
    ledger.begin_run(made.run("r1"))
    _end(ledger, made.order("ana"), verdict)
    changed = made.order("ana", holds=made.contents(city="Albany"))
    claims = ledger.claim("r1", [(ledger.key(changed), changed)], retry_rejected=True)
    assert claims.ours == ()


def test_a_rejected_order_is_free_when_changed_or_asked_for(ledger: Ledger) -> None:
    """The same contents are not sent again by themselves."""
    order = made.order("ana")
    ledger.begin_run(made.run("r1"))
    _end(ledger, order, _REJECTED)
    assert ledger.claim("r1", [(ledger.key(order), order)], retry_rejected=False).ours == ()
    _claim(ledger, order, retry_rejected=True)
    ledger.end_run("r1", 0)
    ledger.begin_run(made.run("r2"))
    _end(ledger, made.order("ana"), _REJECTED, "r2")
    changed = made.order("ana", holds=made.contents(city="Albany"))
    _end(ledger, changed, _ORDERED, "r2")
    assert ledger.recall([ledger.key(order)])[ledger.key(order)].contents.shipping_city == "Albany"


def test_end_of_run_frees_what_was_not_sent(ledger: Ledger) -> None:
    """A planned order goes to the next run, one on its way is unknown."""
    ledger.begin_run(made.run("r1"))
    planned, sending = made.order("ana"), made.order("ben")
    _claim(ledger, planned)
    ledger.intend(_claim(ledger, sending), "hash")
    ledger.end_run("r1", 6)
    assert _state(ledger, sending) is OrderState.UNKNOWN
    ledger.begin_run(made.run("r2"))
    _claim(ledger, planned, "r2")


def test_a_dead_run_is_recognised_at_once(ledger: Ledger) -> None:
    """A killed process' sending order becomes unknown and its planned one free, without any timeout."""
    program = textwrap.dedent(f"""
        import os
        from batch_orders.adapters.ledger import Ledger
        from tests import orders as made, raw
        ledger = Ledger(raw.place_of({raw.address(ledger.place)!r}))
        ledger.begin_run(made.run("dead"))
        pairs = [(ledger.key(o), o) for o in (made.order("ana"), made.order("ben"))]
        claims = ledger.claim("dead", pairs, retry_rejected=False)
        ledger.intend(claims.ours[0], "hash")
        os.kill(os.getpid(), 9)
    """)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not ledger.is_alive("dead")
    assert _state(ledger, made.order("ana")) is OrderState.UNKNOWN
    ledger.begin_run(made.run("r1"))
    _claim(ledger, made.order("ben"))


def test_a_folder_of_locks_that_cannot_be_made_is_explained(file_ledger: Ledger) -> None:
    """Without its lock a run is not begun: nobody could tell whether it is alive."""
    file_ledger.place.with_name(file_ledger.place.name + ".runs").write_text("a file stands here")
    with pytest.raises(BatchOrdersError, match="cannot be read or written") as caught:
        file_ledger.begin_run(made.run("r1"))
    assert "sqlite.runs" in caught.value.message
    assert file_ledger.runs() == ()


def test_two_names_of_one_ledger_share_its_locks(file_ledger: Ledger, tmp_path: Path) -> None:
    """Through a link too a live run is seen to be alive, and what it has in hand is busy."""
    order = made.order("ana")
    file_ledger.begin_run(made.run("r1"))
    _claim(file_ledger, order)
    link = tmp_path / "elsewhere" / "ledger.sqlite"
    link.parent.mkdir()
    link.symlink_to(file_ledger.place)
    with closing(Ledger(link)) as other:
        assert other.is_alive("r1")
        assert other.recall([file_ledger.key(order)])[file_ledger.key(order)].busy


@pytest.mark.parametrize("before", OrderState)
@pytest.mark.parametrize("after", OrderState)
def test_the_database_enforces_the_transitions(ledger: Ledger, before: OrderState, after: OrderState) -> None:
    """Every change of state that is not in the table is refused by the database itself."""
    ledger.begin_run(made.run("r1"))
    _claim(ledger, made.order("ana"))
    with raw.without(ledger.place, "order_transitions"):
        raw.run(ledger.place, f"UPDATE orders SET state = '{before}', order_number = '1'")  # noqa: S608 - our words
    change = f"UPDATE orders SET state = '{after}' RETURNING state"  # noqa: S608
    if before is after or (before, after) in TRANSITIONS:
        assert raw.run(ledger.place, change) == [(after,)]
    else:
        with pytest.raises(raw.REFUSED, match="may not change"):
            raw.run(ledger.place, change)


def test_orders_are_never_deleted(ledger: Ledger) -> None:
    """Not even by hand."""
    ledger.begin_run(made.run("r1"))
    _claim(ledger, made.order("ana"))
    with pytest.raises(raw.REFUSED, match="never"):
        raw.run(ledger.place, "DELETE FROM orders")


def test_commits_are_durable(file_ledger: Ledger) -> None:
    """The journal is truncated and synced at every commit; the ledger reads both settings back itself."""
    with file_ledger._read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "truncate"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_files_are_private(tmp_path: Path, umask: int) -> None:
    """0600 whatever the umask: the ledger, its mark, and the locks of its runs."""
    before = os.umask(umask)
    try:
        with closing(Ledger.create(tmp_path / "own.sqlite")) as ledger:
            ledger.begin_run(made.run("r1"))
            _end(ledger, made.order("ana"), _ORDERED)
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    finally:
        os.umask(before)
    assert set(modes) >= {"own.sqlite", "own.sqlite.mark", "r1.lock"}
    assert set(modes.values()) == {0o600}


def test_a_run_is_kept_with_its_sheet(ledger: Ledger) -> None:
    """Bytes, options and report come back; a beginning of the id that is unique will do."""
    ledger.begin_run(made.run("20261124-a", sheet=b"\x00bytes"))
    ledger.save_report("20261124-a", b"{}")
    ledger.end_run("20261124-a", 4)
    run, report = ledger.run("20261124")
    assert (run.sheet, report, run.exit_code) == (b"\x00bytes", b"{}", 4)
    ledger.begin_run(made.run("20261124-b"))
    for name in ("20261124", "nothing"):
        with pytest.raises(LedgerError):
            ledger.run(name)


def test_the_line_is_remembered(ledger: Ledger) -> None:
    """The next run is told that an earlier one stopped the line."""
    assert not ledger.begin_run(made.run("r1"))
    ledger.mark_line(stopped=True)
    assert ledger.begin_run(made.run("r2"))
    ledger.mark_line(stopped=False)
    assert not ledger.begin_run(made.run("r3"))


def test_logins(ledger: Ledger) -> None:
    """Only the origin and login that were entered may send for the account."""
    ledger.add_login("https://hub.example.com", "hr@example.com")
    ledger.add_login("https://hub.example.com", "hr@example.com")
    ledger.check_login("https://hub.example.com", "hr@example.com")
    for origin, client in [
        ("https://other.example.com", "hr@example.com"),
        ("https://hub.example.com", "x@example.com"),
    ]:
        with pytest.raises(LedgerError):
            ledger.check_login(origin, client)


def test_another_schema_version_is_refused(ledger: Ledger) -> None:
    """A ledger of another program version is not touched."""
    raw.run(ledger.place, "UPDATE account SET schema_version = 99")
    with pytest.raises(LedgerError, match="99"):
        Ledger(ledger.place)


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Nothing there, some other file, or a database of something else."""
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger(tmp_path / "missing.sqlite")
    text = tmp_path / "text.sqlite"
    text.write_text("hello " * 1000)
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    for path in (text, empty):
        with pytest.raises(BatchOrdersError):
            Ledger(path)
    assert text.read_text().startswith("hello")


def test_create_never_overwrites(ledger: Ledger) -> None:
    """A second `init` leaves the first ledger alone."""
    account = ledger.account.id
    with pytest.raises(LedgerError, match="already"):
        Ledger.create(ledger.place)
    with closing(Ledger(ledger.place)) as again:
        assert again.account.id == account


def test_several_steps_share_a_transaction(ledger: Ledger) -> None:
    """All of them, with an audit as if each had come alone."""
    ledger.begin_run(made.run("r1"))
    claims = [_claim(ledger, made.order(name)) for name in ("ana", "ben", "cem")]
    before = ledger.version()
    attempts = ledger.together([lambda claim=claim: ledger.intend(claim, "hash") for claim in claims])
    assert [(attempt.number, attempt.claim) for attempt in attempts] == [(1, claim) for claim in claims]
    assert ledger.version() == before + 3
    ends = [_ORDERED, _REJECTED, _UNKNOWN]
    ledger.together(
        [lambda a=attempt, v=verdict: ledger.conclude(a, v) for attempt, verdict in zip(attempts, ends, strict=True)]
    )
    states = ledger.recall([claim.key for claim in claims])
    assert [states[claim.key].state.value for claim in claims] == ["ordered", "rejected", "unknown"]
    assert ledger.verify() == before + 6


def test_of_several_steps_none_is_written_where_one_fails(ledger: Ledger) -> None:
    """Neither the order's state nor an entry of the audit, and each of them can be taken again."""
    ledger.begin_run(made.run("r1"))
    ana, ben = (_claim(ledger, made.order(name)) for name in ("ana", "ben"))
    lost = dataclasses.replace(ben, token="another")
    with pytest.raises(RunStoppedError):
        ledger.together([lambda: ledger.intend(ana, "hash"), lambda: ledger.intend(lost, "hash")])
    assert ledger.counts()["planned"] == 2
    assert ledger.verify() == 0
    first, second = ledger.together([lambda: ledger.intend(ana, "hash"), lambda: ledger.intend(ben, "hash")])
    # The same number twice is no proof of the second.
    ledger.together([lambda: ledger.conclude(first, _ORDERED), lambda: ledger.conclude(second, _ORDERED)])
    assert (_state(ledger, made.order("ana")), _state(ledger, made.order("ben"))) == (
        OrderState.ORDERED, OrderState.UNKNOWN,
    )  # fmt: skip
    assert ledger.verify() == 4


def test_several_steps_of_a_restored_copy_are_told_once(file_ledger: Ledger) -> None:
    """An old copy that goes on writing says so in its audit before the first of them, and the mark stays."""
    file_ledger.begin_run(made.run("r1"))
    ana, ben = (_claim(file_ledger, made.order(name)) for name in ("ana", "ben"))
    mark = file_ledger._mark.path
    file_ledger._mark.set(Mark(17, "0" * 64))
    file_ledger.together([lambda: file_ledger.intend(ana, "hash"), lambda: file_ledger.intend(ben, "hash")])
    assert mark.read_text().split()[1:] == ["17", "0" * 64]
    told = raw.run(file_ledger.place, "SELECT what FROM audit ORDER BY id")
    assert [what for (what,) in told] == ["restored", "attempt", "attempt"]


def test_a_prepared_statement_misses_no_value(ledger: Ledger) -> None:
    """One that was forgotten is no NULL."""
    statement = Prepared(insert(schema.order_numbers))
    with pytest.raises((KeyError, BatchOrdersError), match="order_key"), ledger._write() as connection:
        statement.run(connection, {"order_number": "1001"})
