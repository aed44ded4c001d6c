"""Note when each secret of the settings was first seen."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0030_setting_secrets"
down_revision = "0029_five_roles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setting_secret",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("fingerprint", sa.String(length=8), nullable=False),
        sa.Column("seen_at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting_secret")),
    )


def downgrade() -> None:
    op.drop_table("setting_secret")
