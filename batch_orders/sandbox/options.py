"""What can be chosen about a simulated Device Hub."""

from __future__ import annotations

import ipaddress
import math
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_orders.sandbox.chance import SEEDS, check_rates
from batch_orders.sandbox.inventory import TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How one simulated Device Hub behaves.

    Attributes:
        host: a loopback address, or `localhost`.
        port: 0 takes any free port.
        rate_limit: orders taken in any one second; above it the answer is 429.
        token_lifetime: seconds a login is good for.
        latency: seconds between placing an order and answering it.
        client_id: the e-mail address that may log in.
        client_secret: its password.
        discontinued: titles that are in no inventory from the start.
        faults: the share of the orders that each fault strikes by chance, by its name in `OFFERED`; 1 is all of them.
        seed: the same rates and seed strike the same orders, counted in the order of their coming.

    Raises:
        ValueError: where one of them makes no sense; the message names it.
    """

    host: str = "127.0.0.1"
    port: int = 0
    rate_limit: int = 10
    token_lifetime: float = 14_400
    latency: float = 0.0
    client_id: str = "hr@example.com"
    client_secret: str = field(default="sandbox-secret", repr=False)
    discontinued: tuple[str, ...] = ()
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = field(default_factory=lambda: secrets.randbelow(SEEDS))

    def __post_init__(self) -> None:
        if not _is_loopback(self.host):
            raise ValueError(f"host: {self.host!r} is not a loopback address; use 127.0.0.1, ::1 or localhost")
        if not 0 <= self.port <= _LAST_PORT:
            raise ValueError(f"port: {self.port} is not between 0 and {_LAST_PORT}")
        if self.rate_limit < 1:
            raise ValueError("rate_limit: at least 1 order a second")
        if not (math.isfinite(self.token_lifetime) and self.token_lifetime > 0):
            raise ValueError("token_lifetime: more than 0 seconds")
        if not (math.isfinite(self.latency) and self.latency >= 0):
            raise ValueError("latency: 0 seconds or more")
        if not (self.client_id and self.client_secret):
            raise ValueError("client_id and client_secret: neither may be empty")
        for title in self.discontinued:
            if title not in TITLES:
                raise ValueError(f"discontinued: no product has the title {title!r}")
        try:
            check_rates(self.faults)
        except ValueError as error:
            raise ValueError(f"faults: {error}") from None


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
