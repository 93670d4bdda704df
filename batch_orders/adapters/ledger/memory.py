"""What the ledger remembers of orders, for planning and for people."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, or_, select, update

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.audit import Audit
from batch_orders.adapters.ledger.database import MOST_KEYS
from batch_orders.adapters.ledger.instants import as_time
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import Contents, LineItem, Numbered, Order, OrderState, Remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row


class Memory(Audit):
    """Looking things up; nothing here changes an order, but that dead runs are recognised first."""

    def key(self, order: Order) -> str:
        """The order's identity in this ledger's account."""
        return identity.order_key(self.account, order.employee, order.reference)

    def recall(self, keys: Iterable[str]) -> Mapping[str, Remembered]:
        """What is known of these orders; those never attempted are left out."""
        wanted = list(keys)
        self._bury_dead_runs()
        with self._read() as connection:
            return {order.key: order for order in self._remembered(self._rows(connection, wanted))}

    def look_alikes(self, traces: Iterable[str], *, besides: str = "") -> Mapping[str, tuple[Remembered, ...]]:
        """By trace (identity.py), the orders that have it and were placed, or may have been, or are about to be.

        About to be is what a run other than `besides` has in hand, or has handed to the workers.
        """
        by_hash = {self._keyed_hash(trace): trace for trace in traces}
        hashes = list(by_hash)
        maybe_placed = [state.value for state in (OrderState.ORDERED, OrderState.SENDING, OrderState.UNKNOWN)]
        in_hand = or_(schema.orders.c.claimed_by != besides, schema.orders.c.queued_by != besides)
        found: dict[str, list[Remembered]] = {}
        self._bury_dead_runs()
        with self._read() as connection:
            for start in range(0, len(hashes), MOST_KEYS):
                query = (
                    select(schema.orders, schema.traces.c.hash)
                    .join(schema.traces, schema.traces.c.order_key == schema.orders.c.order_key)
                    .where(schema.traces.c.hash.in_(hashes[start : start + MOST_KEYS]))
                    .where(or_(schema.orders.c.state.in_(maybe_placed), in_hand))
                )
                rows = connection.execute(query).all()
                for row, order in zip(rows, self._remembered(rows), strict=True):
                    found.setdefault(by_hash[row.hash], []).append(order)
        return {trace: tuple(orders) for trace, orders in found.items()}

    def known_numbers(self, numbers: Iterable[str]) -> Mapping[str, Numbered]:
        """Those of these order numbers that were ever given out to this account, with whose they are."""
        wanted = list(numbers)
        column = schema.order_numbers.c.order_number
        known: dict[str, Numbered] = {}
        with self._read() as connection:
            for start in range(0, len(wanted), MOST_KEYS):
                query = (
                    select(column, schema.orders.c.order_key, schema.orders.c.email)
                    .join(schema.orders, schema.orders.c.order_key == schema.order_numbers.c.order_key)
                    .where(column.in_(wanted[start : start + MOST_KEYS]))
                )
                rows = connection.execute(query)
                known |= {row.order_number: Numbered(row.order_key, row.email) for row in rows}
        return known

    def orders(self, *states: OrderState, run_id: str | None = None) -> tuple[Remembered, ...]:
        """Every order in one of these states (all without any), of one run where that is given; oldest first."""
        self._bury_dead_runs()
        query = select(schema.orders).order_by(schema.orders.c.updated_at, schema.orders.c.order_key)
        if states:
            query = query.where(schema.orders.c.state.in_([state.value for state in states]))
        if run_id is not None:
            query = query.where(or_(schema.orders.c.sent_by == run_id, schema.orders.c.claimed_by == run_id))
        with self._read() as connection:
            return tuple(self._remembered(connection.execute(query)))

    def waiting(self) -> tuple[Remembered, ...]:
        """The orders that wait for a person: unknown, rejected, or changed since they were placed.

        A rejected one that was forgotten waits for nobody: only its sheet knows what it was.
        """
        self._bury_dead_runs()
        state, other = schema.orders.c.state, schema.orders.c.other_contents
        is_changed = and_(state == OrderState.ORDERED.value, other.is_not(None))
        is_rejected = and_(state == OrderState.REJECTED.value, schema.orders.c.forgotten_at.is_(None))
        is_waiting = or_(state == OrderState.UNKNOWN.value, is_rejected, is_changed)
        query = select(schema.orders).where(is_waiting).order_by(schema.orders.c.updated_at, schema.orders.c.order_key)
        with self._read() as connection:
            return tuple(self._remembered(connection.execute(query)))

    def to_send_again(self) -> tuple[Remembered, ...]:
        """The planned orders that were sent or settled before, and that are in nobody's hands: no run may ever come.

        One that was forgotten only its sheet knows.
        """
        self._bury_dead_runs()
        orders, notes = schema.orders.c, schema.notes.c
        is_idle = and_(
            orders.state == OrderState.PLANNED.value, orders.claimed_by.is_(None), orders.queued_by.is_(None)
        )
        before = or_(orders.sent_by.is_not(None), exists().where(notes.order_key == orders.order_key))
        query = select(schema.orders).where(is_idle, before, orders.forgotten_at.is_(None))
        with self._read() as connection:
            return tuple(self._remembered(connection.execute(query.order_by(orders.updated_at, orders.order_key))))

    def ended(self, run_id: str, *states: OrderState, most: int) -> tuple[Remembered, ...]:
        """The latest orders of a run that ended in one of these states, the newest first, and at most so many."""
        query = (
            select(schema.orders)
            .where(schema.orders.c.sent_by == run_id)
            .where(schema.orders.c.state.in_([state.value for state in states]))
            .order_by(schema.orders.c.updated_at.desc(), schema.orders.c.order_key)
            .limit(most)
        )
        with self._read() as connection:
            return tuple(self._remembered(connection.execute(query)))

    def find(self, name: str) -> Remembered:
        """The order with this id: as much of its key's beginning as is unique. LedgerError where there is none."""
        self._bury_dead_runs()
        query = select(schema.orders).where(schema.orders.c.order_key.startswith(name.lower(), autoescape=True))
        with self._read() as connection:
            found = tuple(self._remembered(connection.execute(query))) if name else ()
        if len(found) != 1:
            raise LedgerError(ledgers.no_such_order(name, len(found)), hint=ledgers.how_to_list_orders())
        return found[0]

    def evidence(self, key: str, *, is_plain: bool = False) -> tuple[str, ...]:
        """What each attempt at an order proved, and what people said of it, the first one first.

        Plain is without the names of what went wrong on the way, which only a programmer understands.
        """
        attempts = select(schema.attempts).where(schema.attempts.c.order_key == key)
        notes = select(schema.notes).where(schema.notes.c.order_key == key)
        with self._read() as connection:
            told = [
                (row.intended_at, ledgers.attempt(row.intended_at, row.verdict, row.evidence, is_plain=is_plain))
                for row in connection.execute(attempts)
            ]
            told += [(row.at, ledgers.verdict(row.at, row.verdict, row.note)) for row in connection.execute(notes)]
        return tuple(line for _, line in sorted(told))

    def counts(self) -> Mapping[str, int]:
        """How many orders stand in each state."""
        query = select(schema.orders.c.state, func.count()).group_by(schema.orders.c.state)
        with self._read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {state.value: found.get(state.value, 0) for state in OrderState}

    def last_sent_at(self) -> datetime | None:
        """When the last attempt was about to leave: what the pace needs where its own memory is lost."""
        with self._read() as connection:
            text = connection.execute(select(func.max(schema.attempts.c.intended_at))).scalar()
        return as_time(text)

    def _bury_dead_runs(self) -> None:
        """Free what dead runs had not sent; what they were sending may have arrived, so it is unknown."""
        with self._read() as connection:
            query = select(schema.orders.c.claimed_by).where(schema.orders.c.claimed_by.is_not(None)).distinct()
            claimants = [row.claimed_by for row in connection.execute(query)]
        dead = [run_id for run_id in claimants if not self._liveness.is_alive(run_id)]
        if dead:
            with self._write() as connection:
                for run_id in dead:
                    self._let_go(connection, run_id)

    def _let_go(self, connection: Connection, run_id: str) -> None:
        freed = {"claimed_by": None, "claim_token": None, "updated_at": self._now()}
        mine = schema.orders.c.claimed_by == run_id
        sending = and_(mine, schema.orders.c.state == OrderState.SENDING.value)
        in_doubt = connection.execute(select(schema.orders.c.order_key).where(sending)).all()
        unknown = {"state": OrderState.UNKNOWN.value, "message": outcomes.run_died(), "queued_by": None}
        connection.execute(update(schema.orders).where(sending).values(**unknown, **freed))
        connection.execute(update(schema.orders).where(mine).values(**freed))
        for row in in_doubt:
            self._note(connection, "verdict", row.order_key, run_id, verdict="unknown", evidence="the run ended")

    def _remembered(self, rows: Iterable[Row[Any]]) -> Iterator[Remembered]:
        """Rows of orders as they are told; each run is asked only once whether it is alive."""
        is_alive = functools.cache(self._liveness.is_alive)
        for row in rows:
            busy = row.claimed_by is not None and is_alive(row.claimed_by)
            yield _remembered(row, busy=busy)


def _remembered(row: Row[Any], *, busy: bool) -> Remembered:
    return Remembered(
        key=row.order_key,
        state=OrderState(row.state),
        email=row.email,
        order_reference=row.order_reference,
        contents=as_contents(row.contents),
        content_hash=row.content_hash,
        order_number=row.order_number,
        message=row.message,
        run_id=row.sent_by,
        submitted_at=as_time(row.submitted_at),
        attempts=row.attempts,
        other_contents=as_contents(row.other_contents) if row.other_contents else None,
        last_seen_at=as_time(row.last_seen_at),
        forgotten_at=as_time(row.forgotten_at),
        busy=busy,
        queued_by=row.queued_by,
    )


def as_contents(text: str) -> Contents:
    """Contents as the ledger keeps them."""
    fields = json.loads(text)
    return Contents(items=tuple(LineItem(*item) for item in fields.pop("items")), **fields)
