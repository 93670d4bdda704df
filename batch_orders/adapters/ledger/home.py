"""Where a ledger lives: what differs between a file and a database on a server, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from batch_orders.adapters.ledger.in_file import InFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from batch_orders.models import Account
    from batch_orders.places import LedgerPlace


class Liveness(Protocol):
    """Which runs are alive: each holds a lock for as long as its process lives."""

    def begin(self, run_id: str) -> None:
        """Hold the run's lock until `end`, or the end of this process. Call it before the run is entered anywhere."""

    def end(self, run_id: str) -> None:
        """Let the run's lock go."""

    def is_alive(self, run_id: str) -> bool:
        """Whether some process, this one included, holds the run's lock; BatchOrdersError where nobody can tell."""


class Home(Protocol):
    """One ledger's place. `place` is what it is called in messages, and says which ledger it is."""

    @property
    def place(self) -> LedgerPlace:
        """The ledger's file, or its database."""

    def exists(self) -> bool:
        """Whether there is a ledger; LedgerError where nobody can tell."""

    def had_predecessor(self) -> bool:
        """Whether a ledger is known to have been here before, and is gone."""

    def create(self, fill: Callable[[Connection], None]) -> None:
        """Make a ledger here: `fill` makes all that is in it, in one transaction. LedgerError where it cannot be."""

    def open(self) -> Engine:
        """The database, with a pool of one connection; LedgerError where there is no ledger."""

    def transaction(self, engine: Engine, *, reading: bool) -> AbstractContextManager[Connection]:
        """One transaction. Of those that write there is only one at a time, and it is durable when it has ended."""

    def explained(self) -> AbstractContextManager[None]:
        """A database that cannot be read or written becomes a BatchOrdersError that says so."""

    def now(self) -> str:
        """This instant by the ledger's clock, within a transaction that writes."""

    def by_its_clock(self, time: datetime) -> str:
        """An instant of this machine's clock, within a transaction that writes."""

    def liveness(self, account: Account, at_hand: Callable[[], AbstractContextManager[Connection]]) -> Liveness:
        """The locks of this ledger's runs. `at_hand` gives the connection of whatever transaction is under way."""

    def beside(self, account: Account, what: str) -> Path:
        """Where this machine keeps what belongs to the ledger and is not in it: its "mark", its "page"."""

    def pace(self) -> LedgerPlace:
        """Where the pace is, which everybody who sends with this ledger shares."""

    def is_sound(self, connection: Connection) -> bool:
        """Whether the database itself is undamaged, as far as it can tell."""

    def sweep(self, engine: Engine) -> None:
        """Write the database anew, so that nothing of what was removed is left in its files.

        BatchOrdersError where that is not possible: the ledger is as it was.
        """

    def be_patient(self, connection: Connection) -> None:
        """The transaction under way may take long, and wait long between two statements."""


def home_of(place: LedgerPlace) -> Home:
    """Where the ledger at this place lives; SettingsError where the driver of its database is not installed."""
    if isinstance(place, Path):
        return InFile(place)
    from batch_orders.adapters.ledger.in_postgres import InPostgres  # noqa: PLC0415 - needs an extra

    return InPostgres(place)
