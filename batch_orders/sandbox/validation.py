"""Is this body an order that Device Hub would take? Every field's complaint, in one pass."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pycountry

from batch_orders.sandbox.inventory import SHIPPING_OPTIONS
from batch_orders.sandbox.refusals import Detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TEXTS = (
    "email",
    "firstname",
    "lastname",
    "shipping_address",
    "shipping_city",
    "shipping_state",
    "shipping_zip",
    "shipping_country",
    "phone_number",
)
# "(if applicable)": they must be there, but a country may have none.
_MAY_BE_EMPTY = frozenset({"shipping_state", "shipping_zip"})
_COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)
_SIGNATURE_COUNTRIES = frozenset({"US", "CA"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def complaints(body: Mapping[str, object], is_listed: Callable[[str], bool]) -> list[Detail]:
    """What is wrong with an order's body, by field; empty where it is fine. `is_listed` knows today's titles."""
    return [
        *_about_items(body, is_listed),
        *(detail for field in _TEXTS for detail in _about_text(body, field)),
        *_about_shipping_method(body),
        *_about_signature(body),
    ]


def _about_items(body: Mapping[str, object], is_listed: Callable[[str], bool]) -> Iterator[Detail]:
    if "items" not in body:
        yield Detail(field="items", message="items is required")
        return
    items = body["items"]
    if not isinstance(items, list) or not items:
        yield Detail(field="items", message="items must be a non-empty array")
        return
    for index, item in enumerate(items):
        name = f"items[{index}]"
        if isinstance(item, dict):
            yield from _about_title(item, f"{name}.product_title", is_listed)
            yield from _about_quantity(item, f"{name}.quantity")
        else:
            yield Detail(field=name, message=f"{name} must be an object")


def _about_title(item: Mapping[str, object], name: str, is_listed: Callable[[str], bool]) -> Iterator[Detail]:
    title = item.get("product_title")
    if "product_title" not in item:
        yield Detail(field=name, message="product_title is required")
    elif not isinstance(title, str):
        yield Detail(field=name, message="product_title must be a string")
    elif not is_listed(title):
        yield Detail(field=name, message=f'Product "{title}" does not match any title in the inventory')


def _about_quantity(item: Mapping[str, object], name: str) -> Iterator[Detail]:
    quantity = item.get("quantity")
    if "quantity" not in item:
        yield Detail(field=name, message="quantity is required")
    # bool is an int to Python, not to JSON.
    elif not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
        yield Detail(field=name, message="quantity must be an integer of 1 or more")


def _about_text(body: Mapping[str, object], field: str) -> Iterator[Detail]:
    if field not in body:
        yield Detail(field=field, message=f"{field} is required")
        return
    value = body[field]
    if not isinstance(value, str):
        yield Detail(field=field, message=f"{field} must be a string")
    elif not value.strip():
        if field not in _MAY_BE_EMPTY:
            yield Detail(field=field, message=f"{field} must not be empty")
    elif field == "email" and not _EMAIL.fullmatch(value):
        yield Detail(field=field, message="email must be an email address")
    elif field == "shipping_country" and value not in _COUNTRIES:
        yield Detail(field=field, message="shipping_country must be an ISO2 country code")


def _about_shipping_method(body: Mapping[str, object]) -> Iterator[Detail]:
    method = body.get("expedite_shipping")
    if method is None:
        return
    if not isinstance(method, str):
        yield Detail(field="expedite_shipping", message="expedite_shipping must be a string or null")
    elif method not in SHIPPING_OPTIONS:
        yield Detail(field="expedite_shipping", message="expedite_shipping is not an option of any warehouse")


def _about_signature(body: Mapping[str, object]) -> Iterator[Detail]:
    signature = body.get("is_signature_required", False)
    if not isinstance(signature, bool):
        yield Detail(field="is_signature_required", message="is_signature_required must be a boolean")
    elif signature and body.get("shipping_country") not in _SIGNATURE_COUNTRIES:
        message = "is_signature_required is available for US and CA shipments only"
        yield Detail(field="is_signature_required", message=message)
