"""Whether a run is alive, on any machine: each holds an advisory lock of the ledger's own session while it lives.

It is the very session that the ledger writes with, so that whatever it commits is the work of a run that counted as
alive. Where the connection is lost the locks are gone; the next session takes them before it does anything else. What
others did with the run's orders meanwhile its claims tell it: they fail.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from batch_orders.adapters import postgres
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

    from batch_orders.models import Account
    from batch_orders.places import LedgerUrl

# Seconds that a new session waits for a lock of ours which the lost one still has: the server has to notice first.
_LET_GO: Final = 45
# Seconds for which a run that was under way when the server went down is given the time to come back.
_COMES_BACK: Final = 60
_IS_ALIVE: Final = text("""
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32) | objid::bigint = :key
    ) OR EXISTS (
        SELECT FROM runs
        WHERE run_id = :run_id AND ended_at IS NULL AND started_at::timestamptz < pg_postmaster_start_time()
            AND pg_postmaster_start_time() > clock_timestamp() - make_interval(secs => :comes_back)
    )
""")


class SessionLocks:
    """The runs' advisory locks, held by the ledger's own session."""

    def __init__(self, place: LedgerUrl) -> None:
        self._place = place
        self._account_id = ""
        self._held: dict[str, int] = {}
        self._at_hand: Callable[[], AbstractContextManager[Connection]]

    def belong_to(self, account: Account, at_hand: Callable[[], AbstractContextManager[Connection]]) -> None:
        """Whose runs these are, and how to get at the session."""
        self._account_id, self._at_hand = account.id, at_hand

    def begin(self, run_id: str) -> None:
        """Hold the run's lock until `end`, or the session's own end."""
        key = lock_key("run", self._account_id, run_id)
        with self._at_hand() as connection:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
                raise LedgerError(ledgers.failed(self._place, f"another process is the run {run_id}"))
        self._held[run_id] = key

    def end(self, run_id: str) -> None:
        """Let the run's lock go. Where the session is lost, it has gone with it."""
        key = self._held.pop(run_id, None)
        if key is not None:
            with suppress(BatchOrdersError), self._at_hand() as connection:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

    def is_alive(self, run_id: str) -> bool:
        """Whether some session holds the run's lock, or may be about to: the server has just been started anew."""
        if run_id in self._held:
            return True
        values = {"key": lock_key("run", self._account_id, run_id), "run_id": run_id, "comes_back": _COMES_BACK}
        with self._at_hand() as connection:
            return bool(connection.execute(_IS_ALIVE, values).scalar())

    def take_again(self, connection: Any) -> None:  # noqa: ANN401 - psycopg's connection
        """In a new session: hold every lock that the one before held, before anything else is done."""
        if not self._held:
            return
        # The server may not have noticed yet that the old session's other end is gone.
        connection.execute(f"SET lock_timeout = '{_LET_GO}s'")
        for key in self._held.values():
            connection.execute("SELECT pg_advisory_lock(%s)", [key])
        connection.execute(f"SET lock_timeout = '{postgres.PATIENCE}s'")


def lock_key(*parts: str) -> int:
    """A lock's number, of 64 bits with a sign."""
    digest = hashlib.sha256("\0".join(("batch-orders", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
