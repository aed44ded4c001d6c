"""Keep when each credential pair is tried next, and since when it is doubted."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0013_pair_checks"
down_revision = "0012_host_event"
branch_labels = None
depends_on = None

_NAMES = ("verdict_since", "pair_due_at", "pair_doubted_at")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("zoom_app", sa.Column(name, UtcDateTime(), nullable=True))


def downgrade() -> None:
    for name in reversed(_NAMES):
        op.drop_column("zoom_app", name)
