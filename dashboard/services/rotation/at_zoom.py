"""A new client secret by API: Zoom makes it, and nobody copies it.

Takes a Marketplace token, which is used and not stored. Zoom's app ID may be another
app's, and a new secret can't be given back (docs/contracts/zoom.md 12, checked
2026-11-30): so Zoom is asked first what the app is, and a person confirms it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.zoom_app import Environment, Routing, ZoomCloud
from dashboard.pasted import trim_secret
from dashboard.services import audit, urls
from dashboard.services.audit import Actor
from dashboard.services.marketplace import manifest, refusals
from dashboard.services.rotation import rotations
from dashboard.services.rotation.rotations import Changed
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts
from dashboard.services.zoom_apps.apps import ZoomAppChanges
from dashboard.services.zoom_apps.credential_checks import WrongCredentialsError

OLD_LASTS = timedelta(hours=24)
"""How long Zoom takes the old client secret: Recall is given the new one meanwhile."""

_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, kw_only=True)
class Found:
    """What Zoom says of the app whose secret is to be replaced.

    Attributes:
        name: At Zoom.
        is_ours: Whether its redirect URL was seen to be this dashboard's; a published
            app does not show it.
    """

    app_id: str
    name: str
    is_ours: bool


def look_up(runtime: Runtime, zoom_app_id: UUID, token: SecretStr) -> Found:
    """Ask Zoom what the app is; changes nothing.

    Raises:
        NotFoundError: There is no such zoom app.
        InvalidInputError: Zoom refused, or it is another app.
    """
    job = _job(runtime.database, zoom_app_id)
    zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, job.zoom_cloud)
    token = trim_secret(token)
    try:
        about = zoom.about(token, job.app_id)
    except UpstreamError as error:
        said = refusals.refused(error, safe=_UNCHANGED)
        raise InvalidInputError(said, field="token") from None
    try:
        exported = zoom.manifest(token, job.app_id)
    except UpstreamError:
        return Found(app_id=job.app_id, name=about.name, is_ours=False)
    ours = urls.redirect_url(runtime.public_url)
    there = manifest.find(exported, job.environment).redirect_url
    if there and there != ours:
        raise InvalidInputError(
            f"Zoom's app ID {job.app_id} is another app's: “{about.name}” sends its "
            f"users to {there[:200]}. Correct the ID on the delivery log page. "
            f"{_UNCHANGED}",
            field="token",
        )
    return Found(app_id=job.app_id, name=about.name, is_ours=there == ours)


def rotate(
    runtime: Runtime, zoom_app_id: UUID, token: SecretStr, *, actor: Actor
) -> Changed:
    """Have Zoom make a new client secret, store it and give it to Recall; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Zoom refused, or the new secret is not known here; the sentence
            says what is safe and what to do.
    """
    job = _job(runtime.database, zoom_app_id)
    until = runtime.clock.now() + OLD_LASTS
    try:
        zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, job.zoom_cloud)
        secret = zoom.rotate(trim_secret(token), job.app_id, old_until=until)
    except UpstreamError as error:
        if error.may_have_happened:
            raise ConflictError(f"Zoom's answer was lost. {_copy(until)}") from None
        raise ConflictError(refusals.refused(error, safe=_UNCHANGED)) from None
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        subject = f"{job.full_name}: {job.app_id}"
        audit.record(session, actor, "zoom_app.secret_by_api", subject=subject, now=now)
    if secret is None:
        raise ConflictError(f"Zoom did not return the new secret. {_copy(until)}")
    changes = ZoomAppChanges(name=job.name, routing=job.routing, client_secret=secret)
    try:
        return rotations.change(runtime, zoom_app_id, changes, actor=actor)
    except WrongCredentialsError:
        raise ConflictError(
            "Zoom rejects the new client secret together with this client ID, so "
            f"Zoom's app ID {job.app_id} is another app's. Nothing was changed here. "
            f"{_old(until)} Give that app's owner this message."
        ) from None


@dataclass(frozen=True, kw_only=True)
class _Job:
    app_id: str
    name: str
    full_name: str
    routing: Routing
    environment: Environment
    zoom_cloud: ZoomCloud


def _job(database: Database, zoom_app_id: UUID) -> _Job:
    with database.reading() as session:
        app = apps.get(session, zoom_app_id)
        if not app.marketplace_app_id:
            raise InvalidInputError(
                "Zoom's app ID is not known yet. Enter it on the delivery log page "
                "first: it is in the address of the app's page in Zoom.",
                field="token",
            )
        return _Job(
            app_id=app.marketplace_app_id,
            name=app.name,
            full_name=apps.full_name(app),
            routing=app.routing,
            environment=app.environment,
            zoom_cloud=app.zoom_cloud,
        )


def _copy(until: datetime) -> str:
    return (
        "If a new client secret is in Zoom (Basic Information > App Credentials), copy "
        f"it and enter it here. {_old(until)}"
    )


def _old(until: datetime) -> str:
    return f"The old one works until {until:%Y-%m-%d %H:%M} UTC."
