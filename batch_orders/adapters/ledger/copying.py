"""Moving a ledger: all of it is copied to another place, proven there, and from then on the old one only tells.

Never may two ledgers of one account send. So the copy begins as one that may not; it is committed, proven, and only
when the old ledger says durably that it has moved does the copy become a ledger like any other. Whoever is killed on
the way leaves the old one as it was beside a copy that sends nothing, or (at the very end) two that send nothing: the
same command then finishes what is left.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, text, update

from batch_orders.adapters.ledger import Ledger, schema
from batch_orders.adapters.ledger.home import home_of
from batch_orders.errors import LedgerError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table

    from batch_orders.places import LedgerPlace

# Rows that are in memory at once: a sheet can be large.
_AT_ONCE = 100
_TABLES = tuple(table for table in schema.metadata.sorted_tables if table is not schema.alembic_version)


def copy(source: Ledger, target: LedgerPlace) -> Mapping[str, int]:
    """Move a ledger; gives how many rows each table has. Whoever holds the copy holds the account.

    LedgerError where a run is alive, where something is at the target already, or where the copy cannot be proven.
    """
    target = target.resolve() if isinstance(target, Path) else target
    with source._write() as reading:  # nobody writes meanwhile  # noqa: SLF001 - of one package
        source._home.be_patient(reading)  # noqa: SLF001
        moved_to = source.moved_to(reading)
        if moved_to is None:
            source.refuse_while_alive(reading)
            _make(reading, target)
        elif moved_to != str(target) or not _is_unfinished(target):
            source.refuse_if_moved(reading)
        counts = _prove(source, reading, target)
        reading.execute(update(schema.account).values(moved_to=str(target)))
    with closing(Ledger(target)) as made:
        made.set_out()
    return counts


def _make(reading: Connection, target: LedgerPlace) -> None:
    home = home_of(target)

    def fill(writing: Connection) -> None:
        home.be_patient(writing)
        schema.create_tables(writing)
        for table in _TABLES:
            _copy_table(reading, writing, table)
        writing.execute(update(schema.account).values(moved_to=schema.UNFINISHED))
        schema.create_guards(writing)  # an order that is put in as it stands would be refused

    if home.exists():
        if _is_unfinished(target):
            raise LedgerError(ledgers.unfinished(target), hint=ledgers.how_to_copy_anew())
        raise LedgerError(ledgers.exists(target), hint=ledgers.how_to_choose_target())
    home.create(fill)


def _copy_table(reading: Connection, writing: Connection, table: Table) -> None:
    rows = reading.execute(select(table), execution_options={"yield_per": _AT_ONCE}).mappings()
    for part in rows.partitions():
        writing.execute(insert(table), [dict(row) for row in part])
    if writing.dialect.name == "postgresql" and table.autoincrement_column is not None:
        named = {"table": table.name, "column": table.autoincrement_column.name}
        newest = select(func.coalesce(func.max(table.autoincrement_column), 0)).scalar_subquery()
        writing.execute(select(func.setval(text("pg_get_serial_sequence(:table, :column)"), newest + 1, False)), named)


def _prove(source: Ledger, reading: Connection, target: LedgerPlace) -> Mapping[str, int]:
    """How many rows each table has; LedgerError where the copy is not what the source is."""
    with closing(Ledger(target)) as made, made._read() as copied:  # noqa: SLF001 - of one package
        made._home.be_patient(copied)  # noqa: SLF001
        counts = _counts(copied)
        if made.account != source.account or counts != _counts(reading):
            raise LedgerError(ledgers.not_our_copy(source.place, target), hint=ledgers.how_to_copy_anew())
        made.prove(copied)
    return counts


def _is_unfinished(target: LedgerPlace) -> bool:
    try:
        with closing(Ledger(target)) as made, made._read() as connection:  # noqa: SLF001 - of one package
            return made.moved_to(connection) == schema.UNFINISHED
    except LedgerError:  # something else stands there
        return False


def _counts(connection: Connection) -> dict[str, int]:
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in _TABLES}
