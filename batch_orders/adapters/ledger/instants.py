"""Instants as the ledger keeps them: texts that sort as their instants do."""

from __future__ import annotations

from datetime import UTC, datetime


def as_text(time: datetime) -> str:
    """An instant as the ledger keeps it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def as_time(text: str | None) -> datetime | None:
    """An instant that the ledger kept."""
    return None if text is None else datetime.fromisoformat(text)
