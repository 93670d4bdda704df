"""The ledger: the durable memory of every order ever attempted for one account.

Every method is one transaction, and durable when it returns. `schema` holds the tables and which changes of an order's
state the database allows; `home` says what differs between a file (`in_file`) and a shared database (`in_postgres`).
The classes build on each other in this order: `database` (transactions), `audit`, `memory` (what is known of orders),
`runs` (who has what in hand), `journal` (each order's way), `verdicts` (what a person says), `forgetting` (what is no
longer needed), `proof` (that nobody changed anything).
"""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.home import home_of
from batch_orders.adapters.ledger.proof import Proof
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers
from batch_orders.settings import is_on_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Connection

    from batch_orders.places import LedgerPlace

SANDBOX_ACCOUNT = "sandbox"


class Ledger(Proof):
    """One account's ledger. Safe to use from several threads; several processes may have it open."""

    @classmethod
    def create(cls, place: LedgerPlace, *, account_id: str | None = None) -> Ledger:
        """Make a new ledger, which only its owner may read; LedgerError where something is there already."""
        home = home_of(place)
        home.create(lambda connection: _fill(connection, account_id or str(uuid.uuid4()), home.now()))
        return cls(place)

    @staticmethod
    def exists(place: LedgerPlace) -> bool:
        """Whether there is a ledger, or (of a file) anything at all; LedgerError where nobody can tell."""
        return home_of(place).exists()

    @staticmethod
    def had_predecessor(place: LedgerPlace) -> bool:
        """Whether a ledger was here before and is gone."""
        return home_of(place).had_predecessor()

    @property
    def pace_place(self) -> LedgerPlace:
        """Where the pace is, which everybody who sends with this ledger shares."""
        return self._home.pace()

    @property
    def page_folder(self) -> Path:
        """Where this machine's page keeps its uploads and sessions."""
        return self._home.beside(self.account, "page")

    def add_login(self, origin: str, client_id: str) -> bool:
        """Remember an origin and login that this account's orders are sent with.

        True where that mixes a Device Hub on this machine (a sandbox, as a rule) with a real one.
        """
        with self._write() as connection:
            self.refuse_if_moved(connection)
            origins = connection.execute(select(schema.logins.c.origin)).scalars().all()
            known = connection.execute(select(schema.logins).where(_is_login(origin, client_id))).first()
            if known is None:
                row = {"origin": origin, "client_id": client_id, "added_at": self._now()}
                connection.execute(insert(schema.logins).values(row))
        return _mixes(origin, origins)

    def check_login(self, origin: str, client_id: str) -> None:
        """LedgerError where this account's orders are not sent to this origin with this login."""
        with self._read() as connection:
            known = connection.execute(select(schema.logins)).all()
        if (origin, client_id) not in {(row.origin, row.client_id) for row in known}:
            origins = sorted({row.origin for row in known})
            hint = ledgers.how_to_keep_apart() if _mixes(origin, origins) else ledgers.how_to_use_another()
            raise LedgerError(ledgers.other_login(self.place, origin, origins), hint=hint)


def _fill(connection: Connection, account_id: str, created_at: str) -> None:
    """Make the tables of a new account."""
    schema.create_tables(connection)
    schema.create_guards(connection)
    row = {"only_row": 1, "schema_version": schema.SCHEMA_VERSION, "id": account_id, "line_stopped": 0}
    connection.execute(insert(schema.account).values(**row, secret=secrets.token_bytes(32), created_at=created_at))


def _mixes(origin: str, known: Iterable[str]) -> bool:
    """Whether this origin is on this machine and one of the known ones is not, or the other way round."""
    return any(is_on_this_machine(origin) != is_on_this_machine(each) for each in known)


def _is_login(origin: str, client_id: str) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    return and_(schema.logins.c.origin == origin, schema.logins.c.client_id == client_id)
