"""What a person says of orders: verdicts, releases, past orders that results files know of."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, insert, select, update

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.audit import ADOPT
from batch_orders.adapters.ledger.instants import as_text
from batch_orders.adapters.ledger.journal import Journal
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import Adopted, Contents, Order, OrderState, Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row


class Verdicts(Journal):
    """Each is audited; what does not fit an order's state is refused."""

    def note_contents(self, contents: Mapping[str, Contents | None]) -> None:
        """Remember, by key, that a sheet has these orders, and what it holds where that is not what was ordered."""
        if not contents:
            return
        query = update(schema.orders).where(schema.orders.c.order_key == bindparam("key"))
        with self._write() as connection:
            at = self._now()
            rows = [
                {"key": key, "other": None if other is None else json.dumps(dataclasses.asdict(other)), "now": at}
                for key, other in contents.items()
            ]
            connection.execute(query.values(other_contents=bindparam("other"), last_seen_at=bindparam("now")), rows)

    def note_release(self, run_id: str, keys: Iterable[str]) -> None:
        """A person sends orders on purpose that were held: one entry in the audit for each."""
        with self._write() as connection:
            for key in keys:
                self._note(connection, "release", key, run_id)

    def settle_placed(self, order: Remembered, order_number: str, note: str) -> None:
        """An unknown order was placed, under this number; LedgerError where another order has it."""
        if order.state is not OrderState.UNKNOWN:
            raise LedgerError(ledgers.cannot_settle(order, "placed"), hint=ledgers.what_fits(order))
        with self._write() as connection:
            if not self._enter_number(connection, order_number, order.key):
                raise LedgerError(ledgers.number_taken(order_number), hint=ledgers.how_to_check_number())
            values = {"state": OrderState.ORDERED.value, "order_number": order_number}
            self._settle(connection, order, "placed", note, values | {"message": outcomes.settled()})

    def settle_not_placed(self, order: Remembered, note: str) -> None:
        """An unknown order was not placed: the next run may send it."""
        with self._write() as connection:
            values = {"state": OrderState.PLANNED.value, "message": outcomes.settled_not_placed(), "submitted_at": None}
            self._settle(connection, order, "not_placed", note, values)

    def settle_cancelled(self, order: Remembered, note: str) -> None:
        """The vendor cancelled an ordered one: the next run may order it again. Its number stays taken."""
        with self._write() as connection:
            values: dict[str, Any] = {"state": OrderState.PLANNED.value, "order_number": None}
            values |= {"message": outcomes.cancelled(), "submitted_at": None, "other_contents": None}
            values |= {"generation": schema.orders.c.generation + 1}
            self._settle(connection, order, "cancelled", note, values)

    def settle_keep(self, order: Remembered, note: str) -> None:
        """A changed order's new contents are right: nothing is sent, and from now on they count as ordered."""
        if order.other_contents is None:
            raise LedgerError(ledgers.nothing_to_keep(), hint=ledgers.how_to_keep())
        contents = json.dumps(dataclasses.asdict(order.other_contents))
        with self._write() as connection:
            values = {
                # What was forgotten stays so: that these contents count as ordered is all there is to know.
                "contents": case((schema.orders.c.forgotten_at.is_(None), contents), else_=schema.orders.c.contents),
                "content_hash": identity.content_hash(order.other_contents),
                "other_contents": None,
            }
            self._settle(connection, order, "keep", note, values)
            # Whoever was renamed, or moved, is recognised by the new name and address from now on, and by the old ones.
            self._leave_traces(connection, order.key, identity.normalise_email(order.email), order.other_contents)

    def _settle(
        self, connection: Connection, order: Remembered, verdict: str, note: str, values: Mapping[str, Any]
    ) -> None:
        """One verdict, where it fits the order's state; audited with the note's keyed hash (it may name people)."""
        self.refuse_if_moved(connection)
        state = OrderState.UNKNOWN if verdict in {"placed", "not_placed"} else OrderState.ORDERED
        is_it = and_(schema.orders.c.order_key == order.key, schema.orders.c.state == state.value)
        if (
            connection.execute(update(schema.orders).where(is_it).values(updated_at=self._now(), **values)).rowcount
            != 1
        ):
            raise LedgerError(ledgers.cannot_settle(order, verdict), hint=ledgers.what_fits(order))
        query = insert(schema.notes).values(order_key=order.key, at=self._now(), verdict=verdict, note=note)
        connection.execute(query)
        self._note(connection, "settle", order.key, None, verdict=verdict, note=self._keyed_hash(note))

    def adopt(self, order: Order, order_number: str, submitted_at: datetime | None) -> Adopted:
        """Enter an order that was placed before, with the number that a results file has for it."""
        key = self.key(order)
        self._bury_dead_runs()
        with self._write() as connection:
            self.refuse_if_moved(connection)
            row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).first()
            if row is not None and row.state == OrderState.ORDERED:
                return Adopted.KNOWN if row.order_number == order_number else Adopted.CONFLICT
            if row is not None and row.claimed_by is not None:
                return Adopted.CONFLICT
            if self._is_taken(connection, order_number):
                return Adopted.CONFLICT
            self._plan(connection, key, order, is_new=row is None)
            self._enter_number(connection, order_number, key)
            values = {
                "state": OrderState.ORDERED.value,
                "order_number": order_number,
                "message": outcomes.adopted(),
                "submitted_at": as_text(submitted_at) if submitted_at else None,
                "last_seen_at": None,  # by a run
            }
            connection.execute(update(schema.orders).where(schema.orders.c.order_key == key).values(values))
            self._note(connection, ADOPT, key, None)
        return Adopted.NEW

    def adopt_unknown(self, order: Order, submitted_at: datetime | None) -> Adopted:
        """Enter an order of which a results file says that it may have been placed: a person has to settle it."""
        key = self.key(order)
        self._bury_dead_runs()
        with self._write() as connection:
            self.refuse_if_moved(connection)
            row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).first()
            if row is not None and not self._may_have_been_sent_since(connection, row):
                return Adopted.KNOWN
            self._plan(connection, key, order, is_new=row is None)
            values = {
                "state": OrderState.UNKNOWN.value,
                "message": outcomes.unknown_adopted(),
                "submitted_at": as_text(submitted_at) if submitted_at else None,
                "last_seen_at": None,  # by a run
            }
            connection.execute(update(schema.orders).where(schema.orders.c.order_key == key).values(values))
            self._note(connection, ADOPT, key, None)
        return Adopted.NEW

    def _may_have_been_sent_since(self, connection: Connection, row: Row[Any]) -> bool:
        """Whether a results file can be newer than what this ledger knows: the ledger is an old copy.

        What is ordered or unknown there is not sent again anyway.
        """
        is_free = row.state in {OrderState.PLANNED, OrderState.REJECTED} and row.claimed_by is None
        return is_free and not self._descends_from_mark(connection)
