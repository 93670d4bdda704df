"""What there is to tell: how a job went, and what its ledger knows now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_orders.errors import BatchOrdersError
from batch_orders.models import OrderState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from batch_orders.inbox import Outcome, Worked
    from batch_orders.wiring import World

# Every exit code that a run can have; None is a run that was cut off.
_EXIT_CODES = (*range(7), None)


@dataclass(slots=True, kw_only=True)
class Job:
    """One `submit` or `inbox`: the command fills it in as far as it comes. `path` is the sheet, or the inbox.

    Until the command says otherwise, the exit code is that of a bug; `error` is what ended it in place of an outcome.
    """

    command: str
    path: Path
    world: World | None = None
    outcome: Outcome | None = None
    exit_code: int = BatchOrdersError.exit_code
    error: BaseException | None = None

    @property
    def worked(self) -> tuple[Worked, ...]:
        """The sheets that were worked through."""
        return self.outcome.worked if self.outcome is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The ledger's runs by exit code, its orders by state, and when the oldest unknown one was sent (None: none is)."""

    runs: Mapping[str, int]
    orders: Mapping[str, int]
    oldest_unknown: datetime | None

    @property
    def unknown(self) -> int:
        """How many orders wait to be settled."""
        return self.orders[OrderState.UNKNOWN.value]


def known_to(job: Job) -> Known | None:
    """What the job's ledger knows now; None where there is none, or it cannot be read (which the job has told)."""
    if job.world is None:
        return None
    try:
        with job.world.ledger_if_any() as ledger:
            if ledger is None:
                return None
            unknown = ledger.orders(OrderState.UNKNOWN)
            ended = Counter(
                run.exit_code for run in ledger.runs() if run.ended_at is not None or not ledger.is_alive(run.run_id)
            )
            return Known(
                runs={"cut_off" if code is None else str(code): ended[code] for code in _EXIT_CODES},
                orders=ledger.counts(),
                oldest_unknown=min((order.submitted_at for order in unknown if order.submitted_at), default=None),
            )
    except BatchOrdersError:
        return None
