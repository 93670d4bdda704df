"""What workers, retention and moving a ledger need."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Three columns that may be empty, in whichever database."""
    # Written out: alembic would make the table anew in SQLite, without what the database refuses in it.
    op.execute("ALTER TABLE account ADD COLUMN moved_to VARCHAR")
    op.execute("ALTER TABLE orders ADD COLUMN queued_by VARCHAR REFERENCES runs (run_id)")
    op.execute("ALTER TABLE orders ADD COLUMN forgotten_at VARCHAR")
    op.create_index("ix_orders_queued_by", "orders", ["queued_by"])
    op.execute("UPDATE account SET schema_version = 2")
