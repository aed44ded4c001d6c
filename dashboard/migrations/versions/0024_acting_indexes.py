"""Find who must act, what failed to sync, and names in their order, by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0024_acting_indexes"
down_revision = "0023_second_factors"
branch_labels = None
depends_on = None

_TABLE = "connection"
_BLOCKED = sa.text("recording_block > ''")
_ORDER = ["connected_at", "id"]
_SHOWN = ["token_state", "zoom_app_id", "token_expires_at", "token_checked_at"]


def upgrade() -> None:
    for name in (
        "ix_connection_shown",
        "ix_connection_token_state_connected_at_id",
        "ix_connection_display_name_id",
    ):
        op.drop_index(name, _TABLE)
    op.create_index("ix_connection_shown", _TABLE, [*_SHOWN, "token_cause"])
    op.create_index(
        "ix_connection_token_state_connected_at_id_token_cause", _TABLE, ["token_state", *_ORDER, "token_cause"]
    )
    op.create_index("ix_connection_display_name_id_search_text", _TABLE, ["display_name", "id", "search_text"])
    op.create_index("ix_connection_sync_status_connected_at_id", _TABLE, ["sync_status", *_ORDER])
    op.create_index(
        "ix_connection_blocked", _TABLE, ["recording_block"], sqlite_where=_BLOCKED, postgresql_where=_BLOCKED
    )


def downgrade() -> None:
    for name in (
        "ix_connection_blocked",
        "ix_connection_sync_status_connected_at_id",
        "ix_connection_display_name_id_search_text",
        "ix_connection_token_state_connected_at_id_token_cause",
        "ix_connection_shown",
    ):
        op.drop_index(name, _TABLE)
    op.create_index("ix_connection_display_name_id", _TABLE, ["display_name", "id"])
    op.create_index("ix_connection_token_state_connected_at_id", _TABLE, ["token_state", *_ORDER])
    op.create_index("ix_connection_shown", _TABLE, _SHOWN)
