"""Validation as evidence: watches, rhythm, milestones, budgets, changes of secrets."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SOURCES = ("zoom_challenge", "zoom_event", "recall_challenge", "recall_probe", "recall_api")
NEW_SOURCES = (*SOURCES, "outside_probe", "recall_log")
FINDINGS = ("good", "secret_mismatch", "failed", "not_seen")
NEW_FINDINGS = (*FINDINGS, "gone", "noted")



def check_words(sources: tuple[str, ...], findings: tuple[str, ...]) -> None:
    """Let the evidence be of these words. Nothing refers to its table: batch is safe."""
    for name, column, words in (("source", "source", sources), ("finding", "finding", findings)):
        quoted = ", ".join(f"'{word}'" for word in words)
        with op.batch_alter_table("validation_check") as batch:
            batch.drop_constraint(op.f(f"ck_validation_check_{name}"), type_="check")
            batch.create_check_constraint(op.f(f"ck_validation_check_{name}"), f"{column} IN ({quoted})")


def app_key() -> sa.Column:
    return sa.Column("zoom_app_id", sa.Uuid(), nullable=False)


def app_reference(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f(f"fk_{table}_zoom_app_id_zoom_app"))


def instant(name: str, *, is_needed: bool = False) -> sa.Column:
    return sa.Column(name, UtcDateTime(), nullable=not is_needed)


APP_INSTANTS = ("rotation_until", "retired_at", "subscription_checked_at")


def upgrade() -> None:
    check_words(NEW_SOURCES, NEW_FINDINGS)
    op.add_column("validation_check", instant("told_at"))
    for column in APP_INSTANTS:
        op.add_column("zoom_app", instant(column))
    op.add_column("zoom_app", sa.Column("succeeds_id", sa.Uuid(), nullable=True))
    op.add_column("zoom_app", sa.Column("subscription_id", sa.String(64), nullable=True))
    op.add_column("zoom_app", sa.Column("subscription_state", sa.String(32), nullable=False, server_default=""))
    op.add_column("zoom_app", sa.Column("subscription_reason", sa.String(300), nullable=False, server_default=""))
    op.create_table(
        "watch",
        app_key(),
        instant("watched_until"),
        instant("poll_due_at", is_needed=True),
        instant("polled_at"),
        instant("log_due_at", is_needed=True),
        instant("log_seen_at"),
        instant("probe_due_at", is_needed=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        instant("claimed_until"),
        sa.Column("claim", sa.Integer(), nullable=False),
        app_reference("watch"),
        sa.PrimaryKeyConstraint("zoom_app_id", name=op.f("pk_watch")),
    )
    op.create_table(
        "heard_hour",
        app_key(),
        instant("hour", is_needed=True),
        sa.Column("events", sa.Integer(), nullable=False),
        app_reference("heard_hour"),
        sa.PrimaryKeyConstraint("zoom_app_id", "hour", name=op.f("pk_heard_hour")),
    )
    op.create_table(
        "milestone",
        app_key(),
        sa.Column("key", sa.String(32), nullable=False),
        instant("at", is_needed=True),
        sa.Column("proof", sa.String(300), nullable=False),
        sa.Column("webhook_id", BigId, nullable=True),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        app_reference("milestone"),
        sa.PrimaryKeyConstraint("zoom_app_id", "key", name=op.f("pk_milestone")),
    )
    op.create_table(
        "secret_change",
        sa.Column("id", BigId, nullable=False),
        app_key(),
        sa.Column("asked_by", sa.String(254), nullable=False),
        sa.Column("has_client_secret", sa.Boolean(), nullable=False),
        sa.Column("has_secret_token", sa.Boolean(), nullable=False),
        instant("stored_at", is_needed=True),
        instant("recall_at"),
        sa.Column("recall_error", sa.String(300), nullable=False),
        instant("recall_due_at"),
        instant("zoom_seen_at"),
        instant("previous_until"),
        instant("ended_at"),
        app_reference("secret_change"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret_change")),
    )
    op.create_index("ix_secret_change_zoom_app_id_id", "secret_change", ["zoom_app_id", "id"])
    op.create_table(
        "rate_slot",
        sa.Column("scope", sa.String(80), nullable=False),
        sa.Column("operation", sa.String(40), nullable=False),
        sa.Column("slot", BigId, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "operation", "slot", name=op.f("pk_rate_slot")),
    )
    op.create_table(
        "rate_pause",
        sa.Column("scope", sa.String(80), nullable=False),
        sa.Column("operation", sa.String(40), nullable=False),
        instant("said_at", is_needed=True),
        instant("until", is_needed=True),
        sa.PrimaryKeyConstraint("scope", "operation", name=op.f("pk_rate_pause")),
    )


def downgrade() -> None:
    for table in ("rate_pause", "rate_slot", "secret_change", "milestone", "heard_hour", "watch"):
        op.drop_table(table)
    for column in ("subscription_reason", "subscription_state", "subscription_id", "succeeds_id", *APP_INSTANTS):
        op.drop_column("zoom_app", column)
    op.drop_column("validation_check", "told_at")
    op.execute(sa.text("DELETE FROM validation_check WHERE source IN ('outside_probe', 'recall_log') OR finding IN ('gone', 'noted')"))
    check_words(SOURCES, FINDINGS)
