"""Each order's way through a run: written down, durably, before the next step is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, insert, select, update

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.queue import Queue, let_go_where
from batch_orders.adapters.ledger.runs import is_claimed
from batch_orders.errors import OrderTakenError, RunStoppedError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import Attempt, Claim, OrderState, Remembered, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_FINAL_STATES = {
    VerdictKind.ORDERED: OrderState.ORDERED,
    VerdictKind.REJECTED: OrderState.REJECTED,
    VerdictKind.UNKNOWN: OrderState.UNKNOWN,
}


class Journal(Queue):
    """planned → sending → ordered, rejected, unknown or, with proof, planned again."""

    def intend(self, claim: Claim, request_hash: str) -> Attempt:
        """The order is about to be sent: planned → sending. Durable when this returns; raises where it is not ours.

        OrderTakenError where it was a worker's: it goes on with others.
        """
        with self._write() as connection:
            at = self._now()
            taken = connection.execute(
                update(schema.orders)
                .where(
                    is_claimed(claim, OrderState.PLANNED),
                    schema.orders.c.queued_by.is_not_distinct_from(claim.queued_by or None),
                )
                .where(~exists().where(schema.account.c.moved_to.is_not(None)))
                .values(
                    state=OrderState.SENDING.value,
                    attempts=schema.orders.c.attempts + 1,
                    sent_by=claim.queued_by or claim.run_id,
                    submitted_at=at,
                    updated_at=at,
                )
                .returning(schema.orders.c.attempts)
            ).first()
            if taken is None:
                error = OrderTakenError if claim.queued_by else RunStoppedError
                raise error(ledgers.claim_lost(), hint=ledgers.how_to_repair())
            tries = select(func.count()).where(schema.attempts.c.order_key == claim.key)
            number = int(connection.execute(tries).scalar() or 0) + 1
            attempt = {"order_key": claim.key, "number": number, "run_id": claim.run_id}
            query = insert(schema.attempts).values(**attempt, request_hash=request_hash, intended_at=at)
            inserted = connection.execute(query).inserted_primary_key
            assert inserted is not None  # noqa: S101 - what an INSERT of one row always gives
            self._note(connection, "attempt", claim.key, claim.run_id, number=number, request=request_hash)
            return Attempt(id=inserted[0], number=number, claim=claim)

    def withdraw(self, attempt: Attempt, verdict: Verdict) -> None:
        """There is proof that nothing was sent or applied: sending → planned, still this run's.

        What its run has taken back meanwhile is nobody's then.
        """
        with self._write() as connection:
            values: dict[str, Any] = {"state": OrderState.PLANNED.value, "submitted_at": None}
            if verdict.kind is VerdictKind.NOT_SENT:
                values["attempts"] = schema.orders.c.attempts - 1  # not one byte left, so it was none
            if attempt.claim.queued_by:
                values |= let_go_where(schema.orders.c.queued_by.is_(None))
            self._end_attempt(connection, attempt, verdict, values)

    def conclude(self, attempt: Attempt, verdict: Verdict) -> Remembered:
        """How the attempt ended: sending → ordered, rejected or unknown; gives how the order stands now.

        A success whose order number another order has already is no proof: that order becomes unknown.
        """
        with self._write() as connection:
            verdict = self._doubt_known_number(connection, attempt.claim.key, verdict)
            values = {
                "state": _FINAL_STATES[verdict.kind].value,
                "order_number": verdict.order_number or None,
                "message": verdict.message,
                "claimed_by": None,
                "claim_token": None,
                "queued_by": None,
            }
            self._end_attempt(connection, attempt, verdict, values)
            query = select(schema.orders).where(schema.orders.c.order_key == attempt.claim.key)
            (remembered,) = self._remembered(connection.execute(query))
            return remembered

    def mark_line(self, *, stopped: bool) -> None:
        """Remember whether too many orders in a row ended unknown: the next run begins carefully then."""
        with self._write() as connection:
            connection.execute(update(schema.account).values(line_stopped=int(stopped)))

    def _end_attempt(
        self, connection: Connection, attempt: Attempt, verdict: Verdict, values: Mapping[str, Any]
    ) -> None:
        """Write down how the attempt ended, and `values` into its order, which this very claim must be sending."""
        sending = update(schema.orders).where(is_claimed(attempt.claim, OrderState.SENDING))
        if connection.execute(sending.values(updated_at=self._now(), **values)).rowcount != 1:
            raise RunStoppedError(ledgers.claim_lost(), hint=ledgers.how_to_repair())
        query = update(schema.attempts).where(schema.attempts.c.id == attempt.id)
        connection.execute(
            query.values(
                ended_at=self._now(),
                verdict=verdict.kind.value,
                status=verdict.status,
                evidence=verdict.evidence,
                message=verdict.message,
            )
        )
        detail = {"number": attempt.number, "verdict": verdict.kind.value, "evidence": verdict.evidence}
        self._note(connection, "verdict", attempt.claim.key, attempt.claim.run_id, **detail)

    def _doubt_known_number(self, connection: Connection, key: str, verdict: Verdict) -> Verdict:
        if verdict.kind is not VerdictKind.ORDERED:
            return verdict
        if self._enter_number(connection, verdict.order_number, key):
            return verdict
        return Verdict(
            kind=VerdictKind.UNKNOWN,
            message=outcomes.number_seen_before(verdict.order_number),
            status=verdict.status,
            evidence=f"{verdict.evidence}, order number seen before",
        )

    def _enter_number(self, connection: Connection, order_number: str, key: str) -> bool:
        """Take a number for an order; false where it was given out before."""
        if self._is_taken(connection, order_number):
            return False
        connection.execute(insert(schema.order_numbers).values(order_number=order_number, order_key=key))
        return True

    def _is_taken(self, connection: Connection, order_number: str) -> bool:
        known = select(schema.order_numbers).where(schema.order_numbers.c.order_number == order_number)
        return connection.execute(known).first() is not None
