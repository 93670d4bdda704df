"""A simulated Device Hub: a real HTTP server on this machine, with its own stock, logins and orders.

It is the other side, so it imports nothing from the rest of batch-orders: what it answers comes from the API's
reference alone, and a mistake in the client cannot hide behind the same mistake here. Nothing is ever delivered.

It can have bad days: `SandboxOptions(faults={"reset_after_placing": 0.3})` strikes three orders in ten; `OFFERED` has
every fault, and says in a line what it does.
"""

from __future__ import annotations

from batch_orders.sandbox.chance import OFFERED, read_rates
from batch_orders.sandbox.options import SandboxOptions
from batch_orders.sandbox.server import PortError, Sandbox, running, serve

__all__ = ["OFFERED", "PortError", "Sandbox", "SandboxOptions", "read_rates", "running", "serve"]
