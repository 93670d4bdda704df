"""How many of some instants fall into one window: what a rate is held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Seconds by which an instant may be written down earlier or later than it was.
GRACE = 0.025


def most_in_a_window(instants: Iterable[float]) -> int:
    """The most of them that any second, shortened by the grace, holds."""
    at = sorted(instants)
    first = most = 0
    for last, instant in enumerate(at):
        while instant - at[first] >= 1.0 - GRACE:
            first += 1
        most = max(most, last - first + 1)
    return most
