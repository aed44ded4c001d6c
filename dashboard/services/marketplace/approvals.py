"""Users who wait until their account's admin approves the app, at Zoom.

Read when asked and not stored: who waits is the account's affair
(docs/contracts/zoom.md 5.10, checked 2026-11-30).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from dashboard.clients.zoom.marketplace import AppRequest
from dashboard.db import Database
from dashboard.errors import ConflictError, UpstreamError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.marketplace import own_token
from dashboard.services.marketplace.own_token import OwnApp
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts
from dashboard.vault import Vault

_PAGES = 3
_SCOPE_MISSING = "4711"
_IN_ZOOM = (
    "An admin of the users' account approves the app in Zoom: App Marketplace, Manage, "
    "App Requests."
)


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What Zoom said.

    Attributes:
        rows: In Zoom's order.
        problem: Why Zoom gave no list; "" when it did.
    """

    rows: Sequence[AppRequest] = ()
    problem: str = ""


def read(runtime: Runtime, zoom_app_id: UUID) -> Requests:
    """Ask Zoom who asked for the app; stores nothing but what it says of the pair.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Zoom's ID of the app isn't known.
    """
    own = _own(runtime.database, runtime.vault, zoom_app_id)
    token = own_token.ask(runtime, own)
    if isinstance(token, UpstreamError):
        return Requests(problem=_words(token))
    zoom = hosts.of_cloud(runtime.zoom_marketplace, own.zoom_cloud)
    try:
        return Requests(rows=zoom.requests(token, own.app_id, pages=_PAGES))
    except UpstreamError as error:
        return Requests(problem=_words(error))


def approve(runtime: Runtime, zoom_app_id: UUID, user_id: str, *, actor: Actor) -> None:
    """Approve one user's request at Zoom; commits its audit entry.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Zoom's ID of the app isn't known, or Zoom does not let the app's
            own token approve.
    """
    own = _own(runtime.database, runtime.vault, zoom_app_id)
    token = own_token.ask(runtime, own)
    if isinstance(token, UpstreamError):
        raise ConflictError(_words(token))
    zoom = hosts.of_cloud(runtime.zoom_marketplace, own.zoom_cloud)
    try:
        zoom.approve(token, own.app_id, user_id)
    except UpstreamError as error:
        raise ConflictError(_words(error)) from None
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        subject = apps.full_name(apps.get(session, zoom_app_id))
        audit.record(session, actor, "approval.given", subject=subject, now=now)


def _own(database: Database, vault: Vault, zoom_app_id: UUID) -> OwnApp:
    with database.reading() as session:
        return own_token.own_app(vault, apps.get(session, zoom_app_id))


def _words(error: UpstreamError) -> str:
    """Say why Zoom did not do it, and who can."""
    if error.code == _SCOPE_MISSING:
        return f"Zoom does not let this app's own token do that. {_IN_ZOOM}"
    said = f" Zoom said: {error.detail}" if error.detail else ""
    return f"{error}{said} {_IN_ZOOM}"
