"""A hostile Device Hub as a process: prints where it is as one JSON line, and ends when its standard input does."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.hostile.plan import Plan
from tests.hostile.server import CLIENT_ID, CLIENT_SECRET, HostileHub


def main() -> None:
    """Read the arguments, serve, wait for the end of standard input."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True, help="appended to, one fsynced JSON line per event")
    parser.add_argument("--faults", default="", help="in sequence, for orders: ok,reset_after_placing,500_before*")
    parser.add_argument("--rates", default="", help="by chance, for orders: reset_after_placing=0.05,429_zero=0.1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds between placing and answering")
    options = parser.parse_args()
    script = {"order": [name for name in options.faults.split(",") if name]}
    rates = {name: float(rate) for name, _, rate in (pair.partition("=") for pair in options.rates.split(",") if pair)}
    plan = Plan(script, rates=rates, seed=options.seed)
    with HostileHub(plan, port=options.port, log=options.log, latency=options.latency) as hub:
        where = {"port": hub.port, "base_url": hub.base_url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        print(json.dumps(where), flush=True)  # noqa: T201 - its parent reads this
        sys.stdin.read()


if __name__ == "__main__":
    main()
