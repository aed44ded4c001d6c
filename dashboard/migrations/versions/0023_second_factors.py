"""Keep passkeys, authenticator apps, recovery codes and links to choose a password."""

import sqlalchemy as sa
import sqlmodel
from alembic import op

import dashboard.db.columns

revision = "0023_second_factors"
down_revision = "0022_zoom_hosts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = dashboard.db.columns.UtcDateTime(timezone=True)
    text = sqlmodel.sql.sqltypes.AutoString
    op.add_column("staff_session", sa.Column("second_factor", text(length=20), server_default="", nullable=False))
    op.add_column("staff_session", sa.Column("proven_at", time, nullable=True))
    op.create_table(
        "passkey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", text(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", text(length=60), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("last_used_at", time, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_passkey_staff_id_staff"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    op.create_index(op.f("ix_passkey_staff_id"), "passkey", ["staff_id"], unique=False)
    op.create_table(
        "authenticator",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("confirmed_at", time, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_authenticator_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_authenticator")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", text(length=64), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_recovery_code_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_code")),
    )
    op.create_index(op.f("ix_recovery_code_staff_id"), "recovery_code", ["staff_id"], unique=False)
    op.create_table(
        "staff_link",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", text(length=64), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_link_staff_id_staff"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_link")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_staff_link_secret_hash")),
    )
    op.create_table(
        "spent_proof",
        sa.Column("key", text(length=64), nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_spent_proof")),
    )


def downgrade() -> None:
    op.drop_table("spent_proof")
    op.drop_table("staff_link")
    op.drop_index(op.f("ix_recovery_code_staff_id"), table_name="recovery_code")
    op.drop_table("recovery_code")
    op.drop_table("authenticator")
    op.drop_index(op.f("ix_passkey_staff_id"), table_name="passkey")
    op.drop_table("passkey")
    op.drop_column("staff_session", "proven_at")
    op.drop_column("staff_session", "second_factor")
