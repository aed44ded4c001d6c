"""Run by Alembic; the connection comes from `dashboard.schema`."""

from alembic import context
from sqlmodel import SQLModel

import dashboard.models
from dashboard.schema import types_differ

assert dashboard.models  # noqa: S101 - imported so that every table is known
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=types_differ,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
