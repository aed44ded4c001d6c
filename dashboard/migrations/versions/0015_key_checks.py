"""Keep when each API key is tried next, and which apps Zoom has switched off."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0015_key_checks"
down_revision = "0014_erasure_counts"
branch_labels = None
depends_on = None

_NAMES = ("verdict_since", "key_due_at")
_SWITCHED_OFF = "Zoom has switched this app off%"


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("workspace", sa.Column(name, UtcDateTime(), nullable=True))
    op.add_column(
        "zoom_app",
        sa.Column("is_switched_off", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    app = sa.table(
        "zoom_app",
        sa.column("is_switched_off", sa.Boolean()),
        sa.column("verdict", sa.String()),
        sa.column("verdict_reason", sa.String()),
    )
    op.execute(
        app.update()
        .where(app.c.verdict == "unknown", app.c.verdict_reason.like(_SWITCHED_OFF))
        .values(is_switched_off=sa.true())
    )


def downgrade() -> None:
    op.drop_column("zoom_app", "is_switched_off")
    for name in reversed(_NAMES):
        op.drop_column("workspace", name)
