"""Foreign sheets on the command line: read with a mapping file, ordered, handed back, sent again, and proposed."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook

from tests.program import SAMPLES, Program

if TYPE_CHECKING:
    from pathlib import Path

    from batch_orders.sandbox import Sandbox

_SHEET, _MAPPING = "legacy-assets.csv", "legacy-assets.mapping.toml"


@pytest.fixture
def program(tmp_path: Path, hub: Sandbox) -> Program:
    """The program in a folder with the legacy list and its mapping, an account and a ledger."""
    for name in (_SHEET, _MAPPING):
        shutil.copy(SAMPLES / name, tmp_path)
    login = {"BASE_URL": hub.base_url, "CLIENT_ID": hub.client_id, "CLIENT_SECRET": hub.client_secret}
    made = Program(tmp_path, login | {"RATE": "500/s"})
    made.json("init", "--new", exit_code=0)
    return made


def _rows(path: Path) -> list[dict[str, str]]:
    """The sheet's rows below its title, by header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(list(file)[1:]))


def _ordered(hub: Sandbox) -> dict[str, dict[str, int]]:
    """What was ordered for whom, as the simulated Device Hub has it."""
    return {
        order.body["email"]: {item["product_title"]: item["quantity"] for item in order.body["items"]}
        for order in hub.orders
    }


def test_a_legacy_list_becomes_orders_and_comes_back(program: Program, hub: Sandbox) -> None:
    """A result for each input row; the results file, submitted again with the same mapping, orders nothing."""
    done = program.json("submit", _SHEET, "--mapping", _MAPPING, "--yes", exit_code=0)
    assert (done["counts"]["rows"], done["counts"]["orders"], done["counts"]["ordered"]) == (6, 6, 6)
    ordered = _ordered(hub)
    assert ordered["mina.sample@example.com"] == {
        'Apple MacBook Pro 14" M4 32GB 512GB': 1,
        'Dell P2425H 24" Full HD Monitor': 2,
        "Jabra Evolve2 65 MS Stereo USB-C": 1,
        "Logitech MX Keys S – English (QWERTY)": 1,
    }
    assert sum(sum(items.values()) for items in ordered.values()) == 22
    results = program.folder / "legacy-assets.results.csv"
    assert [row["order_status"] for row in _rows(results)] == ["ordered"] * 6
    assert [row["Asset tag"] for row in _rows(results)] == [row["Asset tag"] for row in _rows(program.folder / _SHEET)]
    again = program.json("submit", results, "--mapping", _MAPPING, "--yes", exit_code=0)
    assert again["counts"]["already_ordered"] == 6
    assert len(hub.orders) == 6


def test_a_legacy_workbook_with_more_sheets(program: Program) -> None:
    """The sheet that the mapping fits is found without --sheet; a header that is only ignored may be missing."""
    book = Workbook()
    with (program.folder / _SHEET).open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            book.worksheets[0].append(row)
    people = book.create_sheet("People")
    people.append(["Email", "First name", "Last name", "Product", "Quantity"])
    people.append(["ana@example.com", "Ana", "Sample", "Dock", 1])
    book.save(program.folder / "assets.xlsx")
    mapping = program.folder / _MAPPING
    mapping.write_text('ignore = ["Last seen"]\n' + mapping.read_text(encoding="utf-8"), encoding="utf-8")
    assert program.json("check", "assets.xlsx", "--mapping", _MAPPING, exit_code=0)["counts"]["ready"] == 6


def test_the_results_file_without_its_mapping_is_refused(program: Program, hub: Sandbox) -> None:
    """Nothing is sent; the summary had named the mapping."""
    done = program.run("submit", _SHEET, "--mapping", _MAPPING, "--yes")
    assert f"Mapping          {_MAPPING} (submit the results file with the same --mapping)" in done.stdout
    again = program.json("submit", "legacy-assets.results.csv", "--yes", exit_code=3)
    assert "missing_column" in {finding["code"] for finding in again["findings"]}
    assert len(hub.orders) == 6


def test_findings_stand_at_the_original_cells_and_mending_sends_the_rest(program: Program, hub: Sandbox) -> None:
    """An asset name that nothing translates holds its own order only; mended in the results, it is sent."""
    sheet = program.folder / _SHEET
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("24 INCH ", "25 inch"), encoding="utf-8")
    done = program.json("submit", _SHEET, "--mapping", _MAPPING, "--yes", exit_code=4)
    errors = [(f["row"], f["cell"], f["code"]) for f in done["findings"] if f["severity"] == "error"]
    assert errors == [(3, "N3", "unknown_product")]
    assert (done["counts"]["invalid"], done["counts"]["ordered"], done["counts"]["rows"]) == (1, 5, 6)
    results = program.folder / "legacy-assets.results.csv"
    mended = results.read_text(encoding="utf-8-sig").replace("25 inch", "24 inch")
    results.write_text(mended, encoding="utf-8-sig")
    again = program.json("submit", results, "--mapping", _MAPPING, "--yes", exit_code=0)
    assert (again["counts"]["already_ordered"], again["counts"]["ordered"]) == (5, 1)
    assert _ordered(hub)["mina.sample@example.com"]['Dell P2425H 24" Full HD Monitor'] == 2


def test_results_and_adopt_read_the_sheet_the_same_way(program: Program, hub: Sandbox) -> None:
    """The ledger keeps the mapping itself: the file may have changed since, or be gone."""
    done = program.json("submit", _SHEET, "--mapping", _MAPPING, "--yes", exit_code=0)
    mapping = (program.folder / _MAPPING).read_bytes()
    (program.folder / _MAPPING).unlink()
    again = program.json("results", done["run_id"], "--output", "again.csv", exit_code=0)
    assert again["orders"] == done["orders"]
    assert _rows(program.folder / "again.csv") == _rows(program.folder / "legacy-assets.results.csv")
    (program.folder / _MAPPING).write_bytes(mapping)
    lost = Program(program.folder, program.settings | {"LEDGER": str(program.folder / "new.sqlite")})
    lost.json("init", "--new", exit_code=0)
    stranger = lost.json("check", "again.csv", "--mapping", _MAPPING, exit_code=4)
    told = {f["message"] for f in stranger["findings"] if f["code"] == "unknown_history"}
    assert len(told) == 6
    assert all(f"`batch-orders ledger adopt again.csv --mapping {_MAPPING}`" in message for message in told)
    assert lost.json("ledger", "adopt", "again.csv", "--mapping", _MAPPING, exit_code=0)["orders"]["new"] == 6
    assert lost.json("check", _SHEET, "--mapping", _MAPPING, exit_code=0)["counts"]["already_ordered"] == 6
    assert len(hub.orders) == 6


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('[columns]\nemial = "x"', 2, "Did you mean “email”?"),
        (None, 2, "cannot be read"),
        ('[columns]\nemail = "Mail adres"', 3, "The closest header is “Mail address”."),
    ],
)
def test_mistakes(program: Program, text: str | None, code: int, said: str) -> None:
    """The file's own are usage errors; what does not fit this sheet is the sheet's, with both named."""
    mapping = program.folder / "wrong.toml"
    if text is not None:
        mapping.write_text(text, encoding="utf-8")
    done = program.run("check", _SHEET, "--mapping", mapping)
    assert done.returncode == code
    assert said in done.stderr
    assert "wrong.toml" in done.stderr


def test_a_total_below_columns_of_items_is_told_once(program: Program) -> None:
    """And so is a note in whatever column; a row with somebody's name and nothing else is told in full."""
    sheet = program.folder / _SHEET
    below = ["Total,,,,,,,,,,,1,4,2,3,,,", ",As of 24 November,,,,,,,,,,,,,,,,", ",Ana,Muestra,,,,,,,,,,,,,,,"]
    sheet.write_text("\n".join([sheet.read_text(encoding="utf-8").rstrip(), *below, ""]), encoding="utf-8")
    done = program.json("check", _SHEET, "--mapping", _MAPPING, exit_code=4)
    assert (done["counts"]["ready"], done["counts"]["invalid"]) == (6, 3)
    errors = [(f["cell"], f["message"]) for f in done["findings"] if f["severity"] == "error"]
    assert [cell for cell, _ in errors] == ["D9", "D10", "D11", "L11"]
    assert all(message.startswith("This row looks like a total or a note") for _, message in errors[:2])
    assert errors[2][1].startswith("The e-mail address is missing")


def test_what_the_mapping_makes_nothing_of_is_said(program: Program) -> None:
    """Left out on purpose or by a slip: a person reads which words order nothing, before anything is sent."""
    checked = program.json("check", _SHEET, "--mapping", _MAPPING, exit_code=0)
    assert checked["notes"] == ["By the mapping file, ‘own device’ (1 cell, column “Laptop”) orders nothing."]
    mapping = program.folder / _MAPPING
    text = mapping.read_text(encoding="utf-8").replace(
        '"24 inch" = \'Dell P2425H 24" Full HD Monitor\'', '"24 inch" = ""'
    )
    mapping.write_text(text, encoding="utf-8")
    note = "By the mapping file, ‘24 inch’ (5 cells, columns “Monitor 1” and “Monitor 2”) orders nothing."
    assert program.json("check", _SHEET, "--mapping", _MAPPING, exit_code=0)["notes"][0] == note
    assert note in program.run("check", _SHEET, "--mapping", _MAPPING).stdout
    assert note in program.run("submit", _SHEET, "--mapping", _MAPPING, "--yes").stdout


def test_a_proposed_line_that_is_taken_in_as_it_is_orders_nothing_and_says_so(program: Program, hub: Sandbox) -> None:
    """Only the # was taken away: an error at each cell, and no order that silently lacks its monitors."""
    program.json("map", _SHEET, "--output", "mine.toml", exit_code=0)
    mine = program.folder / "mine.toml"
    text = mine.read_text(encoding="utf-8")
    assert '#"own device" = "WRITE A TITLE HERE"   # nothing is like it; "" orders nothing\n' in text
    mine.write_text(text.replace('#"', '"').replace("#firstname", "firstname"), encoding="utf-8")
    done = program.json("submit", _SHEET, "--mapping", "mine.toml", "--yes", exit_code=4)
    told = {f["row"]: f["message"] for f in done["findings"] if f["code"] == "unknown_product"}
    assert set(told) == {3, 4, 5, 6, 7}
    assert told[3].startswith("The mapping file still says “WRITE A TITLE HERE”: write a title there")
    assert "mina.sample@example.com" not in _ordered(hub)


def test_json_is_one_document(program: Program) -> None:
    """Also where the mapping is wrong."""
    (program.folder / "wrong.toml").write_text("x = 1", encoding="utf-8")
    done = program.run("check", _SHEET, "--mapping", "wrong.toml", "--json")
    assert json.loads(done.stdout)["exit_code"] == 2


def test_map_proposes_a_file_that_can_be_used(tmp_path: Path) -> None:
    """Written once, never over another file; what it lacks is said, and nothing that is not sure is in it."""
    shutil.copy(SAMPLES / _SHEET, tmp_path)
    program = Program(tmp_path)
    done = program.json("map", _SHEET, "--sandbox", "--output", "mine.toml", exit_code=0)
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert done["mapping"] == text
    assert done["output"] == "mine.toml"
    assert {guess["applied"] for guess in done["guesses"] if guess["score"] < 85} == {False}
    refused = program.run("map", _SHEET, "--sandbox", "--output", "mine.toml")
    assert refused.returncode == 2
    assert "no file is overwritten" in refused.stderr
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == text
    checked = program.json("check", _SHEET, "--sandbox", "--mapping", "mine.toml", exit_code=3)
    assert [(finding["column"], finding["suggestion"]) for finding in checked["findings"]] == [("firstname", "First")]
    assert 'add the line `firstname = "First"` under [columns] in mine.toml' in checked["findings"][0]["message"]


def test_a_missing_columns_nearest_header_is_none_that_is_far(tmp_path: Path) -> None:
    """“Site country” is no quantity; with several columns of items, `map` is what helps."""
    shutil.copy(SAMPLES / _SHEET, tmp_path)
    program = Program(tmp_path)
    done = program.json("check", _SHEET, "--sandbox", exit_code=3)
    nearest = {finding["column"]: finding["suggestion"] for finding in done["findings"]}
    assert nearest["firstname"] == "First"
    assert nearest["shipping_country"] == "Site country"
    assert (nearest["product_title"], nearest["quantity"]) == (None, None)
    told = program.run("check", _SHEET, "--sandbox").stderr
    assert f"If the sheet has a column for each item: `batch-orders map {_SHEET} --output mapping.toml`" in told


def test_map_prints_what_it_does_not_write(tmp_path: Path) -> None:
    """A sheet without one known header: the file alone is on stdout, to be redirected."""
    sheet = tmp_path / "foreign.csv"
    sheet.write_text("Wer;Womit\nana@example.com;Dell P2425H\n", encoding="utf-8")
    done = Program(tmp_path).run("map", sheet, "--sandbox", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'email = "Wer"' in done.stdout
    assert list(tmp_path.iterdir()) == [sheet]


def test_map_of_no_sheet(tmp_path: Path) -> None:
    """Exit 3, as everywhere, in one document."""
    assert Program(tmp_path).json("map", "none.csv", "--sandbox", exit_code=3)["input"] == "none.csv"
