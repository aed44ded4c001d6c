"""What an admin has a zoom app's hosted pages say."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from dashboard.db.columns import UtcDateTime


class PageDesign(SQLModel, table=True):
    """Text and logo of one zoom app's hosted pages; none is the house's own.

    Attributes:
        organisation: Who asks, as users know it.
        intro: Plain text, shown escaped; blank lines part paragraphs.
        contact: Whom to ask for help: plain text.
        logo: The image as it was uploaded, at most 100 KB; with `logo_type` (its media
            type, of a few that are known) and `logo_print` for its address.
    """

    __tablename__ = "page_design"

    zoom_app_id: UUID = Field(
        primary_key=True, foreign_key="zoom_app.id", ondelete="CASCADE"
    )
    organisation: str = Field(default="", max_length=80)
    intro: str = Field(default="", max_length=2000)
    contact: str = Field(default="", max_length=200)
    logo: bytes | None = None
    logo_type: str = Field(default="", max_length=40)
    logo_print: str = Field(default="", max_length=16)
    changed_at: datetime = Field(sa_type=UtcDateTime)
