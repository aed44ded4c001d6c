"""A new client secret by API: Zoom makes it, and nobody copies it.

Asked with the app's own token, which Zoom gives for the pair that is stored here
(docs/contracts/zoom.md 12, checked 2026-11-30): so it can only be this app's secret.
"""

from datetime import datetime, timedelta
from uuid import UUID

from dashboard.clients.http.error_words import SCOPES_MISSING
from dashboard.errors import ConflictError, UpstreamError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.marketplace import own_token
from dashboard.services.rotation import rotations
from dashboard.services.rotation.rotations import Changed
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from dashboard.services.zoom_apps.credential_checks import WrongCredentialsError

OLD_LASTS = timedelta(hours=24)
"""How long Zoom takes the old client secret: Recall is given the new one meanwhile."""

_UNCHANGED = "Nothing was changed."
_BY_HAND = (
    "Copy a new client secret from Zoom instead (Basic Information > App Credentials), "
    "and enter it here."
)


def rotate(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> Changed:
    """Have Zoom make a new client secret, store it and give it to Recall; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Zoom refused, or the new secret is not known here; the sentence
            says what is safe and what to do.
    """
    with runtime.database.reading() as session:
        app = apps.get(session, zoom_app_id)
        own = own_token.own_app(runtime.vault, app)
    token = own_token.ask(runtime, own)
    if isinstance(token, UpstreamError):
        raise ConflictError(_refused(token))
    until = runtime.clock.now() + OLD_LASTS
    try:
        zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, own.zoom_cloud)
        secret = zoom.rotate(token, own.app_id, old_until=until)
    except UpstreamError as error:
        if error.may_have_happened:
            raise ConflictError(f"Zoom's answer was lost. {_copy(until)}") from None
        raise ConflictError(_refused(error)) from None
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        subject = f"{apps.full_name(app)}: {own.app_id}"
        audit.record(session, actor, "zoom_app.secret_by_api", subject=subject, now=now)
    if secret is None:
        raise ConflictError(f"Zoom did not return the new secret. {_copy(until)}")
    changes = ZoomAppChanges(name=app.name, routing=app.routing, client_secret=secret)
    try:
        return rotations.change(runtime, zoom_app_id, changes, actor=actor)
    except WrongCredentialsError:
        raise ConflictError(
            "Zoom rejects the new client secret together with this client ID. Nothing "
            f"was changed here. {_copy(until)}"
        ) from None


def _refused(error: UpstreamError) -> str:
    said = f" Zoom said: {error.detail}" if error.detail else ""
    if error.code == SCOPES_MISSING:
        return (
            "Zoom does not let this app's own token rotate its client secret. "
            f"{_UNCHANGED} {_BY_HAND}{said}"
        )
    return f"{error} {_UNCHANGED} {_BY_HAND}{said}"


def _copy(until: datetime) -> str:
    return (
        "If a new client secret is in Zoom (Basic Information > App Credentials), copy "
        f"it and enter it here. {_old(until)}"
    )


def _old(until: datetime) -> str:
    return f"The old one works until {until:%Y-%m-%d %H:%M} UTC."
