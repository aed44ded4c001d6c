"""Keep the bots that were sent to see that recording works."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0019_bot_test"
down_revision = "0018_shown_index"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    op.create_table(
        "bot_test",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", BigId, nullable=False),
        sa.Column("idempotency_key", text(length=64), nullable=False),
        sa.Column("recall_bot_id", sa.Uuid(), nullable=True),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("trouble", text(length=500), nullable=False),
        sa.Column("asked_by", text(length=254), nullable=False),
        sa.Column("begun_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_bot_test_connection_id_connection"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_bot_test_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_test")),
    )
    op.create_index(op.f("ix_bot_test_zoom_app_id_begun_at"), "bot_test", ["zoom_app_id", "begun_at"])
    op.create_index(op.f("ix_bot_test_due_at"), "bot_test", ["due_at"])


def downgrade() -> None:
    op.drop_table("bot_test")
