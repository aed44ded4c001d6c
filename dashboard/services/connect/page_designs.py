"""What an admin has a zoom app's hosted pages say, and the logo on them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.errors import NotFoundError
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.connect.logos import Logo


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a hosted page shows of its organisation; empty is the house's own.

    Attributes:
        organisation: Who asks; the zoom app's name where it is "".
        paragraphs: The intro, parted at its blank lines.
        contact: Whom to ask for help.
        logo_print: Names the logo in its address; "" when there is none.
    """

    organisation: str = ""
    paragraphs: tuple[str, ...] = ()
    contact: str = ""
    logo_print: str = ""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What an admin typed; each is shown as plain text, escaped."""

    organisation: str = ""
    intro: str = ""
    contact: str = ""


def find(session: Session, zoom_app_id: UUID) -> PageDesign | None:
    """Return what is stored, if anything is."""
    return session.get(PageDesign, zoom_app_id)


def shown(row: PageDesign | None) -> Design:
    """Return what a page shows of it. Pure."""
    if row is None:
        return Design()
    texts = Texts(organisation=row.organisation, intro=row.intro, contact=row.contact)
    return drawn(texts, logo_print=row.logo_print)


def drawn(texts: Texts, *, logo_print: str = "") -> Design:
    """Return what a page would show of texts that are not saved. Pure."""
    intro = texts.intro.replace("\r\n", "\n").replace("\r", "\n")
    parts = (" ".join(part.split()) for part in intro.split("\n\n"))
    return Design(
        organisation=texts.organisation.strip(),
        paragraphs=tuple(part for part in parts if part),
        contact=texts.contact.strip(),
        logo_print=logo_print,
    )


def save(  # noqa: PLR0913 - the facts of one change, all named
    session: Session,
    app: ZoomApp,
    texts: Texts,
    *,
    logo: Logo | None = None,
    removes_logo: bool = False,
    actor: Actor,
    now: datetime,
) -> PageDesign:
    """Store the texts, and the logo if there is another; the caller commits."""
    row = find(session, app.id) or PageDesign(zoom_app_id=app.id, changed_at=now)
    row.organisation = texts.organisation.strip()
    row.intro, row.contact = texts.intro.strip(), texts.contact.strip()
    row.changed_at = now
    if logo:
        row.logo, row.logo_type, row.logo_print = (
            logo.image,
            logo.media_type,
            logo.print,
        )
    elif removes_logo:
        row.logo, row.logo_type, row.logo_print = None, "", ""
    session.add(row)
    subject = f"connect page of {app.name}"
    audit.record(session, actor, "zoom_app.page_changed", subject=subject, now=now)
    return row


def logo(session: Session, app: ZoomApp, logo_print: str) -> tuple[bytes, str]:
    """Return the logo and its media type.

    Raises:
        NotFoundError: There is none with this print.
    """
    row = find(session, app.id)
    if row is None or not row.logo or row.logo_print != logo_print:
        raise NotFoundError("logo")
    return row.logo, row.logo_type
