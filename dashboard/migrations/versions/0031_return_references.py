"""Keep your own references, and where users are led back to."""

import sqlalchemy as sa
from alembic import op

revision = "0031_return_references"
down_revision = "0030_setting_secrets"
branch_labels = None
depends_on = None

_TEXTS = (
    ("connect_attempt", "reference", sa.String(200)),
    ("connect_attempt", "tags", sa.String(420)),
    ("connect_attempt", "return_url", sa.String(500)),
    ("connection", "reference", sa.String(200)),
    ("connection", "tags", sa.String(420)),
    ("connection", "return_url", sa.String(500)),
    ("invitation", "tags", sa.String(420)),
    ("invitation", "return_url", sa.String(500)),
    ("zoom_app", "return_origins", sa.Text()),
)


def upgrade() -> None:
    for table, name, kind in _TEXTS:
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=sa.text("''")))
    op.add_column(
        "connection", sa.Column("is_reference_verified", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(op.f("ix_connection_reference"), "connection", ["reference"])
    op.create_index(op.f("ix_connection_tags_connected_at_id"), "connection", ["tags", "connected_at", "id"])
    # Links made for one user named them already.
    newest = (
        "SELECT user_ref FROM invitation WHERE invitation.connection_id = connection.id"
        " AND invitation.state = 'done' AND invitation.user_ref <> '' ORDER BY invitation.ended_at DESC LIMIT 1"
    )
    op.execute(f"UPDATE connection SET reference = COALESCE(({newest}), '')")
    op.execute(sa.text("UPDATE connection SET is_reference_verified = :yes WHERE reference <> ''").bindparams(yes=True))


def downgrade() -> None:
    op.drop_index(op.f("ix_connection_tags_connected_at_id"), "connection")
    op.drop_index(op.f("ix_connection_reference"), "connection")
    op.drop_column("connection", "is_reference_verified")
    for table, name, _kind in reversed(_TEXTS):
        op.drop_column(table, name)
