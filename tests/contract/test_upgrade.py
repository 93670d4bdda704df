"""A ledger of an older version is brought to this one's schema, whole, or left as it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from batch_orders.adapters.ledger import Ledger, schema
from batch_orders.adapters.ledger.home import home_of
from batch_orders.adapters.ledger.upgrading import Upgrade, configuration
from batch_orders.errors import LedgerError
from batch_orders.models import OrderState
from tests import orders as made
from tests import postgres, raw
from tests.program import Program

if TYPE_CHECKING:
    from batch_orders.places import LedgerPlace, LedgerUrl

_FIXTURE = Path(__file__).parents[1] / "fixtures" / "ledger_v1.sql"
_TABLES = [table.name for table in schema.metadata.sorted_tables if table is not schema.alembic_version]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A ledger's file as the first release left it."""
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_FIXTURE.read_text())
    return path


def _upgrade(place: LedgerPlace) -> tuple[int, int]:
    with closing(Upgrade(place)) as ledger:
        return ledger.run()


def _rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return {table: [dict(row) for row in database.execute(f"SELECT * FROM {table}")] for table in _TABLES}  # noqa: S608


def _shape(path: Path) -> dict[str, Any]:
    """All that SQLite knows of a file's schema, but for the spelling."""
    engine = create_engine(f"sqlite:///{path}")
    seen = inspect(engine)
    found: dict[str, Any] = {}
    for table in sorted(seen.get_table_names()):
        found[table] = [
            [(column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(table)],
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted((key["constrained_columns"], key["referred_table"]) for key in seen.get_foreign_keys(table)),
            sorted(index["name"] or "" for index in seen.get_indexes(table)),
            sorted(str(unique["column_names"]) for unique in seen.get_unique_constraints(table)),
            sorted(check["sqltext"] for check in seen.get_check_constraints(table)),
        ]
    engine.dispose()
    triggers = raw.run(path, "SELECT sql FROM sqlite_master WHERE type = 'trigger'")
    return found | {"triggers": sorted(" ".join(sql.split()) for (sql,) in triggers)}


def _dumped(place: LedgerUrl, folder: Path) -> str:
    """All that PostgreSQL knows of a database's schema."""
    path = folder / "schema.sql"
    raw.tool("pg_dump", place, "--schema-only", f"--file={path}")
    return "\n".join(line for line in path.read_text().splitlines() if not line.startswith("\\"))


def _migrated(place: LedgerPlace, revision: str = "head") -> None:
    """Make a ledger's schema by its migrations alone, from nothing."""
    home = home_of(place)
    home.create(lambda connection: command.upgrade(configuration(connection), revision))


def test_an_upgraded_file_is_like_a_new_one(first: Path, tmp_path: Path) -> None:
    """The same tables, keys, indexes, checks and triggers; alembic finds nothing to change."""
    assert _upgrade(first) == (1, schema.SCHEMA_VERSION)
    Ledger.create(tmp_path / "new.sqlite").close()
    assert _shape(first) == _shape(tmp_path / "new.sqlite")
    engine = create_engine(f"sqlite:///{first}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_an_upgrade_keeps_every_row(first: Path) -> None:
    """What was there is there, the audit holds, and the orders go on where they stood."""
    before = _rows(first)
    _upgrade(first)
    for table, rows in _rows(first).items():
        kept = [{name: row[name] for name in old} for row, old in zip(rows, before[table], strict=True)]
        assert [old | {"schema_version": 2} if table == "account" else old for old in before[table]] == kept
    with closing(Ledger(first)) as ledger:
        assert ledger.verify() == 12
        states = {order.email: order.state for order in ledger.orders()}
        assert states["ana@example.com"] is OrderState.ORDERED
        ledger.begin_run(made.run("r1"))
        free = [made.order(name) for name in ("ana", "ben", "cleo", "dan", "eva", "finn")]
        ours = ledger.claim("r1", [(ledger.key(order), order) for order in free], retry_rejected=False).ours
        assert {claim.order.email for claim in ours} == {"eva@example.com", "finn@example.com"}


def test_an_upgrade_twice_changes_nothing_more(first: Path) -> None:
    """The second one says that there is nothing to do."""
    _upgrade(first)
    content = first.read_bytes()
    assert _upgrade(first) == (2, 2)
    assert first.read_bytes() == content


def test_the_migrations_alone_make_the_same_schema(tmp_path: Path) -> None:
    """In a file, from the first one on; and the first one makes what the first release made."""
    Ledger.create(tmp_path / "new.sqlite").close()
    _migrated(tmp_path / "migrated.sqlite")
    assert _shape(tmp_path / "migrated.sqlite") == _shape(tmp_path / "new.sqlite")
    _migrated(tmp_path / "first.sqlite", "0001")
    released = tmp_path / "released.sqlite"
    with closing(sqlite3.connect(released)) as database:
        database.executescript(_FIXTURE.read_text())
    found = _shape(tmp_path / "first.sqlite")
    del found["alembic_version"]
    assert found == _shape(released)


def test_the_migrations_alone_make_the_same_schema_in_postgres(
    database: LedgerUrl, ledger_database: LedgerUrl, tmp_path: Path
) -> None:
    """The dumps of both are one text, and alembic finds nothing to change but what it knows nothing of."""
    _migrated(database)
    assert _dumped(database, tmp_path) == _dumped(ledger_database, tmp_path)
    engine = create_engine("postgresql+psycopg://", creator=lambda: postgres.connected(database))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": lambda _, name, *__: name not in schema.PACE_TABLES}
        )
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_an_older_ledger_in_postgres_is_upgraded(database: LedgerUrl) -> None:
    """One that the first migration alone has made: this program refuses it before, and works with it afterwards."""
    home_of(database).create(_first_version)
    with pytest.raises(LedgerError, match="older version") as caught:
        Ledger(database)
    assert "batch-orders ledger upgrade" in caught.value.hint
    assert _upgrade(database) == (1, 2)
    with closing(Ledger(database)) as ledger:
        ledger.begin_run(made.run("r1"))
        assert ledger.verify() == 0


def _first_version(connection: Any) -> None:
    command.upgrade(configuration(connection), "0001")
    connection.exec_driver_sql(
        "INSERT INTO account VALUES (1, 1, '52602880-35fa-42c3-8b5f-8d6a9905ceab', '\\x00', '2026-01-01', 0)"
    )


def test_there_is_a_migration_for_every_version(tmp_path: Path) -> None:
    """The newest one is the version that the program says it works with."""
    with closing(Upgrade(_created(tmp_path))) as ledger, ledger._read() as connection:
        script = ScriptDirectory.from_config(configuration(connection))
    assert script.get_heads() == [f"{schema.SCHEMA_VERSION:04}"]


def _created(folder: Path) -> Path:
    Ledger.create(folder / "created.sqlite").close()
    return folder / "created.sqlite"


def test_no_upgrade_while_a_run_is_alive(ledger: Ledger) -> None:
    """It would write into a schema that it does not know; afterwards the upgrade goes through."""
    ledger.begin_run(made.run("r1"))
    raw.run(ledger.place, "UPDATE account SET schema_version = 1")
    with pytest.raises(LedgerError, match="r1 is using"):
        _upgrade(ledger.place)
    assert raw.run(ledger.place, "SELECT schema_version FROM account") == [(1,)]


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(first: Path) -> None:
    """A column that is there already (by somebody's hand) stops it, and the older program still works."""
    raw.run(first, "ALTER TABLE orders ADD COLUMN forgotten_at VARCHAR")
    before = _shape(first)
    with pytest.raises(Exception, match="duplicate column"):
        _upgrade(first)
    assert _shape(first) == before
    assert raw.run(first, "SELECT schema_version FROM account") == [(1,)]


def test_a_newer_ledger_is_not_upgraded(ledger: Ledger) -> None:
    """Nor is it said that an upgrade would help."""
    raw.run(ledger.place, "UPDATE account SET schema_version = 99")
    for opens in (Ledger, Upgrade):
        with pytest.raises(LedgerError, match="newer version") as caught:
            opens(ledger.place)
        assert "upgrade" not in caught.value.hint


def test_the_command_says_what_it_did(first: Path, tmp_path: Path) -> None:
    """Other commands refuse the old ledger and name this one, which says it in text and in JSON."""
    program = Program(tmp_path)
    refused = program.run("status", "--ledger", first)
    assert refused.returncode == 2
    assert "batch-orders ledger upgrade" in refused.stderr
    document = program.json("ledger", "upgrade", "--ledger", first, exit_code=0)
    assert (document["from_version"], document["to_version"]) == (1, 2)
    again = program.run("ledger", "upgrade", "--ledger", first)
    assert again.returncode == 0
    assert "nothing was changed" in again.stdout
    assert program.json("ledger", "verify", "--ledger", first, exit_code=0)["entries"] == 12
    assert program.json("status", "--ledger", first, exit_code=0)["orders"]["ordered"] == 2
