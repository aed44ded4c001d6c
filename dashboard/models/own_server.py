"""Tokens on the customer's own server: where Recall fetches them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime


class OwnServer(SQLModel, table=True):
    """The customer's token server of one zoom app.

    Attributes:
        url: Sealed: the callback URL with `{user}` in the place of a user. Its place
            is (own_server, url, zoom_app_id).
        host: Of that URL, for pages.
        set_at: When it was entered; `set_by` is the email of who did.
        strangers_tested_at: When it was last asked for a user that doesn't exist.
        strangers_problem: What was wrong then, as `OwnCallback.problem`.
    """

    __tablename__ = "own_server"

    zoom_app_id: UUID = Field(
        primary_key=True, foreign_key="zoom_app.id", ondelete="CASCADE"
    )
    url: bytes
    host: str = Field(max_length=255)
    set_at: datetime = Field(sa_type=UtcDateTime)
    set_by: str = Field(max_length=254)
    strangers_tested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    strangers_problem: str = Field(
        default="", max_length=32, sa_column_kwargs={"server_default": text("''")}
    )


class OwnCallback(SQLModel, table=True):
    """Where Recall fetches the tokens of one connection on the customer's server.

    Attributes:
        url: Sealed; its place is (own_callback, url, connection_id).
        user: What stands for the user in it: the customer's own word.
        tested_at: When we last asked it.
        problem: What was wrong then, of `grants.own_servers.Trouble`; "" for nothing.
        took_ms: How long it took.
    """

    __tablename__ = "own_callback"

    connection_id: UUID = Field(
        primary_key=True, foreign_key="connection.id", ondelete="CASCADE"
    )
    url: bytes
    user: str = Field(max_length=120)
    tested_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    problem: str = Field(default="", max_length=32)
    took_ms: float | None = None
