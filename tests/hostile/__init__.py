"""A hostile Device Hub for tests: raw sockets in threads, loopback only, and a log of its own that is the only oracle.

`HostileHub` is a context manager; it serves login, refresh and lists faithfully, and goes wrong as its script says:
`faults.FAULTS` names everything that can. `python -m tests.hostile` runs one as a process.
"""

from __future__ import annotations

from batch_orders.sandbox.faults import FAULTS, Fault
from tests.hostile.orderbook import Call, read_log
from tests.hostile.plan import Plan
from tests.hostile.proxy import ConnectProxy
from tests.hostile.server import HostileHub, black_hole
from tests.hostile.tls import Certificates

__all__ = ["FAULTS", "Call", "Certificates", "ConnectProxy", "Fault", "HostileHub", "Plan", "black_hole", "read_log"]
