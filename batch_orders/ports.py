"""What stages, sending and pipeline see of the outside: small Protocols that the adapters fulfil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from batch_orders.errors import BatchOrdersError
    from batch_orders.models import (
        Attempt,
        Catalog,
        Claim,
        Claims,
        Contents,
        Evidence,
        Numbered,
        Order,
        Remembered,
        Report,
        RunRecord,
        Verdict,
    )

_T = TypeVar("_T")


class CatalogSource(Protocol):
    """Where the catalog comes from."""

    async def fetch_catalog(self) -> Catalog:
        """Everything Device Hub can deliver now; UnreachableError or LoginRefusedError where it does not say."""


class OrderDesk(Protocol):
    """Where orders are placed: one call, and what is known of it afterwards."""

    async def place(self, body: bytes, gate: Callable[[], Awaitable[None]], *, idempotency_key: str) -> Evidence:
        """Send one order. `gate` is awaited just before the first byte; where it raises, nothing is sent.

        LoginLostError or UnreachableError where there is no login to send with: nothing was sent either.
        """

    async def log_in(self) -> None:
        """Have a login at hand before a slot is taken; raises as `place` does."""

    async def renew_login(self, refused: int) -> None:
        """Get a newer token than number `refused`, once for everyone; LoginLostError where there is none."""


class Memory(Protocol):
    """What the ledger remembers of orders."""

    def key(self, order: Order) -> str:
        """The order's identity in this ledger's account."""

    def recall(self, keys: Iterable[str]) -> Mapping[str, Remembered]:
        """What is known of these orders; orders never attempted are left out."""

    def look_alikes(self, traces: Iterable[str], *, besides: str = "") -> Mapping[str, tuple[Remembered, ...]]:
        """By trace (identity.py), the orders that have it and were placed, or may have been, or are about to be.

        About to be is what a run other than `besides` has in hand.
        """

    def known_numbers(self, numbers: Iterable[str]) -> Mapping[str, Numbered]:
        """Those of these order numbers that were ever given out to this account, with whose they are."""


class Notes(Protocol):
    """What a run writes down about orders that it does not send itself, or sends on purpose."""

    def note_contents(self, contents: Mapping[str, Contents | None]) -> None:
        """Remember, by key, that a sheet has these orders, and what it holds where that is not what was ordered."""

    def note_release(self, run_id: str, keys: Iterable[str]) -> None:
        """A person sends orders on purpose that were held."""


class Journal(Protocol):
    """Where each order's way is written down, durably, before the next step is taken."""

    @property
    def trouble(self) -> BatchOrdersError | None:
        """Why nothing more may be sent although the last step was written down; None where all is well."""

    def together(self, steps: Iterable[Callable[[], _T]]) -> list[_T]:
        """What several of the steps below give, all in one transaction; where one raises, nothing was written."""

    def intend(self, claim: Claim, request_hash: str) -> Attempt:
        """The order is about to be sent (planned → sending). Durable when this returns.

        OrderTakenError where a worker no longer has it in hand: that is no failure.
        """

    def withdraw(self, attempt: Attempt, verdict: Verdict) -> None:
        """There is proof that nothing was sent or applied (sending → planned)."""

    def conclude(self, attempt: Attempt, verdict: Verdict) -> Remembered:
        """How the attempt ended (sending → ordered, rejected or unknown), and how the order stands now.

        An order number that another order has already is no proof: the order becomes unknown.
        """

    def mark_line(self, *, stopped: bool) -> None:
        """Remember, for the next run, that too many orders in a row ended unknown (or that one did not)."""


class Runs(Protocol):
    """The runs, and which orders each has in hand."""

    def begin_run(self, run: RunRecord) -> bool:
        """Enter a run that is alive now; true where an earlier one stopped the line."""

    def claim(self, run_id: str, orders: Sequence[tuple[str, Order]], *, retry_rejected: bool) -> Claims:
        """Take these orders for this run where they are free."""

    def save_report(self, run_id: str, report: bytes) -> None:
        """Keep what the results sheet says, so that it can be rebuilt."""

    def end_run(self, run_id: str, exit_code: int | None) -> None:
        """The run is over: what it had not sent is free again."""


class Workers(Protocol):
    """The processes that place orders for others, on whatever machines they run."""

    def hand_over(self, claims: Sequence[Claim]) -> None:
        """Let go of these orders, so that any worker may place them. Durable when this returns."""

    def take_back(self, run_id: str) -> None:
        """No worker begins an order of this run from now on."""

    def alive(self) -> Collection[str]:
        """The ids of the workers that are alive; one that was started again is another one."""


class Pace(Protocol):
    """When the next order may leave, over every process that shares the ledger. Times are seconds since the epoch."""

    async def reserve(self, lead: float) -> float:
        """Take the next free slot that is at least `lead` seconds away."""

    async def enter(self, slot: float) -> float | None:
        """At the slot's instant: None to go now, else the later slot to wait for."""

    async def pause(self, until: float) -> None:
        """Nobody sends before then."""


class Progress(Protocol):
    """Who watches a run."""

    def stage(self, name: str) -> None:
        """A stage of the flow begins: "reading", "validating", "catalog"."""

    def sending(self, total: int, held: int) -> None:
        """Ordering begins: so many orders are to be sent, and so many of the sheet are held back."""

    def ended(self, state: str) -> None:
        """One order ended, in this state."""

    def note(self, text: str) -> None:
        """Something worth a line now: a pause, an outage."""

    def close(self) -> None:
        """Nobody watches any longer: the terminal is free for other things."""


class ResultsPlace(Protocol):
    """Where the results sheet goes: a place that was found writable before the first order."""

    def write(self, report: Report) -> Path:
        """Write the whole results sheet and move it into place; never over an existing file."""


class LedgerPort(Memory, Notes, Runs, Journal, Protocol):
    """All that a run asks of the ledger."""
