"""Keep which of Zoom's services an app is of, and the API host of each grant."""

import sqlalchemy as sa
from alembic import op

revision = "0022_zoom_hosts"
down_revision = "0021_own_server"
branch_labels = None
depends_on = None


def upgrade() -> None:
    cloud = sa.Column("zoom_cloud", sa.String(32), server_default="commercial", nullable=False)
    op.add_column("zoom_app", cloud)
    op.add_column("held_grant", sa.Column("api_url", sa.String(100), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("held_grant", "api_url")
    op.drop_column("zoom_app", "zoom_cloud")
