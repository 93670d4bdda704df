"""Proposed mapping files: what is sure stands in them, what is not does nothing, and every one can be read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.messages.mapping_text import proposal_text
from batch_orders.models import Column, ColumnSource, Guess, MappingFile, Proposal
from batch_orders.sandbox.inventory import TITLES
from batch_orders.stages.columns import map_columns
from batch_orders.stages.columns.propose import propose
from batch_orders.stages.validate.places import effective_country
from tests.builders import make_sheet
from tests.program import SAMPLES

_ROOT = Path(__file__).parents[2]


def _propose(headers: list[str], *rows: list[str]) -> Proposal:
    return propose(make_sheet(headers, rows or [["x"] * len(headers)]), TITLES, effective_country)


def _read(proposal: Proposal) -> MappingFile:
    return parse_mapping("m.toml", proposal_text(proposal, "sheet.csv"))


def _values(proposal: Proposal) -> dict[str, Guess]:
    return {guess.value: guess for guess in proposal.guesses if guess.value is not None}


def test_the_legacy_list() -> None:
    """Address, columns, countries and item columns are sure; asset names and a bare "First" are for a person."""
    proposal = propose(read_sheet(SAMPLES / "legacy-assets.csv", foreign=True), TITLES, effective_country)
    mapping = _read(proposal)
    assert mapping.columns[Column.SHIPPING_ADDRESS] == ColumnSource(headers=("Address 1", "Address 2"))
    assert mapping.columns[Column.EMAIL].headers == ("Mail address",)
    assert mapping.columns[Column.SHIPPING_COUNTRY].headers == ("Site country",)
    assert Column.FIRSTNAME not in mapping.columns
    assert mapping.values[Column.SHIPPING_COUNTRY]["netherlands"] == "NL"
    assert mapping.values[Column.PRODUCT_TITLE] == {}
    assert [(item.header, item.quantity) for item in mapping.items] == [
        ("Laptop", ""), ("Monitor 1", ""), ("Monitor 2", ""), ("Keyboard", "Keyboards"),
    ]  # fmt: skip
    text = proposal_text(proposal, "legacy-assets.csv")
    assert '#firstname = "First"' in text
    assert '#column = "Headset"' in text
    assert '# Not used: "Employee", "Asset tag"' in text


def test_an_email_column_is_known_by_its_values() -> None:
    """Whatever it is called."""
    mapping = _read(_propose(["Kontakt", "Other"], ["a@example.com", "x"], ["b@example.com", "y"]))
    assert mapping.columns[Column.EMAIL].headers == ("Kontakt",)


def test_a_column_of_titles_is_known_by_its_values() -> None:
    """Then its cells are the items; what is no title is left for a person."""
    proposal = _propose(["Asset", "Other"], [min(TITLES), "x"], [max(TITLES), "y"])
    assert [item.header for item in _read(proposal).items] == ["Asset"]


def test_two_headers_for_one_column_are_for_a_person() -> None:
    """Both are as likely: neither is applied, and the other is named."""
    proposal = _propose(["Email", "Work e-mail"], ["x", "y"])
    (guess,) = (guess for guess in proposal.guesses if guess.column is Column.EMAIL)
    assert not guess.applied
    assert {guess.headers[0], guess.alternatives[0][0]} == {"Email", "Work e-mail"}
    assert Column.EMAIL not in _read(proposal).columns


@pytest.mark.parametrize(
    ("name", "title", "applied"),
    [
        ("Dell P2425H", 'Dell P2425H 24" Full HD Monitor', True),
        ("caldigit ts4 dock", "CalDigit TS4 Thunderbolt 4 Dock", True),
        ("Dell WD22TB3 Thunderbolt Dock", "Dell WD22TB4 Thunderbolt Dock", False),
        ("Latitude 5440", 'Dell Latitude 5450 14" Core Ultra 5 16GB 512GB', False),  # another model
        ("Logitech MX Keys", None, False),  # four of them
        ("Laptop L", None, False),
        ("own device", "", False),
    ],
)
def test_titles_are_sure_only_where_nothing_else_can_be_meant(name: str, title: str | None, *, applied: bool) -> None:
    """A number that the title lacks, or another title nearly as near, makes it a matter for a person."""
    guess = _values(_propose(["Product"], [name]))[name]
    assert guess.applied is applied
    assert title is None or guess.title == title


@pytest.mark.parametrize("name", ["24 inch", "Laptop L", "Jabra Evolve2 65"])
def test_of_titles_that_tie_none_is_put_forward(name: str) -> None:
    """They are named beside a placeholder that no catalog has."""
    proposal = _propose(["Product"], [name])
    guess = _values(proposal)[name]
    assert (guess.title, guess.applied) == ("", False)
    assert len(guess.alternatives) > 1
    line = f'#"{name}" = "WRITE A TITLE HERE"   # as like it as each other: "{guess.alternatives[0][0][:5]}'
    assert line in proposal_text(proposal, "sheet.csv")


@pytest.mark.parametrize(
    "name", ["Dell monitor 24", "MX Keys EN", "Latitude 5440", "MacBook Pro 16", "Dell U2724DE 27"]
)
def test_the_best_title_stands_first(name: str) -> None:
    """No alternative has a higher score than the guess."""
    guess = _values(_propose(["Product"], [name]))[name]
    assert guess.title
    assert all(score <= guess.score for _, score in guess.alternatives)


def test_a_word_for_a_kind_of_thing_is_never_sure() -> None:
    """A catalog may have one laptop stand and no laptop."""
    sheet = make_sheet(["Product"], [["Laptop"]])
    guess = _values(propose(sheet, ["Kensington MicroSaver 2.0 Laptop Lock"], effective_country))["Laptop"]
    assert not guess.applied


@pytest.mark.parametrize(
    ("name", "code", "applied"), [("Germany", "DE", True), ("DEU", "DE", True), ("Atlantis", "", False)]
)
def test_countries(name: str, code: str, *, applied: bool) -> None:
    """Written out, or in three letters; a code needs no translation."""
    guesses = _values(_propose(["Country"], [name], ["FR"]))
    assert (guesses[name].title, guesses[name].applied) == (code, applied)
    assert "FR" not in guesses


@pytest.mark.parametrize(("first", "last"), [("Vorname", "Name"), ("Prénom", "Nom"), ("Voornaam", "Naam")])
def test_a_bare_name_beside_a_first_name_is_the_last_name(first: str, last: str) -> None:
    """Alone it may be anything; and where whole names stand below it, it is not sure."""
    assert _read(_propose([first, last], ["Theo", "Muster"])).columns[Column.LASTNAME].headers == (last,)
    assert Column.LASTNAME not in _read(_propose([last], ["Muster"])).columns
    assert Column.LASTNAME not in _read(_propose([first, last], ["Theo", "Theo Muster"])).columns


@pytest.mark.parametrize("header", ["First", "Personalnr", "Employee", "Start"])
def test_what_is_far_is_not_put_forward(header: str) -> None:
    """Only a date is a start date, and a word for whose it is is no column of ours."""
    proposal = _propose([header], ["A-1"])
    named = {guess.column for guess in proposal.guesses if header in guess.headers}
    assert named == ({Column.FIRSTNAME} if header == "First" else set())


def test_a_column_of_numbers_of_a_thing_is_an_item_for_a_person() -> None:
    """Not left out in silence; where a column beside it says which, it is that one's quantity."""
    proposal = _propose(["Anzahl Monitor", "Anzahl Laptop", "Laptop"], ["2", "1", "Dell XPS"])
    items = [guess for guess in proposal.guesses if guess.is_item]
    assert [(guess.headers, guess.quantity, guess.applied) for guess in items] == [
        (("Laptop",), "Anzahl Laptop", True),
        (("Anzahl Monitor",), "", False),
    ]
    assert '#title = "WRITE A TITLE HERE"' in proposal_text(proposal, "sheet.csv")


def test_a_counted_column_names_its_title() -> None:
    """Where the cells say how many, the header is compared with the catalog."""
    proposal = _propose(["Apple Pencil (USB-C)", "Headset", "Laptop"], ["1", "x", "big"], ["", "no", "small"])
    guess, other = (guess for guess in proposal.guesses if guess.is_counted)
    assert (guess.title, guess.applied) == ("Apple Pencil (USB-C)", True)
    assert (other.headers, other.applied) == (("Headset",), False)


def test_result_columns_are_no_guess() -> None:
    """A results file that comes back has them."""
    proposal = _propose(["Email", "order_status", "order_number"], ["a@example.com", "ordered", "1"])
    assert proposal.unused == ()
    assert all("order_number" not in guess.headers for guess in proposal.guesses)


_TEXT = st.text(max_size=12)
_WORDS = st.sampled_from(
    ["Email", "Laptop", "Laptop qty", "Monitor 1", "Address 1", "Address 2", "Product", "Qty", "Land"]
)
_CELLS = st.sampled_from(["", "1", "yes", "Germany", "a@example.com", "Dell P2425H", 'say "hi"', "\\", "a\nb", "\x7f"])


@given(
    st.lists(_TEXT | _WORDS, min_size=1, max_size=7).flatmap(
        lambda headers: st.tuples(
            st.just(headers),
            st.lists(st.lists(_CELLS | _TEXT, min_size=len(headers), max_size=len(headers)), min_size=1, max_size=3),
        )
    )
)
@settings(max_examples=150, deadline=None)
def test_any_proposal_can_be_read_and_names_headers_of_the_sheet(sheet: tuple[list[str], list[list[str]]]) -> None:
    """Whatever stands in the sheet, the file is sound, and so it is with every guess taken in."""
    headers, rows = sheet
    proposal = _propose(headers, *rows)
    mapping = _read(proposal)
    assert set(mapping.headers) <= set(headers)
    applied = [guess for guess in proposal.guesses if guess.applied]
    assert len(mapping.items) == sum(guess.is_item for guess in applied)
    assert len(mapping.columns) == sum(not guess.is_item and guess.value is None for guess in applied)


# The documents --------------------------------------------------------------------------------------------------


def test_the_manuals_example_is_sound() -> None:
    """Each block of docs/mapping.md by itself, and all of it fits the sheet that it is about."""
    blocks = re.findall(r"```toml\n(.*?)```", (_ROOT / "docs/mapping.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    sheet = read_sheet(SAMPLES / "legacy-assets.csv", foreign=True)
    whole = parse_mapping("whole", (SAMPLES / "legacy-assets.mapping.toml").read_text(encoding="utf-8"))
    for block in blocks:
        shown = parse_mapping("m.toml", block)
        assert shown.columns.items() <= whole.columns.items()
        assert all(values.items() <= whole.values[column].items() for column, values in shown.values.items())
        assert all(item in whole.items for item in shown.items)
    assert len(map_columns(sheet, whole).rows) == 18


def test_the_template_is_sound() -> None:
    """As it is, and with every line of it taken in."""
    text = (_ROOT / "templates/mapping.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {"columns": {}}
    lines = [re.sub(r"^#(?=[a-z\[\"]\S)", "", line) for line in text.splitlines()]
    # Two ways to join an address are shown: the first one goes.
    lines.remove('shipping_address = ["Address 1", "Address 2"]')
    text = "\n".join(line for line in lines if not line.startswith(("product_title =", "quantity = {")))
    mapping = parse_mapping("mapping.toml", text)
    assert len(mapping.columns) == len(Column) - 2
    assert len(mapping.items) == 4
    titles = {item.title for item in mapping.items if item.title} | {
        t for i in mapping.items for t in i.values.values()
    }
    assert titles | set(mapping.values[Column.PRODUCT_TITLE].values()) - {""} <= TITLES
