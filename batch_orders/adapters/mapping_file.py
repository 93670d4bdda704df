"""Reading mapping files: TOML that says how a foreign sheet is read. Every mistake is told at its key, all at once."""

from __future__ import annotations

import difflib
import os
import tomllib
from typing import TYPE_CHECKING, Any

from batch_orders.adapters.private_files import create_private
from batch_orders.errors import UsageError
from batch_orders.messages import mappings as messages
from batch_orders.models import Column, ColumnSource, ItemColumn, MappingFile
from batch_orders.stages.columns import known_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MOST_BYTES = 10**6
_TOP = ("columns", "values", "items", "ignore")
_SOURCE = ("column", "join", "with", "always")
_ITEM = ("column", "title", "quantity", "values")
_MADE_OF_ITEMS = (Column.PRODUCT_TITLE, Column.QUANTITY)
_NEAR = 0.6


def read_mapping(path: Path) -> MappingFile:
    """The mapping in a file; UsageError where it cannot be read, or with every mistake in it."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(messages.unreadable(path, messages.too_large()))
        text = path.read_bytes().decode("utf-8-sig")  # some editors put a mark in front of UTF-8
    except UnicodeDecodeError:
        raise UsageError(messages.unreadable(path, "it is not UTF-8 text"), hint=messages.how_to_write()) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else None
        raise UsageError(messages.unreadable(path, reason or type(error).__name__)) from None
    return parse_mapping(path.name, text)


def write_mapping(path: Path, text: str) -> None:
    """A new file with this text; UsageError where there is one already, or it cannot be written."""
    try:
        with os.fdopen(create_private(path), "wb") as file:
            file.write(text.encode())
    except FileExistsError:
        raise UsageError(messages.exists(path), hint=messages.how_to_name_another()) from None
    except OSError as error:
        raise UsageError(messages.unwritable(path, error.strerror or type(error).__name__)) from None


def parse_mapping(name: str, text: str) -> MappingFile:
    """The mapping that a file of this name holds; UsageError with every mistake in it."""
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        problem = messages.wrong(name, [messages.no_toml(str(error) or type(error).__name__) + "."])
        raise UsageError(problem, hint=messages.how_to_write()) from None
    reading = _Reading(document)
    mapping = MappingFile(
        name=name,
        text=text,
        columns=reading.columns(),
        values=reading.values(),
        items=reading.items(),
        ignore=reading.ignore(),
    )
    reading.look_for_unknown_keys()
    if mapping.items:
        reading.refuse_columns_of_items(mapping.columns)
    if reading.problems:
        raise UsageError(messages.wrong(name, reading.problems), hint=messages.how_to_write())
    return mapping


class _Reading:
    """Takes the parts out of a TOML document, and collects what is wrong with them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.problems: list[str] = []

    def columns(self) -> dict[Column, ColumnSource]:
        """[columns]: our column = their header, several of them, or a table."""
        sources = {}
        for name, value in self._table(self._document, "columns", "").items():
            key = f"columns.{name}"
            column, source = self._column(name, key), self._source(value, key)
            if column is not None and source is not None:
                sources[column] = source
        return sources

    def values(self) -> dict[Column, dict[str, str]]:
        """[values.COLUMN]: their value = ours."""
        found = {}
        for name in self._table(self._document, "values", ""):
            column = self._column(name, f"values.{name}")
            translations = self._translations(self._document["values"], name, "values.")
            if column is not None:
                found[column] = translations
        return found

    def items(self) -> tuple[ItemColumn, ...]:
        """[[items]]: one table for each item column."""
        tables = self._document.get("items", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._expected("items", "tables, each under a line [[items]]")
            return ()
        found = [self._item(table, f"items {number}") for number, table in enumerate(tables, start=1)]
        return tuple(item for item in found if item is not None)

    def ignore(self) -> tuple[str, ...]:
        """The headers that are not ours."""
        headers = self._document.get("ignore", [])
        if not _are_texts(headers):
            self._expected("ignore", 'a list of headers, such as ["Asset tag"]')
            return ()
        return tuple(headers)

    def look_for_unknown_keys(self) -> None:
        """Keys at the top that mean nothing."""
        self._unknown(self._document, _TOP, "")

    def refuse_columns_of_items(self, columns: Iterable[Column]) -> None:
        """Titles and quantities come from the items, or from [columns], not from both."""
        for column in _MADE_OF_ITEMS:
            if column in columns:
                self._expected(f"columns.{column.value}", "left out where there are [[items]]: make it one of them")

    def _source(self, value: object, key: str) -> ColumnSource | None:
        match value:
            case str() if value.strip():
                return ColumnSource(headers=(value,))
            case list() if _are_texts(value) and value:
                return ColumnSource(headers=tuple(value))
            case dict():
                return self._source_table(value, key)
            case _:
                self._expected(key, 'a header in quotation marks, a list of them, or a table such as { always = "DE" }')
                return None

    def _source_table(self, table: dict[str, Any], key: str) -> ColumnSource | None:
        self._unknown(table, _SOURCE, f"{key}.")
        given = [name for name in ("column", "join", "always") if name in table]
        if len(given) != 1:
            self._expected(key, "a table with one of column, join and always")
            return None
        if given == ["always"]:
            always = self._text(table, "always", f"{key}.", what='a text, such as "DE"')
            return ColumnSource(always=always) if always else None
        if given == ["column"]:
            header = self._text(table, "column", f"{key}.")
            return ColumnSource(headers=(header,)) if header else None
        separator = table.get("with", ", ")
        if not _are_texts(table["join"]) or not table["join"]:
            self._expected(f"{key}.join", 'a list of headers, such as ["Address 1", "Address 2"]')
            return None
        if not isinstance(separator, str):
            self._expected(f"{key}.with", 'a text, such as ", "')
            return None
        return ColumnSource(headers=tuple(table["join"]), separator=separator)

    def _item(self, table: dict[str, Any], key: str) -> ItemColumn | None:
        self._unknown(table, _ITEM, f"{key}, ")
        if "title" in table and "quantity" in table:
            self._expected(key, "a column with a title (its cells then say how many) or with a quantity, not both")
        header = self._text(table, "column", f"{key}, ")
        return ItemColumn(
            header=header,
            title=self._text(table, "title", f"{key}, ", what="a title of the catalog") if "title" in table else "",
            quantity=self._text(table, "quantity", f"{key}, ") if "quantity" in table else "",
            values=self._translations(table, "values", f"{key}, "),
        )

    def _translations(self, table: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
        translations: dict[str, str] = {}
        for theirs, ours in self._table(table, name, where).items():
            if isinstance(ours, str):
                folded = MappingFile.folded(theirs)
                if folded in translations and translations[folded] != ours:
                    self._expected(f"{where}{name}.{theirs}", "there once: upper and lower case are the same")
                translations[folded] = ours
            else:
                self._expected(f"{where}{name}.{theirs}", "a text in quotation marks")
        return translations

    def _table(self, table: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
        found = table.get(name, {})
        if isinstance(found, dict):
            return found
        self._expected(f"{where}{name}", "a table: lines of the form theirs = ours")
        return {}

    def _text(
        self,
        table: Mapping[str, Any],
        name: str,
        where: str,
        *,
        what: str = "a header of the sheet, in quotation marks",
    ) -> str:
        text = table.get(name)
        if isinstance(text, str) and text.strip():
            return text
        self._expected(f"{where}{name}", what)
        return ""

    def _column(self, name: str, key: str) -> Column | None:
        try:
            return Column(name)
        except ValueError:
            meant = known_column(name)
            near = [meant.value] if meant else difflib.get_close_matches(name, list(Column), n=1, cutoff=_NEAR)
            self.problems.append(messages.unknown_key(key, near[0] if near else None))
            return None

    def _unknown(self, table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for name in table:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
                column = None if near or where else _columns_key(name)
                self.problems.append(messages.unknown_key(f"{where}{name}", near[0] if near else column))

    def _expected(self, key: str, what: str) -> None:
        self.problems.append(messages.expected(key, what))


def _columns_key(name: str) -> str | None:
    """A key of [columns] that stands above it."""
    column = known_column(name)
    return f"[columns] {column.value}" if column else None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value)
