"""The ledger's tables, and which changes of an order's state the database allows.

An order's identity is `orders.order_key` (see identity.py). States and transitions stand beside each other here, so
that no bug elsewhere can, say, send an order again whose end is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from batch_orders.models import OrderState

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION: Final = 1

# (from, to): planned → ordered or unknown enters an order from a results file; sending → planned needs proof that
# nothing was sent or applied; rejected → planned changed contents or --retry-rejected; unknown → … and ordered →
# planned are a person's verdicts.
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
)

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
    Column("id", Integer, primary_key=True),
    Column("at", String, nullable=False),
    Column("what", String, nullable=False),
    Column("order_key", String(64)),
    Column("run_id", String),
    Column("detail", Text, nullable=False),
    Column("seal", String(64), nullable=False),
)

_ALLOWED: Final = ", ".join(f"'{before}>{after}'" for before, after in TRANSITIONS)

_ORDER_TRIGGERS: Final = (
    f"""
    CREATE TRIGGER order_transitions BEFORE UPDATE OF state ON orders
    WHEN OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({_ALLOWED})
    BEGIN SELECT RAISE(ABORT, 'an order may not change its state like this'); END
    """,
    """
    CREATE TRIGGER order_begins_planned BEFORE INSERT ON orders WHEN NEW.state <> 'planned'
    BEGIN SELECT RAISE(ABORT, 'an order begins as planned'); END
    """,
    """
    CREATE TRIGGER order_is_never_forgotten BEFORE DELETE ON orders
    BEGIN SELECT RAISE(ABORT, 'orders are never deleted'); END
    """,
)


_AUDIT_TRIGGERS: Final = tuple(
    f"""
    CREATE TRIGGER audit_refuses_{verb.lower()} BEFORE {verb} ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """
    for verb in ("UPDATE", "DELETE")
)


def _add(triggers: tuple[str, ...]) -> Callable[..., None]:
    def add(_target: Table, connection: Any, **_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event signature
        for trigger in triggers:
            connection.execute(DDL(trigger.replace("%", "%%")).execute_if(dialect="sqlite"))

    return add


event.listen(orders, "after_create", _add(_ORDER_TRIGGERS))
event.listen(audit, "after_create", _add(_AUDIT_TRIGGERS))
