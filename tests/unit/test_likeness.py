"""Typed products and the catalog's titles: words in any order, numbers and inches foremost, languages by any name."""

from __future__ import annotations

import time

import pytest

from batch_orders.likeness import CLEARLY, Titles
from batch_orders.messages.terminal import findings_text
from batch_orders.models import Catalog, FindingCode, Warehouse
from batch_orders.sandbox.inventory import TITLES
from batch_orders.stages.report import finding_document
from batch_orders.stages.validate import validate
from tests.builders import make_mapped, make_sheet

_TITLES = Titles(TITLES)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Dell Monitor 24 Zoll", 'Dell P2425H 24" Full HD Monitor'),
        ("Dell monitor 24", 'Dell P2425H 24" Full HD Monitor'),
        ("dell bildschirm 24 inch", 'Dell P2425H 24" Full HD Monitor'),
        ("MX Keys deutsch", "Logitech MX Keys – Deutsch (QWERTZ)"),
        ("MX Keys French", "Logitech MX Keys – Français (AZERTY)"),
        ("MX Keys DE", "Logitech MX Keys – Deutsch (QWERTZ)"),
        ("Dell U2724DE", 'Dell UltraSharp U2724DE 27" QHD USB-C Hub Monitor'),
        ("Dell U2724D", 'Dell UltraSharp U2724D 27" QHD Monitor'),
        ("Evolve2 65 USB C", "Jabra Evolve2 65 MS Stereo USB-C"),
        ("Mac Book Pro 16", 'Apple MacBook Pro 16" M4 Pro 48GB 1TB'),
        ("iphone 16 256 GB", "Apple iPhone 16 256GB Black"),
        ("Surface Laptop 7 13.8”", 'Microsoft Surface Laptop 7 13.8" 16GB 512GB'),
        ("Logitech MX Master 3S Wireless Mous", "Logitech MX Master 3S Wireless Mouse"),
    ],
)
def test_the_title_that_is_meant_is_clearly_the_first(text: str, title: str) -> None:
    """And the next is further away."""
    (best, score), *others = _TITLES.ranked(text, most=2)
    assert best == title
    assert not others or score - others[0][1] >= CLEARLY


@pytest.mark.parametrize("text", ['Monitor 24"', "24 inch", "Laptop L", "Logitech MX Keys", 'MacBook Pro 14" M4 64GB'])
def test_what_may_be_several_has_no_winner(text: str) -> None:
    """The first two are as near."""
    first, second = _TITLES.ranked(text, most=2)
    assert first[1] - second[1] < CLEARLY


@pytest.mark.parametrize("text", ["A typewriter", "own device", "", "??", "WRITE A TITLE HERE"])
def test_what_is_like_no_title(text: str) -> None:
    """Nothing is suggested."""
    assert _TITLES.ranked(text, most=3) == []


def test_a_title_in_other_letters_stands_alone() -> None:
    """Case and space apart it is that title; without any titles there is nothing."""
    assert _TITLES.ranked("apple  magic MOUSE", most=3) == [("Apple Magic Mouse", 100)]
    assert Titles([]).ranked("Apple Magic Mouse", most=3) == []


def test_no_arrow_where_nothing_is_clearly_meant() -> None:
    """The terminal points at one title only where that is the one; the document still has the first."""
    sheet = make_sheet(["product_title", "quantity"], [["Dell monitor 24", "1"], ["24 inch", "1"]])
    warehouse = Warehouse(id="1", name="", shipping_options=(), stock=dict.fromkeys(TITLES, 9))
    checked = validate(make_mapped(sheet), Catalog(warehouses=(warehouse,)))
    clear, undecided = (f for f in checked.findings if f.code is FindingCode.UNKNOWN_PRODUCT)
    assert findings_text([clear]).endswith('→ Dell P2425H 24" Full HD Monitor')
    assert "→" not in findings_text([undecided])
    assert "BenQ GW2486TC" in findings_text([undecided])
    assert finding_document(undecided)["suggestion"] == 'Dell P2425H 24" Full HD Monitor'


def test_ten_thousand_wrong_titles_take_seconds() -> None:
    """A sheet may have no title right. They take half a second; by letters it was a whole one."""
    titles = sorted(TITLES)
    began = time.perf_counter()
    for number in range(10_000):
        _TITLES.ranked(f"{titles[number % len(titles)]} {number}", most=3)
    assert time.perf_counter() - began < 30
