"""Made-up orders for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from batch_orders.models import Contents, LineItem, Order, RunRecord

# In the simulated Device Hub's stock in plenty.
TITLE = "Logitech M185 Wireless Mouse"


def contents(*items: tuple[str, str], city: str = "New York") -> Contents:
    """What is ordered, for a made-up employee."""
    return Contents(
        items=tuple(LineItem(*item) for item in items or [(TITLE, "1")]),
        firstname="Ana",
        lastname="Sample",
        phone_number="+12125550142",
        shipping_address="1 Main Street",
        shipping_city=city,
        shipping_state="NY",
        shipping_zip="10001",
        shipping_country="US",
        expedite_shipping="",
        is_signature_required="no",
    )


def order(name: str, *, reference: str = "", holds: Contents | None = None) -> Order:
    """An order for the employee name@example.com."""
    email = f"{name}@example.com"
    return Order(
        email=email,
        employee=email,
        reference=reference,
        order_reference=reference,
        lines=(0,),
        contents=holds or contents(),
    )


def run(run_id: str, *, sheet: bytes = b"a sheet") -> RunRecord:
    """A run that begins now."""
    return RunRecord(
        run_id=run_id,
        command="submit",
        input=Path("hires.csv"),
        host="http://127.0.0.1",
        started_at=datetime.now(UTC),
        sheet=sheet,
        options={},
    )
