"""Mapping files: rows become lines, each with its values and the cells they come from, and no item is lost."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_orders import identity
from batch_orders.adapters.mapping_file import parse_mapping
from batch_orders.errors import SheetError, UsageError
from batch_orders.messages import template
from batch_orders.messages.outcomes import held
from batch_orders.models import (
    Catalog,
    Cell,
    Column,
    Finding,
    FindingCode,
    History,
    Mapped,
    Outcome,
    Plan,
    Report,
    RowStatus,
    Severity,
    Warehouse,
)
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group
from batch_orders.stages.plan import plan
from batch_orders.stages.report import report
from batch_orders.stages.template import set_example_aside
from batch_orders.stages.validate import validate
from batch_orders.stages.validate.complaints import Complaint, finding
from tests.builders import make_sheet

_PERSON = {
    "email": "ana.sample@example.com",
    "firstname": "Ana",
    "lastname": "Sample",
    "phone_number": "+12125550142",
    "shipping_address": "1 Main Street",
    "shipping_city": "New York",
    "shipping_state": "NY",
    "shipping_zip": "10001",
    "shipping_country": "US",
}
_TITLES = ("Mouse", "Dock", "Screen 27", "Laptop")
_CATALOG = Catalog(
    warehouses=(Warehouse(id="1", name="", shipping_options=("Ground",), stock=dict.fromkeys(_TITLES, 10**6)),)
)


def _mapped(mapping: str, *rows: dict[str, str], **changes: Any) -> Mapped:
    """The rows, each the person's with what is given, read with this mapping file."""
    headers = list(dict.fromkeys(header for row in rows for header in _PERSON | row))
    cells = [[(_PERSON | row).get(header, "") for header in headers] for row in rows]
    return map_columns(make_sheet(headers, cells, **changes), parse_mapping("m.toml", mapping))


def _lines(mapped: Mapped) -> list[tuple[int, str, str]]:
    titles, quantities = mapped.values(Column.PRODUCT_TITLE), mapped.values(Column.QUANTITY)
    return [(mapped.row_number(line), titles[line], quantities[line]) for line in range(len(mapped.rows))]


def _refused(mapping: str, *rows: dict[str, str]) -> list[Finding]:
    with pytest.raises(SheetError) as caught:
        _mapped(mapping, *rows)
    assert "m.toml" in caught.value.message + caught.value.hint
    return [finding for finding in caught.value.findings if isinstance(finding, Finding)]


# Columns --------------------------------------------------------------------------------------------------------


def test_a_header_is_renamed() -> None:
    """Matched as headers always are; what our own names would have meant is the person's own then."""
    mapped = _mapped('[columns]\nproduct_title = "gear: NEEDED"\nquantity = "How many"', {
        "Gear needed": "Mouse", "How many": "2", "Product": "Something else",
    })  # fmt: skip
    assert _lines(mapped) == [(2, "Mouse", "2")]
    assert mapped.cells(0, Column.PRODUCT_TITLE) == (Cell(2, 10),)
    assert mapped.mapping == "m.toml"


def test_columns_are_joined() -> None:
    """Blank ones are skipped; the cells are those that hold something, or the first."""
    mapped = _mapped(
        '[columns]\nshipping_address = { join = ["A", "B", "C"], with = " / " }\nquantity = { always = "1" }',
        {"A": "one", "B": " ", "C": " three ", "Product": "Mouse"},
        {"A": "", "B": "", "C": "", "Product": "Mouse"},
    )
    assert mapped.values(Column.SHIPPING_ADDRESS) == ["one / three", ""]
    assert mapped.cells(0, Column.SHIPPING_ADDRESS) == (Cell(2, 10), Cell(2, 12))
    assert mapped.cells(1, Column.SHIPPING_ADDRESS) == (Cell(3, 10),)


def test_a_list_of_headers_is_joined_by_commas() -> None:
    """The short form."""
    mapped = _mapped(
        '[columns]\nshipping_address = ["A", "B"]\nquantity = { always = "1" }', {"A": "1", "B": "2", "Item": ""}
    )
    assert mapped.values(Column.SHIPPING_ADDRESS) == ["1, 2"]


def test_a_constant_has_no_cell_and_says_where_it_stands() -> None:
    """What is wrong with it is mended in the mapping file."""
    mapped = _mapped('[columns]\nshipping_country = { always = "Germany" }\nquantity = { always = "1" }', {
        "Product": "Mouse", "shipping_state": "", "shipping_zip": "10115",
    })  # fmt: skip
    assert mapped.values(Column.SHIPPING_COUNTRY) == ["Germany"]
    found = [f for f in validate(mapped, _CATALOG).findings if f.code is FindingCode.COUNTRY]
    assert [(f.rows, f.cells) for f in found] == [((2,), ())]
    assert "m.toml" in found[0].message
    assert found[0].suggestions == ("DE",)


def test_values_are_translated_without_regard_to_case_and_space() -> None:
    """What is no key stays as it is."""
    mapped = _mapped(
        '[columns]\nquantity = { always = "1" }\n[values.product_title]\n"Laptop  L" = "Laptop"\n"" = "Dock"',
        {"Product": " laptop L "},
        {"Product": "Mouse"},
        {"Product": ""},
    )
    assert mapped.values(Column.PRODUCT_TITLE) == ["Laptop", "Mouse", "Dock"]


# Items ----------------------------------------------------------------------------------------------------------

_ITEMS = """
[values.product_title]
"27" = "Screen 27"
"byod" = ""
[[items]]
column = "Computer"
[[items]]
column = "Monitor 1"
[[items]]
column = "Monitor 2"
[[items]]
column = "Mice"
title = "Mouse"
[[items]]
column = "Station"
quantity = "Stations"
"""
_NO_ITEMS = {"Computer": "", "Monitor 1": "", "Monitor 2": "", "Mice": "", "Station": "", "Stations": ""}


def test_one_row_becomes_several_lines() -> None:
    """Each with its title, its quantity, and the cells that they come from."""
    row = _NO_ITEMS | {"Computer": "Laptop", "Monitor 2": "27", "Mice": "2", "Station": "Dock", "Stations": "3"}
    mapped = _mapped(_ITEMS, row)
    assert _lines(mapped) == [(2, "Laptop", "1"), (2, "Screen 27", "1"), (2, "Mouse", "2"), (2, "Dock", "3")]
    titles = [[str(cell) for cell in mapped.cells(line, Column.PRODUCT_TITLE)] for line in range(4)]
    quantities = [[str(cell) for cell in mapped.cells(line, Column.QUANTITY)] for line in range(4)]
    assert titles == [["J2"], ["L2"], ["M2"], ["N2"]]
    assert quantities == [[], [], ["M2"], ["O2"]]
    assert mapped.values(Column.EMAIL) == ["ana.sample@example.com"] * 4


@pytest.mark.parametrize("none", ["", " ", "0", "0.0", "no", "No ", "none", "-", "nein", "byod", "BYOD"])
def test_none_is_no_item(none: str) -> None:
    """Blank, zero, no, and what is translated to nothing."""
    assert _lines(_mapped(_ITEMS, _NO_ITEMS | {"Computer": none, "Mice": "1"})) == [(2, "Mouse", "1")]


@pytest.mark.parametrize(("cell", "quantity"), [("1", "1"), ("2.0", "2"), ("yes", "1"), ("X", "1"), ("ja", "1")])
def test_a_cell_says_how_many(cell: str, quantity: str) -> None:
    """A tick is one."""
    assert _lines(_mapped(_ITEMS, _NO_ITEMS | {"Mice": cell})) == [(2, "Mouse", quantity)]


def test_what_is_no_quantity_is_told_at_its_cell() -> None:
    """Text in a column of quantities is never passed over."""
    checked = validate(_mapped(_ITEMS, _NO_ITEMS | {"Mice": "red one"}), _CATALOG)
    assert [(f.code, f.cells) for f in checked.findings] == [(FindingCode.QUANTITY, (Cell(2, 13),))]


@pytest.mark.parametrize(
    ("title", "quantity", "column", "cell"),
    [("", "2", Column.PRODUCT_TITLE, Cell(2, 14)), ("Dock", "", Column.QUANTITY, Cell(2, 15))],
)
def test_half_an_item_is_told(title: str, quantity: str, column: Column, cell: Cell) -> None:
    """A quantity of nothing, or a title without how many where a column says it."""
    checked = validate(_mapped(_ITEMS, _NO_ITEMS | {"Station": title, "Stations": quantity}), _CATALOG)
    assert [(f.code, f.column, f.cells) for f in checked.findings] == [(FindingCode.REQUIRED, column, (cell,))]


def test_the_cells_and_rows_of_lines_are_those_of_each() -> None:
    """Each once and in order, where lines and rows are the same as where they are not."""
    two = _NO_ITEMS | {"Computer": "Laptop", "Mice": "1"}
    person = _PERSON | {"product_title": "Mouse", "quantity": "1"}
    plain = map_columns(make_sheet(list(person), [list(person.values())] * 3))
    for mapped in (_mapped(_ITEMS, two, _NO_ITEMS, two), plain):
        for lines in ((), (2,), (2, 1, 2), tuple(range(len(mapped.rows)))):
            assert mapped.positions(tuple(dict.fromkeys(lines))) == tuple(dict.fromkeys(mapped.rows[n] for n in lines))
            for column in Column:
                each = dict.fromkeys(cell for line in lines for cell in mapped.cells(line, column))
                assert mapped.cells_of(lines, column) == tuple(each)
                if lines:
                    complaint = Complaint("Wrong.")
                    assert finding(mapped, FindingCode.EMAIL, column, lines, complaint).cells == tuple(each)


def test_a_row_without_items_is_told_once() -> None:
    """It is not lost, and not ordered."""
    checked = validate(_mapped(_ITEMS, _NO_ITEMS, _NO_ITEMS | {"email": "b@example.com", "Mice": "1"}), _CATALOG)
    (finding,) = checked.findings
    assert (finding.code, finding.column, finding.rows) == (FindingCode.REQUIRED, Column.PRODUCT_TITLE, (2,))
    assert "“Monitor 1”" in finding.message


def test_what_is_wrong_with_a_row_is_told_once() -> None:
    """However many lines it has."""
    row = _NO_ITEMS | {"Computer": "Laptop", "Mice": "1", "email": "nobody", "shipping_zip": "1"}
    findings = validate(_mapped(_ITEMS, row), _CATALOG).findings
    assert [(f.code, str(f.cells[0])) for f in findings] == [(FindingCode.EMAIL, "A2"), (FindingCode.ZIP, "H2")]


def test_equal_titles_of_a_row_are_added_up_and_shown() -> None:
    """After translation; the finding names both cells."""
    mapped = _mapped(_ITEMS, _NO_ITEMS | {"Monitor 1": "27", "Monitor 2": "Screen 27", "Computer": "Laptop"})
    assert _lines(mapped) == [(2, "Laptop", "1"), (2, "Screen 27", "2")]
    (finding,) = validate(mapped, _CATALOG).findings
    assert (finding.code, finding.severity) == (FindingCode.REPAIRED, Severity.REPAIR)
    assert (finding.rows, finding.cells) == ((2,), (Cell(2, 11), Cell(2, 12)))
    assert mapped.cells(1, Column.PRODUCT_TITLE) == finding.cells


def test_equal_titles_of_two_rows_are_not() -> None:
    """That is the person's to decide, as in any sheet."""
    checked = validate(_mapped(_ITEMS, _NO_ITEMS | {"Mice": "1"}, _NO_ITEMS | {"Mice": "1"}), _CATALOG)
    assert [f.code for f in checked.findings] == [FindingCode.DUPLICATE_ITEM]


def test_translations_of_one_column() -> None:
    """An "L" is a laptop here, and a screen there."""
    mapped = _mapped(
        '[[items]]\ncolumn = "A"\nvalues = { "L" = "Laptop" }\n[[items]]\ncolumn = "B"\nvalues = { "l" = "Screen 27" }',
        {"A": "L", "B": "L"},
    )
    assert _lines(mapped) == [(2, "Laptop", "1"), (2, "Screen 27", "1")]


@pytest.mark.parametrize("header", ["Product", "Qty"])
def test_a_title_column_beside_items_is_refused(header: str) -> None:
    """Its items would be left behind in silence; to ignore it has to be said."""
    row = {"Mice": "1", header: "x"}
    (finding,) = _refused('[[items]]\ncolumn = "Mice"\ntitle = "Mouse"', row)
    assert f"“{header}”" in finding.message
    mapping = f'ignore = ["{header}"]\n[[items]]\ncolumn = "Mice"\ntitle = "Mouse"'
    assert _lines(_mapped(mapping, row)) == [(2, "Mouse", "1")]


_CELLS = st.sampled_from(["", " ", "0", "no", "27", "Screen 27", "Laptop", "laptop", "byod", "Mouse", "rubbish"])
_COUNTS = st.sampled_from(["", "0", "no", "1", "2", "3.0", "yes", "many", "-1"])


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS, _COUNTS, _CELLS, _COUNTS), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_no_item_is_lost(rows: list[tuple[str, ...]]) -> None:
    """What the cells hold is what the orders hold, each item once; every row has its lines."""
    names = ("Computer", "Monitor 1", "Monitor 2", "Mice", "Station", "Stations")
    people = [
        dict(zip(names, row, strict=True)) | {"email": f"e{number}@example.com"} for number, row in enumerate(rows)
    ]
    mapped = _mapped(_ITEMS, *people)
    assert sorted(set(mapped.rows)) == list(range(len(rows)))
    orders, loose = group(validate(mapped, _CATALOG))
    assert not loose
    for row, order in zip(rows, orders, strict=True):
        held = Counter[str]()
        for item in order.contents.items:
            held[item.product_title] += int(item.quantity) if item.quantity.isdecimal() else 1000
        expected = _held_by_cells(row) or Counter({"": 1})
        assert held == expected


def _held_by_cells(row: tuple[str, ...]) -> Counter[str]:
    """The items of a row, told in another way than the program does."""
    computer, one, two, mice, station, stations = row
    nothing = {"", "0", "no", "byod"}
    translate = {"27": "Screen 27", "laptop": "laptop"}
    many = {"": 0, "0": 0, "no": 0, "1": 1, "2": 2, "3.0": 3, "yes": 1, "many": 1000, "-1": 1000}
    held = Counter[str]()
    for cell in (computer, one, two):
        if cell.strip() not in nothing:
            held[translate.get(cell, cell)] += 1
    held["Mouse"] += many[mice]
    title = "" if station.strip() in nothing else translate.get(station, station)
    if stations == "" and title:
        held[title] += 1000  # how many is blank: told as an error
    elif many[stations]:
        held[title] += many[stations]
    return Counter({name: count for name, count in held.items() if count})


def test_contents_do_not_depend_on_the_mapping() -> None:
    """The same order from a plain sheet and through a mapping has the same hash, so it is never ordered twice."""
    plain = map_columns(
        make_sheet(
            [*_PERSON, "Product", "Qty"],
            [[*_PERSON.values(), "Laptop", "1"], [*_PERSON.values(), "Screen 27", "2"]],
        )
    )
    foreign = _mapped(_ITEMS, _NO_ITEMS | {"Computer": "Laptop", "Monitor 1": "27", "Monitor 2": "27"})
    contents = [group(validate(mapped, _CATALOG))[0][0].contents for mapped in (plain, foreign)]
    assert contents[0] == contents[1]
    assert identity.content_hash(contents[0]) == identity.content_hash(contents[1])


# The report -----------------------------------------------------------------------------------------------------


def _planned(mapped: Mapped, catalog: Catalog) -> Plan:
    checked = validate(mapped, catalog)
    orders, loose = group(checked)
    return plan(
        checked,
        [(None, order) for order in orders],
        loose,
        remembered={},
        history=History(now=datetime(2026, 11, 24, tzinfo=UTC), repeat_days=90),
        catalog=catalog,
        retry_rejected=False,
    )


def _reported(mapped: Mapped) -> Report:
    ready = Outcome(status=RowStatus.READY, message="Ready.")
    planned = _planned(mapped, _CATALOG)
    return report(planned, mapped, command="check", run_id=None, ended={}, unsent=ready, about=())


def test_there_is_one_result_for_each_row() -> None:
    """However many lines a row has; an error in one of its items is the whole row's, and told once."""
    ana, ben = {"email": "ana@example.com", "lastname": "A"}, {"email": "ben@example.com", "lastname": "B"}
    done = _reported(
        _mapped(
            _ITEMS,
            _NO_ITEMS | ana | {"Computer": "rubbish", "Mice": "1"},
            _NO_ITEMS | ben | {"Computer": "Laptop", "Mice": "1", "Monitor 1": "27"},
            _NO_ITEMS | ana | {"Station": "Dock", "Stations": "1"},
            _NO_ITEMS | {"email": "", "lastname": "C", "Mice": "1", "Monitor 1": "27"},
        )
    )
    statuses = [row.status for row in done.rows]
    assert statuses == [RowStatus.INVALID, RowStatus.READY, RowStatus.HELD, RowStatus.INVALID]
    assert [order.rows for order in done.orders] == [(0, 2), (1,)]
    assert done.counts["rows"] == 4
    (wrong,) = (f.message for f in done.findings if f.code is FindingCode.UNKNOWN_PRODUCT)
    (lost,) = (f.message for f in done.findings if f.column is Column.EMAIL)
    assert [row.message for row in done.rows] == [wrong, "Ready.", held([2]), lost]


def test_stock_counts_every_line() -> None:
    """Two titles of one row are two titles, and a sum is a sum."""
    scarce = Catalog(warehouses=(Warehouse(id="1", name="", shipping_options=(), stock=dict.fromkeys(_TITLES, 1)),))
    mapped = _mapped(_ITEMS, _NO_ITEMS | {"Monitor 1": "27", "Monitor 2": "27", "Mice": "1"})
    planned = _planned(mapped, scarce)
    short = [f for f in planned.findings if f.code is FindingCode.OUT_OF_STOCK]
    assert [(f.rows, tuple(map(str, f.cells))) for f in short] == [((2,), ("K2", "L2"))]


def test_the_templates_example_leaves_with_all_its_lines() -> None:
    """What stays keeps its values, its cells and its findings; those of the example go with it."""
    names = {column.value: text for column, text in template.EXAMPLE.items() if column.value in _PERSON}
    example = _NO_ITEMS | names | {"email": template.EXAMPLE_EMAIL, "Mice": "1", "Monitor 1": "27", "Monitor 2": "27"}
    real = _NO_ITEMS | {"Monitor 1": "27", "Monitor 2": "27", "Station": "Dock", "Stations": "4"}
    whole = _mapped(_ITEMS, example, real)
    mapped = set_example_aside(whole)
    assert _lines(mapped) == _lines(whole)[2:] == [(3, "Screen 27", "2"), (3, "Dock", "4")]
    assert [str(cell) for cell in mapped.cells(0, Column.PRODUCT_TITLE)] == ["K3", "L3"]
    assert [finding.rows for finding in mapped.findings] == [(3,)]
    assert [row.status for row in _reported(mapped).rows] == [RowStatus.READY]


# Mistakes -------------------------------------------------------------------------------------------------------


def test_a_header_that_the_sheet_lacks() -> None:
    """File, key and nearest header are named; what is said is said once."""
    findings = _refused('[columns]\nproduct_title = "Gaer"\nquantity = "How many"', {"Gear": "Mouse", "How many": "1"})
    assert [(f.code, f.column, f.suggestions) for f in findings] == [
        (FindingCode.MISSING_COLUMN, Column.PRODUCT_TITLE, ("Gear",))
    ]
    assert "m.toml (columns.product_title) names the header “Gaer”" in findings[0].message


def test_a_header_that_the_sheet_has_twice() -> None:
    """Both cells are named; one that is written exactly so wins."""
    mapping = parse_mapping("m.toml", '[[items]]\ncolumn = "Screen"')
    headers = [*_PERSON, "Screen ", "SCREEN"]
    mapped = map_columns(make_sheet(headers, [[*_PERSON.values(), "Mouse", "Dock"]]), mapping)
    assert _lines(mapped) == [(2, "Mouse", "1")]
    with pytest.raises(SheetError) as caught:
        map_columns(make_sheet([*_PERSON, "Screen", "Screen"], [[*_PERSON.values(), "Mouse", "Dock"]]), mapping)
    assert [f.cells for f in caught.value.findings] == [(Cell(1, 10), Cell(1, 11))]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns\n", "no TOML"),
        ('[colums]\nemail = "x"', "“colums” means nothing here. Did you mean “columns”?"),
        ('email = "Mail"', "“email” means nothing here. Did you mean “[columns] email”?"),
        ('[columns]\nemial = "x"', "“columns.emial” means nothing here. Did you mean “email”?"),
        ('[columns]\n"Postal code" = "x"', "Did you mean “shipping_zip”?"),
        ("[columns]\nemail = 3", "“columns.email” must be a header in quotation marks"),
        ('[columns]\nemail = ""', "“columns.email” must be"),
        ("[columns]\nemail = []", "“columns.email” must be"),
        ('[columns]\nemail = { alway = "x" }', "“columns.email.alway” means nothing here. Did you mean “always”?"),
        ('[columns]\nemail = { always = "x", column = "y" }', "one of column, join and always"),
        ("[columns]\nshipping_country = { always = 49 }", "“columns.shipping_country.always” must be a text"),
        ('[columns]\nemail = { join = ["a"], with = 1 }', "“columns.email.with” must be a text"),
        ('[columns]\nemail = { join = "a" }', "“columns.email.join” must be a list"),
        ('[values]\ncountry = { "x" = "y" }', "“values.country” means nothing here. Did you mean “shipping_country”?"),
        ('[values.product_title]\n"x" = 1', "“values.product_title.x” must be a text"),
        ('[values.product_title]\n"X" = "1"\n"x " = "2"', "“values.product_title.x ” must be there once"),
        ("values = 1", "“values” must be a table"),
        ('[items]\ncolumn = "x"', "“items” must be tables"),
        ('[[items]]\ntitle = "x"', "“items 1, column” must be a header"),
        ('[[items]]\ncolumn = "x"\nquantty = "y"', "“items 1, quantty” means nothing here. Did you mean “quantity”?"),
        ('[[items]]\ncolumn = "x"\ntitle = "y"\nquantity = "z"', "“items 1” must be a column with a title"),
        ('[columns]\nquantity = "x"\n[[items]]\ncolumn = "y"', "“columns.quantity” must be left out"),
        ('ignore = "x"', "“ignore” must be a list"),
    ],
)
def test_mistakes_in_the_file(text: str, said: str) -> None:
    """Exit 2, with the file and the key."""
    with pytest.raises(UsageError) as caught:
        parse_mapping("legacy.toml", text)
    assert caught.value.exit_code == 2
    assert "legacy.toml" in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint


def test_every_mistake_is_told_at_once() -> None:
    """A person mends the file once."""
    with pytest.raises(UsageError) as caught:
        parse_mapping("m.toml", "ignore = 1\n[columns]\nemail = 1\n[[items]]\nx = 1")
    assert all(f"“{key}”" in caught.value.message for key in ("ignore", "columns.email", "items 1, x"))


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_mapping_or_an_error(text: str) -> None:
    """Never another exception."""
    with contextlib.suppress(UsageError):
        parse_mapping("m.toml", text)
