"""What a person says of orders: verdicts, releases, past orders that results files know of."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, delete, func, insert, or_, select, update

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.audit import ADOPT
from batch_orders.adapters.ledger.instants import as_text
from batch_orders.adapters.ledger.journal import Journal
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import Adopted, Contents, Order, OrderState, Remembered, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row

# The state that each verdict fits; `placed` fits more than one.
_FITTING = {"not_placed": OrderState.UNKNOWN, "cancelled": OrderState.ORDERED, "keep": OrderState.ORDERED}
_TO_BE_SENT = {OrderState.PLANNED, OrderState.SENDING}


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
        """An unknown order was placed, under this number; or what a person said of it before was a mistake.

        Such a mistake is a verdict by which it is to be sent again, or another number. LedgerError where another order
        has this one.
        """
        with self._write() as connection:
            is_unknown = order.state is OrderState.UNKNOWN
            is_said_already = order.state is OrderState.ORDERED and order.order_number == order_number
            if is_said_already or not (is_unknown or self._may_be_taken_back(connection, order.key)):
                raise LedgerError(ledgers.cannot_settle(order, "placed"), hint=ledgers.what_fits(order))
            is_its_own = not is_unknown and self._number_is_of(connection, order_number, order.key)
            if not is_its_own and not self._enter_number(connection, order_number, order.key):
                raise LedgerError(ledgers.number_taken(order_number), hint=ledgers.how_to_check_number())
            if order.order_number not in {None, order_number}:
                self._free_mistyped(connection, order)
            values: dict[str, Any] = {"state": OrderState.ORDERED.value, "order_number": order_number}
            if order.state is OrderState.PLANNED:
                values["submitted_at"] = self._may_have_arrived_at(connection, order.key)
            values["message"] = outcomes.settled()
            self._settle(connection, order, "placed", note, values)

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
        state = order.state if verdict == "placed" else _FITTING[verdict]
        is_it = and_(schema.orders.c.order_key == order.key, schema.orders.c.state == state.value)
        changed = update(schema.orders).where(is_it).values(updated_at=self._now(), **values)
        if connection.execute(changed).rowcount != 1:
            hint = ledgers.what_fits(order, is_by_verdict=self._may_be_taken_back(connection, order.key))
            raise LedgerError(ledgers.cannot_settle(order, verdict), hint=hint)
        query = insert(schema.notes).values(order_key=order.key, at=self._now(), verdict=verdict, note=note)
        connection.execute(query)
        self._note(connection, "settle", order.key, None, verdict=verdict, note=self._keyed_hash(note))

    def _may_be_taken_back(self, connection: Connection, key: str) -> bool:
        """Whether a person's verdict alone says that this order was placed, or that it is to be sent again.

        Nothing of it has arrived anywhere since, no run has it in hand, and none took it up with other contents.
        """
        row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).one()
        if row.claimed_by is not None or row.queued_by is not None:
            return False
        entries = select(schema.audit.c.what, schema.audit.c.detail).where(schema.audit.c.order_key == key)
        for what, text in connection.execute(entries.order_by(schema.audit.c.id.desc())):
            detail = json.loads(text)
            if what == "settle":
                return detail["verdict"] != "keep" and bool(detail["order"] == self._seal_of_order(row))
            # An attempt with proof that nothing came of it leaves the verdict as it was.
            if detail.get("state") not in _TO_BE_SENT:
                return False
        return False

    def _free_mistyped(self, connection: Connection, order: Remembered) -> None:
        """The number that a person gave this order was a slip: it may well be another order's.

        One that Device Hub gave, or that stands in a results file, stays taken.
        """
        entries = select(schema.audit.c.detail).where(schema.audit.c.order_key == order.key)
        told = connection.execute(entries.where(schema.audit.c.what != "settle")).scalars()
        if not any(json.loads(detail).get("state") == OrderState.ORDERED for detail in told):
            numbers = schema.order_numbers.c
            is_it = and_(numbers.order_key == order.key, numbers.order_number == order.order_number)
            connection.execute(delete(schema.order_numbers).where(is_it))

    def _number_is_of(self, connection: Connection, order_number: str, key: str) -> bool:
        """Whether this order has, or had, this number."""
        query = select(schema.order_numbers.c.order_key).where(schema.order_numbers.c.order_number == order_number)
        return bool(connection.execute(query).scalar() == key)

    def _may_have_arrived_at(self, connection: Connection, key: str) -> str | None:
        """When the newest attempt was sent that may have placed the order; None where this ledger knows of none."""
        attempts = schema.attempts.c
        may_have = or_(attempts.verdict.is_(None), attempts.verdict.in_([VerdictKind.ORDERED, VerdictKind.UNKNOWN]))
        sent: str | None = connection.execute(
            select(func.max(attempts.intended_at)).where(attempts.order_key == key, may_have)
        ).scalar()
        return sent

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
