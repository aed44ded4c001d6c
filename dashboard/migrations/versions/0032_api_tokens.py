"""Keep tokens of the API as hashes, and answers for requests that are repeated."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0032_api_tokens"
down_revision = "0031_return_references"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(4), nullable=False),
        sa.Column("scopes", sa.String(300), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=True),
        sa.Column("made_by", sa.String(254), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_used_from", sa.String(64), nullable=False),
        sa.Column("revoked_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_api_token_zoom_app_id_zoom_app"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_index(op.f("ix_api_token_zoom_app_id"), "api_token", ["zoom_app_id"])
    op.create_table(
        "api_replay",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("content_type", sa.String(60), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_token.id"], name=op.f("fk_api_replay_token_id_api_token"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_replay")),
    )
    op.create_index(op.f("ix_api_replay_created_at"), "api_replay", ["created_at"])
    op.create_index(op.f("ix_api_replay_token_id"), "api_replay", ["token_id"])


def downgrade() -> None:
    op.drop_table("api_replay")
    op.drop_table("api_token")
