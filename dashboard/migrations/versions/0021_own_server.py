"""Keep where the customer's own server hands out tokens; a third token storage."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0021_own_server"
down_revision = "0020_delivery_log"
branch_labels = None
depends_on = None

_CHECK = "ck_zoom_app_tokencustody"
_BEFORE = "token_custody IN ('recall', 'dashboard')"
_NOW = "token_custody IN ('recall', 'dashboard', 'own_server')"


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    op.create_table(
        "own_server",
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("host", text(length=255), nullable=False),
        sa.Column("set_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("set_by", text(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_own_server_zoom_app_id_zoom_app"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("zoom_app_id", name=op.f("pk_own_server")),
    )
    op.create_table(
        "own_callback",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("user", text(length=120), nullable=False),
        sa.Column("tested_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", text(length=32), nullable=False),
        sa.Column("took_ms", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_own_callback_connection_id_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_own_callback")),
    )
    _check(_BEFORE, _NOW)


def downgrade() -> None:
    op.execute("UPDATE zoom_app SET token_custody = 'recall' WHERE token_custody = 'own_server'")
    op.execute("UPDATE connection SET token_custody = 'recall' WHERE token_custody = 'own_server'")
    _check(_NOW, _BEFORE)
    op.drop_table("own_callback")
    op.drop_table("own_server")


def _check(former: str, now: str) -> None:
    """Replace the condition of the token storage.

    SQLite changes no constraint but by copying the table, which would drop what refers
    to it. Its documented way for a change that touches no row is the text of the schema
    (https://www.sqlite.org/lang_altertable.html, 7; read 2026-11-30).
    """
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.drop_constraint(op.f(_CHECK), "zoom_app", type_="check")
        op.create_check_constraint(op.f(_CHECK), "zoom_app", now)
        return
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'zoom_app'", (former, now)
    )
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")
