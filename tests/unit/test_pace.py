"""The pace: no window ever holds more orders than the rate allows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batch_orders.stages import pace
from batch_orders.stages.pace import PaceState


def _simulate(orders: int, window: float, arrivals: list[tuple[float, float]]) -> list[float]:
    """Instants at which orders left: each wants a slot after `pause`, and is `late` at its gate."""
    state = PaceState(next_slot=0.0)
    now, left = 1_000.0, []
    for pause, late in arrivals:
        now += pause
        state, slot = pace.reserve(state, now=now, orders=orders, window=window)
        now = max(now, slot) + late
        while True:
            nth = left[-orders] if len(left) >= orders else None
            wait = pace.enter(state, now=now, slot=slot, nth_before=nth, window=window)
            if wait is None and now <= slot + pace.lateness(orders, window):
                break
            if wait is None:
                state, wait = pace.reserve(state, now=now, orders=orders, window=window)
            slot = wait
            now = max(now, slot)
        left.append(now)
    return left


_ARRIVALS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.001, 0.3, 2.5]), st.sampled_from([0.0, 0.004, 0.009, 0.02, 0.7])), max_size=80
)


@given(st.integers(1, 7), st.sampled_from([1.0, 60.0]), _ARRIVALS)
def test_no_window_over_the_rate(orders: int, window: float, arrivals: list[tuple[float, float]]) -> None:
    """However late orders reach their gate, any window holds at most the rate."""
    left = _simulate(orders, window, arrivals)
    for first, beyond in zip(left, left[orders:], strict=False):
        assert beyond - first >= window


def test_no_burst_at_the_start() -> None:
    """Orders that are all ready at once leave evenly from the first one on."""
    left = _simulate(5, 1.0, [(0.0, 0.0)] * 20)
    gaps = [after - before for before, after in pairwise(left)]
    assert min(gaps) >= 0.2 - 1e-6


def test_rate_is_reached() -> None:
    """Orders that are punctual use at least 99 % of the rate."""
    left = _simulate(10, 1.0, [(0.0, 0.0)] * 501)
    assert left[-1] - left[0] <= 50.0 / 0.99


def test_pause_holds_everybody() -> None:
    """Nobody gets a slot, or passes the gate, before the pause ends."""
    blocked = PaceState(next_slot=0.0, blocked_until=50.0)
    state, slot = pace.reserve(blocked, now=10.0, orders=5, window=1.0)
    assert slot == 50.0
    assert pace.enter(state, now=10.0, slot=10.0, nth_before=None, window=1.0) == 50.0


def test_clock_that_jumped_back_costs_one_window() -> None:
    """A next slot further ahead than anybody could reserve is not waited for."""
    _, slot = pace.reserve(PaceState(next_slot=1e9), now=1_000.0, orders=2, window=1.0)
    assert slot == 1_001.0
    assert (
        pace.enter(PaceState(next_slot=0.0), now=1_000.0, slot=1_000.0, nth_before=1e9, window=1.0)
        == 1_001.0 + pace.MARGIN
    )
