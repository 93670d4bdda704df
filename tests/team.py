"""Several people on one page, and every route that they could try."""

from __future__ import annotations

import json
import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from batch_orders.web.access import Gate
from batch_orders.web.app import create_app
from batch_orders.web.people import Role, UsersFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.web.page import Page

PASSWORD = "correct horse battery staple"


def team(folder: Path, **roles: str) -> UsersFile:
    """A users file with these people, all with the one password."""
    users = UsersFile(folder / "users.json")
    for name, role in roles.items():
        users.add(name, Role(role), PASSWORD)
    return users


def every_route() -> list[tuple[str, str]]:
    """Each route of the application with each of its methods, as ("POST", "/sheets/{draft_id}/mend")."""
    gate = create_app(cast("Page", SimpleNamespace(keeping=None)))
    assert isinstance(gate, Gate)
    found = list(_routes(gate._app))
    assert ("POST", "/sheets") in found
    assert ("GET", "/runs/{run_id}/events") in found
    return found


def _routes(router: Any) -> Iterator[tuple[str, str]]:
    for route in router.routes:
        if inner := getattr(route, "original_router", None):
            yield from _routes(inner)
        elif methods := getattr(route, "methods", None):
            yield from ((method, route.path) for method in methods)
        else:
            assert route.path == "/static", f"what is {route}?"


def filled(path: str, **ids: str) -> list[str]:
    """The path of a route with ids in it; one path for each thing that can be done to a run."""
    acts = ["pause", "resume", "stop", "again"] if "{act}" in path else [""]
    return [
        path.format(**{"draft_id": "0" * 32, "run_id": "none", "order": "0" * 12, "act": act} | ids) for act in acts
    ]


def orders_in(ledger: Path) -> list[tuple[str, str]]:
    """The orders in a ledger's file, each with its state."""
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
        return database.execute("select order_key, state from orders order by order_key").fetchall()


def drafts_in(ledger: Path) -> list[dict[str, Any]]:
    """The sheets that a page with this ledger keeps, as its files have them."""
    folder = ledger.with_name(f"{ledger.name}.page") / "uploads"
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*/draft.json"))]
