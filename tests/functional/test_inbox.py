"""`batch-orders inbox`: sheets that are dropped into a folder, worked through, and moved on by how it went."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from batch_orders.adapters.inbox_folder import InboxFolder
from batch_orders.inbox import QUIET
from tests.orders import TITLE
from tests.program import SAMPLES, Program

if TYPE_CHECKING:
    from pathlib import Path

_HEADERS = "Email,First name,Last name,Phone number,Address,City,State,ZIP,Country,Product title,Quantity,Start date"


def _row(name: str, *, quantity: str = "1", start: str = "") -> str:
    address = "+1 212 555 0142,1 Main Street,New York,NY,10001,US"
    return f"{name}@example.com,Ana,{name.title()},{address},{TITLE},{quantity},{start}"


def _drop(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("\n".join([_HEADERS, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The inbox."""
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The nightly job's program."""
    return Program(tmp_path)


def _work(program: Program, folder: Path, *, exit_code: int = 0) -> dict[str, Any]:
    arguments = ("inbox", folder, "--sandbox", "--ledger", "nightly.sqlite", "--settled-for", "0")
    return program.json(*arguments, exit_code=exit_code)


def _files(folder: Path) -> set[str]:
    """What a person sees in the inbox and its folders."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != ".inbox"}


def _statuses(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["order_status"] for row in csv.DictReader(file)]


def test_sheets_are_moved_on_by_how_it_went(program: Program, folder: Path) -> None:
    """All well, some rows wrong, unreadable: each where it belongs, with results or a note beside it."""
    _drop(folder, "fine.csv", _row("fine"))
    _drop(folder, "wrong.csv", _row("half"), _row("other", quantity="none"))
    shutil.copy(SAMPLES / "no-header.csv", folder)
    (folder / "notes.docx").write_bytes(b"no sheet")
    (folder / ".fine.csv.part").write_bytes(b"a")
    (folder / "~$fine.xlsx").write_bytes(b"a")
    document = _work(program, folder, exit_code=4)
    assert _files(folder) == {
        "done/fine.csv",
        "done/fine.results.csv",
        "attention/wrong.csv",
        "attention/wrong.results.csv",
        "attention/no-header.csv",
        "attention/no-header.csv.problem.txt",
        "notes.docx",
        ".fine.csv.part",
        "~$fine.xlsx",
    }
    assert _statuses(folder / "attention" / "wrong.results.csv") == ["ordered", "invalid"]
    assert "no header" in (folder / "attention" / "no-header.csv.problem.txt").read_text()
    assert [sheet["where"] for sheet in document["sheets"]] == ["done", "attention", "attention"]
    assert _work(program, folder)["sheets"] == []


def test_sheets_are_worked_through_in_the_order_of_arrival(program: Program, folder: Path) -> None:
    """The oldest first, whatever its name."""
    for age, name in enumerate(["c.csv", "a.csv", "b.csv"]):
        path = _drop(folder, name, _row(f"order{age}"))
        os.utime(path, (time.time() - 100 + age, time.time() - 100 + age))
    sheets = _work(program, folder)["sheets"]
    assert [sheet["input"].rpartition("/")[2] for sheet in sheets] == ["c.csv", "a.csv", "b.csv"]


def test_rows_that_go_later_wait_and_are_tried_at_every_run(program: Program, folder: Path) -> None:
    """The sheet stays in `waiting/` with its newest results, and is done when its last date has come."""
    later = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    _drop(folder, "rolling.csv", _row("now"), _row("later", start=later))
    patient = Program(program.folder, {"order_ahead": "21 days"})
    for first in ("ordered", "already_ordered", "already_ordered"):
        _work(patient, folder)
        assert _files(folder) == {"waiting/rolling.csv", "waiting/rolling.results.csv"}
        assert _statuses(folder / "waiting" / "rolling.results.csv") == [first, "waiting"]
    _work(Program(program.folder, {"order_ahead": "60 days"}), folder)
    assert _files(folder) == {"done/rolling.csv", "done/rolling.results.csv"}
    assert _statuses(folder / "done" / "rolling.results.csv") == ["already_ordered", "ordered"]


def test_a_rolling_sheet_orders_just_the_new_ones(program: Program, folder: Path) -> None:
    """The same file, dropped again with a new hire: exit 0; the same bytes again: worked through again."""
    _drop(folder, "rolling.csv", _row("one"))
    _work(program, folder)
    for results in ("rolling.results-2.csv", "rolling.results-3.csv"):
        _drop(folder, "rolling.csv", _row("one"), _row("two"))
        document = _work(program, folder)
        assert document["sheets"][0]["results"].endswith(results)
    assert _statuses(folder / "done" / "rolling.results-2.csv") == ["already_ordered", "ordered"]
    assert _statuses(folder / "done" / "rolling.results-3.csv") == ["already_ordered", "already_ordered"]
    assert {"done/rolling.csv", "done/rolling-2.csv", "done/rolling-3.csv"} <= _files(folder)


def test_an_earlier_sheet_that_still_waits_is_named(program: Program, folder: Path) -> None:
    """A newer one of its name may replace it, or be another wave: only a person knows, so it is said, also quietly."""
    later = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    patient = Program(program.folder, {"order_ahead": "21 days"})
    _drop(folder, "starts.csv", _row("one", start=later), _row("withdrawn", start=later))
    (sheet,) = _work(patient, folder)["sheets"]
    assert sheet["notes"] == []
    _drop(folder, "starts.csv", _row("one", start=later))
    _drop(folder, "other.csv", _row("other"))
    notes = {sheet["input"].rpartition("inbox/")[2]: sheet["notes"] for sheet in _work(patient, folder)["sheets"]}
    assert notes["waiting/starts.csv"] == notes["other.csv"] == []
    (note,) = notes["starts.csv"]
    assert (
        "starts.csv: an earlier sheet of that name still waits (waiting/starts.csv), and will order by itself" in note
    )
    assert "take the earlier one out of waiting/" in note
    assert {"waiting/starts.csv", "waiting/starts-2.csv"} <= _files(folder)
    _drop(folder, "Starts.results.csv", _row("one"))
    arguments = ("inbox", folder, "--sandbox", "--ledger", "nightly.sqlite", "--settled-for", "0", "--quiet")
    done = patient.run(*arguments)
    assert done.returncode == 0
    (told,) = done.stderr.splitlines()
    assert told.startswith(
        "Warning: Starts.results.csv: 2 earlier sheets of that name still wait (waiting/starts-2.csv, "
    )


def test_a_results_file_that_was_mended_comes_back(program: Program, folder: Path) -> None:
    """Its own name and that of its results do not get mixed up."""
    _drop(folder, "wave.csv", _row("good"), _row("bad", quantity="none"))
    _work(program, folder, exit_code=4)
    mended = (folder / "attention" / "wave.results.csv").read_text(encoding="utf-8-sig").replace(",none,", ",1,")
    (folder / "wave.results.csv").write_text(mended, encoding="utf-8")
    _work(program, folder)
    assert _statuses(folder / "done" / "wave.results-2.csv") == ["already_ordered", "ordered"]
    assert (folder / "done" / "wave.results.csv").read_text(encoding="utf-8") == mended


def test_a_sheet_is_worked_through_when_its_upload_is_complete(program: Program, folder: Path) -> None:
    """One that is still growing is waited for, and nothing of it is ordered before."""
    path = _drop(folder, "slow.csv", _row("first"))
    stop = threading.Event()

    def grow() -> None:
        for number in range(8):
            time.sleep(0.4)
            with path.open("a", encoding="utf-8") as file:
                file.write(_row(f"more{number}") + "\n")
        stop.set()

    writer = threading.Thread(target=grow)
    writer.start()
    arguments = ("inbox", folder, "--sandbox", "--ledger", "nightly.sqlite", "--settled-for", "2")
    document = program.json(*arguments, exit_code=0)
    writer.join()
    assert stop.is_set()
    assert document["sheets"][0]["counts"]["ordered"] == 9


def test_nothing_moves_where_the_account_is_at_fault(tmp_path: Path, folder: Path) -> None:
    """No ledger: nothing was sent, nothing moved, and the exit code says so."""
    _drop(folder, "fine.csv", _row("fine"))
    settings = {"base_url": "https://hub.example.com", "client_id": "hr@example.com", "client_secret": "a-test-secret"}
    program = Program(tmp_path, settings | {"ledger": "none.sqlite"})
    document = program.json("inbox", folder, "--settled-for", "0", exit_code=2)
    assert "init" in document["error"]["hint"]
    assert _files(folder) == {"fine.csv"}


@pytest.mark.parametrize("sheets", [(), ("fine.csv",)])
@pytest.mark.parametrize("fate", ["missing", "moved", "junk", "older"])
def test_a_ledger_that_is_no_good_is_found_without_a_sheet_too(
    tmp_path: Path, folder: Path, fate: str, sheets: tuple[str, ...]
) -> None:
    """Exit 2, and nothing is asked of Device Hub: nobody answers at this one."""
    settings = {"base_url": "http://127.0.0.1:9", "client_id": "hr@example.com", "client_secret": "a-test-secret"}
    program = Program(tmp_path, settings | {"ledger": "nightly.sqlite"})
    program.json("init", "--new", exit_code=0)
    program.json("inbox", folder, exit_code=0)
    ledger = tmp_path / "nightly.sqlite"
    match fate:
        case "missing":
            ledger.unlink()
        case "moved":
            program.json("ledger", "copy", "--to", "elsewhere.sqlite", exit_code=0)
        case "junk":
            ledger.write_bytes(b"junk" * 1000)
        case "older":
            mark = tmp_path / "nightly.sqlite.mark"
            with closing(sqlite3.connect(ledger)) as database:
                (account,) = database.execute("SELECT id FROM account").fetchone()
            mark.write_text(f"{account:40} {9:20} {'0' * 64}\n")
    for name in sheets:
        _drop(folder, name, _row("fine"))
    document = program.json("inbox", folder, "--settled-for", "0", exit_code=2)
    assert document["error"]["message"]
    assert document["error"]["hint"]
    assert document["left"] == [str(folder / name) for name in sheets]
    assert _files(folder) == set(sheets)


def test_a_device_hub_that_is_away_leaves_the_sheets_where_they_are(tmp_path: Path, folder: Path) -> None:
    """Each sheet would fare as the first: the job ends with 6, and the next one goes on."""
    _drop(folder, "a.csv", _row("a"))
    _drop(folder, "b.csv", _row("b"))
    settings = {
        "base_url": "http://127.0.0.1:9",
        "client_id": "hr@example.com",
        "client_secret": "a-test-secret",
        "patience": "0",
    }
    program = Program(tmp_path, settings | {"ledger": "nightly.sqlite"})
    program.json("init", "--new", exit_code=0)
    document = program.json("inbox", folder, "--settled-for", "0", exit_code=6)
    assert len(document["left"]) == 2
    assert _files(folder) == {"a.csv", "b.csv"}


def test_more_than_max_orders_needs_a_person(program: Program, folder: Path) -> None:
    """That sheet alone, with 2 as everywhere: the others are worked through."""
    _drop(folder, "many.csv", _row("x"), _row("y"), _row("z"))
    _drop(folder, "one.csv", _row("one"))
    few = Program(program.folder, {"max_orders": "2"})
    document = _work(few, folder, exit_code=2)
    assert {sheet["input"].rpartition("/")[2]: sheet["exit_code"] for sheet in document["sheets"]} == {
        "many.csv": 2,
        "one.csv": 0,
    }
    assert {"attention/many.csv", "attention/many.csv.problem.txt", "done/one.csv"} <= _files(folder)
    note = (folder / "attention" / "many.csv.problem.txt").read_text()
    assert "the setting max_orders" in note
    assert "put it into the inbox again" in note
    assert "--limit" not in note


def test_a_note_is_about_the_sheet_beside_it(program: Program, folder: Path) -> None:
    """It says what to do with a folder, not with a command line, and goes when the sheet has had another turn."""
    (folder / "hires.csv").write_bytes(b"Email,Phone\nana@example.com,1\n")
    _work(program, folder, exit_code=3)
    note = folder / "attention" / "hires.csv.problem.txt"
    assert "put the sheet into the inbox again" in note.read_text()
    assert "command" not in note.read_text()
    (folder / "attention" / "hires.csv").rename(folder / "hires.csv")
    (folder / "hires.csv").write_bytes(f"{_HEADERS}\n{_row('caf')}é\n".encode("cp1252"))
    _work(program, folder, exit_code=3)
    assert "CSV UTF-8" in note.read_text()
    assert "--encoding" not in note.read_text()
    (folder / "attention" / "hires.csv").unlink()
    _drop(folder, "hires.csv", _row("half"), _row("other", quantity="none"))
    _work(program, folder, exit_code=4)
    assert _files(folder) == {"attention/hires.csv", "attention/hires.results.csv"}


def test_the_help_says_when_an_upload_is_complete(program: Program) -> None:
    """The default, and how to be sure."""
    told = " ".join(program.run("inbox", "--help").stdout.split())
    assert f"complete ({QUIET:g} unless set)" in told
    assert "NAME.part" in told


def test_an_upload_under_another_name_is_no_sheet(program: Program, folder: Path) -> None:
    """However long it stands there; renamed, it is one."""
    part = _drop(folder, "hires.csv.part", _row("part"))
    assert _work(program, folder)["sheets"] == []
    part.rename(folder / "hires.csv")
    assert len(_work(program, folder)["sheets"]) == 1


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_refused(program: Program, tmp_path: Path, name: str) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    assert _work(program, tmp_path / name, exit_code=2)["error"]["hint"]


def test_a_sheet_has_one_turn_at_a_time(folder: Path) -> None:
    """Two jobs never work through one sheet at once, and a sheet that has moved on is nobody's."""
    _drop(folder, "fine.csv", _row("fine"))
    one, other = InboxFolder(folder, quiet=0), InboxFolder(folder, quiet=0)
    (arrival,) = one.arrivals()
    with one.taken(arrival) as is_ours:
        assert is_ours
        with other.taken(arrival) as is_theirs:
            assert not is_theirs
        one.put_away(arrival, "done", None)
    with other.taken(arrival) as is_theirs:
        assert not is_theirs


def test_a_job_killed_between_two_names_leaves_one(folder: Path) -> None:
    """Where a sheet has its new name and still its old one, the old one goes."""
    path = _drop(folder, "fine.csv", _row("fine"))
    inbox = InboxFolder(folder, quiet=0)
    (folder / "done" / "fine.csv").hardlink_to(path)
    assert inbox.arrivals() == []
    assert _files(folder) == {"done/fine.csv"}
