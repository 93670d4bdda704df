"""Everything a simulated Device Hub remembers while it runs: its stock, its orders, and how fast they came."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from batch_orders.sandbox.chance import Chance
from batch_orders.sandbox.inventory import PRODUCTS, WAREHOUSES, Product
from batch_orders.sandbox.logins import Logins
from batch_orders.sandbox.refusals import Detail, coded, plain, too_many
from batch_orders.sandbox.validation import complaints

if TYPE_CHECKING:
    from batch_orders.sandbox.options import SandboxOptions

_RATE_WINDOW = 1.0
_CREATED_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """One order that was placed: its number, the body as it came, and when (UTC)."""

    order_number: str
    placed_at: datetime
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """One product's pieces, by warehouse id, and when that last changed."""

    product: Product
    pieces: dict[str, int]
    updated_at: datetime


class _OrderNumbers:
    """Twelve digits that never come twice, not even after a restart: milliseconds since 2020, always counting up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
        self._last = 0

    def take(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, int((time.time() - self._epoch) * 1000))
            return str(self._last)


# One for the process: two sandboxes in it must not give out the same number either.
_NUMBERS = _OrderNumbers()


class State:
    """One simulated Device Hub without its HTTP. Every method is atomic and safe to call from any thread."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.logins = Logins(options)
        self.chance = Chance(options.faults, options.seed)
        self._lock = threading.Lock()
        self._arrivals: deque[float] = deque()
        self._orders: list[PlacedOrder] = []
        self._shelves = {
            product.title: _Shelf(product=product, pieces=dict(product.stock), updated_at=_CREATED_AT)
            for product in PRODUCTS
            if product.title not in options.discontinued
        }

    @property
    def orders(self) -> list[PlacedOrder]:
        """What was placed so far, oldest first; a list of the caller's own."""
        with self._lock:
            return list(self._orders)

    @property
    def first_number(self) -> str:
        """The number of the first order of all; "" where there is none."""
        with self._lock:
            return self._orders[0].order_number if self._orders else ""

    def admit(self) -> None:
        """Count one order against the rate limit; refused (429, and not counted) above it."""
        with self._lock:
            now = time.monotonic()
            while self._arrivals and self._arrivals[0] <= now - _RATE_WINDOW:
                self._arrivals.popleft()
            if len(self._arrivals) >= self.options.rate_limit:
                raise too_many("Rate limit exceeded. Please slow down.", retry_after=1)
            self._arrivals.append(now)

    def place(self, body: dict[str, Any]) -> tuple[PlacedOrder, list[dict[str, Any]]]:
        """Place an order, or nothing of it: the order, and its products as the API answers them. Refused with 422."""
        with self._lock:
            details = complaints(body, self._shelves.__contains__)
            if details:
                raise coded(422, "VALIDATION_ERROR", "Validation failed", details)
            now = datetime.now(UTC)
            self._take(body["items"], now)
            order = PlacedOrder(order_number=_NUMBERS.take(), placed_at=now, body=body)
            self._orders.append(order)
            return order, [self._line(item) for item in body["items"]]

    def discontinue(self, title: str) -> None:
        """Take a title out of every inventory; refused with 404 where none lists it."""
        with self._lock:
            if self._shelves.pop(title, None) is None:
                raise coded(404, "PRODUCT_NOT_FOUND", f'No inventory lists "{title}"')

    def inventory(self, warehouse_id: str | None, search: str | None, category_name: str | None) -> dict[str, Any]:
        """One warehouse's inventory as the API answers it; refused with 400 or 404."""
        if not warehouse_id:
            raise plain(400, "Missing required fields: warehouse_id")
        warehouse = next((each for each in WAREHOUSES if each.warehouse_id == warehouse_id), None)
        if warehouse is None:
            raise coded(404, "WAREHOUSE_NOT_FOUND", "Warehouse not found")
        categories: dict[str, list[dict[str, Any]]] = {}
        with self._lock:
            for shelf in self._shelves.values():
                product = shelf.product
                if warehouse_id in shelf.pieces and _matches(product, search, category_name):
                    categories.setdefault(product.category_name, []).append(_entry(shelf, warehouse_id))
        return {
            "success": True,
            "message": "Inventory retrieved successfully",
            "warehouse_id": warehouse.warehouse_id,
            "warehouse_name": warehouse.name,
            "total_categories": len(categories),
            "total_products": sum(map(len, categories.values())),
            "data": [{"category_name": name, "products": products} for name, products in categories.items()],
        }

    def _take(self, items: list[dict[str, Any]], now: datetime) -> None:
        """Take every item from the stock, in the warehouses' order; where one is short, nothing and 422."""
        wanted: Counter[str] = Counter()
        details: list[Detail] = []
        for index, item in enumerate(items):
            title = item["product_title"]
            wanted[title] += item["quantity"]
            available = sum(self._shelves[title].pieces.values())
            if wanted[title] > available:
                message = f'Insufficient stock for "{title}": {available} available, {wanted[title]} requested'
                details.append(Detail(field=f"items[{index}].quantity", message=message))
        if details:
            raise coded(422, "INSUFFICIENT_STOCK", "; ".join(detail.message for detail in details), details)
        for title, quantity in wanted.items():
            shelf = self._shelves[title]
            missing = quantity
            for warehouse_id, pieces in shelf.pieces.items():
                taken = min(pieces, missing)
                shelf.pieces[warehouse_id] -= taken
                missing -= taken
            shelf.updated_at = now

    def _line(self, item: dict[str, Any]) -> dict[str, Any]:
        product = self._shelves[item["product_title"]].product
        return {
            "name": product.title,
            "qty": item["quantity"],
            "price": product.price,
            "image": product.product_image,
        }


def _matches(product: Product, search: str | None, category_name: str | None) -> bool:
    """Whether a product is among those asked for: text somewhere in its title, and its category, in any case."""
    return (not search or search.casefold() in product.title.casefold()) and (
        not category_name or category_name.casefold() == product.category_name.casefold()
    )


def _entry(shelf: _Shelf, warehouse_id: str) -> dict[str, Any]:
    """A product as one warehouse's inventory lists it."""
    product = shelf.product
    return {
        "company_sku": product.company_sku,
        "title": product.title,
        "slug": product.slug,
        "description": product.description,
        "quantity": shelf.pieces[warehouse_id],
        "brand_name": product.brand_name,
        "model_name": product.model_name,
        "product_image": product.product_image,
        "created_at": _iso(_CREATED_AT),
        "updated_at": _iso(shelf.updated_at),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
