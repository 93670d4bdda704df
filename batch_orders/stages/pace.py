"""When the next order may leave: GCRA (one timestamp for everyone) held to its word by a log of the last window.

GCRA alone spaces the slots evenly, but each order leaves a little after its slot, and a late one followed by a
punctual one can put one too many into a window. So the log has the last word, at the instant of leaving: never may
the N-th order before this one have left less than a window ago.

All times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

# Seconds: the log's instant is taken a moment before the bytes leave, and they travel. This much more keeps a window
# honest at the other end too (at 1/s it costs half a percent; without it 0.2 ms were missing now and then).
MARGIN = 0.005
# More slots than all processes on a ledger could reserve ahead: a timestamp beyond them is a clock that jumped.
MOST_RESERVED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceState:
    """What everyone who sends shares: the next free slot, and the instant before which nobody sends."""

    next_slot: float
    blocked_until: float = 0.0


def lateness(orders: int, window: float) -> float:
    """Seconds after which an order is late for its slot, would crowd the next one, and takes a new slot instead.

    10 ms, or a tenth of the distance between slots: at 500 an hour nobody is crowded by half a second.
    """
    return max(0.010, 0.1 * window / orders)


def reserve(state: PaceState, *, now: float, orders: int, window: float) -> tuple[PaceState, float]:
    """The next slot at `orders` per `window` seconds, and the state after it was taken."""
    interval = window / orders
    next_slot = state.next_slot
    if next_slot > now + window + MOST_RESERVED * interval and next_slot > state.blocked_until + window:
        next_slot = now + window
    slot = max(next_slot, now, state.blocked_until)
    return PaceState(next_slot=slot + interval, blocked_until=state.blocked_until), slot


def enter(state: PaceState, *, now: float, slot: float, nth_before: float | None, window: float) -> float | None:
    """At the slot: None where the order may leave now, else the instant to ask again (too late for it: a new slot).

    `nth_before` is when the N-th order before this one left, N being the orders a window may hold.
    """
    earliest = max(slot, state.blocked_until)
    if nth_before is not None:
        # An entry from the future is a clock that jumped back; it cannot block for longer than one window.
        earliest = max(earliest, min(nth_before, now) + window + MARGIN)
    return None if now >= earliest else earliest
