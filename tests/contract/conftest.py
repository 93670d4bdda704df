"""Every promise of a ledger is tried in a file and in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_orders.adapters.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_orders.places import LedgerUrl


@pytest.fixture
def file_ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger in a file of its own."""
    made = Ledger.create(tmp_path / "ledger.sqlite")
    yield made
    made.close()


@pytest.fixture
def shared_ledger(ledger_database: LedgerUrl) -> Iterator[Ledger]:
    """A new ledger in a database of its own."""
    made = Ledger(ledger_database)
    yield made
    made.close()


@pytest.fixture(params=["file_ledger", "shared_ledger"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """A new ledger, here and there."""
    made: Ledger = request.getfixturevalue(request.param)
    return made
