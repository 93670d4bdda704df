"""Validation: what is wrong is found at its cell, all in one pass, and what can mean only one thing is put right."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from batch_orders.errors import SheetError
from batch_orders.models import Catalog, Checked, Column, FindingCode, Originals, Severity, Value, Warehouse
from batch_orders.stages.validate import validate
from tests.builders import make_mapped, make_sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batch_orders.models import Finding

_CATALOG = Catalog(
    warehouses=(
        Warehouse(
            id="one",
            name="One",
            shipping_options=("UPS Ground", "Overnight"),
            stock={'Screen 27"': 3, "Dock": 9, "Mouse, wireless": 5, "Caf\u00e9 mug": 1, "Two  spaces": 1},
        ),
        Warehouse(id="two", name="Two", shipping_options=("2nd Day Air",), stock={"Dock": 1, "Laptop 16GB": 2}),
    )
)
_US = {
    "email": "ana.sample@example.com",
    "firstname": "Ana",
    "lastname": "Sample",
    "phone_number": "+1 212 555 0142",
    "shipping_address": "1 Main Street",
    "shipping_city": "New York",
    "shipping_state": "NY",
    "shipping_zip": "10001",
    "shipping_country": "US",
    "product_title": "Dock",
    "quantity": "1",
}
_CA = _US | {
    "phone_number": "416-555-0142", "shipping_city": "Toronto", "shipping_state": "ON", "shipping_zip": "M5V 3L9",
    "shipping_country": "CA",
}  # fmt: skip
_DE = _US | {
    "phone_number": "030 23125015", "shipping_city": "Berlin", "shipping_state": "", "shipping_zip": "10115",
    "shipping_country": "DE",
}  # fmt: skip
_AU = _US | {
    "phone_number": "02 5550 1234", "shipping_city": "Sydney", "shipping_state": "NSW", "shipping_zip": "2000",
    "shipping_country": "AU",
}  # fmt: skip
# No states, and no postal codes either.
_AG = _US | {
    "phone_number": "+1 268 464 1234", "shipping_city": "St. John's", "shipping_state": "", "shipping_zip": "",
    "shipping_country": "AG",
}  # fmt: skip
_BY_COUNTRY = {"US": _US, "CA": _CA, "DE": _DE, "AU": _AU, "AG": _AG}
_BLANK = dict.fromkeys(_US, "")


def _check(*rows: dict[str, str], without: Iterable[str] = (), catalog: Catalog = _CATALOG) -> Checked:
    headers = [column.value for column in Column if column not in set(without)]
    cells = [[row.get(header, "") for header in headers] for row in rows]
    return validate(make_mapped(make_sheet(headers, cells)), catalog)


def _errors(checked: Checked) -> list[Finding]:
    return [finding for finding in checked.findings if finding.severity is Severity.ERROR]


def _codes(findings: Iterable[Finding]) -> list[FindingCode]:
    return [finding.code for finding in findings]


def _cells(finding: Finding) -> list[str]:
    return [str(cell) for cell in finding.cells]


def _more(row: dict[str, str], **changes: str) -> dict[str, str]:
    """Another row of the same order that holds what is needed on every row, and nothing else."""
    return _BLANK | {"email": row["email"], "product_title": "Laptop 16GB", "quantity": "1"} | changes


@pytest.mark.parametrize("row", _BY_COUNTRY.values(), ids=_BY_COUNTRY)
def test_good_rows(row: dict[str, str]) -> None:
    """A row with nothing wrong has no finding of any kind."""
    assert _check(row).findings == ()


# One column at a time: country, column, value → (code, severity, suggestions), or nothing.
_E, _W = Severity.ERROR, Severity.WARNING
_ONE_VALUE: Sequence[tuple[str, str, str, tuple[str, Severity, tuple[str, ...]] | None]] = (
    ("US", "email", "", ("required", _E, ())),
    ("US", "email", "Ana.Sample+x@Example.com", None),
    ("US", "email", "ana@bücher.example", None),
    ("US", "email", "ana", ("email", _E, ())),
    ("US", "email", "ana@@example.com", ("email", _E, ())),
    ("US", "email", "ana@localhost", ("email", _E, ())),
    ("US", "email", "ana@example,com", ("email", _E, ("ana@example.com",))),
    ("US", "email", "ana sample@example.com", ("email", _E, ())),
    ("US", "email", "ana @ example. com", ("email", _E, ("ana@example.com",))),
    ("US", "email", "Ana Sample <ana@example.com>", ("email", _E, ("ana@example.com",))),
    ("US", "email", "mailto:ana@example.com", ("email", _E, ("ana@example.com",))),
    ("US", "email", "ana@example.com; ben@example.com", ("email", _E, ())),
    ("US", "firstname", "", ("required", _E, ())),
    ("US", "lastname", "", ("required", _E, ())),
    ("US", "phone_number", "", ("required", _E, ())),
    ("US", "shipping_address", "", ("required", _E, ())),
    ("US", "shipping_city", "", ("required", _E, ())),
    ("US", "shipping_country", "", ("required", _E, ())),
    ("US", "product_title", "", ("required", _E, ())),
    ("US", "quantity", "", ("required", _E, ())),
    ("US", "phone_number", "(212) 555-0142", None),
    ("US", "phone_number", "212.555.0142 x7", None),
    ("US", "phone_number", "+49 30 23125015", None),
    ("US", "phone_number", "555-0142", None),
    ("US", "phone_number", "+1 555 0142", None),
    ("US", "phone_number", "12", ("phone", _E, ())),
    ("US", "phone_number", "1", ("phone", _E, ())),
    ("US", "phone_number", "212 555 0142 / 212 555 0143", ("phone", _E, ())),
    ("US", "phone_number", "1" * 300, ("phone", _E, ())),
    ("US", "phone_number", "ask Ben", ("phone", _E, ())),
    ("US", "phone_number", "+999 123456", ("phone", _E, ())),
    ("US", "phone_number", "4.92312E+11", ("phone", _E, ())),
    ("US", "phone_number", "0049 30 23125015", ("phone", _E, ("+493023125015",))),
    ("DE", "phone_number", "0049 30 23125015", None),
    ("US", "quantity", "12", None),
    ("US", "quantity", "999999999", None),
    ("US", "quantity", "1000000000", ("quantity", _E, ())),
    ("US", "quantity", "0", ("quantity", _E, ())),
    ("US", "quantity", "-2", ("quantity", _E, ())),
    ("US", "quantity", "1.5", ("quantity", _E, ())),
    ("US", "quantity", "1,000", ("quantity", _E, ())),
    ("US", "quantity", "1.000", ("quantity", _E, ())),
    ("US", "quantity", "two", ("quantity", _E, ())),
    ("US", "quantity", "\u0662", ("quantity", _E, ())),
    ("US", "quantity", "2,0", ("quantity", _E, ("2",))),
    ("US", "quantity", "2 pcs", ("quantity", _E, ("2",))),
    ("US", "is_signature_required", "Yes", None),
    ("US", "is_signature_required", "perhaps", ("boolean", _E, ())),
    ("US", "is_signature_required", "10", ("boolean", _E, ())),
    ("DE", "is_signature_required", "no", None),
    ("DE", "is_signature_required", "ja", ("signature_not_available", _E, ("no",))),
    ("CA", "is_signature_required", "oui", None),
    ("DE", "shipping_country", "Germany", ("country", _E, ("DE",))),
    ("DE", "shipping_country", "Deutschland", ("country", _E, ("DE",))),
    ("DE", "shipping_country", "DEU", ("country", _E, ("DE",))),
    ("DE", "shipping_country", "Germny", ("country", _E, ("DE",))),
    ("US", "shipping_country", "U.S.A.", ("country", _E, ("US",))),
    ("US", "shipping_country", "the United States", ("country", _E, ("US",))),
    ("US", "shipping_country", "UK", ("country", _E, ("GB",))),
    ("US", "shipping_country", "N. Ireland", ("country", _E, ("GB",))),
    ("US", "shipping_country", "S. Sudan", ("country", _E, ("SS",))),
    ("US", "shipping_country", "Korea", ("country", _E, ("KR", "KP"))),
    ("US", "shipping_country", "XX", ("country", _E, ())),
    ("US", "shipping_country", "Atlantis Prime", ("country", _E, ())),
    ("US", "shipping_state", "", ("state", _E, ())),
    ("US", "shipping_state", "XX", ("state", _E, ())),
    ("US", "shipping_state", "Ontario", ("state", _E, ())),
    ("US", "shipping_state", "Nwe York", ("state", _E, ("NY",))),
    ("CA", "shipping_state", "", ("state", _E, ())),
    ("CA", "shipping_state", "NY", ("state", _E, ())),
    ("CA", "shipping_state", "Newfoundland", ("state", _E, ("NL",))),
    ("AU", "shipping_state", "", ("state", _W, ())),
    ("AU", "shipping_state", "new south wales", None),
    ("AU", "shipping_state", "Tasmaniaa", ("state", _W, ("Tasmania",))),
    ("DE", "shipping_state", "anything", None),
    ("AG", "shipping_state", "anything", None),
    ("US", "shipping_zip", "", ("zip", _E, ())),
    ("US", "shipping_zip", "10001-1234", None),
    ("US", "shipping_zip", "100011234", ("zip", _E, ("10001-1234",))),
    ("US", "shipping_zip", "10001 1234", ("zip", _E, ("10001-1234",))),
    ("US", "shipping_zip", "2139", ("zip", _E, ("02139",))),
    ("US", "shipping_zip", "601", ("zip", _E, ("00601",))),
    ("US", "shipping_zip", "M5V 3L9", ("zip", _E, ())),
    ("US", "shipping_zip", "00000", ("zip", _E, ())),
    ("US", "shipping_zip", "94107", ("zip", _W, ())),
    ("US", "shipping_zip", "\u0661\u0660\u0660\u0660\u0661", ("zip", _E, ())),
    ("CA", "shipping_zip", "", ("zip", _E, ())),
    ("CA", "shipping_zip", "M5V 3L", ("zip", _E, ())),
    ("CA", "shipping_zip", "H3Z 2Y7", ("zip", _W, ())),
    ("DE", "shipping_zip", "", ("zip", _E, ())),
    ("DE", "shipping_zip", "1067", ("zip", _W, ("01067",))),
    ("DE", "shipping_zip", "D-10115", ("zip", _W, ())),
    ("AG", "shipping_zip", "00000", None),
    ("US", "product_title", "Mouse, wireless", None),
    ("US", "product_title", "dock", ("unknown_product", _E, ("Dock",))),
    ("US", "product_title", "Laptop", ("unknown_product", _E, ("Laptop 16GB",))),
    ("US", "product_title", "Screen 27\u201d", ("unknown_product", _E, ('Screen 27"',))),
    ("US", "product_title", "§§§", ("unknown_product", _E, ())),
    ("US", "expedite_shipping", "2nd Day Air", None),
    ("US", "expedite_shipping", "overnight", ("shipping_option", _E, ("Overnight",))),
    ("US", "expedite_shipping", "§§§", ("shipping_option", _E, ())),
    ("US", "start_date", "whenever", None),
)


@pytest.mark.parametrize(("country", "column", "value", "expected"), _ONE_VALUE)
def test_one_value(
    country: str, column: str, value: str, expected: tuple[str, Severity, tuple[str, ...]] | None
) -> None:
    """Each value in an otherwise good row gives its one finding, at its cell, or none."""
    checked = _check(_BY_COUNTRY[country] | {column: value})
    # Another country's name in a good row makes its other values wrong too; they are not what is asked here.
    findings = [finding for finding in checked.findings if finding.column == column]
    assert [(f.code.value, f.severity, f.suggestions) for f in findings] == ([expected] if expected else [])
    if expected:
        (finding,) = findings
        letter = chr(ord("A") + list(Column).index(Column(column)))
        assert _cells(finding) == [f"{letter}2"]
        assert finding.rows == (2,)
        assert value[:50] in finding.message or expected[0] == "signature_not_available"
    if column != "shipping_country":
        assert len(checked.findings) == len(findings)


def test_long_values_are_shortened() -> None:
    """A message quotes no more than 60 characters of a value."""
    (finding,) = _check(_US | {"product_title": "word" * 100}).findings
    assert finding.code is FindingCode.UNKNOWN_PRODUCT
    assert len(finding.message) < 250
    assert "…’" in finding.message


@pytest.mark.parametrize(
    "word", ["yes", "Y", "TRUE", "1", "1.0", "ja", "Oui", "sí", "si", "sim", "tak", "WAHR", "Vrai"]
)
def test_words_for_yes(word: str) -> None:
    """Yes in several languages is yes, and nothing is said about it."""
    checked = _check(_US | {"is_signature_required": f" {word}"})
    assert checked.frame["is_signature_required"].tolist() == ["yes"]
    assert checked.findings == ()


@pytest.mark.parametrize("word", ["", " ", "no", "N", "False", "0", "nein", "non", "não", "nie", "FALSCH", "faux"])
def test_words_for_no(word: str) -> None:
    """No in several languages is no, and so is a blank cell, also abroad."""
    checked = _check(_DE | {"is_signature_required": word})
    assert checked.frame["is_signature_required"].tolist() == ["no"]
    assert checked.findings == ()


def test_unreadable_signature_is_kept() -> None:
    """What is neither yes nor no stays as it is."""
    assert _check(_US | {"is_signature_required": "perhaps"}).frame["is_signature_required"].tolist() == ["perhaps"]


@pytest.mark.parametrize(
    ("country", "column", "value", "repaired"),
    [
        ("US", "email", "\u00a0ana.sample@example.com ", "ana.sample@example.com"),
        ("US", "email", "\ufeffana.sample@example.com\u200b", "ana.sample@example.com"),
        ("US", "email", "ana\u00ad.sam\u2060ple@example.com", "ana.sample@example.com"),
        ("US", "email", "\u201cana.sample@example.com\u201d", "ana.sample@example.com"),
        ("US", "email", "\uff41na.sample\uff20example.com\u3000", "ana.sample@example.com"),
        ("US", "firstname", "\u201eAna\u201c", "Ana"),
        ("US", "product_title", "\u00ab Dock \u00bb", "Dock"),
        ("US", "product_title", "Do\u200bck", "Dock"),
        ("US", "quantity", "\uff11\uff12", "12"),
        ("US", "shipping_zip", "\uff11\uff10\uff10\uff10\uff11", "10001"),
        ("US", "phone_number", "12125550142.0", "+12125550142"),
        ("US", "phone_number", "1.2125550142E+10", "+12125550142"),
        ("US", "phone_number", "2,125550142e+09", "+12125550142"),
        ("DE", "phone_number", "4.93023125015E+11", "+493023125015"),
        ("US", "phone_number", "\uff12\uff11\uff12 555 0142", "+12125550142"),
        ("US", "phone_number", "212\u200b 555 0142", "+12125550142"),
        ("US", "firstname", "Ana\u00a0Maria", "Ana Maria"),
        ("US", "shipping_address", "1 Main Street\r\n 2nd floor", "1 Main Street 2nd floor"),
        ("US", "shipping_city", "\tNew York", "New York"),
        ("US", "quantity", "2.0", "2"),
        ("US", "quantity", " 3", "3"),
        ("US", "quantity", "007", "7"),
        ("US", "shipping_country", "us", "US"),
        ("US", "shipping_state", "ny", "NY"),
        ("US", "shipping_state", "new york", "NY"),
        ("US", "shipping_state", "N.Y.", "NY"),
        ("CA", "shipping_state", "Ontario", "ON"),
        ("CA", "shipping_zip", "m5v3l9", "M5V 3L9"),
        ("CA", "shipping_zip", "M5V-3L9", "M5V 3L9"),
        ("US", "shipping_zip", "10001.0", "10001"),
        ("US", "product_title", "Mouse,\u00a0wireless ", "Mouse, wireless"),
        ("US", "product_title", "Mouse,   wireless", "Mouse, wireless"),
        ("US", "product_title", "Two spaces", "Two  spaces"),
        ("US", "expedite_shipping", "UPS  Ground", "UPS Ground"),
        ("US", "order_reference", " desk", "desk"),
        ("US", "lastname", "Van  Dyk", "Van Dyk"),
        ("US", "shipping_address", "1  Main Street", "1 Main Street"),
        ("US", "phone_number", "c/o Bob, 212-555-0142", "+12125550142"),
        ("US", "phone_number", "Tel.: 212-555-0142 x7", "+12125550142 ext. 7"),
    ],
)
def test_repairs(country: str, column: str, value: str, repaired: str) -> None:
    """What can mean only one thing is put right, and one finding at the cell says so."""
    checked = _check(_BY_COUNTRY[country] | {column: value})
    assert checked.frame[column].tolist() == [repaired]
    (finding,) = checked.findings
    assert (finding.code, finding.severity, finding.column) == (FindingCode.REPAIRED, Severity.REPAIR, column)
    assert f"‘{' '.join(repaired.split())}’" in finding.message
    assert len(finding.cells) == 1


@pytest.mark.parametrize("phone", ["2125550142;2125550143", "2125550142 ext 5550143"])
def test_two_phone_numbers_in_a_cell(phone: str) -> None:
    """The second one is not sent as the first one's extension."""
    (finding,) = _check(_US | {"phone_number": phone}).findings
    assert (finding.code, finding.severity) == (FindingCode.PHONE, Severity.ERROR)
    assert "two phone numbers" in finding.message


@pytest.mark.parametrize("phone", ["1.2125E+10", "1.212555014E+10", "1.2125550142E+9", "1.23E+10", "1.21255501421E+10"])
def test_digits_that_are_lost_are_not_made_up(phone: str) -> None:
    """A phone number whose last digits the spreadsheet has dropped is an error, and so is one with too many."""
    (finding,) = _check(_US | {"phone_number": phone}).findings
    assert (finding.code, finding.severity, finding.suggestions) == (FindingCode.PHONE, Severity.ERROR, ())


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("email", "ana.sample\u202e@example.com", "email"),
        ("email", "ana.sample\u200d@example.com", "email"),
        ("phone_number", "\u202a+1 212 555 0142\u202c", "phone"),
        ("shipping_zip", "10001\u200e", "zip"),
        ("shipping_state", "N\u2066Y", "state"),
        ("shipping_country", "U\u200fS", "country"),
        ("quantity", "1\u061c", "quantity"),
        ("is_signature_required", "yes\u2069", "boolean"),
        ("expedite_shipping", "Overnight\u202d", "shipping_option"),
        ("product_title", "Dock\u3164", "unknown_product"),
        ("firstname", "A\u202ena", "cell_error"),
        ("shipping_address", "1 Main\ufe0f Street", "cell_error"),
        ("order_reference", "\U000e0041desk", "cell_error"),
        ("start_date", "2026-12-01\u202c", "cell_error"),
    ],
)
def test_invisible_characters_that_can_deceive(column: str, value: str, code: str) -> None:
    """Refused at the cell, once, by name; the suggestion is the same text without them, which is what is judged."""
    checked = _check(_US | {column: value})
    (finding,) = checked.findings
    assert (finding.code.value, finding.severity, finding.column) == (code, Severity.ERROR, column)
    assert "U+" in finding.message
    assert finding.message.isprintable()
    (suggestion,) = finding.suggestions
    assert _errors(_check(_US | {column: suggestion})) == []
    assert checked.frame[column].tolist() == _check(_US | {column: suggestion}).frame[column].tolist()


@pytest.mark.parametrize("name", ["\u0645\u06cc\u200c\u0631", "\u0915\u094d\u200d\u0937", "\u845b\U000e0100"])
def test_joiners_where_they_belong(name: str) -> None:
    """Persian, Hindi and Japanese names need them: nothing is taken out, and nothing said."""
    checked = _check(_US | {"firstname": name})
    assert checked.frame["firstname"].tolist() == [name]
    assert checked.findings == ()


def test_an_invisible_character_is_no_other_employee() -> None:
    """Two rows of one person stay one order, also where one address has a character that nobody sees."""
    for hidden in ("\u200b", "\u202e", "\u00ad", "\u200d", "\ufe0f"):
        checked = _check(_US, _US | {"email": f"ana.{hidden}sample@example.com", "product_title": "Mouse, wireless"})
        assert len(set(checked.frame["employee"])) == 1


def _with_number(zip_code: int, **values: str) -> Checked:
    """A row whose postal code is a number in the workbook, in the General format."""
    row = _US | {"shipping_zip": str(zip_code)} | values
    position = list(Column).index(Column.SHIPPING_ZIP)
    sheet = make_sheet(list(row), [list(row.values())])
    assert sheet.headers[position] == "shipping_zip"
    numbers = Originals({(0, position): Value(zip_code, "General")})
    return validate(make_mapped(dataclasses.replace(sheet, values=numbers)), _CATALOG)


@pytest.mark.parametrize(
    ("number", "state", "restored"),
    [
        (2139, "MA", "02139"),
        (2139, "Massachusetts", "02139"),
        (601, "PR", "00601"),
        (21390001, "MA", "02139-0001"),
        (6010001, "PR", "00601-0001"),
    ],
)
def test_a_us_zip_that_became_a_number(number: int, state: str, restored: str) -> None:
    """Its zeros come back where the code is the row's state's then, and a finding says so."""
    checked = _with_number(number, shipping_state=state)
    assert checked.frame["shipping_zip"].tolist() == [restored]
    repairs = [f for f in checked.findings if f.column == "shipping_zip"]
    assert [(f.code, f.severity) for f in repairs] == [(FindingCode.REPAIRED, Severity.REPAIR)]
    assert restored in repairs[0].message
    assert _errors(checked) == []


@pytest.mark.parametrize(("number", "state"), [(2139, "NY"), (2139, "XX"), (1000, "CA"), (12, "MA"), (213, "MA")])
def test_a_number_that_may_lack_another_digit(number: int, state: str) -> None:
    """Where the code would be another state's it is an error, as a person may have typed a digit too few."""
    checked = _with_number(number, shipping_state=state)
    assert checked.frame["shipping_zip"].tolist() == [str(number)]
    assert FindingCode.ZIP in [f.code for f in _errors(checked)]


def test_a_zip_that_is_text_is_not_restored() -> None:
    """In text nothing has taken the zero away but a person: the suggestion has it."""
    (finding,) = _check(_US | {"shipping_zip": "2139", "shipping_state": "MA"}).findings
    assert (finding.code, finding.severity, finding.suggestions) == (FindingCode.ZIP, Severity.ERROR, ("02139",))


def test_na_is_namibia_and_a_text() -> None:
    """Neither the country nor a state or a name is taken for a missing value."""
    values = {"shipping_country": "NA", "shipping_state": "NA", "firstname": "NA", "phone_number": "+264 61 555 012"}
    checked = _check(_DE | values)
    assert {name: checked.frame[name][0] for name in ("shipping_country", "shipping_state", "firstname")} == {
        "shipping_country": "NA",
        "shipping_state": "NA",
        "firstname": "NA",
    }
    assert FindingCode.REQUIRED not in [finding.code for finding in checked.findings]


@pytest.mark.parametrize("name", ["Québec", "Quebec", "QUEBEC", "qc"])
def test_quebec(name: str) -> None:
    """Canada's provinces are known by both languages' names."""
    checked = _check(_CA | {"shipping_state": name, "shipping_zip": "H3Z 2Y7"})
    assert checked.frame["shipping_state"].tolist() == ["QC"]
    assert not _errors(checked)


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("product_title", "Cafe\u0301 mug", "Caf\u00e9 mug"),
        ("firstname", "Jose\u0301", "Jos\u00e9"),
        ("phone_number", " (212) 555-0142 ", "+12125550142"),
        ("phone_number", "212-555-0142 ext 7", "+12125550142 ext. 7"),
        ("start_date", "   ", ""),
    ],
)
def test_what_is_not_worth_a_word(column: str, value: str, kept: str) -> None:
    """Composed letters, a phone number's form and blank cells are no repairs."""
    checked = _check(_US | {column: value})
    assert checked.frame[column].tolist() == [kept]
    assert checked.findings == ()


def test_repairs_need_no_catalog() -> None:
    """A title that has left the catalog is repaired to a text that differs from before in white space at most."""
    gone = Catalog(warehouses=())
    for title in (" Mouse,\u00a0wireless", "Mouse,\nwireless"):
        here = _check(_US | {"product_title": title}).frame["product_title"][0]
        there = _check(_US | {"product_title": title}, catalog=gone).frame["product_title"][0]
        assert here == there == "Mouse, wireless"


def test_two_titles_that_differ_in_space() -> None:
    """Where two titles differ in white space only, neither is guessed."""
    twins = Catalog(warehouses=(Warehouse(id="1", name="1", shipping_options=(), stock={"A  B": 1, "A   B": 1}),))
    (finding,) = _check(_US | {"product_title": "A B"}, catalog=twins).findings
    assert finding.code is FindingCode.UNKNOWN_PRODUCT
    assert sorted(finding.suggestions) == ["A   B", "A  B"]
    assert _check(_US | {"product_title": "A  B"}, catalog=twins).findings == ()


@pytest.mark.parametrize("country", ["Germany", "DE", "de"])
def test_everything_in_one_pass(country: str) -> None:
    """A row with many faults has a finding for each, those included that depend on a misspelt country."""
    row = _DE | {
        "email": "ana@example",
        "lastname": "",
        "shipping_country": country,
        "phone_number": "12",
        "shipping_zip": "",
        "product_title": "dock",
        "quantity": "x",
        "expedite_shipping": "fast",
        "is_signature_required": "yes",
    }
    expected = {
        "email", "required", "phone", "zip", "unknown_product", "quantity", "shipping_option",
        "signature_not_available", "country" if country == "Germany" else "email",
    }  # fmt: skip
    assert {code.value for code in _codes(_errors(_check(row)))} == expected


def test_unknown_country_silences_what_depends_on_it() -> None:
    """Where nobody can tell the country, only the country is reported, and a number without + stays as typed."""
    checked = _check(_US | {"shipping_country": "Nowhere", "phone_number": "0", "is_signature_required": "yes"})
    assert _codes(checked.findings) == [FindingCode.COUNTRY]
    assert checked.frame["phone_number"].tolist() == ["0"]


def test_phone_with_plus_needs_no_country() -> None:
    """A number with + is judged and written as E.164 wherever the row goes."""
    checked = _check(_US | {"shipping_country": "Nowhere", "phone_number": "+1 212 555 0142"})
    assert checked.frame["phone_number"].tolist() == ["+12125550142"]
    assert FindingCode.PHONE in _codes(_check(_US | {"shipping_country": "Nowhere", "phone_number": "+1 2"}).findings)


def test_country_without_numbers() -> None:
    """Where a country has no numbering plan, the number must have + and a country code."""
    row = _US | {"shipping_country": "GS", "shipping_zip": "SIQQ 1ZZ", "shipping_state": ""}
    (finding,) = _check(row | {"phone_number": "51234"}).findings
    assert finding.code is FindingCode.PHONE
    assert _check(row | {"phone_number": "+500 51234"}).findings == ()


def test_zip_names_both_states() -> None:
    """A ZIP code of another state says whose it is and whose the row is."""
    (finding,) = _check(_US | {"shipping_zip": "94107"}).findings
    assert "California (CA)" in finding.message
    assert "New York (NY)" in finding.message


def test_frame() -> None:
    """The checked frame has the sheet's rows and all our columns, as text."""
    checked = _check(_US, _DE | {"email": " BEN@Example.com ", "order_reference": "1.0"}, without=["start_date"])
    assert list(checked.frame.columns) == [*(column.value for column in Column), "employee", "reference"]
    assert checked.frame.index.tolist() == [0, 1]
    assert checked.frame["employee"].tolist() == ["ana.sample@example.com", "ben@example.com"]
    assert checked.frame["reference"].tolist() == ["", "1"]
    assert checked.frame["start_date"].tolist() == ["", ""]
    assert checked.frame["phone_number"].tolist() == ["+12125550142", "+493023125015"]
    assert all(isinstance(value, str) for name in checked.frame for value in checked.frame[name])


def test_empty_sheet() -> None:
    """No rows, no findings."""
    checked = _check()
    assert checked.findings == ()
    assert len(checked.frame) == 0


def test_cells_as_excel_shows_them() -> None:
    """Findings name the sheet's own rows and columns, wherever the table begins."""
    headers = ["Notes", *_US]
    sheet = make_sheet(
        headers, [["", *_US.values()], ["", *(_US | {"quantity": "x"}).values()]], row_numbers=[9, 12], first_column=3
    )
    findings = validate(make_mapped(sheet), _CATALOG).findings
    quantity = next(finding for finding in findings if finding.code is FindingCode.QUANTITY)
    assert quantity.rows == (12,)
    assert _cells(quantity) == ["N12"]


# Orders ---------------------------------------------------------------------------------------------------------


def test_inheritance() -> None:
    """Blank once-per-order cells take the order's value, above and below, and nothing is said about it."""
    checked = _check(_more(_DE), _DE, _more(_DE, product_title='Screen 27"', email="ANA.Sample@example.com"))
    assert checked.findings == ()
    for column in ("firstname", "phone_number", "shipping_address", "shipping_zip", "shipping_country"):
        assert len(set(checked.frame[column])) == 1
    assert checked.frame["phone_number"].tolist() == ["+493023125015"] * 3


def test_nothing_else_is_inherited() -> None:
    """E-mail, title, quantity and order reference belong to their row."""
    checked = _check(_US | {"order_reference": "desk"}, _BLANK | {"email": _US["email"]})
    assert checked.frame["order_reference"].tolist() == ["desk", ""]
    required = [f.column for f in checked.findings if f.code is FindingCode.REQUIRED and f.rows == (3,)]
    assert {"product_title", "quantity", "firstname", "shipping_country"} <= set(required)


def test_references_tell_orders_apart() -> None:
    """Another reference is another order, and inherits nothing; 1 and 1.0 are the same."""
    checked = _check(_US | {"order_reference": "1"}, _more(_US, order_reference="1.0"), _DE | {"order_reference": "2"})
    assert checked.findings == ()
    assert checked.frame["shipping_city"].tolist() == ["New York", "New York", "Berlin"]


def test_once_per_order_is_required_once() -> None:
    """What the whole order lacks is told once, at its first row."""
    checked = _check(_US | {"email": "ben@example.com"}, _US | {"firstname": ""}, _more(_US))
    (finding,) = checked.findings
    assert (finding.code, finding.column, _cells(finding)) == (FindingCode.REQUIRED, "firstname", ["B3"])
    assert "any one of them" in finding.message


def test_blank_email_belongs_to_no_order() -> None:
    """Such a row is told its e-mail and its own values, not what an order would need."""
    checked = _check(_BLANK | {"quantity": "x", "product_title": "Dock", "shipping_country": "Germany"}, _US)
    assert [(f.code.value, f.column) for f in checked.findings] == [
        ("required", "email"),
        ("country", "shipping_country"),
        ("quantity", "quantity"),
    ]
    assert checked.frame["employee"].tolist() == ["", "ana.sample@example.com"]


def test_inherited_value_is_judged_once() -> None:
    """A wrong value is told at its own cell, not again at rows that inherit it."""
    (finding,) = _check(_more(_US), _US | {"phone_number": "12"}).findings
    assert (finding.code, finding.rows) == (FindingCode.PHONE, (3,))
    (finding,) = _check(_more(_DE), _DE | {"is_signature_required": "yes"}).findings
    assert (finding.code, finding.rows) == (FindingCode.SIGNATURE_NOT_AVAILABLE, (3,))


def test_rules_see_inherited_neighbours() -> None:
    """State and ZIP code in different rows of an order are judged together, as are phone and country."""
    (finding,) = _check(_US | {"shipping_zip": ""}, _more(_US, shipping_zip="94107")).findings
    assert (finding.code, _cells(finding)) == (FindingCode.ZIP, ["H3"])
    checked = _check(_DE | {"phone_number": ""}, _more(_DE, phone_number="030 23125015"))
    assert checked.frame["phone_number"].tolist() == ["+493023125015"] * 2


def test_conflict() -> None:
    """Two values for one thing are one finding that names both cells and values; blanks inherit neither."""
    checked = _check(_DE, _more(_DE, shipping_city="Munich"), _more(_DE, product_title='Screen 27"'))
    (finding,) = checked.findings
    assert (finding.code, finding.severity, finding.column) == (FindingCode.CONFLICT, Severity.ERROR, "shipping_city")
    assert finding.rows == (2, 3)
    assert _cells(finding) == ["F2", "F3"]
    assert "F2 says ‘Berlin’ and F3 says ‘Munich’" in finding.message
    assert checked.frame["shipping_city"].tolist() == ["Berlin", "Munich", ""]


def test_conflict_names_first_cells() -> None:
    """The message names the first cell of each value; the finding is at every cell that holds one."""
    rows = [_more(_DE, shipping_city=city) for city in ("Munich", "", "Berlin", "Munich")]
    (finding,) = [f for f in _check(_DE, *rows).findings if f.code is FindingCode.CONFLICT]
    assert _cells(finding) == ["F2", "F3", "F5", "F6"]
    assert "F2 says ‘Berlin’ and F3 says ‘Munich’." in finding.message


def test_conflicts_compare_meanings() -> None:
    """Spellings of one number, one state or one answer are no conflict."""
    checked = _check(
        _US | {"is_signature_required": "yes"},
        _more(_US, phone_number="(212) 555-0142", shipping_state="New York", is_signature_required="1"),
    )
    assert _errors(checked) == []
    assert checked.frame["phone_number"].tolist() == ["+12125550142"] * 2


def test_a_countrys_name_beside_its_code() -> None:
    """The name is told, with its code; that the two disagree is not."""
    findings = _check(_DE | {"shipping_country": "Germany"}, _more(_DE, shipping_country="DE")).findings
    assert [(f.code.value, f.rows, f.suggestions) for f in findings] == [("country", (2,), ("DE",))]
    other = _check(_DE | {"shipping_country": "Germany"}, _more(_DE, shipping_country="AT")).findings
    assert "conflict" in [f.code.value for f in other]


def test_two_people_under_one_email() -> None:
    """Names that differ look like two people: each is offered an order reference."""
    other = _US | {"firstname": "Ben Ali", "lastname": "Other", "product_title": "Laptop 16GB"}
    findings = _check(_US, other).findings
    assert [(f.code.value, f.column) for f in findings] == [("conflict", "firstname"), ("conflict", "lastname")]
    for finding in findings:
        assert finding.suggestions == ("ana", "ben-ali")
        assert "“Order reference”, such as ‘ana’ and ‘ben-ali’" in finding.message


def test_same_first_name_differing_last_names() -> None:
    """Where the first names are the same, the last names tell the people apart."""
    (finding,) = _check(_US, _more(_US, lastname="Other")).findings
    assert finding.suggestions == ("sample", "other")


def test_countries_that_disagree() -> None:
    """Each row's own values are judged by its own country; what any of them could do without is not missed."""
    checked = _check(_US, _more(_US, shipping_country="DE", phone_number="030 23125015"))
    assert {(f.code.value, f.column) for f in checked.findings} == {
        ("conflict", "shipping_country"),
        ("conflict", "phone_number"),
    }
    checked = _check(_US | {"shipping_zip": "", "shipping_state": ""}, _more(_US, shipping_country="AG"))
    assert _codes(checked.findings) == [FindingCode.CONFLICT]


def test_start_dates_are_not_compared() -> None:
    """A start date means nothing yet: it is inherited, and two spellings of it hold nobody's order."""
    checked = _check(_US | {"start_date": "2026-12-01"}, _more(_US))
    assert checked.frame["start_date"].tolist() == ["2026-12-01"] * 2
    assert _check(_US | {"start_date": "2026-12-01"}, _more(_US, start_date="1 Dec")).findings == ()


def test_duplicate_items() -> None:
    """The same title twice in one order is one finding for each title; in two orders it is none."""
    checked = _check(_US, _more(_US), _more(_US, product_title=" Dock"), _more(_US), _US | {"email": "ben@example.com"})
    duplicates = _errors(checked)
    assert [(f.code.value, _cells(f), f.rows) for f in duplicates] == [
        ("duplicate_item", ["J2", "J4"], (2, 4)),
        ("duplicate_item", ["J3", "J5"], (3, 5)),
    ]
    assert "‘Dock’ is in this order twice (J2 and J4)" in duplicates[0].message
    assert _check(_US | {"order_reference": "a"}, _US | {"order_reference": "b"}).findings == ()


def test_findings_are_in_the_sheets_order() -> None:
    """Findings come row by row, and column by column within a row."""
    checked = _check(
        _US | {"quantity": "x", "email": "no"},
        _US | {"lastname": ""},
        _DE | {"email": "c@example.com", "shipping_zip": ""},
    )
    assert [(f.rows[0], f.column) for f in checked.findings] == [
        (2, "email"),
        (2, "quantity"),
        (3, "lastname"),
        (4, "shipping_zip"),
    ]


# Columns that the sheet lacks -----------------------------------------------------------------------------------


def _missing(error: SheetError) -> list[tuple[str, Column | None]]:
    return [(finding.code.value, finding.column) for finding in error.findings]  # type: ignore[attr-defined]  # objects, to keep errors.py free of imports


def test_sheet_without_postal_codes() -> None:
    """Where every country needs one, the missing column stops the sheet."""
    with pytest.raises(SheetError) as caught:
        _check(_DE, _US | {"email": "ben@example.com"}, without=["shipping_zip"])
    assert _missing(caught.value) == [("missing_column", "shipping_zip")]
    assert caught.value.exit_code == 3


def test_sheet_without_states() -> None:
    """Where all is US and CA, the missing column stops the sheet; both columns are told at once."""
    with pytest.raises(SheetError) as caught:
        _check(_CA, _US | {"email": "ben@example.com"}, without=["shipping_zip", "shipping_state"])
    assert _missing(caught.value) == [("missing_column", "shipping_state"), ("missing_column", "shipping_zip")]


def test_missing_column_suggests_the_nearest_header() -> None:
    """A header that nearly says it is suggested."""
    headers = ["ZIP-Cod" if header == "shipping_zip" else header for header in _US]
    with pytest.raises(SheetError) as caught:
        validate(make_mapped(make_sheet(headers, [list(_US.values())])), _CATALOG)
    (finding,) = caught.value.findings
    assert finding.suggestions == ("ZIP-Cod",)  # type: ignore[attr-defined]  # as above


def test_columns_lacking_for_some() -> None:
    """Where some country does without, only the orders that need the column are told, at no cell."""
    checked = _check(_AG, _US | {"email": "ben@example.com"}, without=["shipping_zip", "shipping_state"])
    assert [(f.code.value, f.rows, f.cells, f.severity) for f in checked.findings] == [
        ("state", (3,), (), Severity.ERROR),
        ("zip", (3,), (), Severity.ERROR),
    ]
    assert all("no such column" in finding.message for finding in checked.findings)
    assert _check(_AG, without=["shipping_zip", "shipping_state"]).findings == ()
    (warning,) = _check(_AU, _AG | {"email": "b@example.com"}, without=["shipping_state"]).findings
    assert (warning.code, warning.severity, warning.cells) == (FindingCode.STATE, Severity.WARNING, ())
