"""The ledger: the durable memory of every order ever attempted for one account, in SQLite.

Every method is one transaction, and durable when it returns: the journal is truncated and synced at each commit
(`journal_mode=TRUNCATE`, `synchronous=FULL`, both read back). WAL is not used: SQLite before 3.51.3 can lose commits
in it, and in DELETE mode a power cut can roll one back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import threading
import uuid
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, and_, bindparam, create_engine, delete, event, func, insert, or_, select, update
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from batch_orders import identity
from batch_orders.adapters import ledger_schema as schema
from batch_orders.adapters.liveness import Liveness
from batch_orders.errors import BatchOrdersError, LedgerError, RunStoppedError
from batch_orders.messages import ledgers, outcomes
from batch_orders.models import (
    Account,
    Adopted,
    Attempt,
    Claim,
    Claims,
    Contents,
    LineItem,
    Order,
    OrderState,
    Remembered,
    RunRecord,
    Verdict,
    VerdictKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

SANDBOX_ACCOUNT = "sandbox"
# How long another process may hold the ledger before a write gives up, in seconds.
_PATIENCE = 30
# SQLite allows 32,766 bound values in one statement (since 3.32); stay well below.
_MOST_KEYS = 5_000

_FINAL_STATES = {
    VerdictKind.ORDERED: OrderState.ORDERED,
    VerdictKind.REJECTED: OrderState.REJECTED,
    VerdictKind.UNKNOWN: OrderState.UNKNOWN,
}


class Ledger:
    """One account's ledger. Safe to use from several threads; several processes may have it open."""

    def __init__(self, path: Path) -> None:
        """Open an existing ledger; LedgerError where there is none or it is not one of ours."""
        if not path.is_file():
            raise LedgerError(ledgers.missing(path), hint=ledgers.how_to_init())
        self.path = path
        self._engine = _engine(path)
        self._lock = threading.Lock()
        self._liveness = Liveness(path.with_name(path.name + ".runs"))
        self._mark = path.with_name(path.name + ".mark")
        self._audited = 0
        try:
            self.account = self._read_account()
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path, *, account_id: str | None = None, now: datetime | None = None) -> Ledger:
        """Make a new ledger (0600 whatever the umask); LedgerError where something is there already."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            raise LedgerError(ledgers.exists(path), hint=ledgers.how_to_go_on()) from None
        except OSError as error:
            raise LedgerError(ledgers.not_writable(path, error), hint=ledgers.how_to_place()) from None
        engine = _engine(path)
        with engine.begin() as connection:
            schema.metadata.create_all(connection)
            connection.execute(
                insert(schema.account).values(
                    only_row=1,
                    schema_version=schema.SCHEMA_VERSION,
                    id=account_id or str(uuid.uuid4()),
                    secret=secrets.token_bytes(32),
                    created_at=_text(now or _now()),
                    line_stopped=0,
                )
            )
        engine.dispose()
        return cls(path)

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()

    # The account ----------------------------------------------------------------------------------------------

    def add_login(self, origin: str, client_id: str) -> None:
        """Remember an origin and login that this account's orders are sent with."""
        with self._write() as connection:
            known = connection.execute(select(schema.logins).where(_is_login(origin, client_id))).first()
            if known is None:
                row = {"origin": origin, "client_id": client_id, "added_at": _text(_now())}
                connection.execute(insert(schema.logins).values(row))

    def check_login(self, origin: str, client_id: str) -> None:
        """LedgerError where this account's orders are not sent to this origin with this login."""
        with self._read() as connection:
            known = connection.execute(select(schema.logins)).all()
        if (origin, client_id) not in {(row.origin, row.client_id) for row in known}:
            origins = sorted({row.origin for row in known})
            raise LedgerError(ledgers.other_login(self.path, origin, origins), hint=ledgers.how_to_use_another())

    # What is remembered of orders -----------------------------------------------------------------------------

    def key(self, order: Order) -> str:
        """The order's identity in this ledger's account."""
        return identity.order_key(self.account, order.employee, order.reference)

    def recall(self, keys: Iterable[str]) -> Mapping[str, Remembered]:
        """What is known of these orders; those never attempted are left out."""
        wanted = list(keys)
        self._bury_dead_runs()
        with self._read() as connection:
            return {row.order_key: self._remembered(row) for row in self._rows(connection, wanted)}

    def look_alikes(self, traces: Iterable[str]) -> Mapping[str, tuple[Remembered, ...]]:
        """By trace (identity.py), the orders that have it and were placed, or may have been."""
        by_hash = {self._keyed_hash(trace): trace for trace in traces}
        hashes = list(by_hash)
        maybe_placed = [state.value for state in (OrderState.ORDERED, OrderState.SENDING, OrderState.UNKNOWN)]
        found: dict[str, list[Remembered]] = {}
        with self._read() as connection:
            for start in range(0, len(hashes), _MOST_KEYS):
                query = (
                    select(schema.orders, schema.traces.c.hash)
                    .join(schema.traces, schema.traces.c.order_key == schema.orders.c.order_key)
                    .where(schema.traces.c.hash.in_(hashes[start : start + _MOST_KEYS]))
                    .where(schema.orders.c.state.in_(maybe_placed))
                )
                for row in connection.execute(query):
                    found.setdefault(by_hash[row.hash], []).append(self._remembered(row))
        return {trace: tuple(orders) for trace, orders in found.items()}

    def known_numbers(self, numbers: Iterable[str]) -> frozenset[str]:
        """Which of these order numbers were ever given out to this account."""
        wanted = list(numbers)
        column = schema.order_numbers.c.order_number
        known: set[str] = set()
        with self._read() as connection:
            for start in range(0, len(wanted), _MOST_KEYS):
                query = select(column).where(column.in_(wanted[start : start + _MOST_KEYS]))
                known |= {row.order_number for row in connection.execute(query)}
        return frozenset(known)

    def orders(self, *states: OrderState, run_id: str | None = None) -> tuple[Remembered, ...]:
        """Every order in one of these states (all without any), of one run where that is given; oldest first."""
        self._bury_dead_runs()
        query = select(schema.orders).order_by(schema.orders.c.updated_at, schema.orders.c.order_key)
        if states:
            query = query.where(schema.orders.c.state.in_([state.value for state in states]))
        if run_id is not None:
            query = query.where(or_(schema.orders.c.sent_by == run_id, schema.orders.c.claimed_by == run_id))
        with self._read() as connection:
            return tuple(self._remembered(row) for row in connection.execute(query))

    def waiting(self) -> tuple[Remembered, ...]:
        """The orders that wait for a person: unknown, rejected, or changed since they were placed."""
        return tuple(
            order
            for order in self.orders(OrderState.UNKNOWN, OrderState.REJECTED, OrderState.ORDERED)
            if order.state is not OrderState.ORDERED or order.other_contents is not None
        )

    def evidence(self, key: str) -> tuple[str, ...]:
        """What each attempt at an order proved, the first one first."""
        query = select(schema.attempts).where(schema.attempts.c.order_key == key).order_by(schema.attempts.c.number)
        with self._read() as connection:
            return tuple(ledgers.attempt(row.intended_at, row.evidence) for row in connection.execute(query))

    def counts(self) -> Mapping[str, int]:
        """How many orders stand in each state."""
        query = select(schema.orders.c.state, func.count()).group_by(schema.orders.c.state)
        with self._read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {state.value: found.get(state.value, 0) for state in OrderState}

    def last_sent_at(self) -> datetime | None:
        """When the last attempt was about to leave: what the pace needs where its own memory is lost."""
        with self._read() as connection:
            text = connection.execute(select(func.max(schema.attempts.c.intended_at))).scalar()
        return _time(text)

    # Runs -----------------------------------------------------------------------------------------------------

    def begin_run(self, run: RunRecord) -> bool:
        """Enter a run, alive from now until it ends or its process does; true where an earlier one stopped the line.

        LedgerError where the ledger is older than its own high-water mark: it was restored from a copy, and does not
        know what was ordered since.
        """
        self._refuse_old_copy()
        # The lock first: nobody may see the run in the ledger and take it for dead.
        self._liveness.begin(run.run_id)
        digest = hashlib.sha256(run.sheet).hexdigest()
        with self._write() as connection:
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
                    started_at=_text(run.started_at),
                    sheet=digest,
                    options=json.dumps(dict(run.options)),
                )
            )
            return bool(connection.execute(select(schema.account.c.line_stopped)).scalar())

    def claim(self, run_id: str, orders: Sequence[tuple[str, Order]], *, retry_rejected: bool) -> Claims:
        """Take these orders for this run where they are free, with the sheet's contents, in one transaction.

        Free is what was never attempted, is planned and in no live run's hands, or was rejected and now has other
        contents (or `retry_rejected`). Everything else comes back as it stands.
        """
        self._bury_dead_runs()
        ours: list[Claim] = []
        others: dict[str, Remembered] = {}
        with self._write() as connection:
            known = {row.order_key: row for row in self._rows(connection, [key for key, _ in orders])}
            for key, order in orders:
                row = known.get(key)
                if row is not None and not self._is_free(row, run_id, order, retry_rejected=retry_rejected):
                    others[key] = self._remembered(row)
                    continue
                claim = Claim(key=key, order=order, run_id=run_id, token=secrets.token_hex(8))
                self._take(connection, claim, row=row)
                ours.append(claim)
        return Claims(ours=tuple(ours), others=others)

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
            connection.execute(query.values(ended_at=_text(_now()), exit_code=exit_code))
        self._liveness.end(run_id)

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run, newest first, without its sheet."""
        with self._read() as connection:
            rows = connection.execute(select(schema.runs).order_by(schema.runs.c.started_at.desc()))
            return tuple(_run(row, b"") for row in rows)

    def run(self, name: str) -> tuple[RunRecord, bytes | None]:
        """One run with its sheet, and its saved report; by id or by as much of its beginning as is unique."""
        found = [run for run in self.runs() if run.run_id.startswith(name)]
        if len(found) != 1:
            raise LedgerError(ledgers.no_such_run(name, len(found)), hint=ledgers.how_to_list_runs())
        query = select(schema.runs, schema.sheets.c.compressed).join(schema.sheets)
        with self._read() as connection:
            row = connection.execute(query.where(schema.runs.c.run_id == found[0].run_id)).one()
        report = None if row.report is None else zlib.decompress(row.report)
        return _run(row, zlib.decompress(row.compressed)), report

    def is_alive(self, run_id: str) -> bool:
        """Whether the run's process lives."""
        return self._liveness.is_alive(run_id)

    # Each order's way -----------------------------------------------------------------------------------------

    def intend(self, claim: Claim, request_hash: str) -> Attempt:
        """The order is about to be sent: planned → sending. Durable when this returns; raises where it is not ours."""
        now = _text(_now())
        with self._write() as connection:
            taken = connection.execute(
                update(schema.orders)
                .where(_is_claimed(claim, OrderState.PLANNED))
                .values(
                    state=OrderState.SENDING.value,
                    attempts=schema.orders.c.attempts + 1,
                    sent_by=claim.run_id,
                    submitted_at=now,
                    updated_at=now,
                )
                .returning(schema.orders.c.attempts)
            ).first()
            if taken is None:
                raise RunStoppedError(ledgers.claim_lost(), hint=ledgers.how_to_repair())
            tries = select(func.count()).where(schema.attempts.c.order_key == claim.key)
            number = int(connection.execute(tries).scalar() or 0) + 1
            attempt = {"order_key": claim.key, "number": number, "run_id": claim.run_id}
            query = insert(schema.attempts).values(**attempt, request_hash=request_hash, intended_at=now)
            inserted = connection.execute(query).inserted_primary_key
            assert inserted is not None  # noqa: S101 - what an INSERT of one row always gives
            self._note(connection, "attempt", claim.key, claim.run_id, number=number, request=request_hash)
            return Attempt(id=inserted[0], number=number, claim=claim)

    def withdraw(self, attempt: Attempt, verdict: Verdict) -> None:
        """There is proof that nothing was sent or applied: sending → planned, still this run's."""
        with self._write() as connection:
            self._end_attempt(connection, attempt, verdict)
            values: dict[str, Any] = {"state": OrderState.PLANNED.value, "submitted_at": None}
            if verdict.kind is VerdictKind.NOT_SENT:
                values["attempts"] = schema.orders.c.attempts - 1  # not one byte left, so it was none
            self._move(connection, attempt, values)

    def conclude(self, attempt: Attempt, verdict: Verdict) -> Remembered:
        """How the attempt ended: sending → ordered, rejected or unknown; gives how the order stands now.

        A success whose order number another order has already is no proof: that order becomes unknown.
        """
        with self._write() as connection:
            verdict = self._doubt_known_number(connection, attempt.claim.key, verdict)
            self._end_attempt(connection, attempt, verdict)
            values = {
                "state": _FINAL_STATES[verdict.kind].value,
                "order_number": verdict.order_number or None,
                "message": verdict.message,
                "claimed_by": None,
                "claim_token": None,
            }
            self._move(connection, attempt, values)
            row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == attempt.claim.key)).one()
            return self._remembered(row)

    def mark_line(self, *, stopped: bool) -> None:
        """Remember whether too many orders in a row ended unknown: the next run begins carefully then."""
        with self._write() as connection:
            connection.execute(update(schema.account).values(line_stopped=int(stopped)))

    # Past orders ------------------------------------------------------------------------------------------------

    def adopt(self, order: Order, order_number: str, submitted_at: datetime | None) -> Adopted:
        """Enter an order that was placed before, with the number that a results file has for it."""
        key = self.key(order)
        with self._write() as connection:
            row = connection.execute(select(schema.orders).where(schema.orders.c.order_key == key)).first()
            if row is not None and row.state == OrderState.ORDERED:
                return Adopted.KNOWN if row.order_number == order_number else Adopted.CONFLICT
            if row is not None and row.claimed_by is not None:
                return Adopted.CONFLICT
            if self._is_taken(connection, order_number):
                return Adopted.CONFLICT
            self._take(connection, Claim(key=key, order=order, run_id="", token=""), row=row)
            self._enter_number(connection, order_number, key)
            values = {
                "state": OrderState.ORDERED.value,
                "order_number": order_number,
                "message": outcomes.adopted(),
                "submitted_at": _text(submitted_at) if submitted_at else None,
            }
            connection.execute(update(schema.orders).where(schema.orders.c.order_key == key).values(values))
            self._note(connection, "adopt", key, None)
        return Adopted.NEW

    def trust_mark(self) -> None:
        """A person has brought a restored ledger up to date: it is no longer older than its high-water mark."""
        with self._write() as connection:
            self._note(connection, "up to date", None, None)

    def _refuse_old_copy(self) -> None:
        try:
            mark = int(self._mark.read_text())
        except (OSError, ValueError):  # no mark yet, or none that can be read
            return
        with self._read() as connection:
            count = connection.execute(select(func.max(schema.audit.c.id))).scalar() or 0
        if count < mark:
            raise LedgerError(ledgers.older_than_mark(self.path, mark - count), hint=ledgers.how_to_bring_up_to_date())

    # A person's verdicts ----------------------------------------------------------------------------------------

    def find(self, name: str) -> Remembered:
        """The order with this id: as much of its key's beginning as is unique. LedgerError where there is none."""
        found = [order for order in self.orders() if name and order.key.startswith(name.lower())]
        if len(found) != 1:
            raise LedgerError(ledgers.no_such_order(name, len(found)), hint=ledgers.how_to_list_orders())
        return found[0]

    def note_contents(self, contents: Mapping[str, Contents | None]) -> None:
        """Remember, by key, that a sheet has these orders, and what it holds where that is not what was ordered."""
        now = _text(_now())
        rows = [
            {"key": key, "other": None if other is None else json.dumps(dataclasses.asdict(other)), "now": now}
            for key, other in contents.items()
        ]
        query = update(schema.orders).where(schema.orders.c.order_key == bindparam("key"))
        if rows:
            with self._write() as connection:
                connection.execute(query.values(other_contents=bindparam("other"), last_seen_at=bindparam("now")), rows)

    def note_release(self, run_id: str, keys: Iterable[str]) -> None:
        """A person sends orders on purpose that were held: one entry in the audit for each."""
        with self._write() as connection:
            for key in keys:
                self._note(connection, "release", key, run_id)

    def settle_placed(self, order: Remembered, order_number: str, note: str) -> None:
        """An unknown order was placed, under this number; LedgerError where another order has it."""
        with self._write() as connection:
            if not self._enter_number(connection, order_number, order.key):
                raise LedgerError(ledgers.number_taken(order_number), hint=ledgers.how_to_check_number())
            values = {"state": OrderState.ORDERED.value, "order_number": order_number}
            self._settle(connection, order, "placed", note, values | {"message": outcomes.settled()})

    def settle_not_placed(self, order: Remembered, note: str) -> None:
        """An unknown order was not placed: the next run may send it."""
        with self._write() as connection:
            values = {"state": OrderState.PLANNED.value, "message": ""}
            self._settle(connection, order, "not_placed", note, values)

    def settle_cancelled(self, order: Remembered, note: str) -> None:
        """The vendor cancelled an ordered one: the next run may order it again. Its number stays taken."""
        with self._write() as connection:
            values = {"state": OrderState.PLANNED.value, "order_number": None, "message": "", "other_contents": None}
            self._settle(connection, order, "cancelled", note, values)

    def settle_keep(self, order: Remembered, note: str) -> None:
        """A changed order's new contents are right: nothing is sent, and from now on they count as ordered."""
        if order.other_contents is None:
            raise LedgerError(ledgers.nothing_to_keep(), hint=ledgers.how_to_list_orders())
        with self._write() as connection:
            values = {
                "contents": json.dumps(dataclasses.asdict(order.other_contents)),
                "content_hash": identity.content_hash(order.other_contents),
                "other_contents": None,
            }
            self._settle(connection, order, "keep", note, values)

    def _settle(
        self, connection: Connection, order: Remembered, verdict: str, note: str, values: Mapping[str, Any]
    ) -> None:
        """One verdict, where it fits the order's state; audited with the note's keyed hash (it may name people)."""
        state = OrderState.UNKNOWN if verdict in {"placed", "not_placed"} else OrderState.ORDERED
        is_it = and_(schema.orders.c.order_key == order.key, schema.orders.c.state == state.value)
        if (
            connection.execute(update(schema.orders).where(is_it).values(updated_at=_text(_now()), **values)).rowcount
            != 1
        ):
            raise LedgerError(ledgers.cannot_settle(order.state.value, verdict), hint=ledgers.how_to_list_orders())
        query = insert(schema.notes).values(order_key=order.key, at=_text(_now()), verdict=verdict, note=note)
        connection.execute(query)
        self._note(connection, "settle", order.key, None, verdict=verdict, note=self._keyed_hash(note))

    # The audit --------------------------------------------------------------------------------------------------

    def verify(self) -> int:
        """How many entries the audit has; LedgerError where one was changed, taken away or put in between."""
        seal = ""
        count = 0
        with self._read() as connection:
            for row in connection.execute(select(schema.audit).order_by(schema.audit.c.id)):
                count += 1
                seal = self._seal(seal, row.at, row.what, row.order_key, row.run_id, row.detail)
                if row.id != count or row.seal != seal:
                    raise LedgerError(ledgers.audit_broken(self.path, count), hint=ledgers.how_to_act_on_broken_audit())
        return count

    def _note(self, connection: Connection, what: str, key: str | None, run_id: str | None, **detail: object) -> None:
        last = connection.execute(select(schema.audit.c.seal).order_by(schema.audit.c.id.desc()).limit(1)).scalar()
        at, text = _text(_now()), json.dumps(detail, sort_keys=True)
        seal = self._seal(last or "", at, what, key, run_id, text)
        values = {"at": at, "what": what, "order_key": key, "run_id": run_id, "detail": text, "seal": seal}
        inserted = connection.execute(insert(schema.audit).values(values)).inserted_primary_key
        self._audited = inserted[0] if inserted else 0

    def _seal(self, *parts: str | None) -> str:
        return self._keyed_hash(json.dumps(parts))

    def _keyed_hash(self, text: str) -> str:
        return hmac.new(self.account.secret, text.encode(), hashlib.sha256).hexdigest()

    # Inside -----------------------------------------------------------------------------------------------------

    def _enter_number(self, connection: Connection, order_number: str, key: str) -> bool:
        """Take a number for an order; false where it was given out before."""
        if self._is_taken(connection, order_number):
            return False
        connection.execute(insert(schema.order_numbers).values(order_number=order_number, order_key=key))
        return True

    def _is_taken(self, connection: Connection, order_number: str) -> bool:
        known = select(schema.order_numbers).where(schema.order_numbers.c.order_number == order_number)
        return connection.execute(known).first() is not None

    def _read_account(self) -> Account:
        try:
            with self._read() as connection:
                row = connection.execute(select(schema.account)).one()
        except (BatchOrdersError, SQLAlchemyError) as error:
            if "locked" in str(error):  # a ledger, and busy for longer than anybody should be
                raise
            raise LedgerError(ledgers.not_a_ledger(self.path), hint=ledgers.how_to_init()) from None
        if row.schema_version != schema.SCHEMA_VERSION:
            raise LedgerError(ledgers.other_version(self.path, row.schema_version, schema.SCHEMA_VERSION))
        return Account(id=row.id, secret=row.secret)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """One transaction that begins by taking the write lock; durable when it has ended."""
        with self._lock, _explained(self.path):
            with self._engine.begin() as connection:
                yield connection
            self._raise_mark()

    def _raise_mark(self) -> None:
        """Remember beside the ledger how far its audit has come, so that an older copy of it is recognised.

        After the commit and without a sync: the mark may be lower than the ledger, and never higher.
        """
        if self._audited:
            with contextlib.suppress(OSError):  # a mark that cannot be written guards less, and stops nothing
                write_privately(self._mark, f"{self._audited}\n")
            self._audited = 0

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._lock, _explained(self.path), self._engine.connect().execution_options(reading=True) as connection:
            yield connection

    def _rows(self, connection: Connection, keys: Sequence[str]) -> Iterator[Row[Any]]:
        for start in range(0, len(keys), _MOST_KEYS):
            chunk = keys[start : start + _MOST_KEYS]
            yield from connection.execute(select(schema.orders).where(schema.orders.c.order_key.in_(chunk)))

    def _remembered(self, row: Row[Any]) -> Remembered:
        return Remembered(
            key=row.order_key,
            state=OrderState(row.state),
            email=row.email,
            order_reference=row.order_reference,
            contents=_contents(row.contents),
            content_hash=row.content_hash,
            order_number=row.order_number,
            message=row.message,
            run_id=row.sent_by,
            submitted_at=_time(row.submitted_at),
            attempts=row.attempts,
            other_contents=_contents(row.other_contents) if row.other_contents else None,
            last_seen_at=_time(row.last_seen_at),
            busy=row.claimed_by is not None and self._liveness.is_alive(row.claimed_by),
        )

    def _is_free(self, row: Row[Any], run_id: str, order: Order, *, retry_rejected: bool) -> bool:
        if row.state == OrderState.PLANNED:
            return row.claimed_by is None or row.claimed_by == run_id
        changed = row.content_hash != identity.content_hash(order.contents)
        return row.state == OrderState.REJECTED and (retry_rejected or changed)

    def _take(self, connection: Connection, claim: Claim, *, row: Row[Any] | None) -> None:
        """The order's row, planned, with the claim's contents; an empty run id claims it for nobody."""
        values = {
            "email": claim.order.email,
            "order_reference": claim.order.order_reference,
            "state": OrderState.PLANNED.value,
            "contents": json.dumps(dataclasses.asdict(claim.order.contents)),
            "content_hash": identity.content_hash(claim.order.contents),
            "message": "",
            "claimed_by": claim.run_id or None,
            "claim_token": claim.token or None,
            "updated_at": _text(_now()),
            "last_seen_at": _text(_now()),
        }
        if row is None:
            connection.execute(insert(schema.orders).values(order_key=claim.key, attempts=0, **values))
        else:
            query = update(schema.orders).where(schema.orders.c.order_key == claim.key)
            connection.execute(query.values(**values))
            connection.execute(delete(schema.traces).where(schema.traces.c.order_key == claim.key))
        order = claim.order
        traces = {identity.employee_trace(order.employee), *identity.traces(order.employee, order.contents)}
        rows = [{"order_key": claim.key, "hash": self._keyed_hash(trace)} for trace in sorted(traces)]
        connection.execute(insert(schema.traces), rows)

    def _bury_dead_runs(self) -> None:
        """Free what dead runs had not sent; what they were sending may have arrived, so it is unknown."""
        with self._read() as connection:
            query = select(schema.orders.c.claimed_by).where(schema.orders.c.claimed_by.is_not(None)).distinct()
            claimants = [row.claimed_by for row in connection.execute(query)]
        dead = [run_id for run_id in claimants if not self._liveness.is_alive(run_id)]
        if dead:
            with self._write() as connection:
                for run_id in dead:
                    self._let_go(connection, run_id)

    def _let_go(self, connection: Connection, run_id: str) -> None:
        freed = {"claimed_by": None, "claim_token": None, "updated_at": _text(_now())}
        mine = schema.orders.c.claimed_by == run_id
        sending = and_(mine, schema.orders.c.state == OrderState.SENDING.value)
        for row in connection.execute(select(schema.orders.c.order_key).where(sending)).all():
            self._note(connection, "verdict", row.order_key, run_id, verdict="unknown", evidence="the run ended")
        unknown = {"state": OrderState.UNKNOWN.value, "message": outcomes.run_died()}
        connection.execute(update(schema.orders).where(sending).values(**unknown, **freed))
        connection.execute(update(schema.orders).where(mine).values(**freed))

    def _end_attempt(self, connection: Connection, attempt: Attempt, verdict: Verdict) -> None:
        query = update(schema.attempts).where(schema.attempts.c.id == attempt.id)
        connection.execute(
            query.values(
                ended_at=_text(_now()),
                verdict=verdict.kind.value,
                status=verdict.status,
                evidence=verdict.evidence,
                message=verdict.message,
            )
        )
        detail = {"number": attempt.number, "verdict": verdict.kind.value, "evidence": verdict.evidence}
        self._note(connection, "verdict", attempt.claim.key, attempt.claim.run_id, **detail)

    def _move(self, connection: Connection, attempt: Attempt, values: Mapping[str, Any]) -> None:
        query = update(schema.orders).where(_is_claimed(attempt.claim, OrderState.SENDING))
        if connection.execute(query.values(updated_at=_text(_now()), **values)).rowcount != 1:
            raise RunStoppedError(ledgers.claim_lost(), hint=ledgers.how_to_repair())

    def _doubt_known_number(self, connection: Connection, key: str, verdict: Verdict) -> Verdict:
        if verdict.kind is not VerdictKind.ORDERED:
            return verdict
        if self._enter_number(connection, verdict.order_number, key):
            return verdict
        return Verdict(
            kind=VerdictKind.UNKNOWN,
            message=outcomes.number_seen_before(verdict.order_number),
            status=verdict.status,
            evidence=f"{verdict.evidence}, order number seen before",
        )


def write_privately(path: Path, text: str) -> None:
    """Write a small file that only its owner may read (0600 whatever the umask)."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """A database that cannot be read or written becomes an error that says so."""
    try:
        yield
    except DatabaseError as error:
        reason = str(error.orig)
        raise BatchOrdersError(ledgers.failed(path, reason), hint=ledgers.how_to_repair()) from error


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,  # one connection for the whole process; Ledger._lock hands it round
        connect_args={"check_same_thread": False, "timeout": _PATIENCE},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection, whatever the driver
        # Transactions begin when SQLAlchemy says so (below), not when the sqlite3 module guesses.
        connection.isolation_level = None
        journal = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        full = 2
        if journal != "truncate" or connection.execute("PRAGMA synchronous").fetchone()[0] != full:
            raise LedgerError(ledgers.not_durable(path))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Two writers that both began with a read lock could neither go on; the write lock comes first instead.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _is_login(origin: str, client_id: str) -> Any:  # noqa: ANN401 - SQLAlchemy's expressions have no simple type
    return and_(schema.logins.c.origin == origin, schema.logins.c.client_id == client_id)


def _is_claimed(claim: Claim, state: OrderState) -> Any:  # noqa: ANN401 - as above
    """A compare-and-set: the order is in this state, and this very claim holds it."""
    return and_(
        schema.orders.c.order_key == claim.key,
        schema.orders.c.state == state.value,
        schema.orders.c.claimed_by == claim.run_id,
        schema.orders.c.claim_token == claim.token,
    )


def _contents(text: str) -> Contents:
    fields = json.loads(text)
    return Contents(items=tuple(LineItem(*item) for item in fields.pop("items")), **fields)


def _run(row: Row[Any], sheet: bytes) -> RunRecord:
    started_at = _time(row.started_at)
    assert started_at is not None  # noqa: S101 - the column is NOT NULL
    return RunRecord(
        run_id=row.run_id,
        command=row.command,
        input=Path(row.input),
        host=row.host,
        started_at=started_at,
        sheet=sheet,
        options=json.loads(row.options),
        ended_at=_time(row.ended_at),
        exit_code=row.exit_code,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
