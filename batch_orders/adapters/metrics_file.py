"""Figures for Prometheus, in a file for the textfile collector of its node exporter.

The file is replaced whole. Everybody may read it, whatever the umask: the node exporter is another user, and there is
nothing private in it.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_EVERYBODY_READS = 0o644
_PREFIX = "batch_orders_"
_LAST_SUCCESS = "last_success_timestamp_seconds"
_FORMER_SUCCESS = re.compile(rf"^{_PREFIX}{_LAST_SUCCESS} ([0-9.e+]+)$", re.MULTILINE)
# More of a former file is not looked at: it is not ours.
_LONGEST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a job went, and what the ledger says. Times are Unix times, the duration is in seconds.

    `runs` are by how they ended, `orders` by state; both are empty where there was no ledger to ask.
    """

    ended_at: float
    duration: float
    exit_code: int
    last_success: float | None
    runs: Mapping[str, int]
    orders: Mapping[str, int]
    oldest_unknown: float | None


def last_success_in(path: Path) -> float | None:
    """The time of the last success in the file of the job before; None where it says none."""
    try:
        with path.open("rb") as file:
            found = _FORMER_SUCCESS.search(file.read(_LONGEST).decode(errors="replace"))
        return float(found[1]) if found else None
    except (OSError, ValueError):
        return None


def write_metrics(path: Path, figures: Figures) -> None:
    """Put the file in its place, whole or not at all. OSError where that cannot be done."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # no .prom: nobody reads it half-way
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _EVERYBODY_READS)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), _EVERYBODY_READS)
            file.writelines(_lines(figures))
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _lines(figures: Figures) -> Iterator[str]:
    for name, kind, means, values in (
        ("runs_total", "counter", "Runs in the ledger, by how they ended.", _labelled("exit_code", figures.runs)),
        ("orders", "gauge", "Orders in the ledger, by state.", _labelled("state", figures.orders)),
        (
            "oldest_unknown_order_timestamp_seconds",
            "gauge",
            "When the oldest order was sent whose end is unknown.",
            {"": figures.oldest_unknown},
        ),
        ("last_run_timestamp_seconds", "gauge", "When the last job ended.", {"": figures.ended_at}),
        ("last_run_duration_seconds", "gauge", "How long the last job took.", {"": figures.duration}),
        ("last_run_exit_code", "gauge", "The exit code of the last job.", {"": figures.exit_code}),
        (_LAST_SUCCESS, "gauge", "When a job last ended with exit code 0.", {"": figures.last_success}),
    ):
        told = [f"{_PREFIX}{name}{label} {value}\n" for label, value in values.items() if value is not None]
        if told:
            yield f"# HELP {_PREFIX}{name} {means}\n# TYPE {_PREFIX}{name} {kind}\n"
            yield from told


def _labelled(name: str, values: Mapping[str, int]) -> dict[str, float | None]:
    return {f'{{{name}="{value}"}}': number for value, number in values.items()}
