"""What scripts read of runs and orders (`--json` of `status` and `settle`), and how every document is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from itertools import islice
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any

from batch_orders.models import order_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batch_orders.models import OrderResult, Remembered, RunRecord

# So many entries of a list are written at a time: enough to write seldom, and few enough to hold.
_AT_A_TIME = 1000


def written(document: Mapping[str, Any], *, is_ascii: bool) -> Iterator[str]:
    """The document in pieces, to the letter as `json.dumps` writes it with an indent of 2.

    A value may be an iterator where a list is meant: then its entries are made as they are written, and never all held.
    """
    encode = encode_basestring_ascii if is_ascii else encode_basestring
    before = "{\n  "
    for name, value in document.items():
        yield f"{before}{encode(name)}: "
        if isinstance(value, Iterator):
            yield from _entries(value, encode)
        else:
            yield _indented(value, encode, "\n  ")
        before = ",\n  "
    yield "\n}" if document else "{}"


def _entries(values: Iterator[Any], encode: Callable[[str], str]) -> Iterator[str]:
    before = "[\n    "
    while some := list(islice(values, _AT_A_TIME)):
        yield before + ",\n    ".join([_indented(value, encode, "\n    ") for value in some])
        before = ",\n    "
    yield "\n  ]" if before.startswith(",") else "[]"


def _indented(value: object, encode: Callable[[str], str], line: str) -> str:
    """As `json.dumps`, which with an indent is several times as slow; `line` is what begins the value's own line."""
    if isinstance(value, str):
        return encode(value)
    if value is None:
        return "null"
    if type(value) is int:
        return str(value)
    inner = f"{line}  "
    between = f",{inner}"
    if isinstance(value, dict) and value:
        fields = [f"{encode(name)}: {_indented(each, encode, inner)}" for name, each in value.items()]
        return f"{{{inner}{between.join(fields)}{line}}}"
    if isinstance(value, (list, tuple)) and value:
        return f"[{inner}{between.join([_indented(each, encode, inner) for each in value])}{line}]"
    return json.dumps(value)


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
