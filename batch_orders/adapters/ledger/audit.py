"""The ledger's audit: every attempt, verdict and release, append-only, each entry sealed with the one before it.

It holds ids and keyed hashes only, no personal data. The high-water mark beside the ledger is how far it has come.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.database import Database, timestamp
from batch_orders.adapters.ledger.mark import HighWaterMark, mark_beside
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Row


class Audit(Database):
    """What was done with each order, and the proof that nobody changed the record."""

    def __init__(self, path: Path) -> None:
        """Open an existing ledger; LedgerError where there is none or it is not one of ours."""
        self._audited = 0
        super().__init__(path)
        self._mark = HighWaterMark(mark_beside(self.path), self.account.id)

    def trust_mark(self) -> None:
        """A person has brought a restored ledger up to date: it is no longer older than its high-water mark."""
        with self._write() as connection:
            self._note(connection, "up to date", None, None)
            entries = self._audited
        self._mark.set(entries)

    def _refuse_old_copy(self) -> None:
        with self._read() as connection:
            entries = connection.execute(select(func.max(schema.audit.c.id))).scalar() or 0
        self._compare_with_mark(entries)

    def _compare_with_mark(self, entries: int) -> None:
        missing = self._mark.read() - entries
        if missing > 0:
            raise LedgerError(ledgers.older_than_mark(self.path, missing), hint=ledgers.how_to_bring_up_to_date())

    def _note(self, connection: Connection, what: str, key: str | None, run_id: str | None, **detail: object) -> None:
        """One more entry, with how its order stands after it. Call it when the order's row has been changed."""
        last = connection.execute(select(schema.audit.c.seal).order_by(schema.audit.c.id.desc()).limit(1)).scalar()
        row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).first() if key else None
        if row is not None:
            detail |= {"state": row.state, "order": self._seal_of_order(row)}
        at, text = timestamp(), json.dumps(detail, sort_keys=True)
        seal = self._seal(last or "", at, what, key, run_id, text)
        values = {"at": at, "what": what, "order_key": key, "run_id": run_id, "detail": text, "seal": seal}
        inserted = connection.execute(insert(schema.audit).values(values)).inserted_primary_key
        self._audited = inserted[0] if inserted else 0

    def _begun(self) -> None:
        self._audited = 0  # what a transaction noted that was rolled back does not count

    def _committed(self) -> None:
        """Raise the mark, after the commit and without a sync: it may be lower than the ledger, and never higher."""
        if self._audited:
            self._mark.rise(self._audited)

    def _seal_of_order(self, row: Row[Any]) -> str:
        return self._seal(row.state, row.order_number, row.content_hash)

    def _seal(self, *parts: str | None) -> str:
        return self._keyed_hash(json.dumps(parts))

    def _keyed_hash(self, text: str) -> str:
        return hmac.new(self.account.secret, text.encode(), hashlib.sha256).hexdigest()
