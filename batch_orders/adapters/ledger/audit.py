"""The ledger's audit: every attempt, verdict and release, append-only, each entry sealed with the one before it.

It holds ids and keyed hashes only, no personal data. The high-water mark, outside the ledger, is how far it has come.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.database import Database
from batch_orders.adapters.ledger.mark import NO_MARK, HighWaterMark, Mark
from batch_orders.adapters.ledger.prepared import Prepared
from batch_orders.errors import BatchOrdersError, LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import OrderState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from batch_orders.places import LedgerPlace


# The first entry that a restored copy gets: what it lacks is counted from there.
RESTORED: Final = "restored"
ADOPT: Final = "adopt"
# What an order's seal is made of (see `_seal_of_order`).
SEALED: Final = (schema.orders.c.state, schema.orders.c.order_number, schema.orders.c.content_hash)
_NEWEST: Final = Prepared(select(schema.audit.c.id, schema.audit.c.seal).order_by(schema.audit.c.id.desc()).limit(1))
_ENTER: Final = Prepared(insert(schema.audit))
# How many entries an order leaves at least that was sent once: its attempt and, where it ended, its verdict.
_LEAVES = {OrderState.ORDERED.value: 2, OrderState.UNKNOWN.value: 1}


class Audit(Database):
    """What was done with each order, and the proof that nobody changed the record."""

    def __init__(self, place: LedgerPlace) -> None:
        """Open an existing ledger; LedgerError where there is none or it is not one of ours."""
        self._audited = NO_MARK
        self._stands: tuple[Mark, bool] | None = None
        self._trouble: BatchOrdersError | None = None
        super().__init__(place)
        self._mark = HighWaterMark(self._home.beside(self.account, "mark"), self.account.id)

    def trust_mark(self) -> None:
        """A person has brought a restored ledger up to date: it is no longer older than its high-water mark."""
        with self._write() as connection:
            self.refuse_if_moved(connection)
            self._note(connection, "up to date", None, None)
            newest = self._newest(connection)
        try:
            self._mark.set(newest)
        except OSError as error:
            raise self._mark_failed(error) from error

    def lacks_nothing(self) -> bool:
        """Whether as much was adopted since this ledger was restored as it lacked then, by its high-water mark.

        Never where that cannot be counted: where another machine was first to write to the restored copy.
        """
        with self._read() as connection:
            restored = self._restored(connection)
            if restored is None:
                return False
            since, missing = restored
            query = select(schema.audit.c.detail).where(schema.audit.c.id > since, schema.audit.c.what == ADOPT)
            entered = sum(_LEAVES[json.loads(detail)["state"]] for (detail,) in connection.execute(query))
        return 0 < missing <= entered

    def _restored(self, connection: Connection) -> tuple[int, int] | None:
        """The entry since which this is known to be a copy older than this machine's mark, and how many it lacked."""
        seal = self._mark.read().seal
        query = select(schema.audit.c.id, schema.audit.c.detail).where(schema.audit.c.what == RESTORED)
        for number, text in connection.execute(query):
            detail = json.loads(text)
            if detail["mark"] == seal:
                return number, detail["missing"]
        return None

    def _note_restored(self, connection: Connection, newest: Mark) -> None:
        mark = self._mark.read()
        was_first = select(schema.audit.c.id).where(schema.audit.c.what == RESTORED).limit(1)
        missing = mark.entries - newest.entries if connection.execute(was_first).first() is None else 0
        self._note(connection, RESTORED, None, None, mark=mark.seal, missing=missing)

    @property
    def trouble(self) -> BatchOrdersError | None:
        """Why nothing more may be sent, although the last commit stands: its high-water mark could not be written."""
        return self._trouble

    def _mark_failed(self, error: OSError) -> BatchOrdersError:
        reason = error.strerror or type(error).__name__
        return BatchOrdersError(ledgers.failed(self._mark.path, reason), hint=ledgers.how_to_repair())

    def too_old(self) -> LedgerError | None:
        """Why nothing may be sent by this ledger: it was restored from a copy, and older than its high-water mark."""
        with self._read() as connection:
            return self._compared_with_mark(connection)

    def refusal(self) -> LedgerError | None:
        """Why nothing may be sent by this ledger, if so: it has moved, or is older than its high-water mark."""
        with self._read() as connection:
            try:
                self.refuse_if_moved(connection)
            except LedgerError as error:
                return error
            return self._compared_with_mark(connection)

    def set_out(self) -> None:
        """This copy of a ledger is complete: from now on it is the ledger."""
        with self._write() as connection:
            connection.execute(update(schema.account).values(moved_to=None))
            if self._descends_from_mark(connection):
                self._audited = self._newest(connection)

    def version(self) -> int:
        """A number that grows with whatever becomes of any order: what was told at the same number still holds."""
        with self._read() as connection:
            return self._newest(connection).entries

    def _compared_with_mark(self, connection: Connection) -> LedgerError | None:
        if self._descends_from_mark(connection):
            return None
        missing = self._mark.read().entries - self._newest(connection).entries
        return LedgerError(ledgers.older_than_mark(self.place, missing), hint=ledgers.how_to_bring_up_to_date())

    def _descends_from_mark(self, connection: Connection, newest: Mark = NO_MARK) -> bool:
        """Whether the entry at the mark is one of ours: an old copy that grew since has another one there, or none.

        `newest` is an entry that need not be looked up.
        """
        mark = self._mark.read()
        if mark in (NO_MARK, newest):
            return True
        query = select(schema.audit.c.seal).where(schema.audit.c.id == mark.entries)
        return connection.execute(query).scalar() == mark.seal

    def _newest(self, connection: Connection) -> Mark:
        row = _NEWEST.first(connection, {})
        return Mark(row.id, row.seal) if row else NO_MARK

    def _note(
        self,
        connection: Connection,
        what: str,
        key: str | None,
        run_id: str | None,
        *,
        order: Any = None,  # noqa: ANN401 - as `_seal_of_order`'s
        **detail: object,
    ) -> None:
        """One more entry, with how its order stands after it. Call it when the order's row has been changed.

        `order` is that row, or as much of it as is SEALED, where it need not be looked up.
        """
        last, descends = self._standing(connection)
        if not descends and what != RESTORED and self._restored(connection) is None:
            self._note_restored(connection, last)
            last, _ = self._standing(connection)
        row = order
        if row is None and key:
            row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).first()
        if row is not None:
            detail |= {"state": row.state, "order": self._seal_of_order(row)}
        at, text = self._now(), json.dumps(detail, sort_keys=True)
        seal = self._seal(last.seal, at, what, key, run_id, text)
        values = {"at": at, "what": what, "order_key": key, "run_id": run_id, "detail": text, "seal": seal}
        # Its number is the one after the last: a database's own counter leaves gaps where a transaction failed.
        newest = Mark(last.entries + 1, seal)
        _ENTER.run(connection, {"id": newest.entries, **values})
        self._stands = newest, descends
        # The mark rises with the ledger that it is the mark of, and with no old copy of that.
        if descends:
            self._audited = newest

    def _standing(self, connection: Connection) -> tuple[Mark, bool]:
        """The newest entry, and whether the high-water mark is one of ours: looked up once for each transaction."""
        if self._stands is None:
            newest = self._newest(connection)
            self._stands = newest, self._descends_from_mark(connection, newest)
        return self._stands

    def _begun(self) -> None:
        self._audited = NO_MARK  # what a transaction noted that was rolled back does not count
        self._stands = None

    def _committed(self) -> None:
        """Raise the mark, after the commit and without a sync: it may be lower than the ledger, and never higher.

        Where that fails the commit stands all the same, so nothing is raised here; whoever sends asks for `trouble`.
        """
        if self._audited != NO_MARK:
            self._trouble = None
            try:
                self._mark.rise(self._audited)
            except OSError as error:
                self._trouble = self._mark_failed(error)

    def _seal_of_order(self, row: Any) -> str:  # noqa: ANN401 - a row of `orders`, or as much of it as is SEALED
        return self._seal(row.state, row.order_number, row.content_hash)

    def _seal(self, *parts: str | None) -> str:
        return self._keyed_hash(json.dumps(parts))

    def _keyed_hash(self, text: str) -> str:
        return hmac.digest(self.account.secret, text.encode(), "sha256").hex()
