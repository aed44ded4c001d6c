"""What Zoom's events tell of a connection, and as of when it is known.

Columns are added and dropped in place, as in 0002.
"""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANTS = ("pmi_seen_at", "profile_seen_at", "deauthorized_at")


def upgrade() -> None:
    op.add_column("connection", sa.Column("pmi_changed_by", sa.String(40), nullable=False, server_default=""))
    for column in INSTANTS:
        op.add_column("connection", sa.Column(column, UtcDateTime(), nullable=True))


def downgrade() -> None:
    for column in ("pmi_changed_by", *INSTANTS):
        op.drop_column("connection", column)
