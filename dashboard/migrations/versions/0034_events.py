"""Keep events for the customer's software, and their delivery to endpoints."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0034_events"
down_revision = "0033_alerts"
branch_labels = None
depends_on = None

_CHECK = "ck_hold_holdkind"
_BEFORE = "kind IN ('workspace', 'zoom_app')"
_NOW = "kind IN ('workspace', 'zoom_app', 'endpoint')"


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sqlmodel.sql.sqltypes.AutoString(length=40), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=True),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("invitation_id", sa.Uuid(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("refs", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("number", name=op.f("uq_event_number")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_connection_id"), ["connection_id"], unique=False)
        batch_op.create_index(
            "ix_event_unpublished",
            ["id"],
            unique=False,
            sqlite_where=sa.text("number IS NULL"),
            postgresql_where=sa.text("number IS NULL"),
        )

    op.create_table(
        "endpoint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("events", "copies", name="endpointkind", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=True),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("host", sqlmodel.sql.sqltypes.AutoString(length=255), nullable=False),
        sa.Column("events", sqlmodel.sql.sqltypes.AutoString(length=1000), nullable=False),
        sa.Column("zoom_apps", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("created_by", sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
        sa.Column("paused_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sqlmodel.sql.sqltypes.AutoString(length=254), nullable=False),
        sa.Column("failing_since", UtcDateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_endpoint_zoom_app_id_zoom_app"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
    )
    with op.batch_alter_table("endpoint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_endpoint_zoom_app_id"), ["zoom_app_id"], unique=False)

    op.create_table(
        "endpoint_delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("webhook_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "waiting",
                "delivered",
                "dead",
                name="deliveryoutcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("outcome_reason", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("refused_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("due_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["endpoint.id"], name=op.f("fk_endpoint_delivery_endpoint_id_endpoint"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["event.id"], name=op.f("fk_endpoint_delivery_event_id_event"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_endpoint_delivery_webhook_id_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_delivery")),
    )
    with op.batch_alter_table("endpoint_delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_endpoint_delivery_due_at",
            ["endpoint_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("outcome = 'waiting'"),
            postgresql_where=sa.text("outcome = 'waiting'"),
        )
        batch_op.create_index(batch_op.f("ix_endpoint_delivery_endpoint_id_id"), ["endpoint_id", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_endpoint_delivery_endpoint_id_outcome_id"), ["endpoint_id", "outcome", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_endpoint_delivery_event_id"), ["event_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_endpoint_delivery_webhook_id"), ["webhook_id"], unique=False)

    op.create_table(
        "endpoint_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("worker", sqlmodel.sql.sqltypes.AutoString(length=80), nullable=False),
        sa.Column("started_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sqlmodel.sql.sqltypes.AutoString(length=2048), nullable=False),
        sa.Column("verdict", sqlmodel.sql.sqltypes.AutoString(length=500), nullable=False),
        sa.Column("sent_sha256", sqlmodel.sql.sqltypes.AutoString(length=64), nullable=False),
        sa.Column("sent_bytes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["endpoint_delivery.id"],
            name=op.f("fk_endpoint_attempt_delivery_id_endpoint_delivery"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_attempt")),
    )
    with op.batch_alter_table("endpoint_attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_endpoint_attempt_delivery_id"), ["delivery_id"], unique=False)

    op.add_column("connection", sa.Column("reconnect_said_at", UtcDateTime(timezone=True), nullable=True))
    op.add_column(
        "zoom_app",
        sa.Column(
            "validation_said",
            sqlmodel.sql.sqltypes.AutoString(length=80),
            server_default=sa.text("''"),
            nullable=False,
        ),
    )
    _check(_BEFORE, _NOW)


def downgrade() -> None:
    op.execute("DELETE FROM hold WHERE kind = 'endpoint'")
    _check(_NOW, _BEFORE)
    op.drop_column("zoom_app", "validation_said")
    op.drop_column("connection", "reconnect_said_at")
    with op.batch_alter_table("endpoint_attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoint_attempt_delivery_id"))

    op.drop_table("endpoint_attempt")
    with op.batch_alter_table("endpoint_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoint_delivery_webhook_id"))
        batch_op.drop_index(batch_op.f("ix_endpoint_delivery_event_id"))
        batch_op.drop_index(batch_op.f("ix_endpoint_delivery_endpoint_id_outcome_id"))
        batch_op.drop_index(batch_op.f("ix_endpoint_delivery_endpoint_id_id"))
        batch_op.drop_index(
            "ix_endpoint_delivery_due_at",
            sqlite_where=sa.text("outcome = 'waiting'"),
            postgresql_where=sa.text("outcome = 'waiting'"),
        )

    op.drop_table("endpoint_delivery")
    with op.batch_alter_table("endpoint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_endpoint_zoom_app_id"))

    op.drop_table("endpoint")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_event_unpublished",
            sqlite_where=sa.text("number IS NULL"),
            postgresql_where=sa.text("number IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_event_connection_id"))
        batch_op.drop_index(batch_op.f("ix_event_at"))

    op.drop_table("event")


def _check(former: str, now: str) -> None:
    """Replace the condition of what a circuit is of.

    SQLite changes no constraint but by copying the table. Its documented way for a
    change that touches no row is the text of the schema
    (https://www.sqlite.org/lang_altertable.html, 7; read 2026-11-30).
    """
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.drop_constraint(op.f(_CHECK), "hold", type_="check")
        op.create_check_constraint(op.f(_CHECK), "hold", now)
        return
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'hold'", (former, now)
    )
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")
