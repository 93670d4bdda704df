"""A ledger's database, read and changed past the program: with SQL, as somebody with the file or a login could."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg

from batch_orders.places import LedgerUrl
from tests import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_orders.places import LedgerPlace

# What a database raises for what it refuses.
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)


def address(place: LedgerPlace) -> str:
    """The whole of a place as one text, with its password, for another process."""
    if isinstance(place, Path):
        return str(place)
    shown = str(place)
    return shown.replace("@", f":{quote(place.password, safe='')}@", 1) if place.password else shown


def place_of(text: str) -> LedgerPlace:
    """The place that `address` gave this text for."""
    return LedgerUrl.parse(text) if "://" in text else Path(text)


def run(place: LedgerPlace, *statements: str) -> list[Any]:
    """What the last statement gives; each is a transaction of its own."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place, isolation_level=None, timeout=10)) as database:
            for statement in statements:
                rows = database.execute(statement).fetchall()
            return rows
    with closing(postgres.connected(place)) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def without(place: LedgerPlace, *triggers: str) -> Iterator[None]:
    """For as long as the block lasts these triggers do not watch."""
    if isinstance(place, Path):
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = '{}'"
        made = [run(place, query.format(name))[0][0] for name in triggers]
        run(place, *(f"DROP TRIGGER {name}" for name in triggers))
        yield
        run(place, *made)
        return
    tables = {name: "audit" if name.startswith("audit") else "orders" for name in triggers}
    run(place, *(f"ALTER TABLE {table} DISABLE TRIGGER {name}" for name, table in tables.items()))
    yield
    run(place, *(f"ALTER TABLE {table} ENABLE TRIGGER {name}" for name, table in tables.items()))


def save(place: LedgerPlace, folder: Path) -> Path:
    """A backup of the ledger as it stands, as docs/operations.md has it made."""
    if isinstance(place, Path):
        return Path(shutil.copy(place, folder / "copy"))
    saved = folder / "copy.dump"
    tool("pg_dump", place, "--format=custom", f"--file={saved}")
    return saved


def restore(place: LedgerPlace, saved: Path) -> None:
    """Put a backup in the ledger's place."""
    if isinstance(place, Path):
        shutil.copy(saved, place)
        return
    server = dataclasses.replace(place, database="postgres")
    run(server, f"DROP DATABASE {place.database} WITH (FORCE)", f"CREATE DATABASE {place.database} TEMPLATE template0")
    tool("pg_restore", place, "--exit-on-error", str(saved))


def tool(name: str, place: LedgerUrl, *arguments: str) -> None:
    """One of PostgreSQL's own programs, on this database."""
    folder = postgres.programs()
    words = {"dbname": place.database, "host": place.host, "port": place.port, "user": place.user}
    words |= {"password": place.password, **dict(place.query)}
    told = " ".join(f"{word}='{value}'" for word, value in words.items() if value)
    program = str(folder / name) if folder else name
    subprocess.run([program, f"--dbname={told}", *arguments], check=True)
