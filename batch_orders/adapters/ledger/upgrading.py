"""Bringing a ledger to the schema that this program works with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.database import Database

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection


class Upgrade(Database):
    """A ledger of this version or of an older one, open to be upgraded."""

    def run(self) -> tuple[int, int]:
        """The version that the ledger had, and the one that it has now: all of it in one transaction, or nothing.

        LedgerError where a run is alive: it would not know what it is writing into.
        """
        with self._write() as connection:
            self._home.be_patient(connection)
            found: int = connection.execute(select(schema.account.c.schema_version)).scalar_one()
            if found < schema.SCHEMA_VERSION:
                self.refuse_while_alive(connection)
                _migrate(connection, found)
        return found, schema.SCHEMA_VERSION

    def _accept(self, found: int) -> None:
        if found > schema.SCHEMA_VERSION:
            super()._accept(found)


def _migrate(connection: Connection, found: int) -> None:
    from alembic import command  # noqa: PLC0415 - costly, and no other command needs it

    config = configuration(connection)
    if not inspect(connection).has_table(schema.alembic_version.name):
        command.stamp(config, f"{found:04}")  # the first release kept its version in `account` alone
    command.upgrade(config, "head")


def configuration(connection: Connection) -> Config:
    """What alembic has to know to work within this connection's transaction."""
    from alembic.config import Config  # noqa: PLC0415 - costly

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
