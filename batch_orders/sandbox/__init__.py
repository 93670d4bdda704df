"""A simulated Device Hub: a real HTTP server on this machine, with its own stock, logins and orders.

It is the other side, so it imports nothing from the rest of batch-orders: what it answers comes from the API's
reference alone, and a mistake in the client cannot hide behind the same mistake here. Nothing is ever delivered.
"""

from __future__ import annotations

from batch_orders.sandbox.options import SandboxOptions
from batch_orders.sandbox.server import Sandbox, running, serve

__all__ = ["Sandbox", "SandboxOptions", "running", "serve"]
