"""The schema of the first release. A ledger that was made with it is only stamped as having it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ALLOWED = (
    "'planned>sending', 'sending>planned', 'sending>ordered', 'sending>rejected', 'sending>unknown', "
    "'rejected>planned', 'planned>ordered', 'planned>unknown', 'unknown>ordered', 'unknown>planned', "
    "'ordered>planned'"
)
_TRANSITION = f"OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ({_ALLOWED})"
_MAY_NOT_CHANGE = "an order may not change its state like this"
_APPEND_ONLY = "the audit is append-only"
_NEVER_DELETED = "orders are never deleted"


def upgrade() -> None:
    """Make it all."""
    _runs()
    _orders()
    _about_orders()
    if op.get_context().dialect.name == "postgresql":
        _pace()
        _guard_in_postgres()
    else:
        _guard_in_sqlite()


def _runs() -> None:
    op.create_table(
        "account",
        sa.Column("only_row", sa.Integer, sa.CheckConstraint("only_row = 1"), primary_key=True),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("line_stopped", sa.Integer, nullable=False),
    )
    op.create_table(
        "logins",
        sa.Column("origin", sa.String, primary_key=True),
        sa.Column("client_id", sa.String, primary_key=True),
        sa.Column("added_at", sa.String, nullable=False),
    )
    op.create_table(
        "sheets",
        sa.Column("sha256", sa.String, primary_key=True),
        sa.Column("compressed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String, primary_key=True),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("input", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("started_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String),
        sa.Column("exit_code", sa.Integer),
        sa.Column("sheet", sa.String, sa.ForeignKey("sheets.sha256"), nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("report", sa.LargeBinary),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_key", sa.String(64), primary_key=True),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("order_reference", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("contents", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("order_number", sa.String, unique=True),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("claimed_by", sa.String, sa.ForeignKey("runs.run_id"), index=True),
        sa.Column("claim_token", sa.String),
        sa.Column("sent_by", sa.String, sa.ForeignKey("runs.run_id"), index=True),
        sa.Column("submitted_at", sa.String),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.String, nullable=False),
        sa.Column("other_contents", sa.Text),
        sa.Column("last_seen_at", sa.String),
        sa.CheckConstraint("state IN ('planned', 'sending', 'ordered', 'rejected', 'unknown')", name="known_state"),
        sa.CheckConstraint("(claimed_by IS NULL) = (claim_token IS NULL)", name="claim_has_token"),
        sa.CheckConstraint("state <> 'sending' OR claimed_by IS NOT NULL", name="sending_is_claimed"),
        sa.CheckConstraint("state <> 'ordered' OR order_number IS NOT NULL", name="ordered_has_number"),
    )


def _about_orders() -> None:
    def order_key(**options: bool) -> sa.Column[str]:
        return sa.Column("order_key", sa.String(64), sa.ForeignKey("orders.order_key"), **options)  # type: ignore[arg-type]

    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        order_key(nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.run_id"), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("intended_at", sa.String, nullable=False),
        sa.Column("ended_at", sa.String),
        sa.Column("verdict", sa.String),
        sa.Column("status", sa.Integer),
        sa.Column("evidence", sa.Text),
        sa.Column("message", sa.Text),
        sa.UniqueConstraint("order_key", "number"),
    )
    op.create_table("order_numbers", sa.Column("order_number", sa.String, primary_key=True), order_key(nullable=False))
    op.create_table(
        "traces", order_key(primary_key=True), sa.Column("hash", sa.String(64), primary_key=True, index=True)
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        order_key(nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("order_key", sa.String(64)),
        sa.Column("run_id", sa.String),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
    )


def _pace() -> None:
    op.execute(
        "CREATE UNLOGGED TABLE pace (only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
        " next_slot DOUBLE PRECISION NOT NULL, blocked_until DOUBLE PRECISION NOT NULL)"
    )
    op.execute("CREATE UNLOGGED TABLE left_at (number BIGINT PRIMARY KEY, at DOUBLE PRECISION NOT NULL)")


def _guard_in_sqlite() -> None:
    for name, when, said in (
        ("order_transitions", f"UPDATE OF state ON orders WHEN {_TRANSITION}", _MAY_NOT_CHANGE),
        ("order_begins_planned", "INSERT ON orders WHEN NEW.state <> 'planned'", "an order begins as planned"),
        ("order_is_never_forgotten", "DELETE ON orders", _NEVER_DELETED),
        ("audit_refuses_update", "UPDATE ON audit", _APPEND_ONLY),
        ("audit_refuses_delete", "DELETE ON audit", _APPEND_ONLY),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} BEGIN SELECT RAISE(ABORT, '{said}'); END")


def _guard_in_postgres() -> None:
    op.execute(
        "CREATE FUNCTION batch_orders_refuse() RETURNS trigger LANGUAGE plpgsql AS\n"
        "    $$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for name, when, said in (
        ("order_transitions", f"UPDATE OF state ON orders FOR EACH ROW WHEN ({_TRANSITION})", _MAY_NOT_CHANGE),
        (
            "order_begins_planned",
            "INSERT ON orders FOR EACH ROW WHEN (NEW.state <> 'planned')",
            "an order begins as planned",
        ),
        ("order_is_never_forgotten", "DELETE ON orders FOR EACH ROW", _NEVER_DELETED),
        ("order_is_never_truncated", "TRUNCATE ON orders FOR EACH STATEMENT", _NEVER_DELETED),
        ("audit_refuses_update", "UPDATE ON audit FOR EACH ROW", _APPEND_ONLY),
        ("audit_refuses_delete", "DELETE ON audit FOR EACH ROW", _APPEND_ONLY),
        ("audit_refuses_truncate", "TRUNCATE ON audit FOR EACH STATEMENT", _APPEND_ONLY),
    ):
        op.execute(f"CREATE TRIGGER {name} BEFORE {when} EXECUTE FUNCTION batch_orders_refuse('{said}')")
