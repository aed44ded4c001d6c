"""Keep how much each data deletion deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0014_erasure_counts"
down_revision = "0013_pair_checks"
branch_labels = None
depends_on = None

_NAMES = ("webhooks", "meetings", "invitations")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("erasure", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    for name in reversed(_NAMES):
        op.drop_column("erasure", name)
