"""A zoom app for `zoom-app show` and its page: everything but the secrets."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.clients.recall import api
from dashboard.models.workspace import Verdict
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
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Evidence
from dashboard.settings import Settings


@dataclass(frozen=True, kw_only=True)
class SecretFacts:
    """What may be known of a stored secret."""

    set_at: datetime
    length: int
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class ZoomAppSummary:
    """A zoom app without its secrets; `dataclasses.asdict` makes it JSON's.

    Attributes:
        region: Of its workspace; None while it has none.
        recall_webhook_url: Where Zoom posts with routing `direct`, and where the
            dashboard forwards to; None while the app is not in Recall.
        zoom_to_dashboard: Validation state of that way.
        dashboard_to_recall: Validation state of that way.
    """

    id: UUID
    name: str
    environment: Environment
    kind: Kind
    scope_style: ScopeStyle
    routing: Routing
    token_custody: TokenCustody
    client_id: str
    client_secret: SecretFacts
    secret_token: SecretFacts
    verdict: Verdict
    verdict_reason: str
    checked_at: datetime | None
    region: str | None
    recall_app_id: UUID | None
    webhook_url: str
    recall_webhook_url: str | None
    redirect_url: str
    connect_url: str
    zoom_to_dashboard: evidence.State
    dashboard_to_recall: evidence.State


def summary(  # noqa: PLR0913 - what it is made of
    session: Session,
    app: ZoomApp,
    seen: Evidence,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppSummary:
    """Return what is known of a zoom app; `seen` is `validation.evidence` of it."""
    region = recall_url = None
    if app.workspace_id is not None:
        region = workspaces.get(session, app.workspace_id).region
        if app.recall_app_id is not None:
            host = urls.recall_base_url(settings, region)
            recall_url = api.webhook_url(host, app.recall_app_id)
    return ZoomAppSummary(
        id=app.id,
        name=app.name,
        environment=app.environment,
        kind=app.kind,
        scope_style=app.scope_style,
        routing=app.routing,
        token_custody=app.token_custody,
        client_id=app.client_id,
        client_secret=SecretFacts(
            set_at=app.client_secret_set_at,
            length=app.client_secret_length,
            fingerprint=app.client_secret_print,
        ),
        secret_token=SecretFacts(
            set_at=app.secret_token_set_at,
            length=app.secret_token_length,
            fingerprint=app.secret_token_print,
        ),
        verdict=app.verdict,
        verdict_reason=app.verdict_reason,
        checked_at=app.checked_at,
        region=region,
        recall_app_id=app.recall_app_id,
        webhook_url=urls.webhook_url(public_url, app.id),
        recall_webhook_url=recall_url,
        redirect_url=urls.redirect_url(public_url),
        connect_url=urls.connect_url(public_url, app.slug),
        zoom_to_dashboard=evidence.zoom_status(seen, now).state,
        dashboard_to_recall=evidence.recall_status(seen, now).state,
    )
