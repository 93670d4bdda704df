"""What scripts read of runs and orders (`--json` of `status` and `settle`)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from batch_orders.models import order_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_orders.models import OrderResult, Remembered, RunRecord


def run(record: RunRecord, *, is_alive: bool) -> dict[str, Any]:
    """One run; `alive` is whether its process still is."""
    return {
        "run_id": record.run_id,
        "input": None if record.forgotten_at else str(record.input),
        "host": record.host,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "exit_code": record.exit_code,
        "alive": is_alive,
        "forgotten_at": record.forgotten_at.isoformat() if record.forgotten_at else None,
    }


def worker(record: RunRecord) -> dict[str, Any]:
    """One worker that is alive."""
    return {"worker": record.run_id, "host": record.host, "started_at": record.started_at.isoformat()}


def order(remembered: Remembered) -> dict[str, Any]:
    """One order as the ledger knows it."""
    return {
        "order": order_id(remembered.key),
        "email": remembered.email,
        "order_reference": remembered.order_reference,
        "state": remembered.state.value,
        "order_number": remembered.order_number,
        "message": remembered.message,
        "items": [item._asdict() for item in remembered.contents.items],
        "submitted_at": remembered.submitted_at.isoformat() if remembered.submitted_at else None,
        "run_id": remembered.run_id,
        "attempts": remembered.attempts,
        "forgotten_at": remembered.forgotten_at.isoformat() if remembered.forgotten_at else None,
    }


def waiting(remembered: Remembered, evidence: Sequence[str]) -> dict[str, Any]:
    """One order that waits for a person, with all that helps to decide: to whom, where, and what each attempt gave."""
    recipient = dataclasses.asdict(remembered.contents)
    recipient.pop("items")
    return order(remembered) | recipient | {"evidence": list(evidence)}


def needy(result: OrderResult) -> dict[str, Any]:
    """One order of a run that needs a person; `order` is what `--release` and `settle` take."""
    return {
        "order": order_id(result.key) if result.key else None,
        "email": result.email,
        "order_reference": result.order_reference,
        "status": result.status.value,
        "message": result.message,
    }


def to_send_again(remembered: Remembered, sender: RunRecord | None) -> dict[str, Any]:
    """One order that was sent before, and goes out again with its sheet; `input` is that of the run that sent it."""
    return order(remembered) | {"input": str(sender.input) if sender and not sender.forgotten_at else None}
