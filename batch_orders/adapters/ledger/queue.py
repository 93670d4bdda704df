"""The orders that a run has handed to the workers: planned, in nobody's hands, and marked with the run's id.

An order of the queue is a worker's from when it is claimed. It leaves the queue when it has ended, when its run takes
it back, or when another run claims it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select, update

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.memory import as_contents
from batch_orders.adapters.ledger.runs import IS_CLAIMED, WITHOUT_REPORT, Runs, as_run, claimed, line_stopped
from batch_orders.errors import RunStoppedError
from batch_orders.messages import ledgers
from batch_orders.models import WORKER, Claim, Order, OrderState, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Row


class Queue(Runs):
    """Handing over, taking, taking back."""

    def hand_over(self, claims: Sequence[Claim], put: Callable[[Any, Sequence[tuple[str, str]]], None]) -> None:
        """Let go of these claims for the workers.

        `put` writes the jobs (each an order's key and its run) with the same session, in the same transaction: there is
        no order without its job, and no job without its order.
        """
        with self._write() as connection:
            for claim in claims:
                values = {"queued_by": claim.run_id, "claimed_by": None, "claim_token": None, "updated_at": self._now()}
                mine = update(schema.orders).where(IS_CLAIMED).values(values)
                if connection.execute(mine, claimed(claim, OrderState.PLANNED)).rowcount != 1:
                    raise RunStoppedError(ledgers.claim_lost(), hint=ledgers.how_to_repair())
            put(connection.connection.driver_connection, [(claim.key, claim.run_id) for claim in claims])

    def within(self, step: Callable[[Any], None]) -> None:
        """Do something with the ledger's own session, in one of its transactions."""
        with self._write() as connection:
            step(connection.connection.driver_connection)

    def take(self, worker_id: str, key: str, run_id: str) -> Claim | None:
        """Claim a queued order for a worker; None where it is not there any more, or somebody has it.

        LedgerError as when a run begins: a worker lives for months, and a ledger may be moved or restored under it.
        """
        with self._write() as connection:
            self.refuse_if_moved(connection)
            if refusal := self._compared_with_mark(connection):
                raise refusal
            row = connection.execute(select(schema.orders).where(_is_queued(key, run_id))).first()
            if row is None:
                return None
            token = secrets.token_hex(8)
            values = {"claimed_by": worker_id, "claim_token": token, "updated_at": self._now()}
            connection.execute(update(schema.orders).where(schema.orders.c.order_key == key).values(values))
            return Claim(
                key=key,
                order=_order(row),
                run_id=worker_id,
                token=token,
                generation=row.generation,
                queued_by=run_id,
            )

    def take_back(self, run_id: str) -> None:
        """No worker begins an order of this run from now on, nor tries again one that it is sending.

        A worker may have an order in hand long before its turn comes: it is free at once.
        """
        planned = schema.orders.c.state == OrderState.PLANNED.value
        with self._write() as connection:
            mine = update(schema.orders).where(schema.orders.c.queued_by == run_id)
            connection.execute(mine.values(queued_by=None, updated_at=self._now(), **let_go_where(planned)))

    def queued(self) -> tuple[tuple[str, str], ...]:
        """Every queued order that nobody has in hand, as its key and its run."""
        self._bury_dead_runs()
        query = select(schema.orders.c.order_key, schema.orders.c.queued_by).where(_is_queued(None, None))
        with self._read() as connection:
            return tuple((row.order_key, row.queued_by) for row in connection.execute(query))

    def depth(self) -> int:
        """How many orders are queued, those included that a worker has in hand."""
        query = select(func.count()).where(schema.orders.c.queued_by.is_not(None))
        with self._read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def workers(self) -> tuple[RunRecord, ...]:
        """The workers that are alive, the oldest first."""
        is_worker = and_(schema.runs.c.command == WORKER, schema.runs.c.ended_at.is_(None))
        with self._read() as connection:
            rows = connection.execute(select(*WITHOUT_REPORT).where(is_worker).order_by(schema.runs.c.started_at)).all()
            return tuple(as_run(row, b"") for row in rows if self._liveness.is_alive(row.run_id))

    def is_line_stopped(self) -> bool:
        """Whether too many orders in a row ended unknown, and none has ended well since."""
        with self._read() as connection:
            return line_stopped(connection)


def let_go_where(condition: Any) -> dict[str, Any]:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    """For an update of orders: whoever has them in hand has them no more, where this holds."""
    orders = schema.orders.c
    return {each.name: case((condition, None), else_=each) for each in (orders.claimed_by, orders.claim_token)}


def _is_queued(key: str | None, run_id: str | None) -> Any:  # noqa: ANN401 - as above
    """Planned, and in nobody's hands; this order's where it is given, and this run's."""
    orders = schema.orders.c
    conditions = [orders.state == OrderState.PLANNED.value, orders.claimed_by.is_(None)]
    conditions.append(orders.queued_by.is_not(None) if run_id is None else orders.queued_by == run_id)
    if key is not None:
        conditions.append(orders.order_key == key)
    return and_(*conditions)


def _order(row: Row[Any]) -> Order:
    """The order as it is to be sent. Which lines of its sheet it is made of only its run knows."""
    return Order(
        email=row.email,
        employee=identity.normalise_email(row.email),
        reference=identity.normalise_reference(row.order_reference),
        order_reference=row.order_reference,
        lines=(),
        contents=as_contents(row.contents),
    )
