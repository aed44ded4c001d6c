"""The values of one zoom app for Zoom's console: URLs, scopes, events.

The manifest, the subscription by API and the review kit are made of them, so that all
three say the same as the set-up page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from sqlmodel import Session, col, or_, select

from dashboard.clients.recall import api
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomApp,
)
from dashboard.services import urls
from dashboard.services.recall import workspaces
from dashboard.services.zoom_apps import apps, scopes
from dashboard.services.zoom_apps.scopes import Scope
from dashboard.settings import Settings, public_url_trouble, redirect_url_trouble

EVENTS = ("meeting.created", "user.updated")
"""The same two for every kind and style (docs/contracts/recall.md 7.2)."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that Zoom would reject, or that is not known yet.

    Attributes:
        sentence: What is wrong.
        advice: What to do, another sentence; "" when that is said.
        is_fatal: Nothing useful can be made until it is fixed.
    """

    sentence: str
    advice: str = ""
    is_fatal: bool = False

    def __str__(self) -> str:
        """Return both sentences."""
        return f"{self.sentence} {self.advice}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Console:
    """One zoom app's values, as they belong into Zoom's console.

    Attributes:
        webhook_url: Of its routing; None with `direct` while it is not in Recall.
        twin_webhook_url: Of the other environment of the same Zoom app, when that is
            here as well; None otherwise.
    """

    zoom_app_id: UUID
    name: str
    slug: str
    environment: Environment
    kind: Kind
    scope_style: ScopeStyle
    joins_external: bool
    routing: Routing
    custody: TokenCustody
    client_id: str
    redirect_url: str
    connect_url: str
    webhook_url: str | None
    twin_webhook_url: str | None = None

    @property
    def is_connected_elsewhere(self) -> bool:
        """Whether users connect in the customer's own product, not at `connect_url`."""
        return self.custody is TokenCustody.OWN_SERVER

    @property
    def scopes(self) -> Sequence[Scope]:
        """The scopes to add by hand or by manifest; none that only an SDK brings."""
        listed = scopes.list_for(self)
        return [scope for scope in listed if not scope.is_for_sdk]


def gather(
    session: Session, zoom_app_id: UUID, *, settings: Settings, public_url: str
) -> Console:
    """Return the values of a zoom app.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    twin = _twin(session, app)
    twin_url = twin and _webhook_url(session, twin, settings, public_url)
    return Console(
        zoom_app_id=app.id,
        name=app.name,
        slug=app.slug,
        environment=app.environment,
        kind=app.kind,
        scope_style=app.scope_style,
        joins_external=app.joins_external,
        routing=app.routing,
        custody=app.token_custody,
        client_id=app.client_id,
        redirect_url=urls.redirect_url(settings.hosted_url or public_url),
        connect_url=urls.connect_url(settings.hosted_url or public_url, app.slug),
        webhook_url=_webhook_url(session, app, settings, public_url),
        twin_webhook_url=twin_url or None,
    )


def problems(console: Console) -> Sequence[Problem]:
    """Return which URLs can't be used and why, the worst first. Pure.

    Source: docs/contracts/zoom.md 1, 2.4 and 5.1; checked 2026-11-29.
    """
    redirect = (
        ()
        if console.is_connected_elsewhere
        else _about_address(
            "redirect URL",
            console.redirect_url,
            redirect_url_trouble(
                console.redirect_url,
                is_development=console.environment is Environment.DEVELOPMENT,
                is_for_recall=console.custody is TokenCustody.RECALL,
            ),
        )
    )
    if console.webhook_url is None:
        return [
            Problem(
                sentence="With direct routing Zoom sends webhooks to Recall, and "
                "Recall's URL is only known once the app is in Recall.",
                advice="Press Create in Recall first (step 3).",
                is_fatal=True,
            ),
            *redirect,
        ]
    trouble = public_url_trouble(console.webhook_url)
    if console.routing is Routing.RELAY:  # both are the dashboard's: once is enough
        label = "webhook URL" if trouble and not redirect else _BOTH
        return _about_address(label, console.webhook_url, trouble) or redirect
    there = _about_address("webhook URL", console.webhook_url, trouble, is_ours=False)
    return [*redirect, *there]


_BOTH = "redirect URL and webhook URL"


def _about_address(
    label: str, url: str, why: str | None, *, is_ours: bool = True
) -> list[Problem]:
    whose = "DASHBOARD_PUBLIC_URL" if is_ours else "DASHBOARD_RECALL_URL"
    found = []
    if why:
        found.append(
            Problem(
                sentence=f"The {label} can't be used: {why}.",
                advice=f"Fix {whose} first. (Only the simulator accepts this value.)",
            )
        )
    if urlsplit(url).username is not None:
        found.append(
            Problem(
                sentence=f"The {label} contains a user name that everyone who sees the "
                "URL could read.",
                advice=f"Remove it from {whose}.",
                is_fatal=True,
            )
        )
    return found


def _webhook_url(
    session: Session, app: ZoomApp, settings: Settings, public_url: str
) -> str | None:
    if app.routing is Routing.RELAY:
        return urls.webhook_url(public_url, app.id)
    if app.workspace_id is None or app.recall_app_id is None:
        return None
    region = workspaces.get(session, app.workspace_id).region
    host = urls.recall_base_url(settings, region)
    return api.webhook_url(host, app.recall_app_id)


def _twin(session: Session, app: ZoomApp) -> ZoomApp | None:
    """Return the other credential pair of the same Zoom app, if it is here.

    One that replaces another is that app's production (docs/contracts/recall.md 7.3).
    """
    query = select(ZoomApp).where(
        or_(col(ZoomApp.succeeds_id) == app.id, col(ZoomApp.id) == app.succeeds_id),
        col(ZoomApp.environment) != app.environment,
        col(ZoomApp.kind) == app.kind,
        col(ZoomApp.retired_at).is_(None),
    )
    return session.exec(query.order_by(col(ZoomApp.created_at).desc())).first()
