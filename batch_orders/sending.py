"""Sending: each claimed order is placed at most once, at the account's pace, and how it ended is written down.

For every order: reserve a slot, connect, write `sending` into the ledger, wait for the slot, open the gate; then
judge the evidence and write the verdict. The gate is a callback that runs after the connection stands and before the
first byte: while it has not opened, nothing was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from batch_orders import identity
from batch_orders.errors import BatchOrdersError, LoginLostError, OrderTakenError, RunStoppedError
from batch_orders.ledger_writer import LedgerWriter
from batch_orders.messages import outcomes, runs
from batch_orders.models import Outcome, RowStatus, VerdictKind, order_id
from batch_orders.stages import evidence as evidence_stage
from batch_orders.stages.report import EXIT_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_orders.models import Attempt, Claim, Contents, Evidence, Verdict
    from batch_orders.ports import Journal, OrderDesk, Pace, Progress

_T = TypeVar("_T")

# This many orders in a row that ended unknown stop the line: something is wrong that more orders would not mend.
UNKNOWNS_IN_A_ROW = 3
# Seconds: how long an open connection may wait for its slot. Longer, and the server may close it just as we send.
_LONGEST_HOLD = 2.0
# Seconds before the slot at which connecting begins at the latest, and at the earliest however slow it was.
_FIRST_LEAD = 0.25
_LONGEST_LEAD = 10.0
# Seconds that connecting and committing are taken to need, until they were measured.
_FIRST_PREPARATION = 0.05
# Seconds: the first wait after a failure, and the longest (they double, with jitter).
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 15.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPolicy:
    """How to send. `patience` is in seconds; `careful` begins with one order in flight (an earlier run stopped)."""

    concurrency: int
    patience: float
    server_errors_not_applied: bool
    careful: bool = False


@dataclass(slots=True, kw_only=True)
class Stop:
    """Why a run stops early, set once: the first reason stays. `is_handed_over`: workers go on with its orders."""

    reason: str = ""
    hint: str = ""
    exit_code: int = 0
    is_handed_over: bool = False
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def __bool__(self) -> bool:
        return self.event.is_set()

    def because(self, reason: str, *, hint: str = "", exit_code: int = RunStoppedError.exit_code) -> None:
        """Stop: nothing new is sent from now on; what is in flight is finished."""
        if not self:
            self.reason, self.hint, self.exit_code = reason, hint, exit_code
            self.event.set()


class _GateShutError(Exception):
    """The gate stays shut: the run stops, or the slot was missed and the next one is too far away."""


def request_body(contents: Contents, email: str) -> bytes:
    """The body of place-order. Fields and types: the vendor's *Place Order* reference.

    A country without states gets an empty `shipping_state`; no shipping method is null.
    """
    document = {
        "items": [{"product_title": item.product_title, "quantity": int(item.quantity)} for item in contents.items],
        "email": email,
        "firstname": contents.firstname,
        "lastname": contents.lastname,
        "shipping_address": contents.shipping_address,
        "shipping_city": contents.shipping_city,
        "shipping_state": contents.shipping_state,
        "shipping_zip": contents.shipping_zip,
        "shipping_country": contents.shipping_country,
        "phone_number": contents.phone_number,
        "expedite_shipping": contents.expedite_shipping or None,
        "is_signature_required": contents.is_signature_required == "yes",
    }
    return json.dumps(document, ensure_ascii=False).encode()


class Line:
    """What all orders of a run share on their way out: the parts, the pause after a failure, the row of unknowns."""

    def __init__(
        self, *, desk: OrderDesk, journal: Journal, pace: Pace, policy: SendingPolicy, progress: Progress, stop: Stop
    ) -> None:
        self.desk = desk
        self.journal = journal
        self.pace = pace
        self.policy = policy
        self.progress = progress
        self.stop = stop
        self.careful = policy.careful
        self._unknown_in_a_row = 0
        # At the worst, and as a rule: whoever is a little late for a slot leaves all the same, who is early waits.
        self._preparation = self._usual = _FIRST_PREPARATION
        self._failing_since: float | None = None
        self._backoff = _FIRST_BACKOFF
        self._resume_at = 0.0
        self._writer = LedgerWriter(journal)

    def close(self) -> None:
        """End the ledger's thread."""
        self._writer.close()

    async def write(self, step: Callable[[], _T]) -> _T:
        """Run a ledger step in the ledger's thread, and see it through whatever happens to us meanwhile."""
        return await self._write(step, is_order=False)

    async def record(self, step: Callable[[], _T]) -> _T:
        """The same for a step of one order's way (a `Journal`'s), which may share its transaction with others."""
        return await self._write(step, is_order=True)

    async def _write(self, step: Callable[[], _T], *, is_order: bool) -> _T:
        done = await self._writer.write(step, is_order=is_order)
        if self._writer.failure is not None and not self.stop:
            _stop_for(self.stop, self._writer.failure)
        return done

    async def pause(self, seconds: float) -> None:
        """Wait, unless the run stops first."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.event.wait(), seconds)

    async def slot(self) -> float | None:
        """The next slot, shortly before it is due: time to connect. None where the run stops first."""
        while not self.stop and (wait := self._resume_at - time.monotonic()) > 0:
            await self.pause(wait)
        if self.stop:
            return None
        slot = await self.pace.reserve(self._usual)
        await self.pause(slot - time.time() - self.lead)
        return None if self.stop else slot

    @property
    def lead(self) -> float:
        """Seconds before the slot at which connecting begins."""
        return max(_FIRST_LEAD, self._preparation)

    def go_on(self) -> None:
        """_GateShutError where nothing more may leave: the run stops, or the ledger could not be written."""
        if self.stop or self._writer.failure is not None:
            raise _GateShutError

    def hold_until(self, slot: float) -> None:
        """_GateShutError where an open connection must not wait for this slot: nothing may leave, or it is too far."""
        self.go_on()
        if slot - time.time() > max(_LONGEST_HOLD, self.lead):
            raise _GateShutError

    def took(self, seconds: float) -> None:
        """Connecting and committing took this long: begin early enough the next time, and wait no longer than usual."""
        self._usual = min(_LONGEST_LEAD, 0.8 * self._usual + 0.2 * seconds)
        self._preparation = min(_LONGEST_LEAD, max(1.5 * seconds, 0.5 * self._preparation))

    async def ended(self, status: RowStatus) -> None:
        """An order has ended. Unknowns in a row, by the order of completion, stop the line, over runs."""
        self.progress.ended(status.value)
        if status is RowStatus.UNKNOWN:
            self._unknown_in_a_row += 1
            if self._unknown_in_a_row >= (1 if self.careful else UNKNOWNS_IN_A_ROW):
                told = runs.line_stopped(self._unknown_in_a_row)
                self.stop.because(told, hint=runs.how_to_settle(), exit_code=EXIT_UNKNOWN)
                await self.write(lambda: self.journal.mark_line(stopped=True))
            return
        self._unknown_in_a_row = 0
        self._failing_since = None
        self._backoff = _FIRST_BACKOFF
        if self.careful:
            self.careful = False
            await self.write(lambda: self.journal.mark_line(stopped=False))

    async def back_off(self, verdict: Verdict, retry_after: float | None) -> None:
        """Everybody waits a little, or the run stops: nothing but failures for longer than `patience`.

        The time counts from the first failure since the last success, so that waiting for the pace does not.
        """
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        waited = time.monotonic() - self._failing_since
        seconds = retry_after if retry_after is not None else self._backoff * random.uniform(0.5, 1.0)  # noqa: S311
        self._backoff = min(self._backoff * 2, _LONGEST_BACKOFF)
        if waited + (retry_after or 0) > self.policy.patience:
            self.stop.because(runs.patience_ended(verdict.message, waited))
            return
        self.progress.note(runs.waiting(verdict.message, seconds))
        if verdict.kind is VerdictKind.BUSY:
            await self.pace.pause(time.time() + seconds)
        else:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)


class _OneOrder:
    """The way of one order: as many attempts as there is proof that none before it was applied."""

    def __init__(self, line: Line, claim: Claim) -> None:
        self._line = line
        self._claim = claim
        self._body = request_body(claim.order.contents, claim.order.email)
        self._hash = hashlib.sha256(self._body).hexdigest()
        # The same for every try at one order; another one once what was before certainly came to nothing.
        content = identity.content_hash(claim.order.contents)
        self._idempotency_key = f"{claim.key[:32]}-{content[:16]}-{claim.generation}"
        self._attempt: Attempt | None = None
        self._gate_error: Exception | None = None
        self._refused_token: int | None = None
        self._log = _log.bind(order=order_id(claim.key), run_id=claim.run_id)

    async def send(self) -> Outcome | None:
        """How the order ended; None where the run stopped before it was sent."""
        while not self._line.stop:
            await self._line.desk.log_in()
            slot = await self._line.slot()
            if slot is None:
                return None
            outcome = await self._try(slot)
            if outcome is not None:
                return outcome
        return None

    async def _try(self, slot: float) -> Outcome | None:
        """One attempt: the outcome where the order has ended, None where there is proof that it was not applied."""
        line = self._line
        self._attempt = self._gate_error = None
        began = time.monotonic()
        evidence = await line.desk.place(
            self._body, lambda: self._open_gate(slot, began), idempotency_key=self._idempotency_key
        )
        verdict = evidence_stage.judge(evidence, server_errors_not_applied=line.policy.server_errors_not_applied)
        self._log.info("order.attempt", evidence=verdict.evidence, status=verdict.kind.value, seconds=_since(began))
        attempt = self._attempt
        if verdict.is_final:
            assert attempt is not None  # noqa: S101 - the gate opened, so the intent was written
            return await self._conclude(attempt, verdict)
        if attempt is not None:
            await line.record(lambda: line.journal.withdraw(attempt, verdict))
            self._attempt = None
        if self._gate_error is not None:
            raise self._gate_error
        if not line.stop:
            await self._react(verdict, evidence, was_held=attempt is not None)
        return None

    @property
    def is_in_doubt(self) -> bool:
        """Whether an intent stands in the ledger without a verdict: the order counts as unknown then."""
        return self._attempt is not None

    async def _open_gate(self, slot: float, began: float) -> None:
        """The intent is durable, then the slot comes, then the gate opens. Raises where it must stay shut."""
        line = self._line
        try:
            self._attempt = await line.record(lambda: line.journal.intend(self._claim, self._hash))
            line.took(time.monotonic() - began)
            wait: float | None = slot
            while wait is not None:
                line.hold_until(wait)
                await line.pause(wait - time.time())
                wait = await line.pace.enter(wait)
            line.go_on()
        except _GateShutError:
            raise
        except Exception as error:
            # Device Hub is not to blame: the ledger cannot be written, say.
            self._gate_error = error
            raise

    async def _conclude(self, attempt: Attempt, verdict: Verdict) -> Outcome:
        line = self._line
        try:
            remembered = await line.record(lambda: line.journal.conclude(attempt, verdict))
        except BatchOrdersError as error:
            # What was answered is told all the same: it may be the only trace of the order.
            self._attempt = None
            if verdict.order_number:  # a worker has no results sheet
                line.progress.note(outcomes.number_not_recorded(order_id(self._claim.key), verdict.order_number))
            line.stop.because(error.message, hint=error.hint, exit_code=error.exit_code)
            message = outcomes.not_recorded(f"{verdict.message} {verdict.order_number}".strip())
            return Outcome(status=RowStatus.UNKNOWN, message=message, attempts=attempt.number)
        self._attempt = None
        return remembered.outcome(RowStatus(remembered.state.value), remembered.message)

    async def _react(self, verdict: Verdict, evidence: Evidence, *, was_held: bool) -> None:
        """Nothing was sent or applied: what now? `was_held`: the intent was written, so the connection stood."""
        match verdict.kind:
            case VerdictKind.LOGIN:
                await self._renew_login(evidence.token)
            case VerdictKind.SETTINGS:
                self._line.stop.because(verdict.message, hint=runs.how_to_fix_settings())
            case VerdictKind.NOT_SENT if was_held:
                return  # the slot was missed and the next one is too far away: no fault of the line's
            case _:
                await self._line.back_off(verdict, evidence.answer.retry_after if evidence.answer else None)

    async def _renew_login(self, refused: int) -> None:
        """A newer token, and one more try; a second refusal with a token fetched since then stops the run."""
        if self._refused_token is not None and refused > self._refused_token:
            raise LoginLostError(runs.login_lost(), hint=runs.how_to_fix_login())
        if self._refused_token is None:
            self._refused_token = refused
        await self._line.desk.renew_login(refused)


async def send_order(line: Line, claim: Claim) -> Outcome | None:
    """How a claimed order ended; None where the run stopped before it was sent, or the order was taken back.

    Nothing is raised: whatever goes wrong stops the line, and must not cut off the other orders on their way.
    """
    order = _OneOrder(line, claim)
    outcome = None
    try:
        outcome = await order.send()
        if outcome is not None:
            await line.ended(outcome.status)
    except OrderTakenError:
        return None
    except Exception as error:  # noqa: BLE001 - as above
        _stop_for(line.stop, error)
        if outcome is None and order.is_in_doubt:
            outcome = Outcome(status=RowStatus.UNKNOWN, message=outcomes.run_died())
    return outcome


async def send_orders(line: Line, claims: Sequence[Claim]) -> dict[str, Outcome]:
    """How each order ended, by its key; orders that were not sent because the run stopped are left out.

    A line that an earlier run stopped sends one order at a time until one ends ordered or rejected.
    """
    queue = deque(claims)
    outcomes_by_key: dict[str, Outcome] = {}

    async def work(*, while_careful: bool) -> None:
        while queue and not line.stop and (line.careful or not while_careful):
            claim = queue.popleft()
            outcome = await send_order(line, claim)
            if outcome is not None:
                outcomes_by_key[claim.key] = outcome

    if line.careful:
        await work(while_careful=True)
    async with asyncio.TaskGroup() as group:
        for _ in range(line.policy.concurrency):
            group.create_task(work(while_careful=False))
    return outcomes_by_key


def _stop_for(stop: Stop, error: BaseException) -> None:
    if isinstance(error, BatchOrdersError):
        stop.because(error.message, hint=error.hint, exit_code=error.exit_code)
        return
    _log.error("unexpected", exc_info=error)
    stop.because(runs.bug(type(error).__name__), exit_code=BatchOrdersError.exit_code)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
