"""Keep what proves to Zoom that the dashboard's host is ours."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0017_domain_proof"
down_revision = "0016_external_meetings"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    op.create_table(
        "domain_proof",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file_name", text(length=80), nullable=False),
        sa.Column("file_content", text(length=2000), nullable=False),
        sa.Column("tag", text(length=100), nullable=False),
        sa.Column("set_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("set_by", text(length=254), nullable=False),
        sa.Column("file_seen_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("tag_seen_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domain_proof")),
    )


def downgrade() -> None:
    op.drop_table("domain_proof")
