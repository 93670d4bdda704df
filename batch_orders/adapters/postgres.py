"""Connections to a PostgreSQL server: what each is told at its beginning, and what its errors say to a person.

A machine that vanishes must not keep its locks: both ends look after each other (TCP keepalives), so that a session
whose other end is gone ends within half a minute, as does a transaction in which nothing happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from batch_orders.errors import BatchOrdersError, LedgerAwayError, LedgerError, LedgerLoginError, SettingsError
from batch_orders.messages import ledgers

if TYPE_CHECKING:
    import psycopg

    from batch_orders.places import LedgerUrl

# Seconds: how long a lock that another process holds is waited for, and a server that is away.
PATIENCE: Final = 30

# What libpq is told, unless the address says otherwise.
_CONNECTING: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "application_name": "batch-orders",
    "client_encoding": "utf8",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# What the server is told of each session. On a Unix socket it has no use for the keepalives, and says nothing.
_SESSION: Final[dict[str, str]] = {
    "lock_timeout": f"{PATIENCE}s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30s",
    "timezone": "UTC",
}
# SQLSTATE, or (of an error before there is a session) what its text says, in English: → what to do.
_NO_PASSWORD = ("password authentication failed", "no password supplied", "no pg_hba.conf entry")
_NO_DATABASE = ("does not exist",)


def connect(place: LedgerUrl, *, settings: dict[str, str]) -> psycopg.Connection[Any]:
    """A session in autocommit, with these settings besides its usual ones; psycopg.Error where there is none.

    SettingsError where the driver is not installed.
    """
    driver = load_driver()
    connection: psycopg.Connection[Any] = driver.connect(autocommit=True, **options(place))
    try:
        for_session = _SESSION | settings
        told = ", ".join("set_config(%s, %s, false)" for _ in for_session)
        words = [word for setting in for_session.items() for word in setting]
        connection.execute(f"SELECT {told}", words)
    except BaseException:
        connection.close()
        raise
    return connection


def options(place: LedgerUrl) -> dict[str, Any]:
    """What libpq is told of this database."""
    parts = {"user": place.user, "password": place.password, "host": place.host, "port": place.port}
    given = {name: value for name, value in parts.items() if value}
    return _CONNECTING | given | {"dbname": place.database} | dict(place.query)


def load_driver() -> Any:  # noqa: ANN401 - the module psycopg
    """The driver; SettingsError where it is not installed."""
    try:
        import psycopg  # noqa: PLC0415 - an extra, and costly
    except ImportError:
        raise SettingsError(ledgers.needs_postgres(), hint=ledgers.how_to_install_postgres()) from None
    return psycopg


def reason(place: LedgerUrl, error: BaseException | None) -> str:
    """What an error of the database says, on one line, without anything secret and without anybody's data.

    The server's own words begin with a message of their own; what follows it (details, the row) may name people.
    """
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error)
    for secret in place.secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split()) or type(error).__name__


def refused(place: LedgerUrl, error: BaseException | None) -> LedgerError:
    """Why the ledger cannot be opened or made there, and what to do."""
    told = reason(place, error)
    state = getattr(error, "sqlstate", None) or ""
    kind = LedgerError
    if state == "42501":  # insufficient_privilege
        hint = ledgers.how_to_permit()
    elif state.startswith("28") or any(sign in told for sign in _NO_PASSWORD):
        kind, hint = LedgerLoginError, ledgers.how_to_log_in()
    elif state in {"3D000", "3F000"} or any(sign in told for sign in _NO_DATABASE):
        hint = ledgers.how_to_make_database()
    else:
        kind, hint = LedgerAwayError, ledgers.how_to_reach()
    return kind(ledgers.away(place, told), hint=hint)


def failed(place: LedgerUrl, error: BaseException | None) -> BatchOrdersError:
    """A read or write that failed in a ledger that is open."""
    return BatchOrdersError(ledgers.failed(place, reason(place, error)), hint=ledgers.how_to_reconnect())
