"""Moving a ledger: everything comes along, and of the two that there are then, one sends."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from batch_orders.adapters.ledger import Ledger, schema
from batch_orders.adapters.ledger import copying as copying_module
from batch_orders.adapters.ledger.copying import copy
from batch_orders.errors import LedgerError
from batch_orders.models import OrderState, Verdict, VerdictKind
from tests import orders as made
from tests import raw
from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from batch_orders.places import LedgerPlace, LedgerUrl

_TABLES = [table.name for table in schema.metadata.sorted_tables if table.name not in {"alembic_version", "account"}]
_VERDICTS = {
    "ana": Verdict(kind=VerdictKind.ORDERED, message="Ordered.", order_number="1001", evidence="HTTP 200"),
    "ben": Verdict(kind=VerdictKind.REJECTED, message="No.", status=422, evidence="HTTP 422"),
    "cleo": Verdict(kind=VerdictKind.UNKNOWN, message="?", evidence="ReadError"),
}


@pytest.fixture(params=["file to database", "database to file", "file to file"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[LedgerPlace, LedgerPlace]:
    """Where the ledger is (not made yet), and where it is to go."""
    here, there = request.param.split(" to ")

    def place(kind: str, name: str) -> LedgerPlace:
        if kind == "file":
            return tmp_path / name
        url: LedgerUrl = request.getfixturevalue("database")
        return url

    return place(here, "here.sqlite"), place(there, "there.sqlite")


def _filled(place: LedgerPlace) -> Ledger:
    ledger = Ledger.create(place)
    ledger.add_login("https://hub.example.com", "hr@example.com")
    ledger.begin_run(made.run("r1", sheet=b"\x00a sheet"))
    names = [*_VERDICTS, "dan"]
    pairs = [(ledger.key(order), order) for order in map(made.order, names)]
    for name, claim in zip(names, ledger.claim("r1", pairs, retry_rejected=False).ours, strict=True):
        if name in _VERDICTS:
            ledger.conclude(ledger.intend(claim, "hash"), _VERDICTS[name])
    ledger.save_report("r1", b"{}")
    ledger.end_run("r1", 5)
    ledger.settle_placed(ledger.find(ledger.key(made.order("cleo"))), "1003", "asked")
    return ledger


def _rows(place: LedgerPlace) -> dict[str, list[Any]]:
    def plain(value: object) -> object:
        return bytes(value) if isinstance(value, memoryview) else value

    rows = {table: raw.run(place, f"SELECT * FROM {table}") for table in _TABLES}  # noqa: S608 - our own tables
    return {table: sorted(tuple(map(plain, row)) for row in found) for table, found in rows.items()}


def test_everything_comes_along(places: tuple[LedgerPlace, LedgerPlace]) -> None:
    """Every row, the account and the audit; the copy orders on, and the next numbers are free."""
    here, there = places
    with closing(_filled(here)) as ledger:
        before = _rows(here)
        counts = copy(ledger, there)
        assert (counts["orders"], counts["audit"], counts["runs"]) == (4, 7, 1)
        assert _rows(there) == before == _rows(here)
        with closing(Ledger(there)) as moved:
            assert moved.account == ledger.account
            assert moved.verify() == 7
            moved.begin_run(made.run("r2"))
            dan = made.order("dan")
            (claim,) = moved.claim("r2", [(moved.key(dan), dan)], retry_rejected=False).ours
            moved.conclude(moved.intend(claim, "hash"), dataclasses.replace(_VERDICTS["ana"], order_number="1004"))
            moved.settle_cancelled(moved.find(moved.key(dan)), "")
            moved.end_run("r2", 0)
            assert moved.verify() == 10


def test_the_old_one_only_tells(places: tuple[LedgerPlace, LedgerPlace]) -> None:
    """It begins no run and takes no verdict, and says where it went; what was ordered can be looked up."""
    here, there = places
    with closing(_filled(here)) as ledger:
        unknown = ledger.find(ledger.key(made.order("ana")))
        copy(ledger, there)
        for write in (
            lambda: ledger.begin_run(made.run("r2")),
            lambda: ledger.settle_cancelled(unknown, ""),
            lambda: ledger.adopt(made.order("eva"), "1009", None),
            lambda: ledger.adopt_unknown(made.order("eva"), None),
            lambda: ledger.add_login("https://other.example.com", "x"),
            ledger.trust_mark,
            lambda: copy(ledger, there),
        ):
            with pytest.raises(LedgerError, match="has moved to") as caught:
                write()
            assert str(there) in caught.value.message
        assert ledger.verify() == 7
        assert ledger.counts()["ordered"] == 2
        assert ledger.run("r1")[0].sheet == b"\x00a sheet"


def test_no_copy_while_a_run_is_alive(places: tuple[LedgerPlace, LedgerPlace]) -> None:
    """What it ordered afterwards would be missing in the copy; nothing is made there."""
    here, there = places
    with closing(_filled(here)) as ledger:
        ledger.begin_run(made.run("r2"))
        with pytest.raises(LedgerError, match="r2 is using"):
            copy(ledger, there)
        assert not Ledger.exists(there)
        ledger.end_run("r2", 0)
        copy(ledger, there)


def test_a_ledger_is_not_copied_to_itself(ledger: Ledger) -> None:
    """That place is taken, and the ledger orders on."""
    with pytest.raises(LedgerError, match="already"):
        copy(ledger, ledger.place)
    ledger.begin_run(made.run("r1"))


def test_a_place_that_is_taken_is_left_alone(places: tuple[LedgerPlace, LedgerPlace]) -> None:
    """Another ledger stands there: neither it nor the one to be copied is changed."""
    here, there = places
    with closing(_filled(here)) as ledger, closing(Ledger.create(there)) as other:
        with pytest.raises(LedgerError, match="already"):
            copy(ledger, there)
        assert other.counts() == dict.fromkeys(map(str, OrderState), 0)
        for each in (ledger, other):
            each.begin_run(made.run("r9"))


# The last step that is taken before a kill: the copy's rows are there; it is committed; the source says so too.
_PROGRAM = """
import os, signal, sys
from contextlib import closing
from batch_orders.adapters.ledger import Ledger, copying
from tests import raw
where = sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "copying":
    copying.schema.create_guards = die
elif where == "copied":
    copying._prove = die
else:
    Ledger.set_out = die
with closing(Ledger(raw.place_of(sys.argv[1]))) as ledger:
    copying.copy(ledger, raw.place_of(sys.argv[2]))
"""


@pytest.mark.parametrize("where", ["copying", "copied", "marked"])
def test_killed_half_way(places: tuple[LedgerPlace, LedgerPlace], where: str) -> None:
    """Never do two ledgers send: the old one does, or neither until the same command has been run again."""
    here, there = places
    _filled(here).close()
    command = [sys.executable, "-c", _PROGRAM, raw.address(here), raw.address(there), where]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    if where != "copying":
        with closing(Ledger(there)) as unfinished, pytest.raises(LedgerError, match="not finished"):
            unfinished.begin_run(made.run("r2"))
    with closing(Ledger(here)) as ledger:
        assert ledger.verify() == 7
        if where == "marked":
            with pytest.raises(LedgerError, match="has moved"):
                ledger.begin_run(made.run("r2"))
            copy(ledger, there)
            with closing(Ledger(there)) as finished:
                finished.begin_run(made.run("r2"))
            return
        if where == "copied":
            with pytest.raises(LedgerError, match="not finished"):
                copy(ledger, there)
        ledger.begin_run(made.run("r2"))


def test_a_copy_that_is_not_the_same_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that got lost on the way is found, the old ledger stays the one that sends, and the copy sends nothing."""
    there = tmp_path / "there.sqlite"

    def lossy(reading: Any, writing: Any, table: Any) -> None:
        if table.name != "notes":
            whole(reading, writing, table)

    whole = copying_module._copy_table
    monkeypatch.setattr(copying_module, "_copy_table", lossy)
    with closing(_filled(tmp_path / "here.sqlite")) as ledger:
        with pytest.raises(LedgerError, match="is not what"):
            copy(ledger, there)
        ledger.begin_run(made.run("r2"))
    with closing(Ledger(there)) as lost, pytest.raises(LedgerError, match="not finished"):
        lost.begin_run(made.run("r2"))


def test_a_broken_ledger_is_not_copied_as_if_it_were_sound(tmp_path: Path) -> None:
    """What somebody changed in it is found in the copy, which is not used."""
    with closing(_filled(tmp_path / "here.sqlite")) as ledger:
        raw.run(ledger.place, "UPDATE orders SET order_number = '9999' WHERE order_number = '1001'")
        with pytest.raises(LedgerError, match="not what its audit says"):
            copy(ledger, tmp_path / "there.sqlite")


def test_the_command_moves_a_ledger(database: LedgerUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From there on the old one is refused with the new one's name, and the new one works."""
    monkeypatch.setenv("PGPASSWORD", database.password)  # it may not stand on the command line
    here, there = tmp_path / "here.sqlite", database
    _filled(here).close()
    program = Program(tmp_path)
    document = program.json("ledger", "copy", "--ledger", str(here), "--to", str(there), exit_code=0)
    assert (document["to"], document["rows"]["orders"]) == (str(there), 4)
    again = program.run("ledger", "copy", "--ledger", str(here), "--to", str(there))
    assert again.returncode == 2
    assert f"has moved to {there}" in again.stderr
    assert program.json("ledger", "verify", "--ledger", str(there), exit_code=0)["entries"] == 7
    status = program.run("status", "--ledger", str(here))
    assert status.returncode == 0
    assert f"has moved to {there}" in status.stderr
    refused = program.run("settle", made_id(there), "--cancelled", "--ledger", str(here))
    assert refused.returncode == 2
    settled = program.run("settle", made_id(there), "--cancelled", "--ledger", str(there))
    assert settled.returncode == 0, settled.stderr


def made_id(place: LedgerPlace) -> str:
    """The id of the order under number 1001."""
    return str(raw.run(place, "SELECT order_key FROM order_numbers WHERE order_number = '1001'")[0][0])[:12]


def test_a_password_is_not_taken_from_the_command_line(tmp_path: Path) -> None:
    """Others could read it there; nor is it said again."""
    program = Program(tmp_path)
    Ledger.create(tmp_path / "here.sqlite").close()
    url = "postgresql+psycopg://me:hunter2@127.0.0.1/x"
    for arguments in (
        ("ledger", "copy", "--ledger", "here.sqlite", "--to", url),
        ("status", "--ledger", url),
    ):
        done = program.run(*arguments)
        assert done.returncode == 2
        assert "command line" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
