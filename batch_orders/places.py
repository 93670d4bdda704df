"""Where a ledger is: a file, or a database that several machines share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

SCHEME = "postgresql+psycopg"
_RIGHT = f"{SCHEME}://user@host/database"
# What a query may hold that nobody else should read.
_SECRET = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerUrl:
    """A PostgreSQL database that holds a ledger. `str()` and `repr()` name it without its password."""

    user: str
    password: str = field(repr=False)
    host: str
    port: int | None
    database: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        shown = [(name, value) for name, value in self.query if name.lower() not in _SECRET]
        query = f"?{urlencode(shown, safe='/')}" if shown else ""
        return f"{SCHEME}://{user}{host}{port}/{quote(self.database, safe='')}{query}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that nobody may read."""
        hidden = [value for name, value in self.query if name.lower() in _SECRET]
        return tuple(text for text in (self.password, *hidden) if text)

    @classmethod
    def parse(cls, text: str) -> LedgerUrl:
        """The database of an address; ValueError, to be read after the setting's name, never quotes it.

        The query's names are libpq's (`sslmode`, `host` for the folder of a Unix socket, `options` for a schema).
        """
        if not text.startswith(f"{SCHEME}://"):
            raise ValueError(f"names a database, but not as {_RIGHT}: no other one can hold a ledger")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("has a character in it that no address has: write it as a percent sign and its code")
        try:
            parts = urlsplit(text)
            port = parts.port
            query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise ValueError(f"is not an address that can be read: it has to be like {_RIGHT}") from None
        database = unquote(parts.path.removeprefix("/"))
        if not database or parts.fragment:
            raise ValueError(f"names no database, or has a # in it: it has to be like {_RIGHT}")
        return cls(
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            host=unquote(parts.hostname or ""),
            port=port,
            database=database,
            query=tuple(query),
        )


LedgerPlace: TypeAlias = Path | LedgerUrl
