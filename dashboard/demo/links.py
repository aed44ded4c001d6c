"""What an admin and a few users of the demo do with links: design, invite, get lost."""

import secrets
from datetime import timedelta
from uuid import UUID

from dashboard.services.audit import Actor
from dashboard.services.connect import flow, page_designs
from dashboard.services.connect.page_designs import Texts
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Wanted
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

_WHO = Actor(name="admin@example.com")
_TEXTS = Texts(
    organisation="Acme",
    intro="Our notetaker writes the minutes of your meetings, so that you need not.",
    contact="Acme IT, it@acme.example",
)
_INVITED = (
    Wanted(email="lena.fischer@example.com", user_ref="u-1041"),
    Wanted(email="omar.haddad@example.com", user_ref="u-1042"),
    Wanted(user_ref="u-1043"),
)


def invite(runtime: Runtime, zoom_app_id: UUID) -> None:
    """Design the hosted pages and invite three people; one opens her link."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.get(session, zoom_app_id)
        page_designs.save(session, app, _TEXTS, actor=_WHO, now=now)
        made = invitations.make(session, app, _INVITED, actor=_WHO, now=now)
        first = made[0].invitation.id
        later = now + timedelta(minutes=4)
        invitations.opened(session, first, now=later)


def get_lost(runtime: Runtime, zoom_app_id: UUID) -> None:
    """Let somebody leave for Zoom and never come back."""
    with runtime.database.reading() as session:
        slug = apps.get(session, zoom_app_id).slug
    flow.begin(runtime, slug, browser=secrets.token_urlsafe(32))
