"""Keep whether a zoom app's bots join meetings that other Zoom accounts host."""

import sqlalchemy as sa
from alembic import op

revision = "0016_external_meetings"
down_revision = "0015_key_checks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("joins_external", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("zoom_app", column)


def downgrade() -> None:
    op.drop_column("zoom_app", "joins_external")
