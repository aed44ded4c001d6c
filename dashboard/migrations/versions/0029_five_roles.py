"""Let people have five roles, and limit a person to chosen zoom apps."""

import sqlalchemy as sa
from alembic import op

revision = "0029_five_roles"
down_revision = "0028_former_emails"
branch_labels = None
depends_on = None

_CHECK = "ck_staff_role"
_BEFORE = "role IN ('admin', 'support')"
_NOW = "role IN ('viewer', 'support', 'operator', 'admin', 'auditor')"


def upgrade() -> None:
    op.add_column("staff", sa.Column("is_limited", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "staff_zoom_app",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_zoom_app_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["zoom_app_id"], ["zoom_app.id"], name=op.f("fk_staff_zoom_app_zoom_app_id_zoom_app")),
        sa.PrimaryKeyConstraint("staff_id", "zoom_app_id", name=op.f("pk_staff_zoom_app")),
    )
    _check(_BEFORE, _NOW)


def downgrade() -> None:
    # Nobody gets more than they had: who is no admin and no support can't sign in.
    op.execute(
        "UPDATE staff SET disabled_at = CURRENT_TIMESTAMP "
        "WHERE disabled_at IS NULL AND (is_limited OR role IN ('viewer', 'operator', 'auditor'))"
    )
    op.execute("UPDATE staff SET role = 'support' WHERE role IN ('viewer', 'operator', 'auditor')")
    _check(_NOW, _BEFORE)
    op.drop_table("staff_zoom_app")
    op.drop_column("staff", "is_limited")


def _check(former: str, now: str) -> None:
    """Replace the condition of the role.

    SQLite changes no constraint but by copying the table, which would drop what refers
    to it. Its documented way for a change that touches no row is the text of the schema
    (https://www.sqlite.org/lang_altertable.html, 7; read 2026-11-30).
    """
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.drop_constraint(op.f(_CHECK), "staff", type_="check")
        op.create_check_constraint(op.f(_CHECK), "staff", now)
        return
    version = bind.exec_driver_sql("PRAGMA schema_version").scalar_one()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'staff'", (former, now)
    )
    bind.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")
