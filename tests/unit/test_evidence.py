"""The outcome table: what each kind of evidence proves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_orders.messages import outcomes
from batch_orders.models import Answer, Evidence, VerdictKind
from batch_orders.stages.evidence import judge


def _kind(answer: Answer | None, *, opened: bool = True, not_applied: bool = False) -> VerdictKind:
    evidence = Evidence(gate_opened=opened, answer=answer, failure="" if answer else "ReadError")
    return judge(evidence, server_errors_not_applied=not_applied).kind


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_needs_a_number(status: int) -> None:
    """A 2xx proves an order only with JSON and an order number."""
    assert _kind(Answer(status=status, readable=True, order_number="1001")) is VerdictKind.ORDERED
    assert _kind(Answer(status=status, readable=True)) is VerdictKind.UNKNOWN
    assert _kind(Answer(status=status, readable=False)) is VerdictKind.UNKNOWN
    assert _kind(Answer(status=status, readable=True, order_number="9" * 201)) is VerdictKind.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "", VerdictKind.REJECTED),
        (422, "", VerdictKind.REJECTED),
        (404, "PRODUCT_NOT_FOUND", VerdictKind.REJECTED),
        (404, "", VerdictKind.SETTINGS),
        (401, "", VerdictKind.LOGIN),
        (403, "", VerdictKind.SETTINGS),
        (301, "", VerdictKind.SETTINGS),
        (302, "", VerdictKind.SETTINGS),
        (307, "", VerdictKind.SETTINGS),
        (308, "", VerdictKind.SETTINGS),
        (429, "", VerdictKind.BUSY),
        (408, "", VerdictKind.UNKNOWN),
        (409, "", VerdictKind.UNKNOWN),
        (425, "", VerdictKind.UNKNOWN),
        (418, "", VerdictKind.UNKNOWN),
        (500, "", VerdictKind.UNKNOWN),
        (502, "", VerdictKind.UNKNOWN),
        (503, "", VerdictKind.UNKNOWN),
        (504, "", VerdictKind.UNKNOWN),
    ],
)
def test_table(status: int, code: str, kind: VerdictKind) -> None:
    """Each documented status, and those nobody documents."""
    assert _kind(Answer(status=status, readable=True, error_code=code, message="why")) is kind


@pytest.mark.parametrize("status", [500, 503, 599])
def test_server_errors_by_setting(status: int) -> None:
    """`server_errors = "not_applied"` turns a 5xx, and nothing else, into proof."""
    assert _kind(Answer(status=status), not_applied=True) is VerdictKind.FAILING
    assert _kind(Answer(status=408), not_applied=True) is VerdictKind.UNKNOWN
    assert _kind(None, not_applied=True) is VerdictKind.UNKNOWN


@given(st.text(max_size=50))
def test_the_gate_is_the_evidence(failure: str) -> None:
    """Whatever the exception is called: before the gate nothing was sent, behind it nobody knows."""
    shut = judge(Evidence(gate_opened=False, failure=failure), server_errors_not_applied=False)
    opened = judge(Evidence(gate_opened=True, failure=failure), server_errors_not_applied=False)
    assert (shut.kind, shut.is_final) == (VerdictKind.NOT_SENT, False)
    assert (opened.kind, opened.is_final) == (VerdictKind.UNKNOWN, True)


@given(st.integers(100, 999), st.booleans(), st.text(max_size=20), st.text(max_size=20))
def test_ordered_only_with_proof(status: int, readable: bool, number: str, code: str) -> None:
    """No answer but a readable 2xx with a number is ever taken for an order."""
    answer = Answer(status=status, readable=readable, order_number=number, error_code=code)
    if _kind(answer) is VerdictKind.ORDERED:
        assert 200 <= status < 300
        assert readable
        assert number


def test_what_the_vendor_calls_a_field_is_explained() -> None:
    """In the sheet's own words, and what to do is said from the first time on."""
    said = "Invalid shipping_zip, quantity or my_shipping_address"
    verdict = judge(
        Evidence(gate_opened=True, answer=Answer(status=422, readable=True, message=said)),
        server_errors_not_applied=False,
    )
    assert "(In the sheet shipping_zip is “ZIP / postal code”.)" in verdict.message
    assert outcomes.rejected_before(verdict.message) == verdict.message
    assert verdict.message.endswith("or with --retry-rejected.")
