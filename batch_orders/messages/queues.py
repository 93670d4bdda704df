"""What people read about the queue and its workers."""

from __future__ import annotations

from batch_orders.messages.runs import count, installing


def needs_procrastinate() -> str:
    """The extra is missing."""
    return "The queue for workers needs packages that are not installed."


def how_to_install_it() -> str:
    """Get the extra."""
    return f"Install them: {installing('cluster')}."


def needs_a_shared_ledger() -> str:
    """A ledger in a file has no queue."""
    return "Workers need a ledger that machines share: this one is a file."


def how_to_share_one() -> str:
    """Move the ledger, or go without."""
    return (
        'Name a PostgreSQL ledger (ledger = "postgresql+psycopg://…"; `batch-orders ledger copy` moves one there), or '
        "submit without --queue."
    )


def handed_over(orders: int) -> str:
    """The run ends, and the workers go on."""
    are, them = ("is", "it") if orders == 1 else ("are", "them")
    return f"{count(orders, 'order')} {are} queued; the workers place {them}, whether or not anybody watches."


def how_to_fetch_results(run_id: str) -> str:
    """Later."""
    return f"`batch-orders results {run_id}` writes the results as they stand then; `batch-orders status` counts them."


def next_step(run_id: str) -> str:
    """What a person does after a run whose orders the workers have."""
    return f"Nothing now: the workers go on. `batch-orders results {run_id}` writes the results later."


def no_worker() -> str:
    """Nobody is there to place what was queued."""
    return "The run stopped: no worker is running, so nothing could be placed. What was not begun was taken back."


def workers_give_up() -> str:
    """Workers come and go, and place nothing."""
    return (
        "The run stopped: the workers end again and again, and none has placed anything for a while (`batch-orders "
        "status`, and what they say themselves, tell why). What was not begun was taken back."
    )


def how_to_start_a_worker() -> str:
    """Start one, or go without."""
    return "Start one (`batch-orders worker`) and run the same command again, or submit without --queue."


def worker_begins(host: str) -> str:
    """A worker has started."""
    return f"Waiting for orders to place at {host}; an interrupt ends the worker when what it has in hand has ended."


def worker_ended(orders: int, stopped: str) -> str:
    """A worker ends."""
    return f"{stopped} The worker dealt with {count(orders, 'order')}.".strip()


def lost() -> str:
    """The queue's own connections to the database failed."""
    return "The worker lost its queue: the database did not answer. What it had begun has ended, the rest stays queued."


def status_line(workers: int, queued: int) -> str:
    """What `status` says of workers and the queue; "" where there is nothing to say."""
    if not workers and not queued:
        return ""
    who = count(workers, "worker") if workers else "no worker"
    return f"Queue: {count(queued, 'order')} for workers, {who} running"


def nothing_to_wait_for() -> str:
    """--no-wait alone."""
    return "Without --queue this run places its orders itself, and does not end before they have."


def how_to_queue() -> str:
    """What --no-wait goes with."""
    return "Add --queue, or leave --no-wait out."
