"""Keep a connection's cause, since when it is in its state, and when Recall tried it again.

Causes were recognized by how the reason begins; what is stored is read so once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_connection_causes"
down_revision = "0010_mapping_reads"
branch_labels = None
depends_on = None

BEGINS = {
    "key_refused": "Recall refused the workspace's API key.",
    "app_disabled": "Zoom has switched this app off",
    "pair_refused": "Zoom refused the app's client ID and secret",
    "no_credit": "The workspace is out of credit at Recall.",
    "not_allowed": "Recall does not let this API key read the credential.",
    "no_token": "Recall did not hand out a token",
    "no_answer": "Zoom rejected an API call for another reason",
}


def upgrade() -> None:
    op.add_column("connection", sa.Column("token_cause", sa.String(32), server_default=sa.text("''"), nullable=False))
    op.add_column("connection", sa.Column("token_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("connection", sa.Column("recall_tried_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_connection_shown", "connection", ["token_state", "token_checked_at", "token_expires_at", "zoom_app_id"]
    )
    columns = [sa.column(name, sa.String) for name in ("token_state", "token_reason", "token_cause")]
    connection = sa.table("connection", *columns)
    for cause, words in BEGINS.items():
        op.execute(
            connection.update()
            .where(connection.c.token_state == "unknown")
            .where(connection.c.token_reason.startswith(words, autoescape=True))
            .values(token_cause=cause)
        )


def downgrade() -> None:
    # Not in a batch: SQLite would copy the table, and drop what refers to it.
    op.drop_index("ix_connection_shown", "connection")
    op.drop_column("connection", "recall_tried_at")
    op.drop_column("connection", "token_since")
    op.drop_column("connection", "token_cause")
