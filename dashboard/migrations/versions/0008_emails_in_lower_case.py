"""Keep the emails of connections and members in lower case, as they are looked up."""

from alembic import op

revision = "0008_emails_in_lower_case"
down_revision = "0007_erasure_reason"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("connection", "account_member"):
        op.execute(f"UPDATE {table} SET email = lower(email) WHERE email <> lower(email)")  # noqa: S608 - names of ours


def downgrade() -> None:
    """Leave them: how Zoom spelled them is not known any more."""
