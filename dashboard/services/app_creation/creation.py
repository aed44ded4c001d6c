"""Creating the Zoom app: from a manifest at Zoom to a zoom app with its events.

Zoom validates a webhook URL with a secret token that the answer to a creation does not
hold (docs/contracts/zoom.md 12, checked 2026-11-30). So the app is created without
events; a person copies the secret token; then the pair is saved, and the manifest with
the events follows. What Zoom left out of it is read back and said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session

from dashboard.clients.zoom.marketplace_apps import Contact, CreatedApp
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.errors import InvalidInputError, UpstreamError
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomCloud,
)
from dashboard.pasted import trim, trim_secret
from dashboard.services import audit, urls
from dashboard.services.audit import Actor
from dashboard.services.marketplace import console, manifest, refusals
from dashboard.services.marketplace.console import Console
from dashboard.services.marketplace.subscription_rules import State
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist, first_seen
from dashboard.services.setup.steps import StepKey
from dashboard.services.zoom_apps import apps, credential_checks, custody, hosts
from dashboard.services.zoom_apps.apps import NewZoomApp
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp

_NOTHING = "Nothing was created."
_BY_HAND = "Do the rest by hand, as the steps below say."


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The app to create. It starts as a draft with the development pair."""

    name: str
    kind: Kind
    joins_external: bool
    token_custody: TokenCustody
    contact: Contact
    zoom_cloud: ZoomCloud = ZoomCloud.COMMERCIAL


@dataclass(frozen=True, kw_only=True)
class ServerApp:
    """A Server-to-Server OAuth app of the customer's, as its page in Zoom shows it."""

    account_id: str
    client_id: str
    client_secret: SecretStr


def fetch_token(zoom: ZoomOAuth, app: ServerApp, *, cloud: ZoomCloud) -> SecretStr:
    """Return a Marketplace token that such an app gets from Zoom; nothing is stored.

    Raises:
        InvalidInputError: Zoom gave none.
    """
    try:
        found = hosts.of_cloud(zoom, cloud).account_token(
            account_id=trim(app.account_id),
            client_id=trim(app.client_id),
            client_secret=trim_secret(app.client_secret),
        )
    except UpstreamError as error:
        said = f" Zoom said: {error.detail}" if error.detail else ""
        if error.code == "invalid_client":
            raise InvalidInputError(
                "Zoom rejects this client ID with this client secret. Copy both from "
                f"the Server-to-Server OAuth app, and activate it. {_NOTHING}",
                field="server_client_secret",
            ) from None
        if error.own_status == HTTPStatus.BAD_REQUEST:
            raise InvalidInputError(
                "Zoom gives this app no token for this account ID. Copy it from the "
                f"same app's page. {_NOTHING}{said}",
                field="server_account_id",
            ) from None
        raise InvalidInputError(
            f"{error} {_NOTHING}{said}", field="server_client_id"
        ) from None
    return found.access_token


def create(
    runtime: Runtime, wanted: Wanted, token: SecretStr, *, actor: Actor
) -> CreatedApp:
    """Create the app at Zoom; nothing is stored here but an audit entry; commits.

    Raises:
        InvalidInputError: A value, the manifest or the token cannot be taken; the
            sentence says whether Zoom created anything.
    """
    custody.require_possible(runtime.public_url, wanted.token_custody)
    document = manifest.build(_console(wanted, runtime.hosted_url), with_events=False)
    token = trim_secret(token)
    zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, wanted.zoom_cloud)
    try:
        problems = zoom.problems(token, document)
        if problems:
            raise InvalidInputError(refusals.invalid(problems[0]), field="name")
        made = zoom.create(token, wanted.name, wanted.contact, document)
    except UpstreamError as error:
        if error.may_have_happened:
            raise InvalidInputError(refusals.lost(wanted.name), field="name") from None
        said = refusals.refused(error, safe=_NOTHING)
        raise InvalidInputError(said, field="token") from None
    with runtime.database.writing() as session:
        subject = f"{wanted.name}: {made.app_id}"
        now = runtime.clock.now()
        audit.record(session, actor, "zoom_app.made_at_zoom", subject=subject, now=now)
    return made


def undo(  # noqa: PLR0913 - the facts of one app, all named
    runtime: Runtime,
    app_id: str,
    name: str,
    token: SecretStr,
    *,
    cloud: ZoomCloud,
    actor: Actor,
) -> None:
    """Delete an app at Zoom that was just created; commits the audit entry.

    Raises:
        InvalidInputError: Zoom refused; the sentence says what to do.
    """
    try:
        zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, cloud)
        zoom.delete(token, app_id)
    except UpstreamError as error:
        safe = f"Delete “{name}” in Zoom by hand. Nothing is stored here."
        said = refusals.refused(error, safe=safe)
        raise InvalidInputError(said, field="secret_token") from None
    with runtime.database.writing() as session:
        act, subject = "zoom_app.unmade_at_zoom", f"{name}: {app_id}"
        audit.record(session, actor, act, subject=subject, now=runtime.clock.now())


def save(
    runtime: Runtime, app_id: str, values: NewZoomApp, *, actor: Actor
) -> SavedZoomApp:
    """Save the pair of an app created from here, once Zoom accepts it; commits.

    Raises:
        InvalidInputError: A value cannot be taken.
        WrongCredentialsError: Zoom refuses the pair.
        ConflictError: The client ID is here already.
    """
    saved = credential_checks.create(runtime, values, actor=actor)
    with runtime.database.writing() as session:
        app = apps.lock(session, saved.zoom_app_id)
        app.marketplace_app_id = app_id
        session.add(app)
    return saved


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What Zoom has of a manifest.

    Attributes:
        missing: What it does not have, in the words of the set-up; empty: all is there.
        problem: Why it could not be changed or read; "" when it was.
    """

    missing: Sequence[str] = ()
    problem: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether Zoom has everything."""
        return not self.missing and not self.problem

    @property
    def sentence(self) -> str:
        """What to tell the person who pressed the button."""
        if self.problem:
            return f"{self.problem} {_BY_HAND}"
        if self.missing:
            return f"Zoom left out {_listed(self.missing)}. {_BY_HAND}"
        return "Zoom has the scopes, the redirect URL, the webhook URL and both events."


def configure(runtime: Runtime, zoom_app_id: UUID, token: SecretStr) -> Outcome:
    """Give Zoom the whole manifest, read it back and keep what was seen; commits.

    Zoom's validation request is answered by this dashboard meanwhile.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: The manifest can't be made.
    """
    with runtime.database.reading() as session:
        app = apps.get(session, zoom_app_id)
        app_id = app.marketplace_app_id or ""
        here = console.gather(
            session,
            zoom_app_id,
            settings=runtime.settings,
            public_url=runtime.public_url,
        )
    zoom = hosts.of_cloud(runtime.zoom_marketplace_apps, app.zoom_cloud)
    problem = ""
    try:
        zoom.update(token, app_id, manifest.build(here))
    except UpstreamError as error:
        problem = refusals.refused(error, safe="Zoom's app was not changed.")
    try:
        found = manifest.find(zoom.manifest(token, app_id), here.environment)
    except UpstreamError as error:
        unread = refusals.refused(error, safe="It could not be read back.")
        return Outcome(problem=problem or unread)
    with runtime.database.writing() as session:
        missing = _keep(session, here, found, now=runtime.clock.now())
    return Outcome(missing=missing, problem=problem)


def _keep(
    session: Session, here: Console, found: manifest.Found, *, now: datetime
) -> Sequence[str]:
    """Store what Zoom was seen to have; return what it lacks."""
    missing = []
    if not {one.name for one in here.scopes} <= found.scopes:
        missing.append("scopes")
    if found.redirect_url == here.redirect_url:
        seen = first_seen.milestone(
            here.zoom_app_id,
            StepKey.REDIRECT,
            at=now,
            proof="Zoom has it, read back via API.",
        )
        checklist.store(session, [seen])
    else:
        missing.append("the redirect URL")
    if found.webhook_url != here.webhook_url:
        missing.append("the webhook URL")
    elif set(console.EVENTS) <= found.events:
        app = apps.lock(session, here.zoom_app_id)
        app.subscription_state = State.MATCHES
        app.subscription_reason = "Zoom sends both events to this webhook URL."
        app.subscription_checked_at = now
        session.add(app)
    else:
        missing.append("the events")
    return missing


def _console(wanted: Wanted, hosted_url: str) -> Console:
    """Return the values of an app that is not here yet; it has no webhook URL."""
    return Console(
        zoom_app_id=uuid4(),
        name=trim(wanted.name),
        slug="",
        environment=Environment.DEVELOPMENT,
        kind=wanted.kind,
        scope_style=ScopeStyle.GRANULAR,
        joins_external=wanted.joins_external,
        routing=Routing.RELAY,
        custody=wanted.token_custody,
        client_id="",
        redirect_url=urls.redirect_url(hosted_url),
        connect_url="",
        webhook_url="",
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
