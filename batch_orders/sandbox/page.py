"""A page on which a person sees what was placed. Everything it shows came from outside, so everything is escaped."""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.sandbox.state import PlacedOrder

# A load test places tens of thousands; a browser should still open the page.
_SHOWN = 200
_COLUMNS = ("Order number", "Placed at (UTC)", "Name", "E-mail", "Country", "Shipping method", "Items")

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Simulated Device Hub</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
.notice { border: 2px solid currentColor; border-radius: .4rem; padding: .6rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid; padding: .4rem .8rem .4rem 0; text-align: left; vertical-align: top; }
</style>
</head>
<body>
<h1>Simulated Device Hub</h1>
<p class="notice"><strong>This is a simulation.</strong> It runs on this computer only.
No order here is real, and nothing is ever delivered. All of it is forgotten when the simulation ends.</p>
<h2>$count</h2>
$orders
</body>
</html>
""")


def render(orders: Sequence[PlacedOrder]) -> str:
    """The page, newest order first."""
    count = "1 order placed" if len(orders) == 1 else f"{len(orders)} orders placed"
    if not orders:
        return _PAGE.substitute(count="No orders yet", orders="<p>Orders appear here as they are placed.</p>")
    if len(orders) > _SHOWN:
        count += f"; the newest {_SHOWN} are shown"
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    rows = "\n".join(_row(order) for order in reversed(orders[-_SHOWN:]))
    table = (
        f'<div class="scroll">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>'
    )
    return _PAGE.substitute(count=count, orders=table)


def _row(order: PlacedOrder) -> str:
    body = order.body
    items = "<br>".join(f"{item['quantity']} × {escape(item['product_title'])}" for item in body["items"])
    texts = (
        order.order_number,
        f"{order.placed_at:%Y-%m-%d %H:%M:%S}",
        f"{body['firstname']} {body['lastname']}",
        body["email"],
        body["shipping_country"],
        body.get("expedite_shipping") or "standard",
    )
    return "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + f"<td>{items}</td></tr>"
