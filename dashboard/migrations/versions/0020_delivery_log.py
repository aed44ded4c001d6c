"""Keep what Zoom's own log says of failed deliveries."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0020_delivery_log"
down_revision = "0019_bot_test"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    op.create_table(
        "delivery_log",
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("state", text(length=32), nullable=False),
        sa.Column("reason", text(length=500), nullable=False),
        sa.Column("tried_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("read_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_delivery_log_zoom_app_id_zoom_app"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("zoom_app_id", name=op.f("pk_delivery_log")),
    )
    op.create_table(
        "failed_delivery",
        sa.Column("id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("dedupe", sa.LargeBinary(), nullable=True),
        sa.Column("event", text(length=80), nullable=False),
        sa.Column("is_to_recall", sa.Boolean(), nullable=False),
        sa.Column("host", text(length=255), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("answered_by", text(length=16), nullable=False),
        sa.Column("zoom_user_id", text(length=64), nullable=True),
        sa.Column("zoom_account_id", text(length=64), nullable=True),
        sa.Column("meeting_id", BigId, nullable=True),
        sa.Column("sent_at", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_failed_delivery_zoom_app_id_zoom_app"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_delivery")),
        sa.UniqueConstraint("key", name=op.f("uq_failed_delivery_key")),
    )
    for columns in (["dedupe"], ["meeting_id", "id"], ["zoom_app_id", "id"], ["zoom_user_id", "id"]):
        op.create_index(op.f(f"ix_failed_delivery_{'_'.join(columns)}"), "failed_delivery", columns)
    op.add_column("zoom_app", sa.Column("marketplace_app_id", text(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("zoom_app", "marketplace_app_id")
    op.drop_table("failed_delivery")
    op.drop_table("delivery_log")
