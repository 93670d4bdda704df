"""The ledger's database, wherever it lives: one transaction at a time, each durable when it has ended."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.home import home_of
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row

    from batch_orders.places import LedgerPlace

_T = TypeVar("_T")

# What a database says of a file, or of a table, that is something else.
_NO_LEDGER = ("not a database", "no such table", "no such column", "does not exist", "No row was found")
# SQLite allows 32,766 bound values in one statement (since 3.32), PostgreSQL 65,535; stay well below.
MOST_KEYS = 5_000


class Database:
    """One account's ledger. Safe to use from several threads; several processes may have it open."""

    def __init__(self, place: LedgerPlace) -> None:
        """Open an existing ledger; LedgerError where there is none or it is not one of ours."""
        self._home = home_of(place)
        self._engine = self._home.open()
        self.place = self._home.place
        self._lock = threading.RLock()
        self._under_way: Connection | None = None
        self._joined: Connection | None = None
        try:
            self.account = self._read_account()
        except BaseException:
            self.close()
            raise
        self._liveness = self._home.liveness(self.account, self._at_hand)

    def close(self) -> None:
        """Let the database go, and with it every lock that a run of this process holds."""
        self._engine.dispose()

    def _read_account(self) -> Account:
        try:
            with self._read() as connection:
                columns = schema.account.c
                row = connection.execute(select(columns.schema_version, columns.id, columns.secret)).one()
        except (BatchOrdersError, SQLAlchemyError) as error:
            if not any(sign in str(error) for sign in _NO_LEDGER):
                raise  # a ledger perhaps, and busy for longer than anybody should be, or on a disk that fails
            raise LedgerError(ledgers.not_a_ledger(self.place), hint=ledgers.how_to_replace()) from None
        self._accept(row.schema_version)
        return Account(id=row.id, secret=row.secret)

    def _accept(self, found: int) -> None:
        """LedgerError where a ledger's schema has another version than the one that this program works with."""
        ours = schema.SCHEMA_VERSION
        if found != ours:
            hint = ledgers.how_to_match_versions(found, ours)
            raise LedgerError(ledgers.other_version(self.place, found, ours), hint=hint)

    def refuse_while_alive(self, connection: Connection) -> None:
        """LedgerError where a run is alive; within the transaction of this connection."""
        begun = select(schema.runs.c.run_id).where(schema.runs.c.ended_at.is_(None))
        for run_id in connection.execute(begun).scalars().all():
            if self._liveness.is_alive(run_id):
                raise LedgerError(ledgers.in_use(self.place, run_id), hint=ledgers.how_to_await_run())

    def moved_to(self, connection: Connection) -> str | None:
        """Where the ledger was copied to (`schema.UNFINISHED`: it is such a copy, not complete); None as a rule."""
        moved_to: str | None = connection.execute(select(schema.account.c.moved_to)).scalar()
        return moved_to

    def refuse_if_moved(self, connection: Connection) -> None:
        """LedgerError where nothing more may be written here: it would be forgotten."""
        moved_to = self.moved_to(connection)
        if moved_to == schema.UNFINISHED:
            raise LedgerError(ledgers.unfinished(self.place), hint=ledgers.how_to_copy_anew())
        if moved_to is not None:
            raise LedgerError(ledgers.moved(self.place, moved_to), hint=ledgers.how_to_follow())

    def together(self, steps: Iterable[Callable[[], _T]]) -> list[_T]:
        """What these steps give, each of which writes: all in one transaction, durable when this returns.

        Where one of them raises, nothing was written of any.
        """
        with self._write() as connection:
            self._joined = connection
            try:
                return [step() for step in steps]
            finally:
                self._joined = None

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction that begins by taking the write lock; durable when it has ended.

        Within `together` it is the one that is under way.
        """
        with self._lock, self._home.explained():
            if self._joined is not None:
                yield self._joined
                return
            self._begun()
            with self._home.transaction(self._engine, reading=False) as connection, self._going_on(connection):
                yield connection
            self._committed()

    def _begun(self) -> None:
        """A transaction is about to begin."""

    def _committed(self) -> None:
        """A transaction has just been committed."""

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with (
            self._lock,
            self._home.explained(),
            self._home.transaction(self._engine, reading=True) as connection,
            self._going_on(connection),
        ):
            yield connection

    @contextmanager
    def _going_on(self, connection: Connection) -> Iterator[None]:
        self._under_way = connection
        try:
            yield
        finally:
            self._under_way = None

    @contextmanager
    def _at_hand(self) -> Iterator[Connection]:
        """The connection of the transaction that this thread is in, or else one of its own to read with."""
        with self._lock:
            if self._under_way is not None:
                yield self._under_way
                return
            with self._read() as connection:
                yield connection

    def _now(self) -> str:
        """This instant by the ledger's own clock, within a transaction that writes."""
        return self._home.now()

    def _rows(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row[Any]]:
        for start in range(0, len(keys), MOST_KEYS):
            chunk = keys[start : start + MOST_KEYS]
            yield from connection.execute(select(schema.orders).where(schema.orders.c.order_key.in_(chunk)))
