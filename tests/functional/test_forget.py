# ruff: noqa: S608 - the ledger's dates are changed past the program, with texts of our own
"""`batch-orders forget`, as a person or cron meets it, and what everything else says of what was forgotten."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import raw
from tests.orders import TITLE
from tests.program import Program
from tests.served import serving
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEADERS = (
    "Email,First name,Last name,Phone number,Shipping address,City,State / province,ZIP,Country,Product title,Quantity"
)
_OLD = "2020-01-01T00:00:00.000000+00:00"
_LEDGER = ("--ledger", "ledger.sqlite")
_FORGET = ("forget", *_LEDGER, "--older-than", "400 days")


def _row(name: str, *, quantity: str = "1", email: str = "") -> str:
    return (
        f"{email or f'{name}@example.com'},{name.title()},Canary,+1 212 555 0142,1 Canary Street,New York,NY,10001,US,"
        f"{TITLE},{quantity}"
    )


def _submit(program: Program, *rows: str, name: str = "hires.csv", exit_code: int = 0) -> dict[str, Any]:
    (program.folder / name).write_text("\n".join([_HEADERS, *rows]) + "\n")
    return program.json("submit", name, "--sandbox", *_LEDGER, "--yes", exit_code=exit_code)


def _age(program: Program) -> None:
    """All that is in the ledger happened years ago."""
    raw.run(
        program.folder / "ledger.sqlite",
        f"UPDATE orders SET updated_at = '{_OLD}', last_seen_at = '{_OLD}', submitted_at = '{_OLD}'",
        f"UPDATE runs SET started_at = '{_OLD}', ended_at = '{_OLD}'",
    )


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program, with a ledger in which two people were ordered for years ago."""
    made = Program(tmp_path)
    _submit(made, _row("ana"), _row("ben"), name="canary-wave.csv")
    _age(made)
    return made


def _said(order: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(each["status"], each["order_number"]) for each in order]


def test_what_would_go(program: Program) -> None:
    """It is counted, with its dates, and nothing is removed."""
    told = program.json(*_FORGET, "--dry-run", exit_code=0)
    assert (told["removed"], told["orders"]["ordered"], told["runs"], told["sheets"]) == (False, 2, 1, 1)
    assert told["oldest"].startswith("2020-01-01")
    text = program.run(*_FORGET, "--dry-run").stdout
    for part in ("2 orders (2 ordered), last changed 2020-01-01 to 2020-01-01", "1 run", "1 sheet"):
        assert part in text
    assert program.json(*_FORGET, "--dry-run", exit_code=0)["orders"]["ordered"] == 2


@pytest.mark.parametrize(
    ("age", "repeat_days", "said"),
    [
        ("179 days", "", "at least 180 days"),
        ("400", "", "at least 180 days"),
        ("400 days", "500", "at least 500 days: within `repeat_days`"),
        ("101 years", "", "is not a length of time"),
        ("40000 days", "", "less than 100 years"),
    ],
)
def test_an_age_that_is_refused(program: Program, age: str, repeat_days: str, said: str) -> None:
    """Before anything is touched, and with the way to write it."""
    settings = {"repeat_days": repeat_days} if repeat_days else {}
    strict = Program(program.folder, settings)
    done = strict.run("forget", *_LEDGER, "--older-than", age, "--yes")
    assert done.returncode == 2
    assert said in done.stderr
    assert '--older-than "400 days"' in done.stderr
    assert program.json(*_FORGET, "--dry-run", exit_code=0)["orders"]["ordered"] == 2


def test_nobody_to_ask(program: Program) -> None:
    """Off a terminal it needs --yes."""
    done = program.run(*_FORGET)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert program.json(*_FORGET, "--dry-run", exit_code=0)["orders"]["ordered"] == 2


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 6, 2), ("", 6, 2), ("y", 0, 0)])
def test_on_a_terminal_it_asks(program: Program, answer: str, code: int, left: int) -> None:
    """It shows what will go; a no, or nothing, leaves everything as it is."""
    terminal = Terminal(program, *_FORGET)
    terminal.until(r"Remove it\?")
    assert "2 orders (2 ordered)" in terminal.text
    terminal.say(answer)
    assert terminal.end() == code
    assert ("Nothing was removed" in terminal.text) == (code == 6)
    assert program.json(*_FORGET, "--dry-run", exit_code=0)["orders"]["ordered"] == left


def test_nothing_old(program: Program) -> None:
    """Said as that, with what is kept; a second time it is no error."""
    first = program.json(*_FORGET, "--yes", exit_code=0)
    assert (first["removed"], first["orders"]["ordered"]) == (True, 2)
    again = program.json(*_FORGET, "--yes", exit_code=0)
    assert (again["orders"]["ordered"], again["forgotten_earlier"]) == (0, 2)
    _submit(program, _row("eve", quantity="2").replace("10001", "10002"))
    text = program.run(*_FORGET, "--yes").stdout
    assert "Nothing older than" in text
    assert "1 order sent, settled or in a sheet since that day" in text


def test_the_sheet_comes_again(program: Program) -> None:
    """The same contents are placed already, other ones are changed, somebody under another address is held.

    Each says its number, and nothing that is not known any more.
    """
    orders = program.json("status", _run_of(program), *_LEDGER, exit_code=0)["orders"]
    numbers = {each["email"]: each["order_number"] for each in orders}
    program.json(*_FORGET, "--yes", exit_code=0)
    rows = [_row("ana"), _row("ben", quantity="2"), _row("ana", email="private@example.org")]
    done = _submit(program, *rows, exit_code=4)
    same, changed, alike = done["orders"]
    assert (same["status"], same["order_number"]) == ("already_ordered", numbers["ana@example.com"])
    assert (changed["status"], changed["order_number"]) == ("changed", numbers["ben@example.com"])
    assert "not known any more" in changed["message"]
    assert numbers["ben@example.com"] in changed["message"]
    assert alike["status"] == "held"
    assert f"order {numbers['ana@example.com']}" in alike["message"]
    assert "ana@example.com" not in alike["message"]
    assert [f["code"] for f in done["findings"] if f["severity"] == "error"] == ["near_duplicate"]


def _run_of(program: Program) -> str:
    """The id of the oldest run."""
    run_id: str = program.json("status", *_LEDGER, exit_code=0)["runs"][-1]["run_id"]
    return run_id


def test_verdicts_on_forgotten_orders(program: Program) -> None:
    """--keep counts what the sheet says from then on, --cancelled lets it be ordered again, and then it is known."""
    run = _run_of(program)
    ids = {each["email"]: each["order"] for each in program.json("status", run, *_LEDGER, exit_code=0)["orders"]}
    program.json(*_FORGET, "--yes", exit_code=0)
    changed = [_row("ana", quantity="3"), _row("ben")]
    _submit(program, *changed, exit_code=4)
    waiting = program.run("status", *_LEDGER).stdout
    assert "to Ana Canary, 1 Canary Street" in waiting
    assert "what was ordered is not known any more" in waiting
    kept = program.run("settle", ids["ana@example.com"], "--keep", *_LEDGER)
    assert kept.returncode == 0
    assert "somebody whose personal data was removed on" in kept.stdout
    cancelled = program.json("settle", ids["ben@example.com"], "--cancelled", *_LEDGER, exit_code=0)
    assert cancelled["order"]["forgotten_at"]
    assert _said(_submit(program, *changed)["orders"])[0][0] == "already_ordered"
    known = program.json("status", *_LEDGER, exit_code=0)
    assert known["orders"]["ordered"] == 2
    newest = program.json("status", known["runs"][0]["run_id"], *_LEDGER, exit_code=0)["orders"]
    assert [(each["email"], each["forgotten_at"]) for each in newest] == [("ben@example.com", None)]
    assert program.run("ledger", "verify", *_LEDGER).returncode == 0


def test_a_rejected_order_that_a_sheet_still_has(tmp_path: Path) -> None:
    """It is not old: the nightly sheet has it, and its reason is still told."""
    made = Program(tmp_path)
    text = "\n".join([_HEADERS, _row("ana", quantity="1000000")])
    (tmp_path / "hires.csv").write_text(text)
    refused = made.json("submit", "hires.csv", "--sandbox", *_LEDGER, "--yes", exit_code=4)["orders"][0]
    assert refused["status"] == "rejected"
    _age(made)
    assert made.json("submit", "hires.csv", "--sandbox", *_LEDGER, "--yes", exit_code=4)["orders"][0] == refused
    assert made.json(*_FORGET, "--yes", exit_code=0)["kept"]["lately"] == 1
    _age(made)
    assert made.json(*_FORGET, "--yes", exit_code=0)["orders"]["rejected"] == 1
    again = made.json("submit", "hires.csv", "--sandbox", *_LEDGER, "--yes", exit_code=4)["orders"][0]
    assert (again["status"], "not known any more" in again["message"]) == ("rejected", True)
    assert "--retry-rejected" in again["message"]


def test_a_forgotten_run(program: Program) -> None:
    """Its results are gone, and it says since when; its orders are listed with their numbers."""
    run = _run_of(program)
    program.json(*_FORGET, "--yes", exit_code=0)
    done = program.run("results", run, *_LEDGER)
    assert done.returncode == 2
    assert f"The personal data of the run {run} was removed on 20" in done.stderr
    listed = program.json("status", *_LEDGER, exit_code=0)
    assert (listed["runs"][0]["input"], bool(listed["runs"][0]["forgotten_at"])) == (None, True)
    assert listed["waiting"] == []
    shown = program.run("status", run, *_LEDGER).stdout
    assert "(sheet removed on 20" in shown
    assert shown.count("(personal data removed on 20") == 2
    orders = program.json("status", run, *_LEDGER, exit_code=0)["orders"]
    assert [(each["email"], each["items"], each["state"]) for each in orders] == [("", [], "ordered")] * 2
    whole = json.dumps([listed, orders]).lower().replace("canary-wave", "")
    # The number whole: three digits of it also turn up in times and hashes.
    assert not [word for word in ("ana", "canary", "example.com", "555 0142", "5550142") if word in whole]


def test_a_later_results_file_can_be_made_again(program: Program) -> None:
    """A run that is young keeps its report and its sheet, whatever of its orders was forgotten."""
    _submit(program, _row("ana"), _row("eve").replace("10001", "10002").replace("0142", "0143"))
    young = program.json("status", *_LEDGER, exit_code=0)["runs"][0]["run_id"]
    ledger = program.folder / "ledger.sqlite"
    raw.run(ledger, f"UPDATE orders SET updated_at = '{_OLD}', last_seen_at = '{_OLD}', submitted_at = '{_OLD}'")
    assert program.json(*_FORGET, "--yes", exit_code=0)["orders"]["ordered"] == 3
    made = program.json("results", young, *_LEDGER, "--output", "again.csv", exit_code=0)
    assert [order["email"] for order in made["orders"]] == ["ana@example.com", "eve@example.com"]
    with (program.folder / "again.csv").open(encoding="utf-8-sig", newline="") as file:
        statuses = [row["order_status"] for row in csv.DictReader(file)]
    assert statuses == ["already_ordered", "ordered"]


def test_the_page(program: Program) -> None:
    """The list says that the sheet was removed, its files are not offered, and a changed order can still be settled."""
    run = _run_of(program)
    program.json(*_FORGET, "--yes", exit_code=0)
    _submit(program, _row("ana", quantity="2"), exit_code=4)
    with serving(program, "--sandbox", *_LEDGER) as served:
        visitor = served.enter()
        listed = visitor.get("/runs")
        assert listed.status_code == 200
        assert "(sheet removed on 20" in listed.text
        assert f"/runs/{run}/sheet" not in listed.text
        shown = visitor.get(f"/runs/{run}")
        assert "What this run kept of people was removed on 20" in shown.text
        assert f"/runs/{run}/sheet" not in shown.text
        assert f"/runs/{run}/again" not in shown.text
        for path in ("results", "sheet"):
            answer = visitor.get(f"/runs/{run}/{path}")
            assert (answer.status_code, "upload its sheet again" in answer.text) == (404, True)
        assert visitor.post(f"/runs/{run}/again").status_code == 404
        waiting = visitor.get("/waiting")
        assert "(personal data removed on 20" in waiting.text
        assert "Ana Canary, 1 Canary Street" in waiting.text
        assert "what was ordered is not known any more" in waiting.text
        (order,) = program.json("status", *_LEDGER, exit_code=0)["waiting"]
        settled = visitor.post(f"/waiting/{order['order']}/settle", verdict="keep", sure="yes")
        assert "what the sheet says now counts as ordered" in settled.text
