"""Who did what to what, when, from where."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, Index, SQLModel

from dashboard.db.columns import BigId, UtcDateTime


class AuditEntry(SQLModel, table=True):
    """One act of a person or the command line; append-only.

    Attributes:
        actor: E-mail of the person, "command line" or "user" (of the connect page).
        act: `<noun>.<past participle>`, as `zoom_app.created`.
        subject: What it was done to, in words and ids; holds no secret.
        address: Where the request came from; "" for the command line.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "act", "id"),)

    id: int = Field(primary_key=True, sa_type=BigId)
    at: datetime = Field(sa_type=UtcDateTime)
    staff_id: UUID | None = Field(default=None)
    actor: str = Field(max_length=254)
    act: str = Field(max_length=64)
    subject: str = Field(default="", max_length=300)
    address: str = Field(default="", max_length=64)


class VaultCheck(SQLModel, table=True):
    """A known text, sealed: tells at the start whether the key is the right one."""

    __tablename__ = "vault_check"

    id: int = Field(default=1, primary_key=True)
    sealed: bytes
