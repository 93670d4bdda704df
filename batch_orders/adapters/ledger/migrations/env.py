"""What alembic runs: the migrations that a ledger needs, within the transaction that its caller has begun."""

from __future__ import annotations

from alembic import context

from batch_orders.adapters.ledger import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata)
context.run_migrations()
