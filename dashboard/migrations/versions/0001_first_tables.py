"""The first tables."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def one_of(name: str, *values: str) -> sa.Enum:
    """Return the column type of a closed set of words, checked by the database."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", BigId, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(254), nullable=False),
        sa.Column("act", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_act_id", "audit_entry", ["act", "id"])
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("role", one_of("role", "admin", "support"), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_sign_in_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("window_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
    )
    op.create_table(
        "vault_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_check")),
    )
    op.create_table(
        "workspace",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("region", sa.String(32), nullable=False),
        sa.Column("api_key", sa.LargeBinary(), nullable=False),
        sa.Column("api_key_print", sa.String(8), nullable=False),
        sa.Column("api_key_length", sa.Integer(), nullable=False),
        sa.Column("api_key_set_at", UtcDateTime(), nullable=False),
        sa.Column("verification_secret", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", one_of("verdict", "right", "wrong", "unknown"), nullable=False),
        sa.Column("verdict_reason", sa.String(300), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace")),
    )
    op.create_table(
        "zoom_app",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("environment", one_of("environment", "development", "production"), nullable=False),
        sa.Column("kind", one_of("kind", "user_level", "account_level"), nullable=False),
        sa.Column("scope_style", one_of("scopestyle", "granular", "legacy"), nullable=False),
        sa.Column("routing", one_of("routing", "relay", "direct"), nullable=False),
        sa.Column("token_custody", one_of("tokencustody", "recall", "dashboard"), nullable=False),
        sa.Column("client_id", sa.String(200), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(), nullable=False),
        sa.Column("client_secret_print", sa.String(8), nullable=False),
        sa.Column("client_secret_length", sa.Integer(), nullable=False),
        sa.Column("client_secret_set_at", UtcDateTime(), nullable=False),
        sa.Column("secret_token", sa.LargeBinary(), nullable=False),
        sa.Column("secret_token_print", sa.String(8), nullable=False),
        sa.Column("secret_token_length", sa.Integer(), nullable=False),
        sa.Column("secret_token_set_at", UtcDateTime(), nullable=False),
        sa.Column("previous_secret_token", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", one_of("verdict", "right", "wrong", "unknown"), nullable=False),
        sa.Column("verdict_reason", sa.String(300), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("recall_app_id", sa.Uuid(), nullable=True),
        sa.Column("recall_created_at", UtcDateTime(), nullable=True),
        sa.Column("create_key", sa.String(64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_zoom_app_workspace_id_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_zoom_app")),
        sa.UniqueConstraint("client_id", name=op.f("uq_zoom_app_client_id")),
        sa.UniqueConstraint("recall_app_id", name=op.f("uq_zoom_app_recall_app_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_zoom_app_slug")),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("recall_credential_id", sa.Uuid(), nullable=True),
        sa.Column("zoom_user_id", sa.String(64), nullable=True),
        sa.Column("zoom_account_id", sa.String(64), nullable=True),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("pmi", BigId, nullable=True),
        sa.Column("previous_pmi", BigId, nullable=True),
        sa.Column("pmi_changed_at", UtcDateTime(), nullable=True),
        sa.Column("scopes", sa.String(4000), nullable=True),
        sa.Column("token_state", one_of("tokenstate", "healthy", "expiring", "missing_scopes", "reconnect_needed", "unhealthy_in_recall", "unknown"), nullable=False),
        sa.Column("token_reason", sa.String(500), nullable=False),
        sa.Column("token_evidence", sa.String(300), nullable=False),
        sa.Column("token_checked_at", UtcDateTime(), nullable=True),
        sa.Column("token_expires_at", UtcDateTime(), nullable=True),
        sa.Column("sync_status", one_of("syncstatus", "unknown", "not_started", "in_progress", "completed", "failed"), nullable=False),
        sa.Column("connected_at", UtcDateTime(), nullable=False),
        sa.Column("reconnected_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_connection_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("recall_credential_id", name=op.f("uq_connection_recall_credential_id")),
        sa.UniqueConstraint("zoom_app_id", "zoom_user_id", name=op.f("uq_connection_zoom_app_id_zoom_user_id")),
    )
    op.create_index("ix_connection_connected_at_id", "connection", ["connected_at", "id"])
    op.create_index("ix_connection_display_name_id", "connection", ["display_name", "id"])
    op.create_index("ix_connection_due_at", "connection", ["due_at"])
    op.create_index("ix_connection_email", "connection", ["email"])
    op.create_index("ix_connection_pmi", "connection", ["pmi"])
    op.create_index("ix_connection_token_state", "connection", ["token_state"])
    op.create_index("ix_connection_zoom_account_id", "connection", ["zoom_account_id"])
    op.create_index("ix_connection_zoom_app_id", "connection", ["zoom_app_id"])
    op.create_index("ix_connection_zoom_user_id", "connection", ["zoom_user_id"])
    op.create_table(
        "refusal",
        sa.Column("id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("user_agent", sa.String(120), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_refusal_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
    )
    op.create_index("ix_refusal_zoom_app_id_id", "refusal", ["zoom_app_id", "id"])
    op.create_table(
        "refusal_count",
        sa.Column("id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("hour_at", UtcDateTime(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_refusal_count_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal_count")),
        sa.UniqueConstraint("zoom_app_id", "cause", "hour_at", name=op.f("uq_refusal_count_zoom_app_id_cause_hour_at")),
    )
    op.create_table(
        "validation_check",
        sa.Column("id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("source", one_of("source", "zoom_challenge", "zoom_event", "recall_challenge", "recall_probe", "recall_api"), nullable=False),
        sa.Column("finding", one_of("finding", "good", "secret_mismatch", "failed", "not_seen"), nullable=False),
        sa.Column("detail", sa.String(300), nullable=False),
        sa.Column("took_ms", sa.Float(), nullable=True),
        sa.Column("webhook_id", BigId, nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_validation_check_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_validation_check")),
    )
    op.create_index("ix_validation_check_zoom_app_id_source_id", "validation_check", ["zoom_app_id", "source", "id"])
    op.create_table(
        "webhook",
        sa.Column("id", BigId, nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("dedupe", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.String(80), nullable=False),
        sa.Column("event_ts", BigId, nullable=True),
        sa.Column("sent_at_s", BigId, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("zoom_user_id", sa.String(64), nullable=True),
        sa.Column("zoom_account_id", sa.String(64), nullable=True),
        sa.Column("meeting_id", BigId, nullable=True),
        sa.Column("body_bytes", sa.Integer(), nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("arrivals", sa.Integer(), nullable=False),
        sa.Column("answered_ms", sa.Float(), nullable=False),
        sa.Column("outcome", one_of("outcome", "waiting", "delivered", "dead", "kept"), nullable=False),
        sa.Column("outcome_reason", sa.String(500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_webhook_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_webhook_dedupe")),
    )
    op.create_index("ix_webhook_event_id", "webhook", ["event", "id"])
    op.create_index("ix_webhook_meeting_id_id", "webhook", ["meeting_id", "id"])
    op.create_index("ix_webhook_outcome_due_at", "webhook", ["outcome", "due_at"])
    op.create_index("ix_webhook_outcome_id", "webhook", ["outcome", "id"])
    op.create_index("ix_webhook_zoom_app_id_id", "webhook", ["zoom_app_id", "id"])
    op.create_index("ix_webhook_zoom_user_id_id", "webhook", ["zoom_user_id", "id"])
    op.create_table(
        "arrival",
        sa.Column("id", BigId, nullable=False),
        sa.Column("webhook_id", BigId, nullable=False),
        sa.Column("sent_at_s", BigId, nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_arrival_webhook_id_webhook"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
    )
    op.create_index("ix_arrival_webhook_id", "arrival", ["webhook_id"])
    op.create_table(
        "attempt",
        sa.Column("id", BigId, nullable=False),
        sa.Column("webhook_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(2048), nullable=False),
        sa.Column("verdict", sa.String(500), nullable=False),
        sa.Column("sent_sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_attempt_webhook_id_webhook"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_webhook_id", "attempt", ["webhook_id"])
    op.create_table(
        "connect_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("code_verifier", sa.LargeBinary(), nullable=True),
        sa.Column("outcome", one_of("attemptoutcome", "open", "connected", "declined", "expired", "replayed", "refused_by_recall", "unreachable", "zoom_error"), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_connect_attempt_connection_id_connection"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_connect_attempt_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connect_attempt")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_connect_attempt_state_hash")),
    )
    op.create_index("ix_connect_attempt_connection_id", "connect_attempt", ["connection_id"])
    op.create_index("ix_connect_attempt_outcome_expires_at", "connect_attempt", ["outcome", "expires_at"])
    op.create_index("ix_connect_attempt_zoom_app_id", "connect_attempt", ["zoom_app_id"])
    op.create_table(
        "meeting_mapping",
        sa.Column("id", BigId, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("meeting_id", BigId, nullable=False),
        sa.Column("synced_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_meeting_mapping_connection_id_connection"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meeting_mapping")),
        sa.UniqueConstraint("connection_id", "meeting_id", name=op.f("uq_meeting_mapping_connection_id_meeting_id")),
    )
    op.create_index("ix_meeting_mapping_meeting_id", "meeting_mapping", ["meeting_id"])
    op.create_table(
        "webhook_body",
        sa.Column("webhook_id", BigId, nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_body_webhook_id_webhook"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook_body")),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


TABLES = [
    "audit_entry", "staff", "throttle", "vault_check", "workspace", "zoom_app", "connection",
    "refusal", "refusal_count", "validation_check", "webhook", "arrival", "attempt",
    "connect_attempt", "meeting_mapping", "webhook_body",
]
