"""Which call goes how: by sequence, by e-mail, or by chance with a seed."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

from batch_orders.sandbox.faults import FAULTS, Fault, Read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Plan:
    """What happens to each call. Safe to use from several threads.

    `script` names faults in sequence by kind of call ("login", "refresh", "warehouses", "inventory", "order"); a
    name with a `*` holds from there on, and after the last one all is well. `by_email` does the same for the orders
    of one e-mail address. `rates` is the chance of each fault of an order, where neither of the others says anything.
    """

    def __init__(
        self,
        script: Mapping[str, Sequence[str]] | None = None,
        *,
        by_email: Mapping[str, Sequence[str]] | None = None,
        rates: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> None:
        self._script = {kind: list(names) for kind, names in (script or {}).items()}
        self._by_email = {email: list(names) for email, names in (by_email or {}).items()}
        self._rates = dict(rates or {})
        self._random = random.Random(seed)  # noqa: S311 - chance with a seed, so that a test can be repeated
        self._lock = threading.Lock()
        for names in (*self._script.values(), *self._by_email.values(), list(self._rates)):
            for name in names:
                assert name.removesuffix("*") in FAULTS, f"no such fault: {name}"

    def at_accept(self) -> Fault | None:
        """A fault of the connection itself, where the next order has one."""
        with self._lock:
            queue = self._script.get("order")
            if queue:
                fault = FAULTS[queue[0].removesuffix("*")]
                return _next(queue) if fault.read is Read.NOTHING else None
            return self._by_chance(at_accept=True)

    def take(self, kind: str) -> Fault | None:
        """How this call goes; None where that depends on whom the order is for."""
        with self._lock:
            queue = self._script.get(kind)
            if queue:
                return _next(queue)
            if kind != "order":
                return FAULTS["ok"]
            return None if self._by_email else self._by_chance(at_accept=False)

    def take_for(self, email: str) -> Fault:
        """How the order of this e-mail address goes."""
        with self._lock:
            queue = self._by_email.get(email)
            return _next(queue) if queue else self._by_chance(at_accept=False) or FAULTS["ok"]

    def then(self, kind: str, *names: str) -> None:
        """Put more faults at the end of a kind's script."""
        with self._lock:
            self._script.setdefault(kind, []).extend(names)

    def _by_chance(self, *, at_accept: bool) -> Fault | None:
        """One throw for the faults of the connection, and one for all others."""
        drawn = self._random.random()
        for name, rate in self._rates.items():
            if (FAULTS[name].read is Read.NOTHING) == at_accept:
                if drawn < rate:
                    return FAULTS[name]
                drawn -= rate
        return None if at_accept else FAULTS["ok"]


def _next(queue: list[str]) -> Fault:
    """The next fault of a queue; one with a star stays."""
    name = queue[0]
    if not name.endswith("*"):
        queue.pop(0)
    return FAULTS[name.removesuffix("*")]
