"""Keep what the customer's token server answers for a user that doesn't exist."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0025_own_server_strangers"
down_revision = "0024_acting_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("own_server", sa.Column("strangers_tested_at", UtcDateTime(timezone=True), nullable=True))
    problem = sa.Column("strangers_problem", sa.String(32), server_default="", nullable=False)
    op.add_column("own_server", problem)


def downgrade() -> None:
    op.drop_column("own_server", "strangers_problem")
    op.drop_column("own_server", "strangers_tested_at")
