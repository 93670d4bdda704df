"""The ledger: the durable memory of every order ever attempted for one account, in SQLite.

Every method is one transaction, and durable when it returns. `schema` holds the tables and which changes of an order's
state the database allows; the classes build on each other in this order: `database` (the file), `audit`, `memory` (what
is known of orders), `runs` (who has what in hand), `journal` (each order's way), `verdicts` (what a person says),
`proof` (that nobody changed anything).
"""

from __future__ import annotations

import os
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.database import explained, open_engine, timestamp
from batch_orders.adapters.ledger.mark import mark_beside
from batch_orders.adapters.ledger.proof import Proof
from batch_orders.adapters.private_files import create_private
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers
from batch_orders.settings import is_on_this_machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SANDBOX_ACCOUNT = "sandbox"


class Ledger(Proof):
    """One account's ledger. Safe to use from several threads; several processes may have it open."""

    @classmethod
    def create(cls, path: Path, *, account_id: str | None = None) -> Ledger:
        """Make a new ledger (0600 whatever the umask); LedgerError where something is there already."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(create_private(path))
        except FileExistsError:
            raise LedgerError(ledgers.exists(path), hint=ledgers.how_to_go_on()) from None
        except OSError as error:
            raise LedgerError(ledgers.not_writable(path, error), hint=ledgers.how_to_place()) from None
        try:
            _fill(path, account_id or str(uuid.uuid4()))
        except BaseException:
            path.unlink()
            raise
        return cls(path)

    @staticmethod
    def had_predecessor(path: Path) -> bool:
        """Whether a ledger was here before and is gone: its high-water mark outlives it."""
        return mark_beside(path).exists() and not path.exists()

    def add_login(self, origin: str, client_id: str) -> bool:
        """Remember an origin and login that this account's orders are sent with.

        True where that mixes a Device Hub on this machine (a sandbox, as a rule) with a real one.
        """
        with self._write() as connection:
            origins = connection.execute(select(schema.logins.c.origin)).scalars().all()
            known = connection.execute(select(schema.logins).where(_is_login(origin, client_id))).first()
            if known is None:
                row = {"origin": origin, "client_id": client_id, "added_at": timestamp()}
                connection.execute(insert(schema.logins).values(row))
        return _mixes(origin, origins)

    def check_login(self, origin: str, client_id: str) -> None:
        """LedgerError where this account's orders are not sent to this origin with this login."""
        with self._read() as connection:
            known = connection.execute(select(schema.logins)).all()
        if (origin, client_id) not in {(row.origin, row.client_id) for row in known}:
            origins = sorted({row.origin for row in known})
            hint = ledgers.how_to_keep_apart() if _mixes(origin, origins) else ledgers.how_to_use_another()
            raise LedgerError(ledgers.other_login(self.path, origin, origins), hint=hint)


def _fill(path: Path, account_id: str) -> None:
    """Make the tables of an account, in one transaction."""
    engine = open_engine(path)
    try:
        with explained(path), engine.begin() as connection:
            schema.metadata.create_all(connection)
            row = {"only_row": 1, "schema_version": schema.SCHEMA_VERSION, "id": account_id, "line_stopped": 0}
            secret = secrets.token_bytes(32)
            connection.execute(insert(schema.account).values(**row, secret=secret, created_at=timestamp()))
    finally:
        engine.dispose()


def _mixes(origin: str, known: Iterable[str]) -> bool:
    """Whether this origin is on this machine and one of the known ones is not, or the other way round."""
    return any(is_on_this_machine(origin) != is_on_this_machine(each) for each in known)


def _is_login(origin: str, client_id: str) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    return and_(schema.logins.c.origin == origin, schema.logins.c.client_id == client_id)
