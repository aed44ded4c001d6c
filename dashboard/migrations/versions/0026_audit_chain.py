"""Chain the entries of the audit log, and refuse to change or delete them."""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
import sqlmodel
from alembic import op

from dashboard.db.columns import UtcDateTime

revision = "0026_audit_chain"
down_revision = "0025_own_server_strangers"
branch_labels = None
depends_on = None

_BATCH = 500
_REFUSED = "entries of the audit log cannot be changed"
_MAY_DELETE = "OLD.seq <= (SELECT pruned_seq FROM audit_head WHERE id = 1)"
# The first hash of a new entry, or a text that a data deletion took away.
_MAY_UPDATE = (
    "OLD.seq IS NULL OR (NEW.id = OLD.id AND NEW.seq = OLD.seq AND NEW.at = OLD.at "
    "AND NEW.actor = OLD.actor AND NEW.act = OLD.act AND NEW.address = OLD.address "
    "AND NEW.times = OLD.times AND NEW.digest = OLD.digest AND NEW.hash = OLD.hash "
    "AND NEW.salt = '' AND NEW.redaction <> '')"
)
_RULES = (("delete", _MAY_DELETE), ("update", _MAY_UPDATE))


def upgrade() -> None:
    text = sqlmodel.sql.sqltypes.AutoString
    empty = sa.text("''")
    for column in (
        sa.Column("changes", sa.Text(), server_default=empty, nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("salt", text(length=32), server_default=empty, nullable=False),
        sa.Column("digest", text(length=64), server_default=empty, nullable=False),
        sa.Column("hash", text(length=64), server_default=empty, nullable=False),
        sa.Column("redaction", text(length=80), server_default=empty, nullable=False),
    ):
        op.add_column("audit_entry", column)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", text(length=64), nullable=False),
        sa.Column("pruned_seq", sa.BigInteger(), nullable=False),
        sa.Column("pruned_hash", text(length=64), nullable=False),
        sa.Column("pruned_mac", text(length=80), nullable=False),
        sa.Column("problem", text(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_seal",
        sa.Column("day", text(length=10), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", text(length=64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("mac", text(length=80), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_audit_seal")),
    )
    op.create_table(
        "audit_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("made_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_key")),
    )
    op.create_table(
        "audit_tally",
        sa.Column("key", text(length=64), nullable=False),
        sa.Column("at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("actor", text(length=254), nullable=False),
        sa.Column("act", text(length=64), nullable=False),
        sa.Column("subject", text(length=300), nullable=False),
        sa.Column("address", text(length=64), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit_tally")),
    )
    op.create_index(op.f("ix_audit_tally_at"), "audit_tally", ["at"])
    op.create_table(
        "audit_stream",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("failed_at", UtcDateTime(timezone=True), nullable=True),
        sa.Column("problem", text(length=300), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_stream")),
    )
    # What was typed as an email may have been a password.
    op.execute(
        "UPDATE audit_entry SET subject = '' WHERE act = 'session.refused' AND subject NOT IN (SELECT email FROM staff)"
    )
    _chain()
    op.create_index(op.f("ix_audit_entry_seq"), "audit_entry", ["seq"], unique=True)
    op.create_index(op.f("ix_audit_entry_actor_id"), "audit_entry", ["actor", "id"])
    make = _sqlite_trigger if op.get_bind().dialect.name == "sqlite" else _postgresql_trigger
    for event, may in _RULES:
        make(event, may)


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for event, _ in _RULES:
        name = f"audit_entry_no_{event}"
        op.execute(f"DROP TRIGGER {name}" + ("" if is_sqlite else " ON audit_entry"))
        if not is_sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_index(op.f("ix_audit_entry_actor_id"), "audit_entry")
    op.drop_index(op.f("ix_audit_entry_seq"), "audit_entry")
    for table in ("audit_stream", "audit_tally", "audit_key", "audit_seal", "audit_head"):
        op.drop_table(table)
    for column in ("redaction", "hash", "digest", "salt", "seq", "times", "changes"):
        op.drop_column("audit_entry", column)


def _sqlite_trigger(event: str, may: str) -> None:
    op.execute(
        f"CREATE TRIGGER audit_entry_no_{event} BEFORE {event.upper()} ON audit_entry "
        f"WHEN NOT coalesce({may}, 0) BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    )


def _postgresql_trigger(event: str, may: str) -> None:
    row = "OLD" if event == "delete" else "NEW"
    op.execute(
        f"CREATE FUNCTION audit_entry_no_{event}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT coalesce({may}, false) THEN RAISE EXCEPTION '{_REFUSED}'; END IF; RETURN {row}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER audit_entry_no_{event} BEFORE {event.upper()} ON audit_entry "
        f"FOR EACH ROW EXECUTE FUNCTION audit_entry_no_{event}()"
    )


def _chain() -> None:
    """Give each entry there is its place, by its ID; the form is that of this day."""
    bind = op.get_bind()
    entry = sa.table(
        "audit_entry",
        sa.column("id", sa.BigInteger),
        sa.column("at", UtcDateTime(timezone=True)),
        sa.column("staff_id", sa.Uuid),
        *(sa.column(name, sa.String) for name in ("actor", "act", "subject", "address")),
        sa.column("seq", sa.BigInteger),
        *(sa.column(name, sa.String) for name in ("salt", "digest", "hash")),
    )
    seq, former, last = 0, "", -1
    while True:
        rows = bind.execute(
            sa.select(*list(entry.c)[:7]).where(entry.c.id > last).order_by(entry.c.id).limit(_BATCH)
        ).all()
        for row in rows:
            seq, salt = seq + 1, secrets.token_hex(16)
            digest = _sha256([salt, row.subject, ""])
            former = _hash(former, seq, row, digest)
            chained = entry.update().where(entry.c.id == row.id)
            bind.execute(chained.values(seq=seq, salt=salt, digest=digest, hash=former))
        if len(rows) < _BATCH:
            break
        last = rows[-1].id
    op.execute(
        sa.text(
            "INSERT INTO audit_head (id, seq, hash, pruned_seq, pruned_hash, pruned_mac, problem) "
            "VALUES (1, :seq, :hash, 0, '', '', '')"
        ).bindparams(seq=seq, hash=former)
    )


def _hash(former: str, seq: int, row: sa.Row[tuple[int, datetime, UUID | None, str]], digest: str) -> str:
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    staff = str(row.staff_id or "")
    return _sha256([former, seq, row.id, at, staff, row.actor, row.act, row.address, 1, digest])


def _sha256(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
