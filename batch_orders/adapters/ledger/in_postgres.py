"""A ledger in a PostgreSQL database (or a schema of it), which several machines share.

Writers take turns, as in a file: the audit is one chain. So each transaction that writes begins with one lock, which
the transaction's end releases, however it ends. Readers see one instant, and wait for nobody.

The session that writes also holds the locks of its runs (`session_locks`), and a lost one is made anew.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from platformdirs import user_data_path
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from batch_orders.adapters import postgres
from batch_orders.adapters.ledger.instants import as_text
from batch_orders.adapters.ledger.session_locks import SessionLocks, lock_key
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import forgetting, ledgers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from batch_orders.models import Account
    from batch_orders.places import LedgerUrl

# Seconds between two tries to reach a server that is away.
_TRY_AGAIN: Final = 0.5

_WRITING: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READING: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# The lock first, and then the clock: an instant is never earlier than what was written before.
_TAKE_TURN: Final = text(
    "WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(:key)) SELECT clock_timestamp() FROM turn"
)
_TABLES: Final = text(
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'm')"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')"  # an extension's
    " ORDER BY relname <> 'account', relname"
)
# What makes commits durable, and the session's own; by the server, not by what a pooler makes of it.
_TOLD: Final = (
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_schema(), pg_backend_pid()"
)
_SWEEP: Final = "VACUUM (FULL) orders, attempts, notes, traces, runs, sheets"


class InPostgres:
    """A ledger's database. Whoever opens it holds one connection."""

    def __init__(self, place: LedgerUrl) -> None:
        postgres.load_driver()
        self.place = place
        self._locks = SessionLocks(place)
        self._turn = 0
        self._is_away = True
        # The database's clock at the beginning of this transaction, and this process' stop watch then.
        self._clock = (datetime.now(UTC), time.monotonic())

    def exists(self) -> bool:
        """Whether the schema holds a ledger; LedgerError where nobody can tell."""
        with self._opened() as engine, self._refusals(), engine.connect() as connection:
            return bool(self._tables(connection) == "account")

    def had_predecessor(self) -> bool:
        """Nobody knows: another ledger here would have another account, and its mark another name."""
        return False

    def create(self, fill: Callable[[Connection], None]) -> None:
        """Fill an empty schema, in one transaction; of several who try at once one comes first."""
        with self._opened() as engine, self._refusals(), self.transaction(engine, reading=False) as connection:
            found = self._tables(connection)
            if found == "account":
                raise LedgerError(ledgers.exists(self.place), hint=ledgers.how_to_go_on())
            if found:
                raise LedgerError(ledgers.holds_something_else(self.place, found), hint=ledgers.how_to_use_a_schema())
            fill(connection)

    def open(self) -> Engine:
        """The database's engine; LedgerError where it cannot be reached, or holds no ledger."""
        engine = self._engine()
        try:
            with self._refusals(), engine.connect() as connection:
                found = self._tables(connection)
        except BaseException:
            engine.dispose()
            raise
        if found != "account":
            engine.dispose()
            raise LedgerError(ledgers.missing(self.place), hint=ledgers.how_to_init())
        return engine

    @contextmanager
    def transaction(self, engine: Engine, *, reading: bool) -> Iterator[Connection]:
        """One transaction; one that writes takes its turn first.

        Where the connection turns out to be lost before anything was done, a new one is made: for half a minute, if
        need be.
        """
        connection = self._begin(engine, reading=reading)
        try:
            with connection.get_transaction() or connection.begin():
                yield connection
        finally:
            connection.close()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """A database that cannot be read or written becomes an error that says so."""
        try:
            yield
        except DBAPIError as error:
            raise postgres.failed(self.place, error.orig) from None

    def now(self) -> str:
        """This instant by the database's clock, within a transaction that writes."""
        then, watch = self._clock
        return as_text(then + timedelta(seconds=time.monotonic() - watch))

    def by_its_clock(self, time: datetime) -> str:
        """An instant of this machine's clock: as long ago by the database's."""
        ago = datetime.now(UTC) - time
        return as_text(datetime.fromisoformat(self.now()) - ago)

    def liveness(self, account: Account, at_hand: Callable[[], AbstractContextManager[Connection]]) -> SessionLocks:
        """Locks of the ledger's own session."""
        self._locks.belong_to(account, at_hand)
        return self._locks

    def beside(self, account: Account, what: str) -> Path:
        """A name in the user's data folder that is this very ledger's: a sandbox's has no id of its own."""
        name = hmac.new(account.secret, account.id.encode(), hashlib.sha256).hexdigest()[:32]
        folder = user_data_path("batch-orders", appauthor=False) / "shared-ledgers"
        with suppress(OSError):  # whoever writes there will hear of it
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{name}.{what}"

    def pace(self) -> LedgerUrl:
        """In the same database."""
        return self.place

    def is_sound(self, connection: Connection) -> bool:
        """The server checks its pages itself, as it reads them."""
        del connection
        return True

    def sweep(self, engine: Engine) -> None:
        """VACUUM FULL of the tables with personal data: a plain one leaves the bytes of old rows in their pages."""
        warnings: list[str] = []
        try:
            pooled = engine.raw_connection()
            try:
                session: Any = pooled.driver_connection
                session.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
                limit = session.execute("SHOW statement_timeout").fetchone()[0]
                session.execute("SET statement_timeout = 0")
                session.execute(_SWEEP)
                session.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
            finally:
                pooled.close()
        except (DBAPIError, postgres.load_driver().Error) as error:
            told = postgres.reason(self.place, error.orig if isinstance(error, DBAPIError) else error)
            raise BatchOrdersError(forgetting.not_swept(self.place, told), hint=forgetting.how_to_sweep()) from None
        if warnings:  # a table that is not this user's own is passed over with no more than a warning
            raise BatchOrdersError(
                forgetting.not_swept(self.place, "; ".join(warnings)), hint=forgetting.how_to_sweep()
            )

    def be_patient(self, connection: Connection) -> None:
        """For this transaction there is no limit."""
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")

    def _begin(self, engine: Engine, *, reading: bool) -> Connection:
        """A connection with a transaction that has begun.

        A server that has not answered yet is not waited for, nor one that was waited for in vain: a run that stops has
        several things to write.
        """
        ends_at = time.monotonic() + (0 if self._is_away else postgres.PATIENCE)
        while True:
            connection = None
            try:
                connection = engine.connect()
                connection.begin()
                connection.exec_driver_sql(_READING if reading else _WRITING)
                if not reading:
                    then = connection.execute(_TAKE_TURN, {"key": self._turn}).scalar_one()
                    self._clock = (then, time.monotonic())
            except DBAPIError as error:
                if connection is not None:
                    connection.close()
                if connection is not None and not error.connection_invalidated:
                    raise
                self._is_away = time.monotonic() > ends_at
                if self._is_away:
                    raise
                time.sleep(_TRY_AGAIN)
            except BaseException:
                if connection is not None:
                    connection.close()
                raise
            else:
                return connection

    @contextmanager
    def _opened(self) -> Iterator[Engine]:
        engine = self._engine()
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """While a command has only begun, whatever goes wrong means that nothing was sent."""
        try:
            yield
        except DBAPIError as error:
            raise postgres.refused(self.place, error.orig) from None

    def _tables(self, connection: Connection) -> str | None:
        """The name of a table or view in the schema, "account" before any other; None where it is empty."""
        name = connection.execute(_TABLES).scalar()
        return None if name is None else str(name)

    def _engine(self) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            use_native_hstore=False,
        )
        # Transactions begin when we say so, with all that they are to be: the session itself is in autocommit.
        event.listen(engine, "connect", lambda connection, _: self._locks.take_again(connection))
        return engine

    def _connect(self) -> Any:  # noqa: ANN401 - psycopg's connection
        connection = postgres.connect(self.place, settings={})
        try:
            self._look_at(connection)
        except BaseException:
            connection.close()
            raise
        self._is_away = False
        return connection

    def _look_at(self, connection: Any) -> None:  # noqa: ANN401 - as above
        """LedgerError where this is no session to keep a ledger in."""
        fsync, commit, schema, pid = connection.execute(_TOLD).fetchone()
        if pid != connection.info.backend_pid:
            raise LedgerError(ledgers.pooled(self.place), hint=ledgers.how_to_connect_directly())
        if schema is None:
            raise LedgerError(ledgers.away(self.place, "it has no such schema"), hint=ledgers.how_to_make_database())
        if commit != "remote_apply":  # which is more than "on"
            connection.execute("SET synchronous_commit = on")
            commit = connection.execute("SHOW synchronous_commit").fetchone()[0]
        if fsync != "on" or commit not in {"on", "remote_apply"}:
            raise LedgerError(ledgers.not_durable(self.place), hint=ledgers.how_to_sync())
        self._turn = lock_key("turn", schema)
