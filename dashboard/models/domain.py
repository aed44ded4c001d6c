"""What proves to Zoom that the dashboard's host is ours."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime


class DomainProof(SQLModel, table=True):
    """The file and the tag that Zoom looks for on our host; one row at most.

    Attributes:
        file_name: Of the file in the root of the host; "" without one.
        file_content: As it is served, byte for byte in UTF-8.
        tag: Content of the `<meta>` tag on the public home page; "" without one.
        set_at: When they were entered; `set_by` is the email of who did.
        file_seen_at: When our own request from outside found the file; None until then.
        tag_seen_at: The same for the tag.
    """

    __tablename__ = "domain_proof"

    id: int = Field(default=1, primary_key=True)
    file_name: str = Field(default="", max_length=80)
    file_content: str = Field(default="", max_length=2000)
    tag: str = Field(default="", max_length=100)
    set_at: datetime = Field(sa_type=UtcDateTime)
    set_by: str = Field(max_length=254)
    file_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tag_seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
