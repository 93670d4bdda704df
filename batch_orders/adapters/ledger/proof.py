"""The proof that a ledger is as the program left it: nothing changed, taken out or put in."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.audit import ADOPT
from batch_orders.adapters.ledger.forgetting import BLANK, FORGET, Forgetting
from batch_orders.adapters.ledger.memory import as_contents
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import OrderState, order_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

# A planned order has no entry of its own: it may be new, or taken up again after one of these.
_BEFORE_PLANNED = {None, OrderState.PLANNED.value, OrderState.REJECTED.value}
# Entries with which an order that was forgotten is known again.
_KNOWN_ANEW = {"attempt", ADOPT}


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """What the audit says of the orders, by key: their newest entries' details, and when they were forgotten."""

    newest: dict[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    forgotten: dict[str, str] = dataclasses.field(default_factory=dict)


class Proof(Forgetting):
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
        entries, told = self._verify_audit(connection)
        self._verify_orders(connection, told)
        return entries

    def _verify_audit(self, connection: Connection) -> tuple[int, _Told]:
        """How many entries there are, and what they say."""
        seal, count, told = "", 0, _Told()
        for row in connection.execute(select(schema.audit).order_by(schema.audit.c.id)):
            count += 1
            seal = self._seal(seal, row.at, row.what, row.order_key, row.run_id, row.detail)
            if row.id != count or row.seal != seal:
                raise LedgerError(ledgers.audit_broken(self.place, count), hint=ledgers.how_to_act_on_broken_audit())
            if row.order_key is not None:
                told.newest[row.order_key] = json.loads(row.detail)
            if row.what == FORGET:
                detail = json.loads(row.detail)
                told.forgotten.update(dict.fromkeys(detail["keys"], detail["at"]))
            elif row.what in _KNOWN_ANEW:
                told.forgotten.pop(row.order_key, None)
        return count, told

    def _verify_orders(self, connection: Connection, told: _Told) -> None:
        for row in connection.execute(select(schema.orders)):
            newest = told.newest.pop(row.order_key, {})
            if not (self._is_itself(row, told.forgotten.get(row.order_key)) and self._stands_as_told(row, newest)):
                name = order_id(row.order_key)
                raise LedgerError(ledgers.order_differs(self.place, name), hint=ledgers.how_to_act_on_broken_audit())
        # What is left has entries and no row; one that was only released may never have had one.
        for key, detail in told.newest.items():
            if "state" in detail:
                name = order_id(key)
                raise LedgerError(ledgers.order_differs(self.place, name), hint=ledgers.how_to_act_on_broken_audit())

    def _is_itself(self, row: Row[Any], forgotten_at: str | None) -> bool:
        """Whether the row holds what its key and its hash were made of; of a forgotten one, whether it holds nothing.

        One that was forgotten is planned with new contents before the audit hears of it again.
        """
        if row.forgotten_at is not None:
            is_blank = (row.email, row.order_reference, row.contents) == ("", "", BLANK)
            return is_blank and bool(row.forgotten_at == forgotten_at)
        if forgotten_at is not None and row.state != OrderState.PLANNED:
            return False
        employee, reference = identity.normalise_email(row.email), identity.normalise_reference(row.order_reference)
        if row.order_key != identity.order_key(self.account, employee, reference):
            return False
        return bool(row.content_hash == identity.content_hash(as_contents(row.contents)))

    def _stands_as_told(self, row: Row[Any], told: Mapping[str, Any]) -> bool:
        if row.state == OrderState.PLANNED:
            return told.get("state") in _BEFORE_PLANNED
        return bool(told.get("order") == self._seal_of_order(row))
