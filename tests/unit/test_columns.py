"""Headers: which column each means, which are missing or double, and a results file that comes back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.errors import SheetError
from batch_orders.messages.outcomes import COLUMN_NAMES
from batch_orders.models import NEEDED, RESULT_COLUMNS, Cell, Column, Finding, FindingCode, Severity
from batch_orders.stages.columns import known_column, map_columns, recognise
from batch_orders.stages.columns.headers import normalised
from batch_orders.stages.columns.synonyms import ADDRESS_PARTS, FIRST_LINES, NEXT_LINES, SYNONYMS
from tests.builders import make_sheet

_TEMPLATE = list(COLUMN_NAMES.values())
_NEEDED = [COLUMN_NAMES[column] for column in NEEDED]


def _findings(headers: list[str], **changes: Any) -> tuple[Finding, ...]:
    """What is wrong with these headers."""
    with pytest.raises(SheetError) as caught:
        map_columns(make_sheet(headers, [["x"] * len(headers)], **changes))
    assert caught.value.exit_code == 3
    assert caught.value.message
    assert caught.value.hint
    return tuple(finding for finding in caught.value.findings if isinstance(finding, Finding))


@pytest.mark.parametrize("column", Column)
def test_our_own_names_and_the_templates_headers_are_known(column: Column) -> None:
    """`shipping_zip` and "ZIP / postal code" are the same column."""
    assert known_column(column.value) is column
    assert known_column(COLUMN_NAMES[column]) is column


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Work e-mail", Column.EMAIL),
        ("E-Mail-Adresse", Column.EMAIL),
        ("Given name", Column.FIRSTNAME),
        ("Vorname", Column.FIRSTNAME),
        ("Prénom", Column.FIRSTNAME),
        ("Prenom", Column.FIRSTNAME),
        ("Surname", Column.LASTNAME),
        ("Apellidos", Column.LASTNAME),
        ("Mobile", Column.PHONE_NUMBER),
        ("Téléphone", Column.PHONE_NUMBER),
        ("Street", Column.SHIPPING_ADDRESS),
        ("Straße", Column.SHIPPING_ADDRESS),
        ("STRASSE", Column.SHIPPING_ADDRESS),
        ("Town", Column.SHIPPING_CITY),
        ("Ciudad", Column.SHIPPING_CITY),
        ("Province", Column.SHIPPING_STATE),
        ("Bundesland", Column.SHIPPING_STATE),
        ("Zip", Column.SHIPPING_ZIP),
        ("Postal code", Column.SHIPPING_ZIP),
        ("PLZ", Column.SHIPPING_ZIP),
        ("Código postal", Column.SHIPPING_ZIP),
        ("Pays", Column.SHIPPING_COUNTRY),
        ("Product", Column.PRODUCT_TITLE),
        ("Item", Column.PRODUCT_TITLE),
        ("Qty", Column.QUANTITY),
        ("Qty.", Column.QUANTITY),
        ("Menge", Column.QUANTITY),
        ("Shipping method", Column.EXPEDITE_SHIPPING),
        ("Versandart", Column.EXPEDITE_SHIPPING),
        ("Signature required", Column.IS_SIGNATURE_REQUIRED),
        ("Signature required?", Column.IS_SIGNATURE_REQUIRED),
        ("Order ref", Column.ORDER_REFERENCE),
        ("Start date", Column.START_DATE),
        ("Eintrittsdatum", Column.START_DATE),
        ("Dienstliche E-Mail", Column.EMAIL),
        ("Primeiro nome", Column.FIRSTNAME),
        ("Imię", Column.FIRSTNAME),
        ("Voornaam", Column.FIRSTNAME),
        ("Sobrenome", Column.LASTNAME),
        ("Nazwisko", Column.LASTNAME),
        ("Achternaam", Column.LASTNAME),
        ("Telemóvel", Column.PHONE_NUMBER),
        ("Nr telefonu", Column.PHONE_NUMBER),
        ("Telefoonnummer", Column.PHONE_NUMBER),
        ("Morada", Column.SHIPPING_ADDRESS),
        ("Ulica i numer", Column.SHIPPING_ADDRESS),
        ("Straat en huisnummer", Column.SHIPPING_ADDRESS),
        ("Miejscowość", Column.SHIPPING_CITY),
        ("Woonplaats", Column.SHIPPING_CITY),
        ("CEP", Column.SHIPPING_ZIP),
        ("Kod pocztowy", Column.SHIPPING_ZIP),
        ("Kraj", Column.SHIPPING_COUNTRY),
        ("Landcode", Column.SHIPPING_COUNTRY),
        ("Sprzęt", Column.PRODUCT_TITLE),
        ("Matériel", Column.PRODUCT_TITLE),
        ("Apparatuur", Column.PRODUCT_TITLE),
        ("Aantal", Column.QUANTITY),
        ("Ilość", Column.QUANTITY),
        ("Quantidade", Column.QUANTITY),
        ("Sposób wysyłki", Column.EXPEDITE_SHIPPING),
        ("Handtekening vereist", Column.IS_SIGNATURE_REQUIRED),
        ("Data de admissão", Column.START_DATE),
        ("Datum in dienst", Column.START_DATE),
    ],
)
def test_synonyms(header: str, column: Column) -> None:
    """What HR calls our columns."""
    assert known_column(header) is column


@pytest.mark.parametrize(
    "header",
    ["", "  ", "***", "Name", "Full name", "Employee", "Notes", "Cost centre", "Manager email",
     *RESULT_COLUMNS, "Order", "Order number", "Order no.", "Order id"],
)  # fmt: skip
def test_what_could_mean_something_else_is_nobodys(header: str) -> None:
    """A wrong guess would order for the wrong person, or twice."""
    assert known_column(header) is None


@pytest.mark.parametrize("header", ["Reference", "Ref", "Ref.", "Referenz", "Référence", "Referencia"])
def test_a_bare_reference_is_not_an_order_reference(header: str) -> None:
    """It may be a personnel or a line number; taken for ours, it would make every row an order of its own."""
    assert known_column(header) is None


@pytest.mark.parametrize(
    "header",
    [
        "Nom",
        "Nombre",
        "Amount",
        "Region",
        "Firma",
        "Estado",
        "Title",
        "Address line 1",
        "Address 1",
        "Nome",
        "Naam",
        "Apelido",
        "Assinatura",
        "Equipo",
        "Data",
        "Kontakt",
    ],
)
def test_words_with_two_meanings_are_nobodys(header: str) -> None:
    """A "Region" is EMEA, "Amount" a price, "Firma" a German company, "Address 1" only half an address."""
    assert known_column(header) is None


def test_each_synonym_means_one_column() -> None:
    """No normalised header stands for two columns."""
    listed = Counter(
        name for column, names in SYNONYMS.items() for name in {normalised(each) for each in (*names, column.value)}
    )
    assert [name for name, times in listed.items() if times > 1] == []


@given(st.sampled_from(_TEMPLATE), st.data())
def test_case_space_and_punctuation_do_not_matter(header: str, data: st.DataObject) -> None:
    """Matched without regard to them, and to full-width letters."""
    column = known_column(header)
    assert column is not None
    filler = st.text(alphabet=" _-./:*\u00a0\n", max_size=3)
    letters = [data.draw(st.sampled_from([c, c.upper(), c.lower()])) + data.draw(filler) for c in header]
    assert known_column(data.draw(filler) + "".join(letters)) is column


@given(st.text())
def test_any_text_can_be_a_header(header: str) -> None:
    """Never an exception."""
    assert known_column(header) in {None, *Column}


def test_recognise_counts_columns_not_headers() -> None:
    """Two headers of one column count once, the person's own not at all."""
    assert recognise(["Email", "E-mail", "Notes", "", "Qty"]) == 2


def test_positions() -> None:
    """Every column where its header stands; the person's own are nowhere."""
    headers = ["Notes", *reversed(_TEMPLATE), ""]
    mapped = map_columns(make_sheet(headers, [["x"] * len(headers)]))
    assert {column: headers[position] for column, (position,) in mapped.sources.items()} == COLUMN_NAMES
    assert (mapped.results, mapped.prefix) == ((), "")


def test_only_what_every_country_needs_is_needed() -> None:
    """Postal code and state depend on the country, and are validation's to ask for."""
    assert set(map_columns(make_sheet(_NEEDED, [["x"] * len(_NEEDED)])).sources) == set(NEEDED)


def test_every_missing_column_is_told_at_once() -> None:
    """One finding for each, in the columns' order, about no row or cell."""
    findings = _findings(["Email", "Colour"])
    assert [finding.column for finding in findings] == list(NEEDED[1:])
    for finding in findings:
        assert finding.code is FindingCode.MISSING_COLUMN
        assert finding.severity is Severity.ERROR
        assert (finding.rows, finding.cells, finding.suggestions) == ((), (), ())
        assert finding.column is not None
        assert COLUMN_NAMES[finding.column] in finding.message


@pytest.mark.parametrize(
    ("typed", "column"),
    [
        ("Equipmnt", Column.PRODUCT_TITLE),
        ("Product titel", Column.PRODUCT_TITLE),
        ("Quantitiy", Column.QUANTITY),
        ("Contry", Column.SHIPPING_COUNTRY),
        ("Fristname", Column.FIRSTNAME),
    ],
)
def test_the_nearest_header_is_suggested(typed: str, column: Column) -> None:
    """A misspelt header is named, both in the message and as the suggestion."""
    headers = [typed if name == COLUMN_NAMES[column] else name for name in _NEEDED]
    (finding,) = _findings([*headers, "Cost centre"])
    assert finding.column is column
    assert finding.suggestions == (typed,)
    assert f"“{typed}”" in finding.message


def test_a_column_that_is_known_is_no_suggestion() -> None:
    """The header "First name" is near "Last name", and is taken."""
    (finding,) = _findings([name for name in _NEEDED if name != "Last name"])
    assert finding.suggestions == ()


def test_double_columns() -> None:
    """Both header cells are named, as Excel names them."""
    findings = _findings([*_NEEDED, "Mobile", "E-mail", "Telephone"], header_row=4)
    by_column = {finding.column: finding for finding in findings}
    assert set(by_column) == {Column.PHONE_NUMBER, Column.EMAIL}
    phone = by_column[Column.PHONE_NUMBER]
    assert phone.code is FindingCode.DUPLICATE_COLUMN
    assert phone.rows == (4,)
    assert phone.cells == (Cell(4, 4), Cell(4, 10), Cell(4, 12))
    for text in ("D4", "J4", "L4", "“Phone number”", "“Mobile”", "“Telephone”"):
        assert text in phone.message


def test_missing_and_double_come_in_one_pass() -> None:
    """A person mends the header once."""
    codes = [finding.code for finding in _findings([*_NEEDED[1:], "Mobile"])]
    assert sorted(codes) == [FindingCode.DUPLICATE_COLUMN, FindingCode.MISSING_COLUMN]


def test_a_results_file_that_comes_back() -> None:
    """All five of our own columns, whatever their case and place, are replaced."""
    headers = ["run_id", *_NEEDED, " Order_Status ", "ORDER_NUMBER", "order_message", "submitted_at"]
    mapped = map_columns(make_sheet(headers, [["x"] * len(headers)]))
    assert [headers[position].strip().lower() for position in mapped.results] == list(RESULT_COLUMNS)
    assert mapped.prefix == ""


def test_a_column_of_the_persons_own_with_one_of_our_names() -> None:
    """Ours get the prefix `bo_`, and are known again when they come back."""
    headers = [*_NEEDED, "order_number"]
    mapped = map_columns(make_sheet(headers, [["x"] * len(headers)]))
    assert (mapped.results, mapped.prefix) == ((), "bo_")
    headers += [f"bo_{name}" for name in RESULT_COLUMNS]
    mapped = map_columns(make_sheet(headers, [["x"] * len(headers)]))
    assert mapped.results == tuple(range(10, 15))
    assert mapped.prefix == "bo_"


def test_only_exact_names_are_our_results() -> None:
    """A header "Order status" with a space is the person's own, and no reason for a prefix."""
    headers = [*_NEEDED, "Order status", "Order number"]
    mapped = map_columns(make_sheet(headers, [["x"] * len(headers)]))
    assert (mapped.results, mapped.prefix) == ((), "")


# Addresses in several columns -----------------------------------------------------------------------------------

_BUT_ADDRESS = [COLUMN_NAMES[column] for column in NEEDED if column is not Column.SHIPPING_ADDRESS]


def _address(**cells: str) -> tuple[list[str], list[str]]:
    """What is said of the address's columns, and the value that they come to; one row."""
    headers = [name.replace("_", " ") for name in cells]
    sheet = make_sheet([*_BUT_ADDRESS, *headers], [["x"] * len(_BUT_ADDRESS) + list(cells.values())])
    try:
        mapped = map_columns(sheet)
    except SheetError as error:
        found = [finding for finding in error.findings if isinstance(finding, Finding)]
        assert {(f.code, f.column) for f in found} == {(FindingCode.MISSING_COLUMN, Column.SHIPPING_ADDRESS)}
        return [finding.message for finding in found], []
    assert all((f.code, f.severity) == (FindingCode.REPAIRED, Severity.REPAIR) for f in mapped.findings)
    return [" ".join(map(str, f.cells)) for f in mapped.findings], mapped.values(Column.SHIPPING_ADDRESS)


@pytest.mark.parametrize("header", ["Address_line_1", "Address_1", "Street_1", "Adresszeile_1"])
def test_the_first_line_is_the_address_where_it_stands_alone(header: str) -> None:
    """There is nothing else that it could be half of."""
    assert _address(**{header: "1 Main Street"}) == ([], ["1 Main Street"])


@pytest.mark.parametrize("first", ["Address", "Street", "Address_line_1", "Shipping_address_line_1"])
def test_numbered_lines_are_joined_and_it_is_said(first: str) -> None:
    """A "line 2" can only go on where line 1 ends; the finding names both cells."""
    assert _address(**{first: "1 Main Street ", "Address_line_2": " Apt 4B"}) == (["I2 J2"], ["1 Main Street, Apt 4B"])
    lines = {first: "1 Main Street", "Address_line_3": "Floor 9", "Address_line_2": "Apt 4B"}
    assert _address(**lines) == (["I2 K2 J2"], ["1 Main Street, Apt 4B, Floor 9"])


def test_a_blank_second_line_changes_nothing() -> None:
    """No separator, and nothing to say."""
    assert _address(Address_line_1="1 Main Street", Address_line_2=" ") == ([], ["1 Main Street"])
    assert _address(Address="1 Main Street", Address_2=" ") == ([], ["1 Main Street"])


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ("Address", "Address_2", 'shipping_address = ["Address", "Address 2"]'),
        ("Address_1", "Address_2", 'shipping_address = ["Address 1", "Address 2"]'),
        ("Street", "House_number", 'shipping_address = { join = ["Street", "House number"], with = " " }'),
        ("Straße", "Hausnummer", 'shipping_address = { join = ["Straße", "Hausnummer"], with = " " }'),
        ("Address", "Apt", 'shipping_address = { join = ["Address", "Apt"], with = " " }'),
    ],
)
def test_half_an_address_is_refused_with_the_line_that_joins_it(first: str, second: str, line: str) -> None:
    """An "Address 2" may be another address, and a house number stands before or after the street: nobody guesses."""
    ((message,), values) = _address(**{first: "1 Main Street", second: "4"})
    assert values == []
    assert f"`{line}`" in message
    assert f'`ignore = ["{second.replace("_", " ")}"]`' in message


def test_no_part_of_an_address_is_another_column() -> None:
    """A header that is taken for a column of ours would never be missed."""
    for name in (*ADDRESS_PARTS, *FIRST_LINES, *(name for names in NEXT_LINES for name in names)):
        assert known_column(name) is None, name
