"""Keep the emails that users had before."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0028_former_emails"
down_revision = "0027_staff_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    op.create_table(
        "former_email",
        sa.Column("id", BigId, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("zoom_user_id", text(length=64), nullable=False),
        sa.Column("email", text(length=254), nullable=False),
        sa.Column("until", UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connection.id"],
            name=op.f("fk_former_email_connection_id_connection"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_email")),
    )
    op.create_index(op.f("ix_former_email_email"), "former_email", ["email"])
    op.create_index(
        op.f("ix_former_email_connection_id_zoom_user_id_until"),
        "former_email",
        ["connection_id", "zoom_user_id", "until"],
    )


def downgrade() -> None:
    op.drop_table("former_email")
