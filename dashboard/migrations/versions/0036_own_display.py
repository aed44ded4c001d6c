"""Let people choose the time zone and theme of their pages."""

import sqlalchemy as sa
from alembic import op

revision = "0036_own_display"
down_revision = "0035_user_mail"
branch_labels = None
depends_on = None

_EMPTY = sa.text("''")


def upgrade() -> None:
    op.add_column("staff", sa.Column("time_zone", sa.String(length=64), server_default=_EMPTY, nullable=False))
    op.add_column("staff", sa.Column("theme", sa.String(length=8), server_default=_EMPTY, nullable=False))


def downgrade() -> None:
    op.drop_column("staff", "theme")
    op.drop_column("staff", "time_zone")
