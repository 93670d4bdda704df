"""The ledger's tables, and which changes of an order's state the database allows.

An order's identity is `orders.order_key` (see identity.py). States and transitions stand beside each other here, so
that no bug elsewhere can, say, send an order again whose end is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from batch_orders.models import OrderState

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Each version has its migration (migrations/versions); one and the same number says it here, in `account` and, with
# leading zeros, as alembic keeps it.
SCHEMA_VERSION: Final = 2

# (from, to): planned → ordered or unknown enters an order from a results file, or takes a mistaken verdict back;
# sending → planned needs proof that nothing was sent or applied; rejected → planned changed contents or
# --retry-rejected; unknown → … and ordered → planned are a person's verdicts.
TRANSITIONS: Final[tuple[tuple[OrderState, OrderState], ...]] = (
    (OrderState.PLANNED, OrderState.SENDING),
    (OrderState.SENDING, OrderState.PLANNED),
    (OrderState.SENDING, OrderState.ORDERED),
    (OrderState.SENDING, OrderState.REJECTED),
    (OrderState.SENDING, OrderState.UNKNOWN),
    (OrderState.REJECTED, OrderState.PLANNED),
    (OrderState.PLANNED, OrderState.ORDERED),
    (OrderState.PLANNED, OrderState.UNKNOWN),
    (OrderState.UNKNOWN, OrderState.ORDERED),
    (OrderState.UNKNOWN, OrderState.PLANNED),
    (OrderState.ORDERED, OrderState.PLANNED),
)

metadata: Final = MetaData()

account = Table(
    "account",
    metadata,
    Column("only_row", Integer, CheckConstraint("only_row = 1"), primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("id", String, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    Column("line_stopped", Integer, nullable=False),
    # Where this ledger was copied to: from then on nothing is sent with it.
    Column("moved_to", String),
)

# What stands there in a copy that is not complete, or not proven yet.
UNFINISHED: Final = "an unfinished copy"

# How alembic keeps the schema's version.
alembic_version = Table("alembic_version", metadata, Column("version_num", String(32), nullable=False))
alembic_version.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))

logins = Table(
    "logins",
    metadata,
    Column("origin", String, primary_key=True),
    Column("client_id", String, primary_key=True),
    Column("added_at", String, nullable=False),
)

sheets = Table(
    "sheets",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("compressed", LargeBinary, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("command", String, nullable=False),
    Column("input", String, nullable=False),
    Column("host", String, nullable=False),
    Column("started_at", String, nullable=False),
    Column("ended_at", String),
    Column("exit_code", Integer),
    Column("sheet", String, ForeignKey("sheets.sha256"), nullable=False),
    Column("options", Text, nullable=False),
    Column("report", LargeBinary),
)

orders = Table(
    "orders",
    metadata,
    Column("order_key", String(64), primary_key=True),
    Column("email", String, nullable=False),
    Column("order_reference", String, nullable=False),
    Column("state", String, nullable=False),
    Column("contents", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("order_number", String, unique=True),
    Column("message", Text, nullable=False),
    Column("claimed_by", String, ForeignKey("runs.run_id"), index=True),
    Column("claim_token", String),
    Column("sent_by", String, ForeignKey("runs.run_id"), index=True),
    Column("submitted_at", String),
    Column("attempts", Integer, nullable=False),
    # Counts how often the order began anew because what was before certainly came to nothing: rejected, or cancelled.
    Column("generation", Integer, nullable=False),
    Column("updated_at", String, nullable=False),
    # What the last sheet with this order held, where that is not what was ordered: a person may accept it.
    Column("other_contents", Text),
    Column("last_seen_at", String),
    # The run that handed this order to the workers (`submit --queue`).
    Column("queued_by", String, ForeignKey("runs.run_id"), index=True),
    # When its personal data was removed (`forget`).
    Column("forgotten_at", String),
    CheckConstraint("state IN ('planned', 'sending', 'ordered', 'rejected', 'unknown')", name="known_state"),
    CheckConstraint("(claimed_by IS NULL) = (claim_token IS NULL)", name="claim_has_token"),
    CheckConstraint("state <> 'sending' OR claimed_by IS NOT NULL", name="sending_is_claimed"),
    CheckConstraint("state <> 'ordered' OR order_number IS NOT NULL", name="ordered_has_number"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_key", String(64), ForeignKey("orders.order_key"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("run_id", String, ForeignKey("runs.run_id"), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("intended_at", String, nullable=False),
    Column("ended_at", String),
    Column("verdict", String),
    Column("status", Integer),
    Column("evidence", Text),
    Column("message", Text),
    UniqueConstraint("order_key", "number"),
)

# Every number that Device Hub ever gave out, or a person entered: kept when its order is cancelled.
order_numbers = Table(
    "order_numbers",
    metadata,
    Column("order_number", String, primary_key=True),
    Column("order_key", String(64), ForeignKey("orders.order_key"), nullable=False),
)

# Keyed hashes of what two orders for one person have in common (identity.py's traces).
traces = Table(
    "traces",
    metadata,
    Column("order_key", String(64), ForeignKey("orders.order_key"), primary_key=True),
    Column("hash", String(64), primary_key=True, index=True),
)

# What a person said when settling an order. It may name people, so the audit holds its keyed hash only.
notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_key", String(64), ForeignKey("orders.order_key"), nullable=False),
    Column("at", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("note", Text, nullable=False),
)

# Append-only, and each entry is sealed with the one before it: ids and keyed hashes only, no personal data.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False),
    Column("what", String, nullable=False),
    Column("order_key", String(64)),
    Column("run_id", String),
    Column("detail", Text, nullable=False),
    Column("seal", String(64), nullable=False),
)

_ALLOWED: Final = ", ".join(f"'{before}>{after}'" for before, after in TRANSITIONS)

# (name, when, on which table, under which condition, what is said): what the database itself refuses.
_GUARDS: Final = (
    (
        "order_transitions",
        "BEFORE UPDATE OF state",
        "orders",
        f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({_ALLOWED})",
        "an order may not change its state like this",
    ),
    ("order_begins_planned", "BEFORE INSERT", "orders", "NEW.state <> 'planned'", "an order begins as planned"),
    ("order_is_never_forgotten", "BEFORE DELETE", "orders", "", "orders are never deleted"),
    ("audit_refuses_update", "BEFORE UPDATE", "audit", "", "the audit is append-only"),
    ("audit_refuses_delete", "BEFORE DELETE", "audit", "", "the audit is append-only"),
)
# SQLite has no TRUNCATE.
_POSTGRES_GUARDS: Final = (
    ("order_is_never_truncated", "BEFORE TRUNCATE", "orders", "", "orders are never deleted"),
    ("audit_refuses_truncate", "BEFORE TRUNCATE", "audit", "", "the audit is append-only"),
)
_REFUSE: Final = """
    CREATE FUNCTION batch_orders_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$
"""
# The pace's tables (adapters/pace_tables.py): what they hold need not survive a crash.
_PACE: Final = (
    """
    CREATE UNLOGGED TABLE pace (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        next_slot DOUBLE PRECISION NOT NULL,
        blocked_until DOUBLE PRECISION NOT NULL
    )
    """,
    "CREATE UNLOGGED TABLE left_at (number BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL)",
)
PACE_TABLES: Final = frozenset({"pace", "left_at"})


def create_tables(connection: Connection) -> None:
    """The tables, and the version that they have; nothing is refused in them yet."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(alembic_version.insert().values(version_num=f"{SCHEMA_VERSION:04}"))
    if connection.dialect.name == "postgresql":
        create_pace(connection)


def create_pace(connection: Connection) -> None:
    """The pace's tables, which a ledger in a file has in another file."""
    for statement in _PACE:
        connection.exec_driver_sql(statement)


def create_guards(connection: Connection) -> None:
    """From now on the database refuses what may not be."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_REFUSE)
        for name, when, table, condition, said in (*_GUARDS, *_POSTGRES_GUARDS):
            each = "STATEMENT" if "TRUNCATE" in when else "ROW"
            only = f"WHEN ({condition})" if condition else ""
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} {when} ON {table} FOR EACH {each} {only}"
                f" EXECUTE FUNCTION batch_orders_refuse('{said}')"
            )
        return
    for name, when, table, condition, said in _GUARDS:
        only = f"WHEN {condition}" if condition else ""
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} {when} ON {table} {only} BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
