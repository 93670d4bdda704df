"""A small wave of new hires, and a place of its own for each time that it is submitted."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from batch_orders.adapters.ledger import Ledger
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET, TITLES
from tests.program import Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.hostile import Call, HostileHub

HEADERS = ("Email", "First name", "Last name", "Phone", "Address", "City", "State", "ZIP", "Country", "Product", "Qty")
PEOPLE = 5


def write_sheet(path: Path, people: int, *, first: int = 0, domain: str = "example.com") -> Path:
    """One row for each of so many people, as CSV; `first` is who stands at the top (the others follow, round to it)."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        for number in (*range(first, people), *range(first)):
            writer.writerow(row_of(number, domain=domain))
    return path


def row_of(number: int, *, domain: str = "example.com") -> list[str]:
    """One person's row, under `HEADERS`: nobody has another one's name or phone."""
    person = (f"e{number}@{domain}", f"Name{number}", "Sample", f"+1212{5_550_000 + number:07}")
    return [*person, "1 Main", "New York", "NY", "10001", "US", TITLES[0], "1"]


class Standing(NamedTuple):
    """How an order stands in the ledger."""

    state: str
    order_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A sheet and a ledger in a folder of their own. Its `domain` tells its people from those of other waves."""

    program: Program
    sheet: Path
    ledger: Path
    domain: str

    def standing(self) -> dict[str, Standing]:
        """How each order stands, by e-mail, as the file has it: looked at without the program, which would tidy up."""
        with closing(sqlite3.connect(self.ledger, timeout=10)) as database:
            rows = database.execute("SELECT email, state, order_number FROM orders").fetchall()
        return {email: Standing(state, order_number or "") for email, state, order_number in rows}


class Waves:
    """Makes waves for one hub: each begins with a copy of one new ledger."""

    def __init__(self, folder: Path, hub: HostileHub, **settings: str) -> None:
        self._folder = folder
        self._hub = hub
        self._settings = {"base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        self._settings |= {"rate": "500/s", "timeout": "5", "patience": "5", "ledger": "ledger.sqlite"} | settings
        self._first = self._make("first", {})
        with closing(Ledger.create(self._first.ledger)) as ledger:
            ledger.add_login(hub.base_url, CLIENT_ID)
        self._made = 0

    def new(self, **settings: str) -> Wave:
        """Another one, with these settings besides those of all waves."""
        self._made += 1
        wave = self._make(f"wave-{self._made}", settings)
        shutil.copy(self._first.ledger, wave.ledger)
        return wave

    def discard(self, wave: Wave) -> None:
        """It is not needed any longer: a sweep makes thousands."""
        shutil.rmtree(wave.program.folder)

    def calls(self, wave: Wave) -> list[Call]:
        """The orders of this wave that came at the hub whole; once all of them have been dealt with there."""
        self._hub.wait_until_idle()
        return [call for call in self._hub.calls if call.email.endswith(f"@{wave.domain}")]

    def _make(self, name: str, settings: Mapping[str, str]) -> Wave:
        folder = self._folder / name
        folder.mkdir()
        domain = f"{name}.example.com"
        write_sheet(folder / "hires.csv", PEOPLE, domain=domain)
        return Wave(
            program=Program(folder, self._settings | dict(settings)),
            sheet=folder / "hires.csv",
            ledger=folder / "ledger.sqlite",
            domain=domain,
        )
