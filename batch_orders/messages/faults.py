"""What people read about the bad days of the simulated Device Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_orders.messages.runs import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def wrong(reason: str) -> str:
    """A --fault that makes no sense."""
    return f"--fault: {reason}" if reason.endswith("?") else f"--fault: {reason}."


def how_to_list() -> str:
    """After a wrong --fault."""
    return "`batch-orders sandbox --list-faults` says which faults there are, and what each does."


def sandbox_only() -> str:
    """--fault or --seed for the real Device Hub."""
    return "--fault and --seed work with --sandbox only: a real Device Hub is never made to fail. Nothing was sent."


def how_to_use_the_sandbox() -> str:
    """After --fault without --sandbox."""
    return "Add --sandbox, or leave them out."


def on(rates: Mapping[str, float], seed: int) -> str:
    """Which faults strike, and how to have the very same ones again."""
    shares = ", ".join(f"{name} {rate * 100:g} %" for name, rate in rates.items())
    return f"Faults, as shares of the orders: {shares} (--seed {seed} strikes the same ones again)."


def played(placed: int, struck: Mapping[str, int]) -> str:
    """What really happened at the simulated Device Hub, whatever the run heard of it."""
    times = ", ".join(f"{name} {number}×" for name, number in sorted(struck.items()))
    return f"What the simulated Device Hub saw: {count(placed, 'order')} placed; faults: {times or 'none struck'}."


def no_port(port: int, reason: str, *, is_taken: bool) -> str:
    """The simulated Device Hub cannot have the port."""
    return f"Port {port} is in use (another sandbox?)." if is_taken else f"Port {port} cannot be had: {reason}."


def how_to_choose_port() -> str:
    """After a port that cannot be had."""
    return "Choose another with --port, or 0 for any free one."


def announced(login: Mapping[str, str]) -> str:
    """The simulated Device Hub answers: what to type to use it, with a ledger of its own."""
    settings = {**login, "ledger": "./sandbox-ledger.sqlite"}
    return "\n".join(
        [
            f"Simulated Device Hub at {login['base_url']} (Ctrl+C ends it). To use it, with a ledger of its own:",
            "",
            *(f"export BATCH_ORDERS_{name.upper()}={value}" for name, value in settings.items()),
            "batch-orders init --new",
            "",
        ]
    )


def listing(faults: Iterable[tuple[str, bool, str]]) -> str:
    """Every fault: its name, whether it places the order, and what it does."""
    lines = [f"  {name:<22}{'yes' if placed else '–':<8}{means}" for name, placed, means in faults]
    return "\n".join(
        [
            "Faults that `--fault NAME=RATE` lets strike a share of the orders: 0.1 is one in ten, 1 is all of them.",
            "“Placed” says whether Device Hub has the order afterwards, whatever its client hears.",
            "",
            f"  {'name':<22}{'placed':<8}what happens",
            *lines,
            "",
            "Not on offer: connections that break before a call can be told from any other, and wrong TLS certificates",
            "(the simulated Device Hub speaks plain HTTP, on this machine only).",
        ]
    )
