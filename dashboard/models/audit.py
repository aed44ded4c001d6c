"""Who did what to what, when, from where; and what shows that it was not altered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Text, text
from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime

_EMPTY = {"server_default": text("''")}


class AuditEntry(SQLModel, table=True):
    """One act of a person or the command line; append-only.

    Attributes:
        actor: Email of the person, "command line (root)" or "user" (of the connect
            page).
        act: `<noun>.<past participle>`, as `zoom_app.created`.
        subject: What it was done to, in words and IDs; holds no secret.
        address: Where the request came from; "" for the command line.
        changes: JSON object of what changed, each with its old and new text; or "".
        times: How often it happened within a minute or an hour, when counted.
        seq: Its place in the chain, without gaps; None only until the commit.
        salt: Hex; makes `digest` useless for guessing. "" once the text was redacted.
        digest: SHA-256 of salt, subject and changes, hex.
        hash: SHA-256 of everything else, the digest and the former entry's hash, hex.
        redaction: MAC of the text that a data deletion left; "" if there was none.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(None, "act", "id"),
        Index(None, "actor", "id"),
        Index(None, "seq", unique=True),
    )

    id: int = Field(primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=UtcDateTime)
    staff_id: UUID | None = Field(default=None)
    actor: str = Field(max_length=254)
    act: str = Field(max_length=64)
    subject: str = Field(default="", max_length=300)
    address: str = Field(default="", max_length=64)
    changes: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY)
    times: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    seq: int | None = Field(default=None, sa_type=BigInteger)
    salt: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    digest: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    hash: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    redaction: str = Field(default="", max_length=80, sa_column_kwargs=_EMPTY)


class AuditHead(SQLModel, table=True):
    """The end of the chain, locked by whoever appends; and where retention cut it.

    Attributes:
        seq: Of the newest entry; 0 before the first.
        hash: Of the newest entry.
        pruned_seq: Entries up to this one were deleted by retention.
        pruned_hash: Hash of the last one that was deleted.
        pruned_mac: Proves that the dashboard set both.
        problem: What the sealing found broken; "" while all is well.
    """

    __tablename__ = "audit_head"

    id: int = Field(default=1, primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)
    hash: str = Field(default="", max_length=64)
    pruned_seq: int = Field(default=0, sa_type=BigInteger)
    pruned_hash: str = Field(default="", max_length=64)
    pruned_mac: str = Field(default="", max_length=80)
    problem: str = Field(default="", max_length=300)


class AuditSeal(SQLModel, table=True):
    """The signed state of the chain at the end of a day; that of today moves on.

    Attributes:
        day: UTC, as 2026-11-30.
        at: When it was signed last.
        mac: Of the rest and of the former day's `mac`.
    """

    __tablename__ = "audit_seal"

    day: str = Field(primary_key=True, max_length=10)
    seq: int = Field(sa_type=BigInteger)
    hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime)
    mac: str = Field(max_length=80)


class AuditKey(SQLModel, table=True):
    """A key of the seals, encrypted as other secrets; the newest one signs.

    Attributes:
        key: Sealed; its place is (audit_key, key, id).
    """

    __tablename__ = "audit_key"

    id: int = Field(primary_key=True)
    made_at: datetime = Field(sa_type=UtcDateTime)
    key: bytes


class AuditTally(SQLModel, table=True):
    """What strangers may cause without end, counted for a minute instead of listed.

    Attributes:
        key: SHA-256 of the minute, who, act, subject and address, hex.
        at: The minute.
        listed: How many of them are in an entry already.
    """

    __tablename__ = "audit_tally"

    key: str = Field(primary_key=True, max_length=64)
    at: datetime = Field(sa_type=UtcDateTime, index=True)
    staff_id: UUID | None = Field(default=None)
    actor: str = Field(max_length=254)
    act: str = Field(max_length=64)
    subject: str = Field(default="", max_length=300)
    address: str = Field(default="", max_length=64)
    times: int = 1
    listed: int = 0


class AuditStream(SQLModel, table=True):
    """How far the entries were streamed out.

    Attributes:
        seq: The last entry that was written.
        failed_at: When writing failed first since it last succeeded.
        problem: The error; "" while it works.
        lease_until: A process is writing, until then at most.
        claim: Grows with each claim.
    """

    __tablename__ = "audit_stream"

    id: int = Field(default=1, primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)
    failed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    problem: str = Field(default="", max_length=300)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: int = 0


class VaultCheck(SQLModel, table=True):
    """A known text, sealed: tells at the start whether the key is the right one."""

    __tablename__ = "vault_check"

    id: int = Field(default=1, primary_key=True)
    sealed: bytes
