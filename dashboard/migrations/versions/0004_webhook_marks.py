"""Keep what is odd about a webhook: late, ahead of the clock, unreadable."""

import sqlalchemy as sa
from alembic import op

revision = "0004_webhook_marks"
down_revision = "0003_whole_scopes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    timing = sa.Enum("late", "clock", "unreadable", name="mark", native_enum=False, length=32)
    op.add_column("webhook", sa.Column("timing", timing, nullable=True))
    op.add_column("webhook", sa.Column("is_unreadable", sa.Boolean(), server_default=sa.false(), nullable=False))
    for name, columns, where in (
        ("ix_webhook_timing", ["timing", "id"], "timing IS NOT NULL"),
        ("ix_webhook_unreadable", ["is_unreadable", "id"], "is_unreadable"),
    ):
        op.create_index(name, "webhook", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_index("ix_webhook_unreadable", "webhook")
    op.drop_index("ix_webhook_timing", "webhook")
    op.drop_column("webhook", "is_unreadable")
    op.drop_column("webhook", "timing")
