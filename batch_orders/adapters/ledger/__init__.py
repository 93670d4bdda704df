"""The ledger: the durable memory of every order ever attempted for one account, in SQLite.

Every method is one transaction, and durable when it returns. `schema` holds the tables and which changes of an order's
state the database allows; the classes build on each other in this order: `database` (the file), `audit`, `memory` (what
is known of orders), `runs` (who has what in hand), `journal` (each order's way), `verdicts` (what a person says).
"""

from __future__ import annotations

import os
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.database import open_engine, timestamp
from batch_orders.adapters.ledger.verdicts import Verdicts
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    from pathlib import Path

SANDBOX_ACCOUNT = "sandbox"


class Ledger(Verdicts):
    """One account's ledger. Safe to use from several threads; several processes may have it open."""

    @classmethod
    def create(cls, path: Path, *, account_id: str | None = None) -> Ledger:
        """Make a new ledger (0600 whatever the umask); LedgerError where something is there already."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise LedgerError(ledgers.exists(path), hint=ledgers.how_to_go_on()) from None
        except OSError as error:
            raise LedgerError(ledgers.not_writable(path, error), hint=ledgers.how_to_place()) from None
        engine = open_engine(path)
        with engine.begin() as connection:
            schema.metadata.create_all(connection)
            connection.execute(
                insert(schema.account).values(
                    only_row=1,
                    schema_version=schema.SCHEMA_VERSION,
                    id=account_id or str(uuid.uuid4()),
                    secret=secrets.token_bytes(32),
                    created_at=timestamp(),
                    line_stopped=0,
                )
            )
        engine.dispose()
        return cls(path)

    def add_login(self, origin: str, client_id: str) -> None:
        """Remember an origin and login that this account's orders are sent with."""
        with self._write() as connection:
            known = connection.execute(select(schema.logins).where(_is_login(origin, client_id))).first()
            if known is None:
                row = {"origin": origin, "client_id": client_id, "added_at": timestamp()}
                connection.execute(insert(schema.logins).values(row))

    def check_login(self, origin: str, client_id: str) -> None:
        """LedgerError where this account's orders are not sent to this origin with this login."""
        with self._read() as connection:
            known = connection.execute(select(schema.logins)).all()
        if (origin, client_id) not in {(row.origin, row.client_id) for row in known}:
            origins = sorted({row.origin for row in known})
            raise LedgerError(ledgers.other_login(self.path, origin, origins), hint=ledgers.how_to_use_another())


def _is_login(origin: str, client_id: str) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    return and_(schema.logins.c.origin == origin, schema.logins.c.client_id == client_id)
