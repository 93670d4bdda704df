"""Each order's way through a run: written down, durably, before the next step is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, insert, literal_column, select, update

from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.audit import SEALED
from batch_orders.adapters.ledger.prepared import Prepared
from batch_orders.adapters.ledger.queue import Queue, let_go_where
from batch_orders.adapters.ledger.runs import IS_CLAIMED, claimed
from batch_orders.errors import OrderTakenError, RunStoppedError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import Attempt, Claim, OrderState, Remembered, Verdict, VerdictKind

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FINAL_STATES = {
    VerdictKind.ORDERED: OrderState.ORDERED,
    VerdictKind.REJECTED: OrderState.REJECTED,
    VerdictKind.UNKNOWN: OrderState.UNKNOWN,
}

# What every order takes ----------------------------------------------------------------------------------------

_SEND = Prepared(
    update(schema.orders)
    .where(
        IS_CLAIMED,
        schema.orders.c.queued_by.is_not_distinct_from(bindparam("its_queue")),
        ~exists().where(schema.account.c.moved_to.is_not(None)),
    )
    .values(
        state=OrderState.SENDING.value,
        attempts=schema.orders.c.attempts + 1,
        sent_by=bindparam("its_sender"),
        submitted_at=bindparam("instant"),
        updated_at=bindparam("instant"),
    )
    .returning(*SEALED)
)
_EARLIER = schema.attempts.alias()
_ATTEMPT = Prepared(
    insert(schema.attempts)
    .values(
        order_key=bindparam("its_key"),
        number=select(func.count() + literal_column("1"))
        .where(_EARLIER.c.order_key == bindparam("its_key"))
        .scalar_subquery(),
        run_id=bindparam("its_run"),
        request_hash=bindparam("its_request"),
        intended_at=bindparam("instant"),
    )
    .returning(schema.attempts.c.id, schema.attempts.c.number)
)
_CONCLUDE = Prepared(
    update(schema.orders)
    .where(IS_CLAIMED)
    .values(
        state=bindparam("its_end"),
        order_number=bindparam("its_number"),
        message=bindparam("told"),
        claimed_by=None,
        claim_token=None,
        queued_by=None,
        updated_at=bindparam("instant"),
    )
    .returning(schema.orders)
)
_END_ATTEMPT = Prepared(
    update(schema.attempts)
    .where(schema.attempts.c.id == bindparam("its_id"))
    .values(
        ended_at=bindparam("instant"),
        verdict=bindparam("its_verdict"),
        status=bindparam("its_status"),
        evidence=bindparam("its_evidence"),
        message=bindparam("told"),
    )
)
_IS_TAKEN = Prepared(select(schema.order_numbers).where(schema.order_numbers.c.order_number == bindparam("its_number")))
_ENTER_NUMBER = Prepared(insert(schema.order_numbers))


class Journal(Queue):
    """planned → sending → ordered, rejected, unknown or, with proof, planned again."""

    def intend(self, claim: Claim, request_hash: str) -> Attempt:
        """The order is about to be sent: planned → sending. Durable when this returns; raises where it is not ours.

        OrderTakenError where it was a worker's: it goes on with others.
        """
        with self._write() as connection:
            its = claimed(claim, OrderState.PLANNED) | {"instant": self._now()}
            sender = claim.queued_by or claim.run_id
            queue = {"its_queue": claim.queued_by or None, "its_sender": sender}
            order = _SEND.first(connection, its | queue)
            if order is None:
                error = OrderTakenError if claim.queued_by else RunStoppedError
                raise error(ledgers.claim_lost(), hint=ledgers.how_to_repair())
            tried = _ATTEMPT.first(connection, its | {"its_request": request_hash})
            detail = {"number": tried.number, "request": request_hash}
            self._note(connection, "attempt", claim.key, claim.run_id, order=order, **detail)
            return Attempt(id=tried.id, number=tried.number, claim=claim)

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
            query = update(schema.orders).where(IS_CLAIMED).values(updated_at=self._now(), **values)
            held = claimed(attempt.claim, OrderState.SENDING)
            order = _ours(connection.execute(query.returning(*SEALED), held).first())
            self._end_attempt(connection, attempt, verdict, order)

    def conclude(self, attempt: Attempt, verdict: Verdict) -> Remembered:
        """How the attempt ended: sending → ordered, rejected or unknown; gives how the order stands now.

        A success whose order number another order has already is no proof: that order becomes unknown.
        """
        with self._write() as connection:
            verdict = self._doubt_known_number(connection, attempt.claim.key, verdict)
            values = {
                "its_end": _FINAL_STATES[verdict.kind].value,
                "its_number": verdict.order_number or None,
                "told": verdict.message,
                "instant": self._now(),
            }
            held = claimed(attempt.claim, OrderState.SENDING)
            order = _ours(_CONCLUDE.first(connection, held | values))
            self._end_attempt(connection, attempt, verdict, order)
            (remembered,) = self._remembered([order])
            return remembered

    def mark_line(self, *, stopped: bool) -> None:
        """Remember whether too many orders in a row ended unknown: the next run begins carefully then."""
        with self._write() as connection:
            connection.execute(update(schema.account).values(line_stopped=int(stopped)))

    def _end_attempt(
        self,
        connection: Connection,
        attempt: Attempt,
        verdict: Verdict,
        order: Any,  # noqa: ANN401 - as `_ours` gives it
    ) -> None:
        """Write down how the attempt ended; `order` is how its order stands now."""
        values = {
            "its_id": attempt.id,
            "instant": self._now(),
            "its_verdict": verdict.kind.value,
            "its_status": verdict.status,
            "its_evidence": verdict.evidence,
            "told": verdict.message,
        }
        _END_ATTEMPT.run(connection, values)
        detail = {"number": attempt.number, "verdict": verdict.kind.value, "evidence": verdict.evidence}
        self._note(connection, "verdict", attempt.claim.key, attempt.claim.run_id, order=order, **detail)

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
        _ENTER_NUMBER.run(connection, {"order_number": order_number, "order_key": key})
        return True

    def _is_taken(self, connection: Connection, order_number: str) -> bool:
        return _IS_TAKEN.first(connection, {"its_number": order_number}) is not None


def _ours(order: Any) -> Any:  # noqa: ANN401 - a row of `orders`, or as much of it as is SEALED
    """The order that this very claim was sending; RunStoppedError where there is none."""
    if order is None:
        raise RunStoppedError(ledgers.claim_lost(), hint=ledgers.how_to_repair())
    return order
