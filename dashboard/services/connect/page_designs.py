"""What an admin has a zoom app's hosted pages say, and the logo on them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.errors import InvalidInputError, NotFoundError
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor

LARGEST_LOGO_BYTES = 100 * 1024

_PRINT_LENGTH = 16
# By the first bytes: a name or a type that a browser sends proves nothing. No SVG: it
# may hold scripts.
_RIFF, _WEBP = b"RIFF", b"WEBP"
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


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
    logo: bytes | None = None,
    removes_logo: bool = False,
    actor: Actor,
    now: datetime,
) -> PageDesign:
    """Store the texts, and the logo if there is another; the caller commits.

    Raises:
        InvalidInputError: The logo is too large or no image of a known sort.
    """
    row = find(session, app.id) or PageDesign(zoom_app_id=app.id, changed_at=now)
    row.organisation = texts.organisation.strip()
    row.intro, row.contact = texts.intro.strip(), texts.contact.strip()
    row.changed_at = now
    if logo:
        row.logo_type = image_type(logo)
        row.logo = logo
        row.logo_print = hashlib.sha256(logo).hexdigest()[:_PRINT_LENGTH]
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


def image_type(image: bytes) -> str:
    """Return the media type of an image by its first bytes. Pure.

    Raises:
        InvalidInputError: It is too large, or none of the sorts that are shown.
    """
    if len(image) > LARGEST_LOGO_BYTES:
        raise InvalidInputError("The logo is larger than 100 KB.", field="logo")
    if image.startswith(_RIFF) and image[8:12] == _WEBP:
        return "image/webp"
    for magic, media_type in _MAGIC.items():
        if image.startswith(magic):
            return media_type
    raise InvalidInputError(
        "The logo is not a PNG, JPEG, GIF or WebP image. SVG is not allowed, because "
        "it can contain scripts.",
        field="logo",
    )
