"""The ledger's file: opened, locked, and every transaction durable when it has ended.

The journal is truncated and synced at each commit (`journal_mode=TRUNCATE`, `synchronous=FULL`, both read back). WAL
is not used: SQLite before 3.51.3 can lose commits in it, and in DELETE mode a power cut can roll one back.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.liveness import Liveness
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import Account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

# How long another process may hold the ledger before a write gives up, in seconds.
_PATIENCE = 30
# What SQLite says of a file that is something else.
_NO_LEDGER = ("not a database", "no such table", "No row was found")
# SQLite allows 32,766 bound values in one statement (since 3.32); stay well below.
MOST_KEYS = 5_000


class Database:
    """One account's ledger file. Safe to use from several threads; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        """Open an existing ledger; LedgerError where there is none or it is not one of ours."""
        if not path.is_file():
            raise LedgerError(ledgers.missing(path), hint=ledgers.how_to_init())
        # Two names of one file (a link, say) must not lead to two sets of locks beside it.
        self.path = path = path.resolve()
        self._engine = open_engine(path)
        self._lock = threading.Lock()
        self._liveness = Liveness(path.with_name(path.name + ".runs"))
        try:
            self.account = self._read_account()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()

    def _read_account(self) -> Account:
        try:
            with self._read() as connection:
                row = connection.execute(select(schema.account)).one()
        except (BatchOrdersError, SQLAlchemyError) as error:
            if not any(sign in str(error) for sign in _NO_LEDGER):
                raise  # a ledger perhaps, and busy for longer than anybody should be, or on a disk that fails
            raise LedgerError(ledgers.not_a_ledger(self.path), hint=ledgers.how_to_init()) from None
        if row.schema_version != schema.SCHEMA_VERSION:
            raise LedgerError(ledgers.other_version(self.path, row.schema_version, schema.SCHEMA_VERSION))
        return Account(id=row.id, secret=row.secret)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction that begins by taking the write lock; durable when it has ended."""
        with self._lock, explained(self.path):
            self._begun()
            with self._engine.begin() as connection:
                yield connection
            self._committed()

    def _begun(self) -> None:
        """A transaction is about to begin."""

    def _committed(self) -> None:
        """A transaction has just been committed."""

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._lock, explained(self.path), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    def _rows(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row[Any]]:
        for start in range(0, len(keys), MOST_KEYS):
            chunk = keys[start : start + MOST_KEYS]
            yield from connection.execute(select(schema.orders).where(schema.orders.c.order_key.in_(chunk)))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """A database that cannot be read or written becomes an error that says so."""
    try:
        yield
    except DatabaseError as error:
        reason = str(error.orig)
        raise BatchOrdersError(ledgers.failed(path, reason), hint=ledgers.how_to_repair()) from error


def open_engine(path: Path) -> Engine:
    """A connection pool of one, whose commits are durable; LedgerError where they cannot be."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,  # one connection for the whole process; Ledger._lock hands it round
        connect_args={"check_same_thread": False, "timeout": _PATIENCE},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection, whatever the driver
        # Transactions begin when SQLAlchemy says so (below), not when the sqlite3 module guesses.
        connection.isolation_level = None
        journal = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        full = 2
        if journal != "truncate" or connection.execute("PRAGMA synchronous").fetchone()[0] != full:
            raise LedgerError(ledgers.not_durable(path))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Two writers that both began with a read lock could neither go on; the write lock comes first instead.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def timestamp() -> str:
    """This instant, as the ledger keeps it."""
    return as_text(datetime.now(UTC))


def as_text(time: datetime) -> str:
    """An instant as the ledger keeps it: texts sort as their instants do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def as_time(text: str | None) -> datetime | None:
    """An instant that the ledger kept."""
    return None if text is None else datetime.fromisoformat(text)
