"""A ledger in a file of its own, in SQLite: for one machine.

The journal is truncated and synced at each commit (`journal_mode=TRUNCATE`, `synchronous=FULL`, both read back). WAL
is not used: SQLite before 3.51.3 can lose commits in it, and in DELETE mode a power cut can roll one back.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from batch_orders.adapters.ledger.instants import as_text
from batch_orders.adapters.ledger.liveness import FileLocks
from batch_orders.adapters.private_files import create_private
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import forgetting, ledgers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from batch_orders.models import Account

# How long another process may hold the ledger before a write gives up, in seconds.
_PATIENCE = 30


class InFile:
    """A ledger's file, and what stands beside it under the same name: LEDGER.mark, .runs, .pace and .page."""

    def __init__(self, path: Path) -> None:
        self.place = path

    def exists(self) -> bool:
        """Whether there is something at the ledger's path."""
        return self.place.exists()

    def had_predecessor(self) -> bool:
        """Whether a ledger was here before and is gone: its high-water mark outlives it."""
        return self._beside("mark").exists() and not self.exists()

    def create(self, fill: Callable[[Connection], None]) -> None:
        """Make a new file (0600 whatever the umask), filled in one transaction."""
        path = self.place
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(create_private(path))
        except FileExistsError:
            raise LedgerError(ledgers.exists(path), hint=ledgers.how_to_go_on()) from None
        except OSError as error:
            raise LedgerError(ledgers.not_writable(path, error), hint=ledgers.how_to_place()) from None
        try:
            engine = open_engine(path)
            try:
                with self.explained(), engine.begin() as connection:
                    fill(connection)
            finally:
                engine.dispose()
        except BaseException:
            path.unlink()
            raise

    def open(self) -> Engine:
        """The file's engine; LedgerError where there is no file."""
        if self.had_predecessor():
            raise LedgerError(ledgers.lost(self.place), hint=ledgers.how_to_restore())
        if not self.place.is_file():
            raise LedgerError(ledgers.missing(self.place), hint=ledgers.how_to_init())
        # Two names of one file (a link, say) must not lead to two sets of locks beside it.
        self.place = self.place.resolve()
        return open_engine(self.place)

    @contextmanager
    def transaction(self, engine: Engine, *, reading: bool) -> Iterator[Connection]:
        """One transaction; one that writes begins by taking the write lock."""
        if reading:
            with engine.connect().execution_options(reading=True) as connection:
                yield connection
        else:
            with engine.begin() as connection:
                yield connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """A file that cannot be read or written becomes an error that says so."""
        try:
            yield
        except DatabaseError as error:
            reason = str(error.orig)
            raise BatchOrdersError(ledgers.failed(self.place, reason), hint=ledgers.how_to_repair()) from error

    def now(self) -> str:
        """This instant: the file has no other clock than this machine's."""
        return as_text(datetime.now(UTC))

    def by_its_clock(self, time: datetime) -> str:
        """The same instant."""
        return as_text(time)

    def liveness(self, account: Account, at_hand: Callable[[], AbstractContextManager[Connection]]) -> FileLocks:
        """Locks in a folder beside the file."""
        del account, at_hand
        return FileLocks(self._beside("runs"))

    def beside(self, account: Account, what: str) -> Path:
        """LEDGER.what."""
        del account
        return self._beside(what)

    def pace(self) -> Path:
        """A small file beside the ledger."""
        return self._beside("pace")

    def is_sound(self, connection: Connection) -> bool:
        """Whether SQLite's own check of the whole file finds nothing."""
        return bool(connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok")

    def sweep(self, engine: Engine) -> None:
        """VACUUM: by a journal, as every change is; it needs room for a second copy of the file.

        What the new file does not need any more was written over before (`secure_delete`).
        """
        pooled = engine.raw_connection()
        try:
            assert pooled.driver_connection is not None  # noqa: S101 - it has just been taken from the pool
            pooled.driver_connection.execute("VACUUM")
        except sqlite3.Error as error:
            raise BatchOrdersError(
                forgetting.not_swept(self.place, str(error)), hint=forgetting.how_to_sweep()
            ) from error
        finally:
            pooled.close()

    def be_patient(self, connection: Connection) -> None:
        """It is anyhow."""

    def _beside(self, what: str) -> Path:
        return self.place.with_name(f"{self.place.name}.{what}")


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
        connection.execute("PRAGMA secure_delete=ON")
        full = 2
        if journal != "truncate" or connection.execute("PRAGMA synchronous").fetchone()[0] != full:
            raise LedgerError(ledgers.not_durable(path))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Two writers that both began with a read lock could neither go on; the write lock comes first instead.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine
