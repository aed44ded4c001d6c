"""The relay: holds, resends of their own, proof with each attempt.

Columns are added and dropped in place. Alembic's batch mode would make the table anew
on SQLite, and dropping the old one deletes what refers to it: bodies and attempts.
"""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WAITING, DEAD = sa.text("outcome = 'waiting'"), sa.text("outcome = 'dead'")
UNREAD = sa.text("is_unread")


def one_of(name: str, *values: str) -> sa.Enum:
    """Return the column type of a closed set of words, checked by the database."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", one_of("holdkind", "workspace", "zoom_app"), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("is_holding", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("probe_at", UtcDateTime(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_table(
        "resend",
        sa.Column("id", BigId, nullable=False),
        sa.Column("asked_by", sa.String(254), nullable=False),
        sa.Column("query", sa.String(1000), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("state", one_of("resendstate", "gathering", "sending", "done", "cancelled"), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("gathered_below", BigId, nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resend")),
    )
    op.create_index("ix_resend_state", "resend", ["state"])
    op.create_table(
        "redelivery",
        sa.Column("id", BigId, nullable=False),
        sa.Column("resend_id", BigId, nullable=False),
        sa.Column("webhook_id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", one_of("redeliveryoutcome", "waiting", "delivered", "dead", "cancelled"), nullable=False),
        sa.Column("outcome_reason", sa.String(500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["resend_id"], ["resend.id"], name=op.f("fk_redelivery_resend_id_resend"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_redelivery_webhook_id_webhook"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_redelivery_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redelivery")),
        sa.UniqueConstraint("resend_id", "webhook_id", name=op.f("uq_redelivery_resend_id_webhook_id")),
    )
    op.create_index("ix_redelivery_due_at", "redelivery", ["zoom_app_id", "due_at"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_redelivery_resend_id_outcome", "redelivery", ["resend_id", "outcome"])
    op.create_index("ix_redelivery_webhook_id", "redelivery", ["webhook_id"])

    op.add_column("attempt", sa.Column("redelivery_id", BigId, nullable=True))
    op.add_column("attempt", sa.Column("claim", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("attempt", sa.Column("worker", sa.String(80), nullable=False, server_default=""))
    op.add_column("attempt", sa.Column("sent_bytes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("attempt", sa.Column("headers_passed", sa.String(300), nullable=False, server_default=""))
    op.drop_column("attempt", "number")

    op.add_column("webhook", sa.Column("is_unread", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_webhook_outcome_due_at", "webhook")
    op.create_index("ix_webhook_due_at", "webhook", ["zoom_app_id", "due_at"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_index("ix_webhook_unread", "webhook", ["id"], sqlite_where=UNREAD, postgresql_where=UNREAD)
    op.create_index("ix_webhook_dead", "webhook", ["zoom_app_id", "id"], sqlite_where=DEAD, postgresql_where=DEAD)
    op.create_index("ix_webhook_zoom_account_id_id", "webhook", ["zoom_account_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_webhook_zoom_account_id_id", "webhook")
    op.drop_index("ix_webhook_dead", "webhook")
    op.drop_index("ix_webhook_unread", "webhook")
    op.drop_index("ix_webhook_due_at", "webhook")
    op.create_index("ix_webhook_outcome_due_at", "webhook", ["outcome", "due_at"])
    op.drop_column("webhook", "is_unread")
    op.add_column("attempt", sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
    for column in ("headers_passed", "sent_bytes", "worker", "claim", "redelivery_id"):
        op.drop_column("attempt", column)
    op.drop_table("redelivery")
    op.drop_table("resend")
    op.drop_table("hold")
