# ruff: noqa: S608 - the tables' dates are changed past the program, with texts of our own
"""Retention: the personal data of what is old goes, to the last byte; that it was ordered stays known."""

from __future__ import annotations

import dataclasses
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batch_orders import identity
from batch_orders.adapters.ledger import Ledger, schema
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.models import Kept, Order, OrderState, Remembered, RunRecord, Verdict, VerdictKind
from tests import orders as made
from tests import postgres as postgresql
from tests import raw

if TYPE_CHECKING:
    from batch_orders.places import LedgerPlace, LedgerUrl

_AGE = timedelta(days=400)
_OLD, _NEW = "2020-01-01T00:00:00.000000+00:00", "2098-01-01T00:00:00.000000+00:00"
# Whatever of a person must be nowhere once they are forgotten; each made-up person has their own.
_PARTS = ("Canaryfirst", "Canarylast", "Canarystreet", "Canarycity", "canarymail", "canaryref", "+1212555")


def _person(number: int) -> Order:
    holds = dataclasses.replace(
        made.contents(),
        firstname=f"Canaryfirst{number}",
        lastname=f"Canarylast{number}",
        shipping_address=f"{number} Canarystreet",
        shipping_city="Canarycity",
        phone_number=f"+1212555{number:04}",
    )
    return made.order(f"canarymail{number}", reference=f"canaryref{number}", holds=holds)


def _verdict(kind: VerdictKind, number: int) -> Verdict:
    """As Device Hub may answer: with everything that was sent."""
    told = f"Canaryfirst{number}, {number} Canarystreet, canarymail{number}@example.com"
    number_given = f"N{number}" if kind is VerdictKind.ORDERED else ""
    return Verdict(kind=kind, message=told, order_number=number_given, status=200, evidence="HTTP 200")


def _run(number: int) -> RunRecord:
    record = made.run(f"2020-{number}-", sheet=f"Canaryfirst{number} in a sheet".encode())
    options = {"mapping": "Canaryfirst", "mapping_name": "Canarylast.toml", "note": "for Canaryfirst"}
    options |= {"sheet_name": None, "encoding": None, "placed_by": "canarymail@example.com"}
    return dataclasses.replace(record, input=Path("Canarylast.csv"), options=options)


def _ended(ledger: Ledger, number: int, kind: VerdictKind = VerdictKind.ORDERED) -> Remembered:
    """An order that ended so, in a run of its own."""
    order, run = _person(number), _run(number)
    ledger.begin_run(run)
    (claim,) = ledger.claim(run.run_id, [(ledger.key(order), order)], retry_rejected=False).ours
    ledger.save_report(run.run_id, b"Canaryfirst in a report")
    ledger.conclude(ledger.intend(claim, "hash"), _verdict(kind, number))
    ledger.end_run(run.run_id, 0)
    return ledger.find(ledger.key(order))


def _age(place: LedgerPlace, at: str = _OLD) -> None:
    """Everything in the ledger happened then."""
    raw.run(
        place,
        f"UPDATE orders SET updated_at = '{at}', last_seen_at = '{at}' WHERE updated_at <> ''",
        f"UPDATE orders SET submitted_at = '{at}' WHERE submitted_at IS NOT NULL",
        f"UPDATE runs SET started_at = '{at}', ended_at = '{at}'",
    )


def _forget(ledger: Ledger) -> dict[str, int]:
    """How many of what were forgotten."""
    done = ledger.forget(ledger.cut_off(_AGE))
    return {state.value: number for state, number in done.orders.items()} | {"runs": done.runs, "sheets": done.sheets}


def _texts(ledger: Ledger) -> str:
    """Everything that any table holds, sheets and reports unpacked."""
    names = [table.name for table in schema.metadata.sorted_tables]
    told = [str(row) for name in names for row in raw.run(ledger.place, f"SELECT * FROM {name}")]
    for run in ledger.runs():
        whole, report = ledger.run(run.run_id)
        told += [whole.sheet.decode(), (report or b"").decode(), str(whole)]
    return "\n".join(told)


def _found(text: str, number: int | str = "") -> list[str]:
    """What is left of a person, or of anybody."""
    return [
        part for part in _PARTS if re.search(rf"{re.escape(part)}0*{number}\b" if number else re.escape(part), text)
    ]


def test_what_goes_and_what_stays(ledger: Ledger) -> None:
    """Nothing of the person is left in any table; what the order is known by is all there, and the audit holds."""
    before = _ended(ledger, 1)
    ledger.settle_cancelled(before, "Canaryfirst1 said so")
    ledger.begin_run(made.run("again"))
    (claim,) = ledger.claim("again", [(before.key, _person(1))], retry_rejected=False).ours
    ledger.conclude(ledger.intend(claim, "hash"), _verdict(VerdictKind.ORDERED, 11))
    ledger.end_run("again", 0)
    before = ledger.find(before.key)
    traces = raw.run(ledger.place, "SELECT * FROM traces ORDER BY hash")
    numbers = raw.run(ledger.place, "SELECT * FROM order_numbers ORDER BY order_number")
    assert _found(_texts(ledger), 1)
    _age(ledger.place)
    assert _forget(ledger) == {"ordered": 1, "runs": 2, "sheets": 2}
    assert _found(_texts(ledger)) == []
    now = ledger.find(before.key)
    assert (now.state, now.order_number, now.content_hash) == (before.state, "N11", before.content_hash)
    assert now.submitted_at == datetime.fromisoformat(_OLD)
    assert now.forgotten_at
    assert raw.run(ledger.place, "SELECT * FROM traces ORDER BY hash") == traces
    assert raw.run(ledger.place, "SELECT * FROM order_numbers ORDER BY order_number") == numbers
    assert ledger.verify()
    assert ledger.evidence(now.key)[0].endswith("HTTP 200")


def test_the_audit_tells_of_it(ledger: Ledger) -> None:
    """How many orders, and from which day back; ids and nothing else."""
    _ended(ledger, 1)
    _age(ledger.place)
    before = ledger.cut_off(_AGE)
    ledger.forget(before)
    of_orders, of_runs = raw.run(ledger.place, "SELECT detail FROM audit WHERE what = 'forget' ORDER BY id")
    assert '"orders": 1' in of_orders[0]
    assert before.isoformat() in of_orders[0]
    assert '"runs": 1' in of_runs[0]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE orders SET updated_at = '{new}'", Kept.LATELY),
        ("UPDATE orders SET submitted_at = '{new}'", Kept.LATELY),
        ("UPDATE orders SET last_seen_at = '{new}'", Kept.LATELY),
        ("UPDATE orders SET last_seen_at = '{new}', other_contents = contents", Kept.CHANGED),
        ("UPDATE orders SET queued_by = sent_by", Kept.IN_HAND),
    ],
)
def test_what_is_kept(ledger: Ledger, statement: str, reason: Kept) -> None:
    """One date that is younger is enough; what a run has in hand is kept whatever its age."""
    _ended(ledger, 1)
    _age(ledger.place)
    raw.run(ledger.place, statement.format(new=_NEW))
    before = ledger.find(_ended(ledger, 2).key)
    raw.run(ledger.place, f"UPDATE orders SET updated_at = '{_NEW}' WHERE order_key = '{before.key}'")
    kept = ledger.find(ledger.key(_person(1)))
    found = ledger.forgettable(ledger.cut_off(_AGE))
    assert found.orders == {}
    assert found.kept == ({reason: 2} if reason is Kept.LATELY else {reason: 1, Kept.LATELY: 1})
    assert "ordered" not in _forget(ledger)
    assert ledger.find(kept.key) == kept


@pytest.mark.parametrize("kind", [VerdictKind.ORDERED, VerdictKind.REJECTED, VerdictKind.UNKNOWN])
def test_the_unknown_are_never_forgotten(ledger: Ledger, kind: VerdictKind) -> None:
    """Whoever settles one needs all that is known of it, however old it is."""
    before = _ended(ledger, 1, kind)
    _age(ledger.place)
    is_unknown = kind is VerdictKind.UNKNOWN
    assert _forget(ledger) == {**({} if is_unknown else {kind.value: 1}), "runs": 1, "sheets": 1}
    now = ledger.find(before.key)
    assert now.contents == (before.contents if is_unknown else now.contents)
    assert (now.email, bool(now.forgotten_at)) == ((before.email, False) if is_unknown else ("", True))
    assert (now.key in {order.key for order in ledger.waiting()}) == is_unknown
    assert ledger.verify()


def test_a_changed_order_that_no_sheet_has_any_more(ledger: Ledger) -> None:
    """What the last sheet held for it goes too: there is nothing left to keep, and nobody waits for it."""
    placed = _ended(ledger, 1)
    ledger.note_contents({placed.key: made.contents(city="Canarycity")})
    _age(ledger.place)
    assert _forget(ledger)["ordered"] == 1
    assert _found(_texts(ledger)) == []
    assert ledger.waiting() == ()


def test_a_planned_order_leaves_no_trace(ledger: Ledger) -> None:
    """Nothing was ordered for it: only its key stays, and a sheet may order it."""
    ledger.begin_run(made.run("stopped"))
    assert ledger.claim("stopped", [(ledger.key(_person(1)), _person(1))], retry_rejected=False).ours
    ledger.end_run("stopped", 6)
    _age(ledger.place)
    assert _forget(ledger)["planned"] == 1
    assert raw.run(ledger.place, "SELECT * FROM traces") == []
    assert ledger.verify()
    assert _ended(ledger, 1).email == "canarymail1@example.com"
    assert ledger.verify()


def test_it_may_be_said_again_and_again(ledger: Ledger) -> None:
    """What is forgotten is not forgotten twice, unless something came back with a sheet or a verdict."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    entries = ledger.verify()
    assert ledger.forgettable(ledger.cut_off(_AGE)).earlier == 1
    assert _forget(ledger) == {"runs": 0, "sheets": 0}
    assert ledger.verify() == entries
    ledger.note_contents({placed.key: made.contents(city="Canarycity")})
    ledger.settle_keep(ledger.find(placed.key), "as Canaryfirst says")
    _age(ledger.place, "2097-01-01T00:00:00.000000+00:00")  # after it was forgotten, and before the cut-off
    assert ledger.forget(datetime(2098, 1, 1, tzinfo=UTC)).orders == {OrderState.ORDERED: 1}
    assert ledger.verify()
    assert _found(_texts(ledger)) == []


# What happens afterwards -----------------------------------------------------------------------------------------


def test_a_forgotten_order_is_not_sent_again(ledger: Ledger) -> None:
    """The same sheet finds it placed, whatever it holds by now."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    ledger.begin_run(made.run("next"))
    for order in (_person(1), dataclasses.replace(_person(1), contents=made.contents())):
        claims = ledger.claim("next", [(placed.key, order)], retry_rejected=True)
        assert claims.ours == ()
        assert claims.others[placed.key].order_number == "N1"
        is_same = claims.others[placed.key].content_hash == identity.content_hash(order.contents)
        assert is_same == (order == _person(1))
    ledger.end_run("next", 0)


def test_look_alikes_are_found_by_what_is_left(ledger: Ledger) -> None:
    """By name with postal code, name with phone, mailbox, and as the same employee's; its number is taken."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    order = _person(1)
    traces = {identity.employee_trace(order.employee), *identity.traces(order.employee, order.contents)}
    found = ledger.look_alikes(traces)
    assert set(found) == traces
    assert {each.key for orders in found.values() for each in orders} == {placed.key}
    assert ledger.known_numbers(["N1"])["N1"] == (placed.key, "")


def test_a_forgotten_order_that_was_cancelled_is_remembered_anew(ledger: Ledger) -> None:
    """It is ordered again as any other, and then all of it is known; once old, it is forgotten again."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    ledger.settle_cancelled(ledger.find(placed.key), "the vendor's mail")
    assert ledger.verify()
    run = made.run("again")
    ledger.begin_run(run)
    (claim,) = ledger.claim("again", [(placed.key, _person(1))], retry_rejected=False).ours
    assert ledger.verify()
    ledger.conclude(ledger.intend(claim, "hash"), _verdict(VerdictKind.ORDERED, 2))
    ledger.end_run("again", 0)
    now = ledger.find(placed.key)
    assert (now.email, now.contents, now.forgotten_at) == (placed.email, placed.contents, None)
    assert ledger.verify()
    _age(ledger.place)
    assert _forget(ledger)["ordered"] == 1
    assert _found(_texts(ledger)) == []
    assert ledger.verify()


def test_keeping_what_a_sheet_says_now(ledger: Ledger) -> None:
    """From then on that counts as ordered; nothing of it is kept, but that it is recognised by the new name too."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    moved = dataclasses.replace(_person(1).contents, lastname="Canarynew", shipping_zip="10002")
    ledger.note_contents({placed.key: moved})
    (waits,) = ledger.waiting()
    assert waits.other_contents == moved
    ledger.settle_keep(waits, "")
    now = ledger.find(placed.key)
    assert (now.content_hash, now.other_contents) == (identity.content_hash(moved), None)
    assert _found(_texts(ledger)) == []
    assert set(ledger.look_alikes(identity.traces_of_person("Canaryfirst1", "Canarynew", "", "10002")))
    assert ledger.verify()


def test_a_past_order_is_known_although_it_was_forgotten(ledger: Ledger) -> None:
    """A results file from before tells nothing new, and brings nothing back."""
    _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    assert ledger.adopt(_person(1), "N1", None).value == "known"
    assert ledger.adopt_unknown(_person(1), None).value == "known"
    assert _found(_texts(ledger)) == []


def test_the_same_sheet_again(ledger: Ledger) -> None:
    """A run's sheet is kept whole also where an earlier run's, of the same bytes, was forgotten."""
    _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    again = dataclasses.replace(_run(1), run_id="again")
    ledger.begin_run(again)
    ledger.end_run("again", 0)
    assert ledger.run("again")[0].sheet == again.sheet
    (earlier,) = (run for run in ledger.runs() if run.run_id != "again")
    assert earlier.forgotten_at
    assert ledger.run(earlier.run_id)[0].sheet == b""


def test_a_sheet_that_a_later_run_used_stays(ledger: Ledger) -> None:
    """The old run lets go of it, and the later one has it."""
    _ended(ledger, 1)
    _age(ledger.place)
    later = dataclasses.replace(_run(1), run_id="later")
    ledger.begin_run(later)
    ledger.end_run("later", 0)
    assert _forget(ledger) == {"ordered": 1, "runs": 1, "sheets": 0}
    assert ledger.run("later")[0].sheet == later.sheet


def test_not_while_a_run_is_alive(ledger: Ledger) -> None:
    """Nothing is touched then; a dead one is no hindrance."""
    _ended(ledger, 1)
    _age(ledger.place)
    ledger.begin_run(made.run("alive"))
    with pytest.raises(LedgerError, match="alive"):
        _forget(ledger)
    assert _found(_texts(ledger), 1)
    ledger._liveness.end("alive")
    assert _forget(ledger)["ordered"] == 1


def test_not_in_a_restored_copy(ledger: Ledger, tmp_path: Path) -> None:
    """It does not know what was seen since."""
    _ended(ledger, 1)
    _age(ledger.place)
    saved = raw.save(ledger.place, tmp_path)
    _ended(ledger, 2)
    ledger.close()
    raw.restore(ledger.place, saved)
    with closing(Ledger(ledger.place)) as copy, pytest.raises(LedgerError, match="older than its own high-water mark"):
        _forget(copy)


# Proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE orders SET forgotten_at = '{old}', email = '', order_reference = '', contents = '{blank}'",
        "UPDATE orders SET forgotten_at = '{new}' WHERE forgotten_at IS NOT NULL",
        "UPDATE orders SET forgotten_at = NULL WHERE forgotten_at IS NOT NULL",
        "UPDATE orders SET content_hash = 'x' WHERE forgotten_at IS NOT NULL",
        "UPDATE orders SET order_number = 'N9' WHERE forgotten_at IS NOT NULL",
        "UPDATE orders SET email = 'other@example.com' WHERE forgotten_at IS NOT NULL",
    ],
)
def test_what_was_changed_by_hand_is_found(ledger: Ledger, change: str) -> None:
    """A row that was made forgotten without the audit's word, or a forgotten one of which something was changed."""
    _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    _ended(ledger, 2)
    assert ledger.verify()
    (blank,) = raw.run(ledger.place, "SELECT contents FROM orders WHERE forgotten_at IS NOT NULL")
    raw.run(ledger.place, change.format(old=_OLD, new=_NEW, blank=blank[0]))
    with pytest.raises(LedgerError, match="not what its audit says"):
        ledger.verify()


def test_made_forgotten_by_hand_after_it_was_remembered_anew(ledger: Ledger) -> None:
    """An old word of the audit does not cover it."""
    placed = _ended(ledger, 1)
    _age(ledger.place)
    _forget(ledger)
    query = "SELECT forgotten_at, contents FROM orders"
    ((at, blank),) = raw.run(ledger.place, query)
    ledger.settle_cancelled(ledger.find(placed.key), "")
    ledger.begin_run(made.run("again"))
    (claim,) = ledger.claim("again", [(placed.key, _person(1))], retry_rejected=False).ours
    ledger.conclude(ledger.intend(claim, "hash"), _verdict(VerdictKind.ORDERED, 2))
    ledger.end_run("again", 0)
    assert ledger.verify()
    raw.run(
        ledger.place,
        f"UPDATE orders SET forgotten_at = '{at}', contents = '{blank}', email = '', order_reference = ''",
    )
    with pytest.raises(LedgerError, match="not what its audit says"):
        ledger.verify()


def test_whatever_happened_before(ledger: Ledger) -> None:
    """Of orders in any state and of any age exactly the old ones are forgotten, and the others are as they were."""
    chance = random.Random(20261130)  # noqa: S311 - the same at each run
    kinds = [VerdictKind.ORDERED, VerdictKind.ORDERED, VerdictKind.REJECTED, VerdictKind.UNKNOWN]
    meant: dict[str, int] = {}
    for number in range(1, 41):
        order = _ended(ledger, number, chance.choice(kinds))
        if order.state is OrderState.ORDERED and chance.random() < 0.3:
            ledger.note_contents({order.key: made.contents(city="Canarycity")})
        if order.state is OrderState.ORDERED and chance.random() < 0.2:
            ledger.settle_cancelled(order, f"Canaryfirst{number}")
        if order.state is OrderState.UNKNOWN and chance.random() < 0.5:
            ledger.settle_not_placed(order, f"Canaryfirst{number}")
        dates = [chance.choice([_OLD, _OLD, _OLD, _NEW]) for _ in range(3)]
        columns = zip(("updated_at", "submitted_at", "last_seen_at"), dates, strict=True)
        values = ", ".join(f"{column} = '{date}'" for column, date in columns)
        raw.run(ledger.place, f"UPDATE orders SET {values} WHERE order_key = '{order.key}'")
        if _NEW not in dates and ledger.find(order.key).state is not OrderState.UNKNOWN:
            meant[order.key] = number
    before = {order.key: order for order in ledger.orders()}
    raw.run(ledger.place, f"UPDATE runs SET started_at = '{_OLD}', ended_at = '{_OLD}'")
    found = ledger.forgettable(ledger.cut_off(_AGE))
    done = ledger.forget(ledger.cut_off(_AGE))
    assert 5 < len(meant) < 35
    assert sum(done.orders.values()) == len(meant)
    assert dataclasses.replace(done, before=found.before) == found
    now = {order.key: order for order in ledger.orders()}
    assert {key for key, order in now.items() if order.forgotten_at} == set(meant)
    assert {key: order for key, order in now.items() if key not in meant} == {
        key: order for key, order in before.items() if key not in meant
    }
    text = _texts(ledger)
    assert {number: left for number in meant.values() if (left := _found(text, number))} == {}
    assert ledger.verify()


# To the last byte ------------------------------------------------------------------------------------------------


def _bytes_of(place: LedgerPlace, folder: Path) -> bytes:
    """What stands on the disk where the ledger is; of a server that is not ours, what pg_dump writes."""
    if isinstance(place, Path):
        return b"".join(path.read_bytes() for path in place.parent.rglob("*") if path.is_file())
    raw.run(place, "CHECKPOINT")
    dump = folder / "plain.dump"
    raw.tool("pg_dump", place, f"--file={dump}")
    return dump.read_bytes()


def _fill(ledger: Ledger, many: int) -> None:
    """Orders whose contents change on the way, so that old ones stand in unused space."""
    for number in range(1, many + 1):
        placed = _ended(ledger, number)
        ledger.note_contents({placed.key: made.contents(city="Canarycity" * 20)})
        ledger.settle_keep(ledger.find(placed.key), f"Canaryfirst{number}")


def test_no_byte_of_it_is_left(ledger: Ledger, tmp_path: Path) -> None:
    """In the file and what stands beside it; in a dump."""
    _fill(ledger, 30)
    assert _found(_bytes_of(ledger.place, tmp_path).decode(errors="replace"))
    _age(ledger.place)
    _forget(ledger)
    assert _found(_bytes_of(ledger.place, tmp_path).decode(errors="replace")) == []


def test_no_byte_is_left_of_what_an_older_program_removed(file_ledger: Ledger, tmp_path: Path) -> None:
    """Where SQLite leaves what was removed in the file's unused space, the file is written anew without it."""
    _fill(file_ledger, 3)
    raw.run(
        file_ledger.place,
        "PRAGMA secure_delete = OFF",
        f"UPDATE orders SET other_contents = '{'Canarycity ' * 2_000}'",
        "UPDATE orders SET other_contents = NULL",
    )
    _age(file_ledger.place)
    assert _bytes_of(file_ledger.place, tmp_path).count(b"Canarycity Canarycity")
    _forget(file_ledger)
    assert _found(_bytes_of(file_ledger.place, tmp_path).decode(errors="replace")) == []


def test_no_byte_of_it_is_left_in_the_server_s_files(
    shared_ledger: Ledger, postgres: postgresql.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old rows are not only dead: the tables' files are new."""
    if postgres.folder is None:
        pytest.skip("the server's files are not ours to read")
    _fill(shared_ledger, 30)
    assert _found(_of_tables(postgres, shared_ledger.place))
    _age(shared_ledger.place)
    with monkeypatch.context() as patched:
        patched.setattr(shared_ledger._home, "sweep", lambda _: None)
        _forget(shared_ledger)
    assert _found(_of_tables(postgres, shared_ledger.place)), (
        "the tables were written anew anyhow: nothing is shown here"
    )
    _forget(shared_ledger)
    assert _found(_of_tables(postgres, shared_ledger.place)) == []


def _of_tables(server: postgresql.Server, place: LedgerPlace) -> str:
    assert server.folder is not None
    raw.run(place, "CHECKPOINT")
    query = (
        "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relkind IN ('r', 't', 'i') AND relfilenode <> 0"
        " AND (relnamespace = 'public'::regnamespace OR relnamespace = 'pg_toast'::regnamespace)"
    )
    paths = [server.folder / "data" / row[0] for row in raw.run(place, query)]
    return b"".join(path.read_bytes() for path in paths if path.is_file()).decode(errors="replace")


def test_a_table_of_another_user_is_not_passed_over_in_silence(shared_ledger: Ledger) -> None:
    """What cannot be written anew is said: the rows are blank, their old bytes may still be there."""
    place: LedgerUrl = shared_ledger.place  # type: ignore[assignment]
    name = f"guest_{place.database}"
    raw.run(
        place,
        f"CREATE ROLE {name} LOGIN PASSWORD 'guest'",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}",
    )
    try:
        _ended(shared_ledger, 1)
        _age(place)
        guest = dataclasses.replace(place, user=name, password="guest")
        with closing(Ledger(guest)) as ledger, pytest.raises(BatchOrdersError, match="unused space"):
            _forget(ledger)
        assert _found(_texts(shared_ledger)) == []
        assert _forget(shared_ledger) == {"runs": 0, "sheets": 0}
    finally:
        shared_ledger.close()
        raw.run(place, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


_KILLED = """
import os, signal, sys
from datetime import timedelta
from batch_orders.adapters.ledger import Ledger, forgetting, in_file
from tests import raw
def die(*args): os.kill(os.getpid(), signal.SIGKILL)
where = sys.argv[1]
forgetting._BATCH = 2
ledger = Ledger(raw.place_of(sys.argv[2]))
if where == "blanked":
    forgetting.delete = die  # in the middle of the first transaction
elif where == "orders":
    ledger._forget_runs = die
elif where == "runs":
    ledger._home.sweep = die
else:
    kept, first = ledger._forget_orders, []
    def once(*args):
        if first: die()
        first.append(args)
        return kept(*args)
    ledger._forget_orders = once
ledger.forget(ledger.cut_off(timedelta(days=400)))
"""


@pytest.mark.parametrize("where", ["blanked", "between", "orders", "runs"])
def test_killed_on_the_way(ledger: Ledger, tmp_path: Path, where: str) -> None:
    """The ledger is sound, nobody is half forgotten, and the next one finishes it."""
    _fill(ledger, 5)
    _age(ledger.place)
    script = [sys.executable, "-c", _KILLED, where, raw.address(ledger.place)]
    done = subprocess.run(script, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    forgotten = [order for order in ledger.orders() if order.forgotten_at]
    assert len(forgotten) == {"blanked": 0, "between": 2, "orders": 5, "runs": 5}[where]
    assert all(order.email for order in ledger.orders() if not order.forgotten_at)
    assert ledger.verify()
    _forget(ledger)
    assert _found(_bytes_of(ledger.place, tmp_path).decode(errors="replace")) == []
    assert ledger.verify()


def test_killed_while_the_file_is_written_anew(file_ledger: Ledger, tmp_path: Path) -> None:
    """At any moment: the ledger opens, holds, and the next one leaves no byte."""
    _fill(file_ledger, 40)
    _age(file_ledger.place)
    file_ledger.close()
    script = (
        "import sys\nfrom datetime import timedelta\nfrom pathlib import Path\n"
        "from batch_orders.adapters.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\nprint('ready', flush=True)\n"
        "ledger.forget(ledger.cut_off(timedelta(days=400)))\nprint('done', flush=True)\n"
    )
    chance = random.Random(7)  # noqa: S311 - as above
    unfinished = 0
    for number in range(12):
        copy = tmp_path / f"copy{number}" / "ledger.sqlite"
        copy.parent.mkdir()
        shutil.copy(file_ledger.place, copy)
        with subprocess.Popen([sys.executable, "-c", script, copy], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.001, 0.1))
            process.kill()
            unfinished += process.stdout.read() == ""
        with closing(Ledger(copy)) as ledger:
            assert ledger.verify()
            _forget(ledger)
            assert ledger.verify()
        assert _found(_bytes_of(copy, tmp_path).decode(errors="replace")) == []
    assert unfinished > 2
