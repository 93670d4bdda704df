"""The queue of orders that workers place: Procrastinate's, in the database of the shared ledger.

A job says which order is to be looked at, and for which run. It is no permission to send: that is the claim in the
ledger, so a job too many does no harm, and one too few is made up for by the next sweep. Nothing is ever tried again
by the queue. A job holds an order's key, and nothing about a person.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from batch_orders.adapters import postgres
from batch_orders.errors import BatchOrdersError, SettingsError
from batch_orders.messages import ledgers, queues

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence

    from batch_orders.adapters.ledger import Ledger
    from batch_orders.models import Claim
    from batch_orders.places import LedgerUrl

    Job = tuple[str, str]  # an order's key, and the run that handed it over

_QUEUE = "batch-orders"
_PLACE, _SWEEP = "place_order", "sweep"
# When the workers look for orders that were left behind: a cron line with seconds, every ten.
_EVERY = "* * * * * */10"
# Seconds between two looks for a job where no notification came; and after which a silent worker's jobs are taken out.
_POLL = 2.0
_SILENT = 60.0


class OrderQueue:
    """The queue beside a shared ledger. SettingsError where Procrastinate is not installed."""

    def __init__(self, ledger: Ledger, place: LedgerUrl) -> None:
        self._ledger = ledger
        self._place = place
        try:
            import procrastinate  # noqa: PLC0415 - an extra, and costly
        except ImportError:
            raise SettingsError(queues.needs_procrastinate(), hint=queues.how_to_install_it()) from None
        self._library = procrastinate

    # As a run that has its orders placed -----------------------------------------------------------------------------

    def hand_over(self, claims: Sequence[Claim]) -> None:
        """Let go of these orders, so that any worker may place them. Durable when this returns."""
        self._ledger.hand_over(claims, self._put)

    def take_back(self, run_id: str) -> None:
        """No worker begins an order of this run from now on."""
        self._ledger.take_back(run_id)

    def alive(self) -> Collection[str]:
        """The ids of the workers that are alive."""
        return [worker.run_id for worker in self._ledger.workers()]

    def _put(self, session: Any, jobs: Sequence[Job]) -> None:  # noqa: ANN401 - psycopg's connection
        """One job for each of these orders, within a transaction of the ledger."""
        self._make_tables(session)
        app = self._library.App(connector=self._library.SyncPsycopgConnector())
        task = app.configure_task(_PLACE, queue=_QUEUE, connection=session)
        task.batch_defer(*map(_arguments, jobs))

    def _make_tables(self, session: Any) -> None:  # noqa: ANN401 - psycopg's connection
        """The queue's tables, where there are none yet. Writers of the ledger take turns: one of them makes these."""
        if session.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()[0] is None:
            session.execute(self._library.schema.SchemaManager.get_schema())

    # As a worker -----------------------------------------------------------------------------------------------------

    async def work(
        self,
        place_order: Callable[[str, str], Awaitable[None]],
        left_behind: Callable[[], Awaitable[Iterable[Job]]],
        *,
        concurrency: int,
        until_empty: bool,
        stop: asyncio.Event,
    ) -> None:
        """Take jobs and call `place_order` with each, until `stop` is set or, with `until_empty`, there are no more.

        `left_behind` gives the orders that no worker has and that are not placed: the jobs that are missing of them
        are made anew. What was begun is seen to its end.

        BatchOrdersError where the queue's own connections are lost.
        """
        connector = self._library.PsycopgConnector(
            kwargs=postgres.options(self._place), min_size=1, max_size=4, timeout=postgres.PATIENCE
        )
        app = self._library.App(connector=connector)
        place = app.task(name=_PLACE, queue=_QUEUE)(place_order)

        async def sweep(timestamp: int = 0) -> None:
            del timestamp
            await self._bury_jobs(app)
            behind = dict(await left_behind())
            if behind:
                for job in await app.job_manager.list_jobs_async(queue=_QUEUE, task=_PLACE, status="todo"):
                    key, run_id = (str(job.task_kwargs[name]) for name in ("key", "run_id"))
                    if behind.get(key) == run_id:
                        del behind[key]
            if behind:
                await place.batch_defer_async(*map(_arguments, behind.items()))

        self._ledger.within(self._make_tables)
        app.periodic(cron=_EVERY)(app.task(name=_SWEEP, queue=_QUEUE, queueing_lock=_SWEEP)(sweep))
        async with self._explained(), app.open_async():
            await sweep()
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[_QUEUE],
                    concurrency=concurrency + 1,  # the sweep takes a place too
                    wait=not until_empty,
                    fetch_job_polling_interval=_POLL,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    stalled_worker_timeout=_SILENT,
                )
            )
            await _until(worker, stop)
            # It also ends, without a word, where one of its connections was lost.
            if not stop.is_set() and (not until_empty or await left_behind()):
                raise BatchOrdersError(queues.lost(), hint=ledgers.how_to_reconnect())

    @contextlib.asynccontextmanager
    async def _explained(self) -> AsyncIterator[None]:
        """What the queue's own connections say becomes an error that says what it is about."""
        try:
            yield
        except self._library.exceptions.ConnectorException as error:
            raise BatchOrdersError(queues.lost(), hint=ledgers.how_to_reconnect()) from error

    async def _bury_jobs(self, app: Any) -> None:  # noqa: ANN401 - Procrastinate's App
        """Take out what a worker had that has been silent for long."""
        for job in await app.job_manager.get_stalled_jobs(queue=_QUEUE, seconds_since_heartbeat=_SILENT):
            await app.job_manager.finish_job(job, self._library.jobs.Status.FAILED, delete_job=True)


def _arguments(job: Job) -> dict[str, Any]:
    key, run_id = job
    return {"key": key, "run_id": run_id}


async def _until(worker: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Let the worker work; when `stop` is set it begins no other job, and what it has begun is waited for."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not worker.done():
            worker.cancel()  # which it takes for a request to end well
        with contextlib.suppress(asyncio.CancelledError):
            await worker
    finally:
        stopping.cancel()
