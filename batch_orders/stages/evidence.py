"""What a call's evidence proves: the table on which "sent at most once, and none lost" stands.

Where there is no proof either way the verdict is unknown, and nobody sends the order again until a person has
settled it. Facts about the statuses are the vendor's; what nobody documents counts as unknown.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from batch_orders.messages import outcomes
from batch_orders.models import Verdict, VerdictKind

if TYPE_CHECKING:
    from batch_orders.models import Answer, Evidence

_REJECTED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
# Longer than any order number can sensibly be: a proxy's page, say.
_LONGEST_ORDER_NUMBER = 200


def judge(evidence: Evidence, *, server_errors_not_applied: bool) -> Verdict:
    """The verdict on one call. `server_errors_not_applied` is the setting of what a 5xx answer means."""
    failure = evidence.failure or "no answer"
    if not evidence.gate_opened:
        return Verdict(kind=VerdictKind.NOT_SENT, message=outcomes.not_sent(failure), evidence=failure)
    if evidence.answer is None:
        return Verdict(kind=VerdictKind.UNKNOWN, message=outcomes.answer_lost(), evidence=failure)
    return _judge_answer(evidence.answer, server_errors_not_applied=server_errors_not_applied)


def _judge_answer(answer: Answer, *, server_errors_not_applied: bool) -> Verdict:
    kind = _kind(answer, server_errors_not_applied=server_errors_not_applied)
    return Verdict(
        kind=kind,
        message=outcomes.answered(kind, answer),
        order_number=answer.order_number if kind is VerdictKind.ORDERED else "",
        status=answer.status,
        evidence=f"HTTP {answer.status}",
    )


def _kind(answer: Answer, *, server_errors_not_applied: bool) -> VerdictKind:
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the HTTP classes of answers
        proven = answer.readable and 0 < len(answer.order_number) <= _LONGEST_ORDER_NUMBER
        return VerdictKind.ORDERED if proven else VerdictKind.UNKNOWN
    if status in _REJECTED or (status == HTTPStatus.NOT_FOUND and answer.error_code):
        return VerdictKind.REJECTED
    if status == HTTPStatus.UNAUTHORIZED:
        return VerdictKind.LOGIN
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return VerdictKind.BUSY
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND} or 300 <= status < 400:  # noqa: PLR2004
        return VerdictKind.SETTINGS
    if status >= 500 and server_errors_not_applied:  # noqa: PLR2004
        return VerdictKind.FAILING
    return VerdictKind.UNKNOWN
