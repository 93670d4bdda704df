"""The proof that a ledger is as the program left it: nothing changed, taken out or put in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.memory import as_contents
from batch_orders.adapters.ledger.verdicts import Verdicts
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import OrderState, order_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

# A planned order has no entry of its own: it may be new, or taken up again after one of these.
_BEFORE_PLANNED = {None, OrderState.PLANNED.value, OrderState.REJECTED.value}


class Proof(Verdicts):
    """The audit against itself, and the orders against the audit."""

    def verify(self) -> int:
        """How many entries the audit has.

        LedgerError where one was changed, taken away or put in between, where the newest are missing, or where an
        order is not what its entries say.
        """
        with self._read() as connection:
            self._home.be_patient(connection)
            entries = self.prove(connection)
            old = self._compared_with_mark(connection)
        if old:
            raise old
        return entries

    def prove(self, connection: Connection) -> int:
        """How many entries the audit has; LedgerError as for `verify`, but for the newest ones."""
        if not self._home.is_sound(connection):
            raise LedgerError(ledgers.damaged(self.place), hint=ledgers.how_to_act_on_broken_audit())
        entries, newest = self._verify_audit(connection)
        self._verify_orders(connection, newest)
        return entries

    def _verify_audit(self, connection: Connection) -> tuple[int, dict[str, Mapping[str, Any]]]:
        """How many entries there are, and the newest one's detail by order."""
        seal, count = "", 0
        newest: dict[str, Mapping[str, Any]] = {}
        for row in connection.execute(select(schema.audit).order_by(schema.audit.c.id)):
            count += 1
            seal = self._seal(seal, row.at, row.what, row.order_key, row.run_id, row.detail)
            if row.id != count or row.seal != seal:
                raise LedgerError(ledgers.audit_broken(self.place, count), hint=ledgers.how_to_act_on_broken_audit())
            if row.order_key is not None:
                newest[row.order_key] = json.loads(row.detail)
        return count, newest

    def _verify_orders(self, connection: Connection, newest: dict[str, Mapping[str, Any]]) -> None:
        for row in connection.execute(select(schema.orders)):
            if not self._is_as_told(row, newest.pop(row.order_key, {})):
                name = order_id(row.order_key)
                raise LedgerError(ledgers.order_differs(self.place, name), hint=ledgers.how_to_act_on_broken_audit())
        # What is left has entries and no row; one that was only released may never have had one.
        for key, detail in newest.items():
            if "state" in detail:
                name = order_id(key)
                raise LedgerError(ledgers.order_differs(self.place, name), hint=ledgers.how_to_act_on_broken_audit())

    def _is_as_told(self, row: Row[Any], told: Mapping[str, Any]) -> bool:
        employee, reference = identity.normalise_email(row.email), identity.normalise_reference(row.order_reference)
        if row.order_key != identity.order_key(self.account, employee, reference):
            return False
        if row.content_hash != identity.content_hash(as_contents(row.contents)):
            return False
        if row.state == OrderState.PLANNED:
            return told.get("state") in _BEFORE_PLANNED
        return bool(told.get("order") == self._seal_of_order(row))
