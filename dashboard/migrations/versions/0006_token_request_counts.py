"""Count each connection's token requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006_token_request_counts"
down_revision = "0005_staff_session"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("held_grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("served_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch_op.add_column(sa.Column("rejected_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("held_grant", schema=None) as batch_op:
        batch_op.drop_column("rejected_count")
        batch_op.drop_column("served_count")
