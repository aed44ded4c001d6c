"""Keep when Recall's lists and records were read, apart from the token's check."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0010_mapping_reads"
down_revision = "0009_worker_heartbeat"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("recall_seen_at", UtcDateTime(), nullable=True))
    op.add_column("connection", sa.Column("mappings_seen_at", UtcDateTime(), nullable=True))
    op.add_column(
        "connection", sa.Column("mappings_trouble", sa.String(200), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("workspace", sa.Column("mappings_read_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("workspace", "mappings_read_at")
    for name in ("mappings_trouble", "mappings_seen_at", "recall_seen_at"):
        op.drop_column("connection", name)
