"""The main job as a person does it: two processes, real sockets, a sheet in, orders and a results sheet out."""

from __future__ import annotations

import csv
import shutil
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from tests.hostile import HostileHub, Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET, inventory
from tests.program import SAMPLES, Program, RunningHub, sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FAST = {"rate": "200/s", "concurrency": "8"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """One simulated Device Hub for the whole module; each test orders with an account (a ledger) of its own."""
    with sandbox(tmp_path_factory.mktemp("hub"), "--rate-limit", "1000") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, hub: RunningHub) -> Program:
    """The program with a new account's ledger, at that Device Hub."""
    made = Program(tmp_path, hub.login | _FAST)
    assert made.run("init", "--new").returncode == 0
    return made


def _sample(name: str, folder: Path) -> Path:
    return shutil.copy(SAMPLES / name, folder / name)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _placed(hub: RunningHub, before: int) -> list[dict[str, Any]]:
    return [order["body"] for order in hub.orders[before:]]


def test_a_wave_is_ordered_once(program: Program, hub: RunningHub) -> None:
    """Every order is placed once with the right items; the same again, and the results file, place nothing new."""
    sheet = _sample("new-hires.csv", program.folder)
    original = sheet.read_bytes()
    before = len(hub.orders)

    first = program.json("submit", sheet, "--yes", exit_code=0)

    rows = _rows(sheet)
    bodies = _placed(hub, before)
    assert len(bodies) == first["counts"]["orders"] >= 25
    assert first["counts"]["ordered"] == first["counts"]["rows"] == len(rows)
    wanted = Counter((row["Email"].lower(), row["Product title"], int(row["Quantity"])) for row in rows)
    ordered = Counter(
        (body["email"].lower(), item["product_title"], item["quantity"]) for body in bodies for item in body["items"]
    )
    assert ordered == wanted
    numbers = {order["order_number"]: order for order in hub.orders[before:]}
    results = _rows(program.folder / "new-hires.results.csv")
    assert [{name: row[name] for name in rows[0]} for row in results] == rows
    for row in results:
        assert row["order_status"] == "ordered"
        assert numbers[row["order_number"]]["body"]["email"].lower() == row["Email"].strip().lower()
        assert row["run_id"] == first["run_id"]
        assert row["submitted_at"].endswith("Z")
    assert sheet.read_bytes() == original

    again = program.json("submit", sheet, "--yes", exit_code=0)
    assert again["counts"]["already_ordered"] == len(rows)
    assert again["results"].endswith("new-hires.results-2.csv")
    by_order = {order["order"]: order["order_number"] for order in first["orders"]}
    assert {order["order"]: order["order_number"] for order in again["orders"]} == by_order

    back = program.json("submit", program.folder / "new-hires.results.csv", "--yes", exit_code=0)
    assert back["counts"]["already_ordered"] == len(rows)
    assert list(_rows(program.folder / "new-hires.results-3.csv")[0]) == list(results[0])
    assert len(hub.orders) == before + len(bodies)


def test_a_workbook_is_ordered_and_comes_back(program: Program, hub: RunningHub) -> None:
    """The same wave as a formatted workbook; its results open on the data sheet and are a valid input."""
    sheet = _sample("new-hires.xlsx", program.folder)
    before = len(hub.orders)
    first = program.json("submit", sheet, "--yes", exit_code=0)
    assert len(hub.orders) - before == first["counts"]["orders"] >= 25
    workbook = openpyxl.load_workbook(first["results"])
    data = workbook.worksheets[0]
    assert workbook.active is data
    assert workbook.worksheets[1].title.startswith("Summary")
    assert data["A1"].value == openpyxl.load_workbook(sheet).worksheets[0]["A1"].value  # its title stays
    (header_row,) = {row for row in range(1, 20) if data.cell(row, data.max_column).value == "run_id"}
    header = [cell.value for cell in data[header_row]]
    assert header[-5:] == ["order_status", "order_number", "order_message", "submitted_at", "run_id"]
    status = header.index("order_status")
    assert {row[status].value for row in data.iter_rows(min_row=header_row + 1)} == {"ordered"}
    back = program.json("submit", first["results"], "--yes", exit_code=0)
    assert back["counts"]["already_ordered"] == first["counts"]["rows"]
    assert len(hub.orders) - before == first["counts"]["orders"]


def test_a_title_discontinued_in_between(program: Program, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was ordered stays ordered when its title leaves the catalog."""
    with sandbox(tmp_path_factory.mktemp("other"), "--rate-limit", "1000") as own:
        other = Program(program.folder, program.settings | own.login)
        sheet = _sample("rolling-nightly.csv", program.folder)
        ledger = program.folder / "other.sqlite"
        assert other.run("init", "--new", "--ledger", ledger).returncode == 0
        first = other.json("submit", sheet, "--yes", "--ledger", ledger, exit_code=0)
        own.discontinue(_rows(sheet)[0]["Product title"])
        again = other.json("submit", sheet, "--yes", "--ledger", ledger, exit_code=0)
        assert again["counts"]["already_ordered"] == first["counts"]["rows"]
        assert again["findings"] == []
        assert len(own.orders) == first["counts"]["orders"]


def test_a_rolling_sheet_orders_only_the_new_hires(program: Program, hub: RunningHub) -> None:
    """The same sheet a night later, shuffled and with two more people."""
    first = program.json("submit", _sample("rolling-nightly.csv", program.folder), "--yes", exit_code=0)
    before = len(hub.orders)
    second = program.json("submit", _sample("rolling-nightly-next.csv", program.folder), "--yes", exit_code=0)
    assert len(hub.orders) - before == 2
    assert second["counts"]["already_ordered"] == first["counts"]["rows"]


def test_a_sheet_of_errors(program: Program, hub: RunningHub) -> None:
    """Each finding code is told; the valid employees are ordered; the rest waits for a person."""
    sheet = _sample("mixed-errors.csv", program.folder)
    before = len(hub.orders)
    done = program.json("submit", sheet, "--yes", exit_code=4)
    codes = {finding["code"] for finding in done["findings"]}
    assert codes >= {
        "required", "email", "phone", "quantity", "boolean", "country", "state", "zip", "unknown_product",
        "shipping_option", "signature_not_available", "conflict", "duplicate_item", "out_of_stock", "repaired",
    }  # fmt: skip
    ordered = {order["email"] for order in done["orders"] if order["status"] == "ordered"}
    assert len(ordered) >= 6
    assert {body["email"] for body in _placed(hub, before)} == ordered
    assert done["counts"]["invalid"] > 0
    assert done["counts"]["held"] > 0
    for finding in done["findings"]:
        assert finding["message"]
        assert finding["severity"] in {"error", "warning", "repair"}
    results = {row["order_status"] for row in _rows(program.folder / "mixed-errors.results.csv")}
    # Device Hub refuses what it has not in stock: `out_of_stock` had warned of it.
    assert results == {"ordered", "invalid", "held", "rejected"}


def test_check_sends_nothing_and_predicts_the_run(program: Program, hub: RunningHub) -> None:
    """`check` and `submit --dry-run` say what `submit` does, and write nothing unless asked to."""
    sheet = _sample("mixed-errors.csv", program.folder)
    before = len(hub.orders)
    checked = program.json("check", sheet, exit_code=4)
    dry = program.json("submit", sheet, "--dry-run", "--output", program.folder / "marked.xlsx", exit_code=4)
    assert len(hub.orders) == before
    assert checked["results"] is None
    assert dry["results"].endswith("marked.xlsx")
    assert checked["findings"] == dry["findings"]
    done = program.json("submit", sheet, "--yes", exit_code=4)
    assert checked["findings"] == done["findings"]
    assert checked["counts"]["ready"] == done["counts"]["ordered"] + done["counts"]["rejected"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing-column.csv", "missing_column"),
        ("duplicate-column.csv", "duplicate_column"),
        ("no-header.csv", None),
        ("headers-only.csv", None),
    ],
)
def test_header_faults(program: Program, hub: RunningHub, name: str, code: str | None) -> None:
    """A sheet that cannot be read is exit 3, with the reason; nothing is sent or written."""
    before = len(hub.orders)
    done = program.json("submit", _sample(name, program.folder), "--yes", exit_code=3)
    assert {finding["code"] for finding in done["findings"]} == ({code} if code else set())
    assert done["error"]["message"]
    assert len(hub.orders) == before
    assert list(program.folder.glob("*.results*")) == []


def test_a_text_file_named_xlsx(program: Program) -> None:
    """Says what it is not."""
    path = program.folder / "hires.xlsx"
    path.write_text("Email,Quantity\n")
    done = program.run("submit", path, "--yes")
    assert done.returncode == 3
    assert "not a workbook" in done.stderr


def test_changed_contents_are_not_sent(program: Program, hub: RunningHub) -> None:
    """The message says what differs; with an order reference the additional item is ordered."""
    sheet = _sample("rolling-nightly.csv", program.folder)
    program.json("submit", sheet, "--yes", exit_code=0)
    rows = _rows(sheet)
    before = len(hub.orders)
    more = program.folder / "more.csv"

    def write(reference: str) -> None:
        with more.open("w", newline="") as file:
            writer = csv.DictWriter(
                file, [*rows[0], "Order reference"] if "Order reference" not in rows[0] else rows[0]
            )
            writer.writeheader()
            extra = {**rows[0], "Product title": "Apple Magic Trackpad", "Order reference": reference}
            writer.writerows([rows[0], extra])

    write("")
    done = program.json("submit", more, "--yes", exit_code=4)
    assert done["counts"]["changed"] == 2
    assert "Apple Magic Trackpad" in done["orders"][0]["message"]
    assert len(hub.orders) == before


def test_a_canary_then_the_rest(program: Program, hub: RunningHub) -> None:
    """--limit places so many and stops; the same command goes on."""
    sheet = _sample("rolling-nightly.csv", program.folder)
    before = len(hub.orders)
    first = program.json("submit", sheet, "--yes", "--limit", "2", exit_code=6)
    assert len(hub.orders) - before == 2
    assert first["counts"]["not_sent"] > 0
    second = program.json("submit", sheet, "--yes", exit_code=0)
    assert second["counts"]["ordered"] == first["counts"]["not_sent"]


def test_more_than_max_orders_is_refused(program: Program, hub: RunningHub) -> None:
    """Before anything is sent."""
    before = len(hub.orders)
    sheet = _sample("rolling-nightly.csv", program.folder)
    done = program.json("submit", sheet, "--yes", "--max-orders", "3", exit_code=2)
    assert "--max-orders" in done["error"]["hint"]
    assert len(hub.orders) == before


def test_an_interrupt_finishes_what_is_on_its_way(program: Program, hub: RunningHub) -> None:
    """SIGINT stops new orders, writes the results and exits 6; the same command goes on and orders nothing twice."""
    slow = Program(program.folder, program.settings | {"rate": "2/s", "concurrency": "1"})
    sheet = _sample("new-hires.csv", program.folder)
    before = len(hub.orders)
    with slow.start("submit", sheet, "--yes") as process:
        deadline = time.monotonic() + 60
        while len(hub.orders) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 6
    placed = len(hub.orders) - before
    statuses = Counter(row["order_status"] for row in _rows(program.folder / "new-hires.results.csv"))
    assert set(statuses) == {"ordered", "not_sent"}
    done = program.json("submit", sheet, "--yes", exit_code=0)
    assert len(hub.orders) - before == done["counts"]["orders"] > placed
    assert len({body["email"] + str(body["items"]) for body in _placed(hub, before)}) == done["counts"]["orders"]


def test_a_killed_run_leaves_nothing_in_doubt_but_what_was_on_its_way(program: Program, hub: RunningHub) -> None:
    """After SIGKILL at most the order in flight is unknown, and the next run orders all others, once each."""
    slow = Program(program.folder, program.settings | {"rate": "4/s", "concurrency": "1"})
    sheet = _sample("new-hires.csv", program.folder)
    before = len(hub.orders)
    with slow.start("submit", sheet, "--yes") as process:
        deadline = time.monotonic() + 60
        while len(hub.orders) < before + 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=60)
    done = program.run("submit", sheet, "--yes", "--json")
    assert done.returncode in {0, 5}
    emails = Counter((body["email"], str(body["items"])) for body in _placed(hub, before))
    assert set(emails.values()) == {1}


def test_results_are_rebuilt_from_the_ledger(program: Program) -> None:
    """`status` names the run, and `results` makes its sheet anew, also where the input is gone."""
    sheet = _sample("rolling-nightly.csv", program.folder)
    done = program.json("submit", sheet, "--yes", exit_code=0)
    written = (program.folder / "rolling-nightly.results.csv").read_bytes()
    sheet.unlink()
    status = program.json("status", exit_code=0)
    assert status["runs"][0]["run_id"] == done["run_id"]
    assert status["orders"]["ordered"] == done["counts"]["orders"]
    rebuilt = program.json("results", done["run_id"], "--output", "again.csv", exit_code=0)
    assert (program.folder / "again.csv").read_bytes() == written
    assert rebuilt["orders"] == done["orders"]
    of_run = program.json("status", done["run_id"], exit_code=0)
    assert len(of_run["orders"]) == done["counts"]["orders"]


def test_two_runs_at_once(program: Program, hub: RunningHub) -> None:
    """Two processes with the same sheet place each order once, and both tell its number."""
    sheet = _sample("new-hires.csv", program.folder)
    before = len(hub.orders)
    processes = [program.start("submit", sheet, "--yes", "--output", f"results-{n}.csv") for n in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, out + err
    emails = Counter((body["email"], str(body["items"])) for body in _placed(hub, before))
    assert set(emails.values()) == {1}
    numbers = [{row["order_number"] for row in _rows(program.folder / f"results-{n}.csv")} for n in range(2)]
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == len(emails)


def test_a_lost_ledger_is_rebuilt_from_results(program: Program, hub: RunningHub) -> None:
    """Without it the results file's rows are held; adopted, they are ordered already, and nothing is sent again."""
    sheet = _sample("rolling-nightly.csv", program.folder)
    first = program.json("submit", sheet, "--yes", exit_code=0)
    before = len(hub.orders)
    other = ("--ledger", program.folder / "new.sqlite")
    assert program.run("init", "--new", *other).returncode == 0
    held = program.json("submit", first["results"], "--yes", *other, exit_code=4)
    assert held["counts"]["held"] == first["counts"]["rows"]
    assert {finding["code"] for finding in held["findings"]} == {"unknown_history"}
    adopted = program.json("ledger", "adopt", first["results"], *other, exit_code=0)
    assert adopted["orders"] == {"new": first["counts"]["orders"], "known": 0, "conflict": 0}
    again = program.json("submit", sheet, "--yes", *other, exit_code=0)
    assert again["counts"]["already_ordered"] == first["counts"]["rows"]
    assert {order["order_number"] for order in again["orders"]} == {order["order_number"] for order in first["orders"]}
    assert len(hub.orders) == before
    assert program.run("ledger", "adopt", sheet, *other).returncode == 2
    assert program.json("ledger", "verify", *other, exit_code=0)["entries"] > 0


def test_unknown_orders_wait_for_a_person(program: Program, tmp_path: Path) -> None:
    """Nothing is sent again before a verdict; `status` tells what to do; --placed and --not-placed settle it."""
    sheet = _sample("rolling-nightly.csv", program.folder)
    ledger = ("--ledger", tmp_path / "hostile.sqlite")
    stock = inventory([row["Product title"] for row in _rows(sheet)])
    faults = Plan({"order": ["reset_after_placing", "reset_after_body"]})
    with HostileHub(faults, answers={"inventory": stock}) as hostile:
        login = {"base_url": hostile.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        there = Program(program.folder, {**program.settings, **login, "concurrency": "1"})
        assert there.run("init", "--new", *ledger).returncode == 0
        first = there.json("submit", sheet, "--yes", *ledger, exit_code=5)
        waiting = there.json("status", *ledger, exit_code=0)["waiting"]
        assert [order["state"] for order in waiting] == ["unknown", "unknown"]
        placed = {entry.email for entry in hostile.placed}
        assert there.json("submit", sheet, "--yes", *ledger, exit_code=5)["counts"]["unknown"] == 4
        for order in waiting:
            if order["email"] in placed:
                there.json("settle", order["order"], "--placed", "424242", "--note", "asked", *ledger, exit_code=0)
            else:
                there.json("settle", order["order"], "--not-placed", *ledger, exit_code=0)
        last = there.json("submit", sheet, "--yes", *ledger, exit_code=0)
        assert last["counts"]["rows"] == first["counts"]["rows"]
        emails = Counter(entry.email for entry in hostile.placed)
        assert set(emails.values()) == {1}
        assert len(emails) == first["counts"]["orders"]
