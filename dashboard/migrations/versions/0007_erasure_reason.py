"""Keep the reason of a data deletion."""

import sqlalchemy as sa
from alembic import op

revision = "0007_erasure_reason"
down_revision = "0006_token_request_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reason", sa.String(32), server_default=sa.text("'unknown'"), nullable=False))
        batch_op.add_column(sa.Column("asked_by", sa.String(320), server_default=sa.text("''"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("erasure", schema=None) as batch_op:
        batch_op.drop_column("asked_by")
        batch_op.drop_column("reason")
