"""Keep all granted scopes; what was cut at 4,000 characters is unknown again."""

import sqlalchemy as sa
from alembic import op

revision = "0003_whole_scopes"
down_revision = "0002_webhook_refusals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite keeps a text of any length under either type.
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("connection", "scopes", type_=sa.Text(), existing_type=sa.String(4000))
    op.execute("UPDATE connection SET scopes = NULL WHERE length(scopes) = 4000")


def downgrade() -> None:
    op.execute("UPDATE connection SET scopes = NULL WHERE length(scopes) > 4000")
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("connection", "scopes", type_=sa.String(4000), existing_type=sa.Text())
