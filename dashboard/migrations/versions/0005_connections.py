"""Connections: held grants, invitations, timelines, members of accounts, erasures."""

import sqlalchemy as sa
from alembic import op

from dashboard.db.columns import BigId, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OUTCOMES = (
    "open", "connected", "declined", "expired", "replayed", "refused_by_recall", "unreachable", "zoom_error",
)
ADDED_OUTCOMES = ("abandoned", "wrong_account", "begun_at_zoom", "refused_by_zoom")
INVITATION_STATES = ("made", "opened", "declined", "wrong_account", "done", "expired", "revoked")

NEW_INDEXES = {
    "connection": [
        ["previous_pmi"], ["token_checked_at"], ["token_state", "connected_at", "id"], ["zoom_app_id", "connected_at", "id"],
        ["search_text", "connected_at", "id"],
    ],
    "connect_attempt": [["invitation_id"], ["browser_hash"], ["zoom_app_id", "created_at", "id"]],
}
OLD_INDEXES = {"connection": [["token_state"], ["zoom_app_id"]], "connect_attempt": [["zoom_app_id"]]}


def instant(name: str, *, is_needed: bool = False) -> sa.Column:
    return sa.Column(name, UtcDateTime(), nullable=not is_needed)


def text(name: str, length: int) -> sa.Column:
    return sa.Column(name, sa.String(length), nullable=False, server_default="")


def whole(name: str) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=False)


def to_connection(table: str, on_delete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection_id"], ["connection.id"], name=op.f(f"fk_{table}_connection_id_connection"), ondelete=on_delete
    )


def to_zoom_app(table: str, on_delete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["zoom_app_id"], ["zoom_app.id"], name=op.f(f"fk_{table}_zoom_app_id_zoom_app"), ondelete=on_delete
    )


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def outcomes(words: tuple[str, ...]) -> None:
    """Let attempts end in these words. Nothing refers to their table: batch is safe."""
    quoted = ", ".join(f"'{word}'" for word in words)
    with op.batch_alter_table("connect_attempt") as batch:
        batch.drop_constraint(op.f("ck_connect_attempt_attemptoutcome"), type_="check")
        batch.create_check_constraint(op.f("ck_connect_attempt_attemptoutcome"), f"outcome IN ({quoted})")


def of_connection() -> list[sa.Column]:
    return [
        sa.Column("token_custody", sa.String(32), nullable=False, server_default="recall"),
        text("search_text", 460),
        text("recall_status", 16),
        text("recording_block", 200),
        instant("recording_block_at"),
    ]


def of_workspace() -> list[sa.Column]:
    return [
        text("verification_secret_print", 8),
        sa.Column("verification_secret_length", sa.Integer(), nullable=False, server_default="0"),
        instant("verification_secret_set_at"),
        sa.Column("requires_signature", sa.Boolean(), nullable=False, server_default=sa.false()),
        instant("mappings_due_at"),
        instant("mappings_seen_at"),
    ]


def upgrade() -> None:
    outcomes(OUTCOMES + ADDED_OUTCOMES)
    op.add_column("connect_attempt", sa.Column("invitation_id", sa.Uuid(), nullable=True))
    for column in of_connection():
        op.add_column("connection", column)
    op.execute(sa.text("UPDATE connection SET search_text = lower(email || ' ' || display_name)"))
    for column in of_workspace():
        op.add_column("workspace", column)
    op.add_column("watch", instant("unhealthy_due_at"))
    op.add_column("webhook", instant("erased_at"))
    swap(OLD_INDEXES, NEW_INDEXES)
    op.create_table(
        "held_grant",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=False),
        whole("version"),
        instant("expires_at", is_needed=True),
        instant("obtained_at", is_needed=True),
        instant("refresh_due_at", is_needed=True),
        instant("asked_at"),
        instant("lease_until"),
        whole("claim"),
        whole("failures"),
        instant("failed_at"),
        text("failure", 300),
        instant("lost_at"),
        instant("served_at"),
        instant("unsigned_at"),
        to_connection("held_grant"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_held_grant")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_held_grant_key_hash")),
    )
    index("held_grant", "refresh_due_at")
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=True),
        sa.Column("zoom_user_id", sa.String(64), nullable=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        text("user_ref", 200),
        text("email", 254),
        sa.Column(
            "state",
            sa.Enum(*INVITATION_STATES, name="invitationstate", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        text("made_by", 254),
        text("tried_as", 254),
        instant("created_at", is_needed=True),
        instant("expires_at", is_needed=True),
        instant("opened_at"),
        instant("ended_at"),
        to_zoom_app("invitation"),
        to_connection("invitation", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitation_token_hash")),
    )
    for columns in (
        ["zoom_app_id", "created_at", "id"], ["state", "expires_at"], ["connection_id"], ["zoom_user_id"], ["user_ref"], ["email"],
    ):
        index("invitation", *columns)
    op.create_table(
        "page_design",
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        text("organisation", 80),
        text("intro", 2000),
        text("contact", 200),
        sa.Column("logo", sa.LargeBinary(), nullable=True),
        text("logo_type", 40),
        text("logo_print", 16),
        instant("changed_at", is_needed=True),
        to_zoom_app("page_design", "CASCADE"),
        sa.PrimaryKeyConstraint("zoom_app_id", name=op.f("pk_page_design")),
    )
    op.create_table(
        "account_member",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("zoom_user_id", sa.String(64), nullable=False),
        text("display_name", 200),
        text("email", 254),
        sa.Column("pmi", BigId, nullable=True),
        sa.Column("previous_pmi", BigId, nullable=True),
        instant("pmi_changed_at"),
        text("status", 20),
        instant("seen_at", is_needed=True),
        to_connection("account_member"),
        sa.PrimaryKeyConstraint("connection_id", "zoom_user_id", name=op.f("pk_account_member")),
    )
    for column in ("zoom_user_id", "email", "pmi", "previous_pmi"):
        index("account_member", column)
    op.create_table(
        "connection_event",
        sa.Column("id", BigId, nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        instant("at", is_needed=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("words", sa.String(500), nullable=False),
        sa.Column("mark", sa.String(64), nullable=True),
        to_connection("connection_event"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection_event")),
        sa.UniqueConstraint("connection_id", "mark", name=op.f("uq_connection_event_connection_id_mark")),
    )
    index("connection_event", "connection_id", "at", "id")
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("zoom_app_id", sa.Uuid(), nullable=False),
        sa.Column("zoom_user_id", sa.LargeBinary(), nullable=True),
        sa.Column("zoom_account_id", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("recall_credential_id", sa.Uuid(), nullable=True),
        instant("removed_at", is_needed=True),
        instant("deadline_at", is_needed=True),
        instant("recall_done_at"),
        instant("here_done_at"),
        instant("ended_at"),
        text("trouble", 300),
        instant("due_at", is_needed=True),
        instant("lease_until"),
        whole("claim"),
        to_zoom_app("erasure"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    index("erasure", "zoom_app_id")
    index("erasure", "ended_at", "due_at")


def downgrade() -> None:
    for table in ("erasure", "connection_event", "account_member", "page_design", "invitation", "held_grant"):
        op.drop_table(table)
    swap(NEW_INDEXES, OLD_INDEXES)
    op.drop_column("webhook", "erased_at")
    op.drop_column("watch", "unhealthy_due_at")
    for column in of_workspace():
        op.drop_column("workspace", column.name)
    for column in of_connection():
        op.drop_column("connection", column.name)
    op.drop_column("connect_attempt", "invitation_id")
    words = ", ".join(f"'{word}'" for word in ADDED_OUTCOMES)
    op.execute(sa.text(f"UPDATE connect_attempt SET outcome = 'expired' WHERE outcome IN ({words})"))
    outcomes(OUTCOMES)


def swap(former: dict[str, list[list[str]]], following: dict[str, list[list[str]]]) -> None:
    """Drop the former indexes and make those that follow."""
    for table, each in former.items():
        for columns in each:
            op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
    for table, each in following.items():
        for columns in each:
            index(table, *columns)
