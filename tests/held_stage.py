"""A connection whose grant the dashboard holds, living at the simulated Zoom."""

from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.grants import GrantTokens, ZoomGrants
from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import TokenCustody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Grant, ZoomUser
from dashboard.services import urls
from dashboard.services.grants import grants as held_grants
from dashboard.services.grants import refresh_claims, refreshing
from dashboard.services.grants.refresh_claims import Came, Claim
from dashboard.services.runtime import Services
from tests.clients.vendors import VERIFIER, challenge_of
from tests.connect_stage import ConnectStage, a_connect_stage
from tests.makers import CLIENT_SECRET, FakeClock, a_connection

TOKEN_PATH = "/oauth/token"
QUICK_S = 0.5


@dataclass(kw_only=True)
class HeldStage:
    stage: ConnectStage
    connection_id: UUID
    key: str

    @property
    def services(self) -> Services:
        return self.stage.services

    def grant(self) -> HeldGrant:
        with self.services.database.reading() as session:
            return held_grants.get(session, self.connection_id)

    def connection(self) -> Connection:
        return self.stage.connection(self.connection_id)

    def set(self, **values: object) -> None:
        """Change columns of the grant."""
        with self.services.database.writing() as session:
            row = held_grants.get(session, self.connection_id)
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)

    def renew(self, services: Services | None = None) -> None:
        refreshing.renew(
            services or self.services, self.connection_id, self.grant().version
        )

    def live_token(self, **over: float) -> str:
        token = refreshing.live_token(self.services, self.connection_id, **over)  # type: ignore[arg-type]
        return token.get_secret_value()

    def strike(self, *kinds: FaultKind, times: int = 1, seconds: float = 1.0) -> None:
        """Strike the next requests to Zoom's token endpoint."""
        self.stage.sandbox.zoom_faults.set(
            [
                Fault(kind=kind, path=TOKEN_PATH, times=times, seconds=seconds)
                for kind in kinds
            ]
        )

    def at_zoom(self) -> Grant | None:
        """Return the living grant of the user at Zoom, if there is one."""
        world, app = self.stage.sandbox.zoom_world, self.stage.app
        return world.state.living_grant(app.client_id, self.stage.ana.id)

    def lives(self) -> bool:
        """Whether the stored pair is the living one at Zoom."""
        row, living = self.grant(), self.at_zoom()
        vault = self.services.vault
        refresh = held_grants.refresh_token(vault, row).get_secret_value()
        access = held_grants.access_token(vault, row).get_secret_value()
        return (
            living is not None
            and living.refresh_token == refresh
            and access in living.access
        )

    def consent(self) -> GrantTokens:
        """Let the user consent anew, and exchange the code; store nothing."""
        return a_pair(self.stage)


def a_pair(stage: ConnectStage, user: ZoomUser | None = None) -> GrantTokens:
    """Return tokens of a new consent, as the services' own client exchanges them."""
    redirect = f"{stage.services.public_url}/oauth/zoom/callback"
    back = stage.sandbox.zoom_world.authorize(
        (user or stage.ana).id,
        client_id=stage.app.client_id,
        redirect_uri=redirect,
        state="a-state",
        code_challenge=challenge_of(VERIFIER),
        code_challenge_method="S256",
    )
    return stage.services.zoom_grants.exchange(
        client_id=stage.app.client_id,
        client_secret=CLIENT_SECRET,
        code=SecretStr(parse_qs(urlsplit(back).query)["code"][0]),
        redirect_uri=redirect,
        code_verifier=VERIFIER,
    )


def quick(services: Services) -> Services:
    """Return the same with a client that waits for Zoom half a second."""
    http = make_http(services.settings.zoom_url, timeout_s=QUICK_S)
    grants = ZoomGrants(services.settings.zoom_url, http=http)
    return replace(
        services, zoom_grants=grants, closing=[*services.closing, http.close]
    )


def a_held_stage(
    services: Services, sandbox: RunningSandbox, *, database: Database | None = None
) -> HeldStage:
    stage = a_connect_stage(
        services, sandbox, database=database, token_custody=TokenCustody.DASHBOARD
    )
    services, key = stage.services, urls.new_key()
    tokens, now = a_pair(stage), stage.services.clock.now()
    row = a_connection(
        stage.app, zoom_user_id=stage.ana.id, token_custody=TokenCustody.DASHBOARD
    )
    with services.database.writing() as session:
        session.add(row)
        session.flush()
        held_grants.add(
            session, services.vault, row.id, tokens, key=key, asked_at=now, now=now
        )
    return HeldStage(stage=stage, connection_id=row.id, key=key)


def later(held: HeldStage, clock: FakeClock, **amount: float) -> None:
    """Let time pass, here and at Zoom."""
    clock.advance(**amount)
    held.stage.sandbox.clock.set(clock.instant)


def claimed(held: HeldStage, clock: FakeClock) -> Claim:
    """Claim as another process would that does not come back."""
    services = held.services
    with services.database.writing() as session:
        claim = refresh_claims.take(
            session,
            services.vault,
            held.connection_id,
            version=held.grant().version,
            now=clock.now(),
        )
    assert claim is not None
    return claim


def kept(held: HeldStage, claim: Claim, clock: FakeClock) -> Came:
    """Ask Zoom for a claim and store what it says."""
    tokens = held.services.zoom_grants.refresh(
        client_id=claim.app.client_id,
        client_secret=claim.client_secret,
        refresh_token=claim.refresh_token,
    )
    with held.services.database.writing() as session:
        return refresh_claims.keep(
            session, held.services.vault, claim, tokens, now=clock.now()
        )
