"""Grouping: rows become orders, no item is lost or added, and how a sheet is written makes no other order."""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_orders import identity
from batch_orders.adapters.sheet_reader import read_sheet
from batch_orders.models import Account, Catalog, Checked, Warehouse
from batch_orders.stages.columns import map_columns
from batch_orders.stages.group import group
from batch_orders.stages.validate import validate
from tests.builders import make_sheet
from tests.program import SAMPLES

if TYPE_CHECKING:
    import random

_ACCOUNT = Account(id="a", secret=b"s" * 32)
_HEADERS = (
    "Email", "First name", "Last name", "Phone", "Address", "City", "Country", "Product title", "Qty", "Order ref",
    "ZIP",
)  # fmt: skip
_EMAILS = st.sampled_from(["ana@example.com", "ANA@example.com ", "ben@example.com", "", "broken", "Ben@Example.com"])
_REFERENCES = st.sampled_from(["", "1", "1.0", "desk", "Desk ", "2"])
_TITLES = st.sampled_from(["Mouse", "Dock", "Screen", "", "  Mouse "])
_QUANTITIES = st.sampled_from(["1", "2", "2.0", "x", ""])
_ROWS = st.lists(st.tuples(_EMAILS, _REFERENCES, _TITLES, _QUANTITIES), min_size=1, max_size=25)


def _catalog(*titles: str) -> Catalog:
    stock = dict.fromkeys(titles, 9)
    return Catalog(warehouses=(Warehouse(id="w", name="", shipping_options=("Overnight",), stock=stock),))


def _checked(rows: list[tuple[str, str, str, str]]) -> Checked:
    whole = [
        (email, "Ana", "Sample", "+4930231250", "Weg 1", "Berlin", "DE", title, quantity, reference, "10115")
        for email, reference, title, quantity in rows
    ]
    return validate(map_columns(make_sheet(_HEADERS, whole)), _catalog("Mouse", "Dock", "Screen"))


@given(_ROWS)
@settings(max_examples=80, deadline=None)
def test_no_item_is_lost_or_added(rows: list[tuple[str, str, str, str]]) -> None:
    """Every row stands in exactly one order, or in none where it has no e-mail; its item stands there too."""
    checked = _checked(rows)
    orders, loose = group(checked)
    assert sorted([row for order in orders for row in order.lines] + list(loose)) == list(range(len(rows)))
    assert {row for row, values in enumerate(rows) if not values[0].strip()} == set(loose)
    for order in orders:
        items = Counter((checked.frame["product_title"][row], checked.frame["quantity"][row]) for row in order.lines)
        assert Counter(order.contents.items) == items
    assert len({(order.employee, order.reference) for order in orders}) == len(orders)


@given(_ROWS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_makes_no_other_order(rows: list[tuple[str, str, str, str]], chance: random.Random) -> None:
    """Shuffling the rows changes neither who is ordered for nor what."""
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert _orders(_checked(shuffled)) == _orders(_checked(rows))


def _orders(checked: Checked) -> dict[str, str]:
    """The contents' hash of each order, by its key."""
    orders, _ = group(checked)
    return {
        identity.order_key(_ACCOUNT, order.employee, order.reference): identity.content_hash(order.contents)
        for order in orders
    }


def _sample() -> list[list[str]]:
    with (SAMPLES / "new-hires.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _read(content: bytes, name: str) -> dict[str, str]:
    """The orders of a CSV file with these bytes, under this name."""
    titles = {row[_sample()[0].index("Product title")] for row in _sample()[1:]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return _orders(validate(map_columns(read_sheet(path)), _catalog(*titles)))


_ENCODINGS = st.sampled_from(
    [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")]
)


@given(
    chance=st.randoms(use_true_random=False),
    encoding=_ENCODINGS,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    form=st.sampled_from(["NFC", "NFD"]),
    name=st.sampled_from(["new-hires.csv", "Wave 2 (final).CSV", "x.txt"]),
)
@settings(max_examples=25, deadline=None)
def test_how_a_sheet_is_written_makes_no_other_order(
    *,
    chance: random.Random,
    encoding: tuple[bytes, str],
    delimiter: str,
    line_end: str,
    quoting: int,
    form: str,
    name: str,
) -> None:
    """Renamed, shuffled, re-encoded, with other delimiters, e-mail cases and spaces around: nothing new is ordered."""
    header, *rows = _sample()
    email, reference = header.index("Email"), header.index("Order reference")
    chance.shuffle(rows)
    for row in rows:
        row[email] = chance.choice([str.upper, str.lower, str.title])(row[email])
        row[reference] = chance.choice([str.upper, str.lower])(row[reference])
        row[:] = [
            chance.choice(["", " ", "\u00a0"]) + cell + chance.choice(["", "  "]) if cell else cell for cell in row
        ]
    columns = list(range(len(header)))
    chance.shuffle(columns)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([line[column] for column in columns] for line in [header, *rows])
    bom, codec = encoding
    content = bom + unicodedata.normalize(form, text.getvalue()).encode(codec)
    original = (SAMPLES / "new-hires.csv").read_bytes()
    assert _read(content, name) == _read(original, "new-hires.csv")
