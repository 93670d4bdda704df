"""Statements that every order takes: written as all others are, compiled once, and run by the database's own driver.

Building such a statement and running it through SQLAlchemy takes several times as long as the database needs for it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Dialect
    from sqlalchemy.sql import ClauseElement

_T = TypeVar("_T")


class Prepared:
    """One statement, of which texts, whole numbers and NULL are the only values; its parameters are given by name."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._for: dict[str, _Compiled] = {}

    def run(self, connection: Connection, values: Mapping[str, object]) -> None:
        """Within the connection's transaction; DBAPIError as SQLAlchemy raises it. For a statement without rows."""
        self._run(connection, values, lambda _: None)

    def first(self, connection: Connection, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - a row
        """The first row that it gives, by the names of its columns, or None. Else as `run`."""
        return self._run(connection, values, _first)

    def _run(self, connection: Connection, values: Mapping[str, object], read: Callable[[Any], _T]) -> _T:
        dialect = connection.dialect
        compiled = self._for.get(dialect.name)
        if compiled is None:
            compiled = self._for[dialect.name] = _Compiled(self._statement, dialect)
        driver: Any = connection.connection.driver_connection
        try:
            return read(driver.execute(compiled.text, compiled.parameters(values)))
        except dialect.loaded_dbapi.Error as error:
            is_lost = dialect.is_disconnect(error, driver, None)
            if is_lost:
                connection.invalidate(error)
            raise DBAPIError.instance(
                compiled.text,
                None,
                error,
                dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=is_lost,
                dialect=dialect,
            ) from error


def _first(cursor: Any) -> Any:  # noqa: ANN401 - the driver's cursor, and a row
    rows = cursor.fetchall()  # of a statement that is not read to its end, SQLite has not done all
    names = [column[0] for column in cursor.description]
    return SimpleNamespace(**dict(zip(names, rows[0], strict=True))) if rows else None


class _Compiled:
    """The statement as one kind of database takes it."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        # What the statement itself says; a value that has to be given and is not is a KeyError.
        self._fixed = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._order: list[str] | None = compiled.positiontup

    def parameters(self, values: Mapping[str, object]) -> object:
        """What the driver is given, in its own way."""
        if self._order is None:
            return {**self._fixed, **values}
        return [values[name] if name in values else self._fixed[name] for name in self._order]
