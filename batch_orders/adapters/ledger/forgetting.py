"""Retention: what is older than a cut-off loses its personal data, and that it was ordered is remembered.

What stays of an order is its key, its content hash, state, number and dates, and keyed hashes of what an order for the
same person would have in common with it. Each step is a transaction of its own, and leaves a sound ledger.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, case, delete, exists, func, insert, or_, select, update

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.instants import as_text, as_time
from batch_orders.adapters.ledger.verdicts import Verdicts
from batch_orders.messages import outcomes
from batch_orders.models import FORGOTTEN_AT, NO_CONTENTS, Forgettable, Kept, OrderState

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

# The audit's word for it; its detail names the orders' keys.
FORGET: Final = "forget"
BLANK: Final = json.dumps(dataclasses.asdict(NO_CONTENTS))
# Orders in one transaction: whoever wants to write meanwhile waits for no more than a moment.
_BATCH: Final = 1_000
# The sheet of every run that was forgotten.
_NO_SHEET: Final = hashlib.sha256(b"").hexdigest()
_FORGETTABLE: Final = (OrderState.ORDERED, OrderState.REJECTED, OrderState.PLANNED)
_GO, _EARLIER = "go", "earlier"


class Forgetting(Verdicts):
    """What is to be forgotten is decided by its dates and its state alone, in one place: `_kind`."""

    def cut_off(self, age: timedelta) -> datetime:
        """So long ago, by the ledger's own clock."""
        with self._write():
            now = as_time(self._now())
        assert now is not None  # noqa: S101 - an instant that was just written
        return now - age

    def forgettable(self, before: datetime) -> Forgettable:
        """What `forget` would remove now; nothing is changed, but that dead runs are recognised."""
        self._bury_dead_runs()
        with self._read() as connection:
            return _survey(connection, before)

    def forget(self, before: datetime) -> Forgettable:
        """Remove the personal data of what is older than that: from the tables, and from the database's own files.

        Gives what was removed. LedgerError where a run is alive, or where the ledger has moved or was restored from an
        older copy. BatchOrdersError where the files could not be written anew: the tables are without it by then.
        Where this is killed on the way, the ledger is sound, and the next `forget` goes on.
        """
        if refusal := self.refusal():
            raise refusal
        with self._read() as connection:
            self.refuse_while_alive(connection)
        found = self.forgettable(before)
        states: Counter[OrderState] = Counter()
        last = ""
        while some := self._forget_orders(as_text(before), last):
            states.update(some.values())
            last = max(some)
        runs, sheets = self._forget_runs(as_text(before))
        with self._lock:
            self._home.sweep(self._engine)
        return dataclasses.replace(found, orders=dict(states), runs=runs, sheets=sheets)

    def _forget_orders(self, before: str, last: str) -> dict[str, OrderState]:
        """The next so many orders by key, in one transaction with the audit's word for it; their states."""
        orders = schema.orders.c
        with self._write() as connection:
            query = select(orders.order_key, orders.state).where(orders.order_key > last, _kind(before) == _GO)
            found = {
                row.order_key: OrderState(row.state)
                for row in connection.execute(query.order_by(orders.order_key).limit(_BATCH))
            }
            if found:
                at = self._now()
                _blank(connection, list(found), at)
                # Nothing was ordered: nobody need be recognised by it.
                others = [key for key, state in found.items() if state is not OrderState.ORDERED]
                connection.execute(delete(schema.traces).where(schema.traces.c.order_key.in_(others)))
                self._note(connection, FORGET, None, None, at=at, before=before, orders=len(found), keys=list(found))
        return found

    def _forget_runs(self, before: str) -> tuple[int, int]:
        """Every old run's report, sheet and options; how many runs that were, and how many sheets nobody has now."""
        with self._write() as connection:
            self._home.be_patient(connection)
            sheets = connection.execute(_old_sheets(before)).scalar() or 0
            if not connection.execute(select(exists().where(schema.sheets.c.sha256 == _NO_SHEET))).scalar():
                row = {"sha256": _NO_SHEET, "compressed": zlib.compress(b"")}
                connection.execute(insert(schema.sheets).values(row))
            options = json.dumps({FORGOTTEN_AT: self._now()})
            blank = {"input": "", "options": options, "report": None, "sheet": _NO_SHEET}
            runs = connection.execute(update(schema.runs).where(_is_old_run(before)).values(blank)).rowcount
            unused = and_(
                ~exists().where(schema.runs.c.sheet == schema.sheets.c.sha256), schema.sheets.c.sha256 != _NO_SHEET
            )
            connection.execute(delete(schema.sheets).where(unused))
            if runs:
                self._note(connection, FORGET, None, None, at=self._now(), before=before, runs=runs, keys=[])
        return runs, sheets


def _kind(before: str) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    """Of an order: "go" where it is to be forgotten, "earlier" where it was, else why it is kept (Kept)."""
    orders = schema.orders.c
    may_be_none = (orders.submitted_at, orders.last_seen_at)
    is_old = and_(orders.updated_at < before, *(or_(date.is_(None), date < before) for date in may_be_none))
    is_changed = and_(orders.state == OrderState.ORDERED.value, orders.other_contents.is_not(None))
    in_hand = or_(
        orders.state == OrderState.SENDING.value, orders.claimed_by.is_not(None), orders.queued_by.is_not(None)
    )
    # A sheet, or somebody's note, may have brought something back since.
    has_more = or_(
        orders.forgotten_at.is_(None), orders.other_contents.is_not(None), orders.updated_at > orders.forgotten_at
    )
    is_meant = and_(orders.state.in_([state.value for state in _FORGETTABLE]), has_more)
    return case(
        (orders.state == OrderState.UNKNOWN.value, Kept.UNKNOWN.value),
        (in_hand, Kept.IN_HAND.value),
        (and_(~is_old, is_changed), Kept.CHANGED.value),
        (and_(~is_old), Kept.LATELY.value),
        (is_meant, _GO),
        else_=_EARLIER,
    )


def _is_old_run(before: str) -> Any:  # noqa: ANN401 - as above
    """Of a run: whether it ended (or began, where it died) before that, and was not forgotten yet."""
    runs = schema.runs.c
    ended = or_(runs.ended_at.is_(None), runs.ended_at < before)
    return and_(runs.started_at < before, ended, runs.sheet != _NO_SHEET)


def _old_sheets(before: str) -> Any:  # noqa: ANN401 - as above
    """How many sheets no run will need that is kept."""
    kept = exists().where(schema.runs.c.sheet == schema.sheets.c.sha256, ~_is_old_run(before))
    return select(func.count()).select_from(schema.sheets).where(schema.sheets.c.sha256 != _NO_SHEET, ~kept)


def _blank(connection: Connection, keys: list[str], at: str) -> None:
    """Remove what these orders' rows, attempts and notes say of people."""
    orders = schema.orders.c
    left = {state.value: outcomes.forgotten(state) for state in _FORGETTABLE}
    values = {"email": "", "order_reference": "", "contents": BLANK, "other_contents": None, "forgotten_at": at}
    blanked = update(schema.orders).where(orders.order_key.in_(keys))
    connection.execute(blanked.values(**values, message=case(left, value=orders.state, else_="")))
    # Device Hub's own words may repeat all that was sent. `evidence` is an HTTP status or the name of an exception.
    connection.execute(update(schema.attempts).where(schema.attempts.c.order_key.in_(keys)).values(message=None))
    connection.execute(update(schema.notes).where(schema.notes.c.order_key.in_(keys)).values(note=""))


def _survey(connection: Connection, before: datetime) -> Forgettable:
    text = as_text(before)
    each = select(_kind(text).label("kind"), schema.orders.c.state, schema.orders.c.updated_at).subquery()
    changed = each.c.updated_at
    query = select(each.c.kind, each.c.state, func.count(), func.min(changed), func.max(changed))
    orders: Counter[OrderState] = Counter()
    kept: Counter[Kept] = Counter()
    earlier, dates = 0, []
    for kind, state, number, oldest, newest in connection.execute(query.group_by(each.c.kind, each.c.state)):
        if kind == _GO:
            orders[OrderState(state)] += number
            dates += [oldest, newest]
        elif kind == _EARLIER:
            earlier += number
        else:
            kept[Kept(kind)] += number
    runs = select(func.count()).select_from(schema.runs).where(_is_old_run(text))
    return Forgettable(
        before=before,
        orders=dict(orders),
        runs=connection.execute(runs).scalar() or 0,
        sheets=connection.execute(_old_sheets(text)).scalar() or 0,
        oldest=as_time(min(dates, default=None)),
        newest=as_time(max(dates, default=None)),
        kept=dict(kept),
        earlier=earlier,
    )
