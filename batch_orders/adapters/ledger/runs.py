"""The runs of a ledger: which are alive, what each has in hand, and what its results said."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, insert, select, update

from batch_orders import identity
from batch_orders.adapters.ledger import schema
from batch_orders.adapters.ledger.instants import as_time
from batch_orders.adapters.ledger.memory import Memory
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers
from batch_orders.models import WORKER, Claim, Claims, Contents, Order, OrderState, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from batch_orders.models import Remembered


# Of a run all but its report, which may be large.
WITHOUT_REPORT = [column for column in schema.runs.c if column is not schema.runs.c.report]


class Runs(Memory):
    """Each run takes its orders, keeps its sheet and report, and lets go of what it had not sent."""

    def begin_run(self, run: RunRecord) -> bool:
        """Enter a run, alive from now until it ends or its process does; true where an earlier one stopped the line.

        LedgerError where the ledger has moved, or is older than its own high-water mark: it was restored from a copy,
        and does not know what was ordered since.
        """
        if refusal := self.refusal():
            raise refusal
        # The lock first: nobody may see the run in the ledger and take it for dead.
        self._liveness.begin(run.run_id)
        digest = hashlib.sha256(run.sheet).hexdigest()
        with self._write() as connection:
            self.refuse_if_moved(connection)
            known = connection.execute(select(schema.sheets.c.sha256).where(schema.sheets.c.sha256 == digest)).first()
            if known is None:
                compressed = zlib.compress(run.sheet)
                connection.execute(insert(schema.sheets).values(sha256=digest, compressed=compressed))
            connection.execute(
                insert(schema.runs).values(
                    run_id=run.run_id,
                    command=run.command,
                    # A file's name need not be text; what is kept is, and can be shown.
                    input=os.fsencode(run.input).decode(errors="backslashreplace"),
                    host=run.host,
                    started_at=self._home.by_its_clock(run.started_at),
                    sheet=digest,
                    options=json.dumps(dict(run.options)),
                )
            )
            return line_stopped(connection)

    def claim(self, run_id: str, orders: Sequence[tuple[str, Order]], *, retry_rejected: bool) -> Claims:
        """Take these orders for this run where they are free, with the sheet's contents, in one transaction.

        Free is what was never attempted, is planned and in no live run's hands, or was rejected and now has other
        contents (or `retry_rejected`). Everything else comes back as it stands.
        """
        self._bury_dead_runs()
        # Whoever waits for another run looks again and again, and must not keep that run from writing.
        with self._read() as connection:
            known, free = self._look(connection, run_id, orders, retry_rejected=retry_rejected)
        ours: tuple[Claim, ...] = ()
        if free:
            with self._write() as connection:
                known, free = self._look(connection, run_id, orders, retry_rejected=retry_rejected)
                ours = self._take(connection, run_id, [pair for pair in orders if pair[0] in free], known)
        others = self._remembered(row for key, row in known.items() if key not in free)
        return Claims(ours=ours, others={order.key: order for order in others})

    def save_report(self, run_id: str, report: bytes) -> None:
        """Keep what the results sheet says of each row (as stages/report.py writes it down)."""
        with self._write() as connection:
            query = update(schema.runs).where(schema.runs.c.run_id == run_id)
            connection.execute(query.values(report=zlib.compress(report)))

    def end_run(self, run_id: str, exit_code: int | None) -> None:
        """The run is over: what it had not sent is free again, and what it was sending is unknown."""
        with self._write() as connection:
            self._let_go(connection, run_id)
            query = update(schema.runs).where(schema.runs.c.run_id == run_id)
            connection.execute(query.values(ended_at=self._now(), exit_code=exit_code))
        self._liveness.end(run_id)

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without its sheet; workers are none."""
        with self._read() as connection:
            query = (
                select(*WITHOUT_REPORT).where(schema.runs.c.command != WORKER).order_by(schema.runs.c.started_at.desc())
            )
            rows = connection.execute(query)
            return tuple(as_run(row, b"") for row in rows)

    def run(self, name: str) -> tuple[RunRecord, bytes | None]:
        """One run with its sheet, and its saved report; by id or by as much of its beginning as is unique."""
        runs = self.runs()
        found = [run for run in runs if run.run_id == name] or [run for run in runs if run.run_id.startswith(name)]
        if len(found) != 1:
            raise LedgerError(ledgers.no_such_run(name, len(found)), hint=ledgers.how_to_list_runs())
        query = select(schema.runs, schema.sheets.c.compressed).join(schema.sheets)
        with self._read() as connection:
            row = connection.execute(query.where(schema.runs.c.run_id == found[0].run_id)).one()
        report = None if row.report is None else zlib.decompress(row.report)
        return as_run(row, zlib.decompress(row.compressed)), report

    def sender(self, order: Remembered) -> RunRecord | None:
        """The run that sent this order last, without its sheet; None where none did."""
        query = select(*WITHOUT_REPORT).where(schema.runs.c.run_id == order.run_id)
        with self._read() as connection:
            row = connection.execute(query).first()
        return None if row is None else as_run(row, b"")

    def is_alive(self, run_id: str) -> bool:
        """Whether the run's process lives."""
        return self._liveness.is_alive(run_id)

    def _look(
        self, connection: Connection, run_id: str, orders: Sequence[tuple[str, Order]], *, retry_rejected: bool
    ) -> tuple[dict[str, Row[Any]], set[str]]:
        """The rows of these orders, where they have one, and the keys of those that this run may take."""
        known = {row.order_key: row for row in self._rows(connection, [key for key, _ in orders])}
        free = {
            key
            for key, order in orders
            if key not in known or _is_free(known[key], run_id, order, retry_rejected=retry_rejected)
        }
        return known, free

    def _take(
        self, connection: Connection, run_id: str, orders: Iterable[tuple[str, Order]], known: Mapping[str, Row[Any]]
    ) -> tuple[Claim, ...]:
        """Claim orders whose rows, where they have one, are free. The new ones are written all at once."""
        claims: list[Claim] = []
        new: list[tuple[str, Order, Mapping[str, Any]]] = []
        for key, order in orders:
            row = known.get(key)
            generation = 0 if row is None else row.generation + (row.state == OrderState.REJECTED)
            claim = Claim(key=key, order=order, run_id=run_id, token=secrets.token_hex(8), generation=generation)
            held = {"claimed_by": run_id, "claim_token": claim.token, "generation": generation}
            held |= {"last_seen_at": self._now()}
            if row is None:
                new.append((key, order, held))
            else:
                self._plan_again(connection, key, order, held)
            claims.append(claim)
        self._plan_new(connection, new)
        return tuple(claims)

    def _plan(self, connection: Connection, key: str, order: Order, *, is_new: bool) -> None:
        """One order's row, planned."""
        if is_new:
            self._plan_new(connection, [(key, order, {})])
        else:
            self._plan_again(connection, key, order, {})

    def _plan_new(self, connection: Connection, orders: Sequence[tuple[str, Order, Mapping[str, Any]]]) -> None:
        """Rows for orders that have none, planned, with these values besides."""
        if orders:
            rows = [
                {"order_key": key, "attempts": 0, "generation": 0} | self._planned(order, values)
                for key, order, values in orders
            ]
            connection.execute(insert(schema.orders), rows)
            traces = [
                {"order_key": key, "hash": each}
                for key, order, _ in orders
                for each in self._hashes(order.employee, order.contents)
            ]
            connection.execute(insert(schema.traces), traces)

    def _plan_again(self, connection: Connection, key: str, order: Order, values: Mapping[str, Any]) -> None:
        """The order's row, planned anew, with its contents of now and these values besides."""
        row = update(schema.orders).where(schema.orders.c.order_key == key)
        connection.execute(row.values(self._planned(order, values)))
        connection.execute(delete(schema.traces).where(schema.traces.c.order_key == key))
        self._leave_traces(connection, key, order.employee, order.contents)

    def _planned(self, order: Order, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "email": order.email,
            "order_reference": order.order_reference,
            "state": OrderState.PLANNED.value,
            "contents": json.dumps(dataclasses.asdict(order.contents)),
            "content_hash": identity.content_hash(order.contents),
            "message": "",
            "updated_at": self._now(),
            "queued_by": None,
            "forgotten_at": None,
            **values,
        }

    def _leave_traces(self, connection: Connection, key: str, employee: str, contents: Contents) -> None:
        """By which an order of the same person is recognised; those that are there stay. `employee` may be ""."""
        known = select(schema.traces.c.hash).where(schema.traces.c.order_key == key)
        there = {row.hash for row in connection.execute(known)}
        hashes = [each for each in self._hashes(employee, contents) if each not in there]
        if hashes:
            connection.execute(insert(schema.traces), [{"order_key": key, "hash": each} for each in hashes])

    def _hashes(self, employee: str, contents: Contents) -> list[str]:
        traces = {*([identity.employee_trace(employee)] if employee else []), *identity.traces(employee, contents)}
        return sorted({self._keyed_hash(trace) for trace in traces})


def _is_free(row: Row[Any], run_id: str, order: Order, *, retry_rejected: bool) -> bool:
    if row.state == OrderState.PLANNED:
        return row.claimed_by is None or row.claimed_by == run_id
    changed = row.content_hash != identity.content_hash(order.contents)
    return row.state == OrderState.REJECTED and (retry_rejected or changed)


def line_stopped(connection: Connection) -> bool:
    """Whether too many orders in a row ended unknown, and none has ended well since."""
    return bool(connection.execute(select(schema.account.c.line_stopped)).scalar())


def as_run(row: Row[Any], sheet: bytes) -> RunRecord:
    """A run as it is told, with its sheet's bytes."""
    started_at = as_time(row.started_at)
    assert started_at is not None  # noqa: S101 - the column is NOT NULL
    return RunRecord(
        run_id=row.run_id,
        command=row.command,
        input=Path(row.input),
        host=row.host,
        started_at=started_at,
        sheet=sheet,
        options=json.loads(row.options),
        ended_at=as_time(row.ended_at),
        exit_code=row.exit_code,
    )


# A compare-and-set: the order is in this state, and this very claim holds it (see `claimed`).
IS_CLAIMED = and_(
    schema.orders.c.order_key == bindparam("its_key"),
    schema.orders.c.state == bindparam("its_state"),
    schema.orders.c.claimed_by == bindparam("its_run"),
    schema.orders.c.claim_token == bindparam("its_token"),
)


def claimed(claim: Claim, state: OrderState) -> dict[str, str | None]:
    """What IS_CLAIMED asks for."""
    return {"its_key": claim.key, "its_state": state.value, "its_run": claim.run_id, "its_token": claim.token}
