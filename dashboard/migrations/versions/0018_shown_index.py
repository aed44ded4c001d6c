"""Count connections by state and zoom app in the order of an index."""

from alembic import op

revision = "0018_shown_index"
down_revision = "0017_domain_proof"
branch_labels = None
depends_on = None

_NAME = "ix_connection_shown"
_NOW = ["token_state", "zoom_app_id", "token_expires_at", "token_checked_at"]
_BEFORE = ["token_state", "token_checked_at", "token_expires_at", "zoom_app_id"]


def upgrade() -> None:
    op.drop_index(_NAME, "connection")
    op.create_index(_NAME, "connection", _NOW)


def downgrade() -> None:
    op.drop_index(_NAME, "connection")
    op.create_index(_NAME, "connection", _BEFORE)
