"""Nobody's data in a log, and no secret in anything: looked for behind every test that runs the program."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from batch_orders.models import Column
from batch_orders.stages.columns import known_column

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# The tokens of the simulated Device Hub and of the hostile one are JWTs.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+")
# Columns whose values stand in no log by chance, as a name may (Second, in “seconds”).
_PRIVATE = (Column.EMAIL, Column.PHONE_NUMBER, Column.SHIPPING_ADDRESS)
_SHORTEST = 7


def assert_no_secret(text: str, *secrets: str) -> None:
    """No bearer token, and none of these."""
    assert not _TOKEN.search(text), f"a token: {text}"
    for secret in secrets:
        assert secret not in text, f"{secret}: {text}"


def assert_log_is_clean(log: str, private: Iterable[str] = ()) -> None:
    """No e-mail address, and none of these values."""
    assert "@" not in log, log
    for value in private:
        assert value.casefold() not in log.casefold(), f"{value}: {log}"


def private_cells(path: Path) -> set[str]:
    """Every e-mail address, phone number and street address in a CSV sheet; none where it is something else."""
    if path.suffix != ".csv" or not path.is_file():
        return set()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = list(csv.reader(file))
    places = [place for place, header in enumerate(rows[0] if rows else []) if known_column(header) in _PRIVATE]
    cells = {row[place].strip() for row in rows[1:] for place in places if place < len(row)}
    return {cell for cell in cells if len(cell) >= _SHORTEST}
