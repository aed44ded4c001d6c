"""The customer's own "Connect Zoom" button, and where it may lead back to."""

from datetime import datetime
from html import escape
from urllib.parse import urlencode

from sqlmodel import Session

from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.invitations import references
from dashboard.services.invitations.references import References

WORDS = "Connect Zoom"

_STYLE = (
    "display:inline-block;padding:10px 18px;border-radius:8px;background:#0b5cff;"
    "color:#fff;font:600 16px/1.25 system-ui,sans-serif;text-decoration:none"
)


def save_origins(
    session: Session, app: ZoomApp, typed: str, *, actor: Actor, now: datetime
) -> list[str]:
    """Store to which origins the button back may lead; the caller commits.

    Args:
        session: Writing.
        app: Whose users.
        typed: One origin a line.
        actor: Who changes it.
        now: Aware.

    Raises:
        InvalidInputError: A line is no origin; nothing is changed.
    """
    origins = references.read_origins(typed)
    app.return_origins = "\n".join(origins)
    session.add(app)
    audit.record(session, actor, "zoom_app.return_changed", subject=app.name, now=now)
    return origins


def link(connect_url: str, carries: References) -> str:
    """Return the plain link of a connect page with what it is to carry. Pure."""
    query: list[tuple[str, str]] = []
    if carries.reference:
        query.append(("reference", carries.reference))
    query += [("tag", one) for one in carries.tags.split()]
    if carries.return_url:
        query.append(("return_url", carries.return_url))
    return f"{connect_url}?{urlencode(query)}" if query else connect_url


def snippet(url: str, words: str) -> str:
    """Return the button as HTML that needs no script and no style sheet. Pure."""
    return f'<a href="{escape(url)}" style="{_STYLE}">{escape(words)}</a>'
