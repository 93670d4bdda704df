"""Reading what Device Hub answers. Shapes and facts: the vendor's API reference.

Nothing here raises for an answer it cannot read: it says so, and the caller decides what that proves.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from batch_orders.models import Answer, Warehouse


def read_answer(status: int, retry_after: str | None, body: bytes, *, now: datetime) -> Answer:
    """The answer to place-order: the order number, or either of the two documented error shapes."""
    try:
        document = read_json(body)
    except ValueError:
        return Answer(status=status, retry_after=seconds_of(retry_after, now=now))
    fields = document if isinstance(document, dict) else {}
    message, code = read_error(fields)
    return Answer(
        status=status,
        readable=True,
        order_number=_order_number(fields.get("data")),
        message=message,
        error_code=code,
        retry_after=seconds_of(retry_after, now=now),
    )


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """A body's JSON; ValueError where it is none, is no text, or is nested beyond all sense."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def read_error(document: dict[str, Any]) -> tuple[str, str]:
    """The message and `error.code` of an answer: `{"error": {…}}` or `{"message": …}`; "" where there is none."""
    error = document.get("error")
    if not isinstance(error, dict):
        return _text(document.get("message")), ""
    found = [detail for detail in _list(error.get("details")) if isinstance(detail, dict)]
    whole = _text(error.get("message"))
    details = [(_text(detail.get("field")), _text(detail.get("message"))) for detail in found]
    # A detail that only says the whole again adds nothing for a person.
    parts = [whole, *(": ".join(filter(None, detail)) for detail in details if detail[1] != whole)]
    return "; ".join(part for part in parts if part), _text(error.get("code"))


def seconds_of(retry_after: str | None, *, now: datetime) -> float | None:
    """`Retry-After` in seconds from now: a number of them, or any HTTP date (RFC 9110); None where unreadable."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - now).total_seconds())
    except (ValueError, IndexError, OverflowError):
        return None


def expiry_of(token: str) -> float | None:
    """When a JWT ends (its own `exp`, seconds since the epoch); None where it does not tell."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None


def read_warehouses(document: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """The warehouses of `GET …/warehouses` (the vendor spells it `ware_houses`); ValueError where there are none."""
    data = document.get("data") if isinstance(document, dict) else None
    found = data.get("ware_houses") if isinstance(data, dict) else None
    if not isinstance(found, list) or not all(isinstance(w, dict) and w.get("warehouse_id") for w in found):
        raise ValueError("the list of warehouses has another shape than documented")
    return found


def read_warehouse(warehouse: dict[str, Any], inventory: Any) -> Warehouse:  # noqa: ANN401 - any JSON
    """One warehouse with its inventory; ValueError where the shape is not the documented one."""
    options = warehouse.get("shipping_options")
    return Warehouse(
        id=str(warehouse["warehouse_id"]),
        name=_text(warehouse.get("name")),
        shipping_options=tuple(_text(option) for option in _list(options) if _text(option)),
        stock=_stock(inventory),
    )


def _stock(inventory: Any) -> dict[str, int]:  # noqa: ANN401 - any JSON
    categories = inventory.get("data") if isinstance(inventory, dict) else None
    if not isinstance(categories, list):
        raise ValueError("the inventory has another shape than documented")  # noqa: TRY004 - bad data, not a bad call
    stock: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    for category in categories:
        for product in _products(category):
            title, sku = _text(product["title"]), _text(product.get("company_sku"))
            # One product may be listed in two categories; it is in stock once.
            if sku and (title, sku) in seen:
                continue
            seen.add((title, sku))
            stock[title] = stock.get(title, 0) + _pieces(product.get("quantity"))
    return stock


def _products(category: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """A category's products. Its own field names are not documented; one without products is empty."""
    listed = category.get("products") if isinstance(category, dict) else None
    if listed is None and isinstance(category, dict) and isinstance(category.get("title"), str):
        listed = [category]  # a product that stands where a category was expected
    return [product for product in _list(listed) if isinstance(product, dict) and _text(product.get("title"))]


def _pieces(quantity: Any) -> int:  # noqa: ANN401 - any JSON
    """Pieces in stock; text and decimals are taken where they are a whole number of pieces."""
    if isinstance(quantity, str) and quantity.strip().isascii() and quantity.strip().isdigit():
        return int(quantity.strip()[:18])
    if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not 0 <= quantity < 10**18:
        return 0
    return int(quantity)


def _order_number(data: Any) -> str:  # noqa: ANN401 - any JSON
    number = data.get("order_number") if isinstance(data, dict) else None
    if isinstance(number, int) and not isinstance(number, bool):
        return str(number)
    # A number that cannot be written down as it came is no proof of anything.
    return number.strip() if isinstance(number, str) and number == _text(number) else ""


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Text that can be stored and shown: JSON can spell half a character, and NUL, which not all else takes."""
    return value.encode(errors="replace").decode().replace("\0", "?") if isinstance(value, str) else ""
