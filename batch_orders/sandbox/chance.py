"""Which order goes wrong, and how: by chance, with the rates that a person gives and a seed to repeat it."""

from __future__ import annotations

import difflib
import math
import random
import threading
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from batch_orders.sandbox.faults import FAULTS, Fault, Read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The smallest seed that is chosen by itself has one digit and the largest six: easy to type again.
SEEDS = 1_000_000
_MOST_SUGGESTIONS = 5
# What many a decimal fraction is off by as a float.
_ROUNDING = 1e-9

_FINE = FAULTS["ok"]
# Before anything was read nobody can tell an order from a look at the catalog, so there is no share of the orders.
OFFERED: Mapping[str, Fault] = MappingProxyType(
    {name: fault for name, fault in FAULTS.items() if fault.read is not Read.NOTHING and fault is not _FINE}
)


def read_rates(texts: Iterable[str]) -> dict[str, float]:
    """Rates by name of fault from texts like `500_after=0.1`; ValueError where they make no sense."""
    rates: dict[str, float] = {}
    for text in texts:
        name, equals, rate = text.partition("=")
        _check_name(name)
        if not equals:
            raise ValueError(f"{name} lacks its rate: write {name}=0.1 to have it strike one order in ten")
        if name in rates:
            raise ValueError(f"{name} is given twice")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise ValueError(_no_rate(name, repr(rate))) from None
    check_rates(rates)
    return rates


def check_rates(rates: Mapping[str, float]) -> None:
    """ValueError where a name is no fault on offer, or a rate none, or where they add up to more than 1."""
    for name, rate in rates.items():
        _check_name(name)
        if not 0 <= rate <= 1:
            raise ValueError(_no_rate(name, f"{rate:g}"))
    if math.fsum(rates.values()) > 1 + _ROUNDING:
        raise ValueError(
            f"the rates add up to {math.fsum(rates.values()):g}, and to 1 at most they may: "
            "no more than one fault strikes an order"
        )


class Chance:
    """One throw for each order. Safe to use from several threads.

    With the same rates and seed the same orders are struck, counted in the order of their coming.
    """

    def __init__(self, rates: Mapping[str, float], seed: int) -> None:
        self._rates = dict(rates)
        self._random = random.Random(seed)  # noqa: S311 -- chance that can be repeated, not a secret
        self._lock = threading.Lock()
        self._struck: Counter[str] = Counter()

    def throw(self) -> Fault:
        """How the next order goes."""
        with self._lock:
            drawn = self._random.random()
            for name, rate in self._rates.items():
                if drawn < rate:
                    self._struck[name] += 1
                    return OFFERED[name]
                drawn -= rate
            return _FINE

    @property
    def struck(self) -> dict[str, int]:
        """How often each fault came up so far, where it did."""
        with self._lock:
            return dict(self._struck)


def _check_name(name: str) -> None:
    if name in OFFERED:
        return
    if name in FAULTS:
        if FAULTS[name] is _FINE:
            raise ValueError(f"{name} is no fault: it is how every order goes that none strikes")
        raise ValueError(f"{name} strikes before an order can be told from any other call, so it is not on offer")
    given = name.strip().lower().replace("-", "_").replace(" ", "_")
    near = [each for each in OFFERED if given and given in each] or difflib.get_close_matches(
        given, OFFERED, n=_MOST_SUGGESTIONS, cutoff=0.5
    )
    question = f"; did you mean {_or(near[:_MOST_SUGGESTIONS])}?" if near else ""
    raise ValueError(f"no fault is called {name!r}{question}")


def _no_rate(name: str, rate: str) -> str:
    return f"{rate} is no rate for {name}: a rate is a number from 0 (never) to 1 (always), and 0.1 is one order in ten"


def _or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
