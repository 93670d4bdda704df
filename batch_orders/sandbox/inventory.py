"""The invented stock: three warehouses, and what each of them holds when the sandbox starts.

No warehouse offers every shipping option and none lists every title, so that a client which looks at only one of
them is caught. Some titles are awkward on purpose: inch marks, accents, commas, an ampersand, titles that differ in
one word, one that is sold out and two that nearly are.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """A place that ships, and how."""

    warehouse_id: str
    name: str
    shipping_options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One title. `price` is in US dollars; `stock` is pieces by warehouse id, only where it is listed at all."""

    company_sku: str
    title: str
    slug: str
    description: str
    category_name: str
    brand_name: str
    model_name: str
    product_image: str
    price: float
    stock: Mapping[str, int]


WAREHOUSES = (
    Warehouse(warehouse_id="QebLm2p7", name="Newark, New Jersey", shipping_options=("UPS Ground", "2nd Day Air")),
    Warehouse(warehouse_id="Vk3tRw9x", name="Reno, Nevada", shipping_options=("UPS Ground", "Overnight")),
    Warehouse(warehouse_id="Zn8cHd4s", name="Rotterdam, Netherlands", shipping_options=("UPS Ground",)),
)
SHIPPING_OPTIONS = frozenset(option for warehouse in WAREHOUSES for option in warehouse.shipping_options)

# title, brand, model, price, pieces in Newark, Reno, Rotterdam; None: that warehouse does not list it.
_Row = tuple[str, str, str, float, int | None, int | None, int | None]
_ROWS: Mapping[str, tuple[_Row, ...]] = MappingProxyType(
    {
        "Laptops": (
            ('Apple MacBook Air 13" M4 16GB 256GB', "Apple", "MacBook Air 13", 1099.0, 400, 350, 250),
            ('Apple MacBook Air 13" M4 24GB 512GB', "Apple", "MacBook Air 13", 1499.0, 300, 300, None),
            ('Apple MacBook Air 15" M4 16GB 512GB', "Apple", "MacBook Air 15", 1399.0, 260, 240, None),
            ('Apple MacBook Pro 14" M4 16GB 512GB', "Apple", "MacBook Pro 14", 1599.0, 500, 450, 300),
            ('Apple MacBook Pro 14" M4 32GB 512GB', "Apple", "MacBook Pro 14", 1999.0, 300, 250, 200),
            ('Apple MacBook Pro 16" M4 Pro 48GB 1TB', "Apple", "MacBook Pro 16", 2899.0, None, 3, None),
            ('Dell Latitude 5450 14" Core Ultra 5 16GB 512GB', "Dell", "Latitude 5450", 1189.0, 450, None, 350),
            ('Dell Latitude 7450 14" Core Ultra 7 32GB 1TB', "Dell", "Latitude 7450", 1849.0, 260, 220, None),
            ('Dell XPS 13 9350 13.4" Core Ultra 7 32GB 1TB', "Dell", "XPS 13 9350", 1799.0, 0, None, 0),
            ("Lenovo ThinkPad T14 Gen 5 16GB 512GB", "Lenovo", "ThinkPad T14 Gen 5", 1249.0, 600, 400, 500),
            ("Lenovo ThinkPad X1 Carbon Gen 12 32GB 1TB", "Lenovo", "ThinkPad X1 Carbon", 1929.0, 240, 200, 260),
            ('HP EliteBook 840 G11 14" 16GB 512GB', "HP", "EliteBook 840 G11", 1329.0, None, None, 420),
            ('Microsoft Surface Laptop 7 13.8" 16GB 512GB', "Microsoft", "Surface Laptop 7", 1199.0, 280, 220, None),
        ),
        "Monitors": (
            ('Dell UltraSharp U2724D 27" QHD Monitor', "Dell", "U2724D", 429.0, 500, 450, 300),
            ('Dell UltraSharp U2724DE 27" QHD USB-C Hub Monitor', "Dell", "U2724DE", 549.0, 400, 350, None),
            ('Dell P2425H 24" Full HD Monitor', "Dell", "P2425H", 199.0, 900, 700, 600),
            ('LG 27UP850N-W 27" 4K UHD Monitor, USB-C', "LG", "27UP850N-W", 399.0, 320, 280, None),
            ('LG 34WP85CN-B 34" Curved UltraWide Monitor', "LG", "34WP85CN-B", 599.0, 220, None, None),
            ('Samsung ViewFinity S8 32" 4K Monitor', "Samsung", "S80D", 449.0, None, 300, None),
            ('HP E27 G5 27" Full HD Monitor', "HP", "E27 G5", 249.0, None, None, 380),
            ('Apple Studio Display 27" 5K', "Apple", "Studio Display", 1599.0, 2, None, None),
            ('ASUS ProArt PA279CV 27" 4K Monitor', "ASUS", "PA279CV", 469.0, 210, 230, None),
            ('BenQ GW2486TC 24" Eye-Care Monitor', "BenQ", "GW2486TC", 189.0, 340, None, 260),
        ),
        "Keyboards & Mice": (
            ("Logitech MX Keys S – English (QWERTY)", "Logitech", "MX Keys S", 109.0, 2500, 2500, 1000),
            ("Logitech MX Keys – Français (AZERTY)", "Logitech", "MX Keys", 104.0, 240, None, 900),
            ("Logitech MX Keys – Deutsch (QWERTZ)", "Logitech", "MX Keys", 104.0, None, None, 950),
            ("Logitech MX Keys – Español (QWERTY)", "Logitech", "MX Keys", 104.0, None, 300, 450),
            ("Logitech MX Master 3S Wireless Mouse", "Logitech", "MX Master 3S", 99.0, 5000, 5000, 2500),
            ("Logitech Lift Vertical Mouse, Left-Handed", "Logitech", "Lift Left", 69.0, 250, None, None),
            ("Logitech Lift Vertical Mouse, Right-Handed", "Logitech", "Lift", 69.0, 400, 350, 300),
            ("Logitech MK270 Wireless Keyboard & Mouse Combo", "Logitech", "MK270", 27.0, 20000, 20000, 10000),
            ("Logitech M185 Wireless Mouse", "Logitech", "M185", 14.0, 50000, 50000, 25000),
            ("Apple Magic Keyboard with Touch ID", "Apple", "Magic Keyboard", 149.0, 500, 400, 350),
            ("Apple Magic Mouse", "Apple", "Magic Mouse", 79.0, 500, 450, 300),
            ("Apple Magic Trackpad", "Apple", "Magic Trackpad", 129.0, 300, 250, None),
            ("Microsoft Ergonomic Keyboard", "Microsoft", "Ergonomic Keyboard", 59.0, 320, 280, None),
            ("Kensington Expert Mouse Wireless Trackball", "Kensington", "K72359", 99.0, 220, None, 200),
        ),
        "Headsets & Webcams": (
            ("Jabra Evolve2 65 MS Stereo USB-A", "Jabra", "Evolve2 65", 219.0, 600, 500, 450),
            ("Jabra Evolve2 65 MS Stereo USB-C", "Jabra", "Evolve2 65", 219.0, 600, 500, 450),
            ("Jabra Evolve2 30 UC Stereo USB-C", "Jabra", "Evolve2 30", 109.0, 450, None, 350),
            ("Poly Voyager Focus 2 UC", "Poly", "Voyager Focus 2", 199.0, 300, 260, None),
            ("Poly Blackwire 3320 USB-A", "Poly", "Blackwire 3320", 49.0, 8000, 8000, 4000),
            ("Bose QuietComfort Ultra Headphones", "Bose", "QC Ultra", 379.0, None, 240, None),
            ("Apple AirPods Pro (2nd generation), USB-C", "Apple", "AirPods Pro 2", 229.0, 350, 300, None),
            ("Logitech Zone Vibe 100", "Logitech", "Zone Vibe 100", 99.0, 300, None, 280),
            ("Logitech Brio 500 Full HD Webcam", "Logitech", "Brio 500", 129.0, 480, 420, 400),
            ("Logitech C920s HD Pro Webcam", "Logitech", "C920s", 69.0, 900, 800, None),
        ),
        "Docks & Adapters": (
            ("Dell WD22TB4 Thunderbolt Dock", "Dell", "WD22TB4", 289.0, 400, 350, 300),
            ("Dell WD19S 130W USB-C Dock", "Dell", "WD19S", 209.0, 700, 650, 500),
            ("CalDigit TS4 Thunderbolt 4 Dock", "CalDigit", "TS4", 399.0, 220, 240, None),
            ("Lenovo ThinkPad Universal USB-C Dock", "Lenovo", "40AY0090", 199.0, 500, None, 450),
            ("Anker 555 USB-C Hub (8-in-1)", "Anker", "A8383", 79.0, 1500, 1500, None),
            ("Apple USB-C Digital AV Multiport Adapter", "Apple", "USB-C AV Adapter", 69.0, 450, 400, 250),
            ("Apple 70W USB-C Power Adapter", "Apple", "70W Adapter", 59.0, 500, 450, None),
            ("Anker USB-C to USB-C Cable, 6 ft", "Anker", "A8856", 15.0, 20000, 20000, None),
            ("Belkin USB-C to Gigabit Ethernet Adapter", "Belkin", "INC001", 34.0, 800, None, 700),
            ("StarTech USB-C to Dual HDMI Adapter", "StarTech", "MSTCDP122HD", 69.0, None, 340, None),
            ("Kensington MicroSaver 2.0 Laptop Lock", "Kensington", "K64432", 44.0, 300, 280, 260),
        ),
        "Phones & Tablets": (
            ("Apple iPhone 16 128GB Black", "Apple", "iPhone 16", 799.0, 350, 300, 250),
            ("Apple iPhone 16 256GB Black", "Apple", "iPhone 16", 899.0, 300, 250, None),
            ("Apple iPhone SE 64GB Midnight", "Apple", "iPhone SE", 429.0, None, 260, None),
            ("Samsung Galaxy S24 128GB Onyx Black", "Samsung", "Galaxy S24", 799.0, 280, None, 320),
            ("Google Pixel 9 128GB Obsidian", "Google", "Pixel 9", 799.0, 240, 220, None),
            ('Apple iPad 10.9" Wi-Fi 64GB Silver', "Apple", "iPad (10th generation)", 349.0, 400, 350, None),
            ('Apple iPad Air 11" M2 Wi-Fi 128GB Space Gray', "Apple", "iPad Air 11", 599.0, 260, 240, 220),
            ('Samsung Galaxy Tab S9 FE 10.9" 128GB Gray', "Samsung", "Galaxy Tab S9 FE", 449.0, None, None, 300),
            ("Apple Pencil (USB-C)", "Apple", "Pencil USB-C", 79.0, 450, 400, None),
        ),
    }
)


def _products() -> Iterator[Product]:
    """Every row as a product; article numbers count up in the order of the list."""
    rows = ((category, row) for category, rows in _ROWS.items() for row in rows)
    for serial, (category, (title, brand, model, price, *pieces)) in enumerate(rows, start=1):
        slug = _slug(title)
        yield Product(
            company_sku=f"SBX-{serial:04d}",
            title=title,
            slug=slug,
            description=f"Simulated stock: {brand} {model}.",
            category_name=category,
            brand_name=brand,
            model_name=model,
            product_image=f"https://example.com/images/{slug}.png",
            price=price,
            stock=MappingProxyType(
                {
                    warehouse.warehouse_id: count
                    for warehouse, count in zip(WAREHOUSES, pieces, strict=True)
                    if count is not None
                }
            ),
        )


def _slug(title: str) -> str:
    """The title in the letters a URL can hold: `Français (AZERTY)` becomes `francais-azerty`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


PRODUCTS = tuple(_products())
TITLES = frozenset(product.title for product in PRODUCTS)
