"""A zoom app's own token, and what asking for it shows of its credentials."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from pydantic import SecretStr

from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, ZoomApp, ZoomCloud
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks, hosts
from dashboard.services.zoom_apps.apps import PairCheck
from dashboard.vault import Vault


class Pair(Protocol):
    """The credentials of a zoom app as they were read."""

    @property
    def zoom_app_id(self) -> UUID:
        """Whose."""

    @property
    def environment(self) -> Environment:
        """Which of Zoom's two pairs."""

    @property
    def zoom_cloud(self) -> ZoomCloud:
        """Which of Zoom's services gives it."""

    @property
    def client_id(self) -> str:
        """Zoom's."""

    @property
    def client_secret(self) -> SecretStr:
        """Opened."""

    @property
    def client_secret_set_at(self) -> datetime:
        """When it was entered, so that an answer is stored with its own secret."""


@dataclass(frozen=True, kw_only=True)
class OwnApp:
    """A zoom app that is asked about with its own token.

    Attributes:
        app_id: Zoom's ID of it.
    """

    zoom_app_id: UUID
    environment: Environment
    zoom_cloud: ZoomCloud
    client_id: str
    client_secret: SecretStr
    client_secret_set_at: datetime
    app_id: str


def own_app(vault: Vault, app: ZoomApp) -> OwnApp:
    """Return what asking about an app takes.

    Raises:
        ConflictError: Zoom's ID of the app isn't known.
    """
    if app.marketplace_app_id is None:
        raise ConflictError(
            "Zoom's app ID is not known yet. Enter it with Zoom's delivery log first: "
            "it is in the address of the app's page in Zoom's Marketplace."
        )
    return OwnApp(
        zoom_app_id=app.id,
        environment=app.environment,
        zoom_cloud=app.zoom_cloud,
        client_id=app.client_id,
        client_secret=apps.client_secret(vault, app),
        client_secret_set_at=app.client_secret_set_at,
        app_id=app.marketplace_app_id,
    )


def ask(runtime: Runtime, pair: Pair) -> SecretStr | UpstreamError:
    """Ask Zoom for the app's own token; commits what it says of the pair."""
    try:
        zoom = hosts.of_cloud(runtime.zoom_oauth, pair.zoom_cloud)
        token = zoom.app_token(
            client_id=pair.client_id, client_secret=pair.client_secret
        )
    except UpstreamError as error:
        if error.code == "invalid_client":
            where = credential_checks.wrong_pair_advice(pair.environment)
            _remember(runtime, pair, Verdict.WRONG, where)
        # `unauthorized_client` is about this grant type only.
        elif error.code != "unauthorized_client":
            refusal = credential_checks.refusal_of_the_app(
                error, at=runtime.clock.now()
            )
            if refusal is not None:
                _store(runtime, pair, refusal)
        return error
    gave = "Zoom issued the app a token for this client ID and client secret."
    _remember(runtime, pair, Verdict.RIGHT, gave)
    return token.access_token


def _remember(runtime: Runtime, pair: Pair, verdict: Verdict, reason: str) -> None:
    at = runtime.clock.now()
    _store(runtime, pair, PairCheck(verdict=verdict, reason=reason, at=at))


def _store(runtime: Runtime, pair: Pair, pair_check: PairCheck) -> None:
    credential_checks.store_pair_check(
        runtime,
        pair.zoom_app_id,
        pair_check,
        of_secret_set_at=pair.client_secret_set_at,
    )
