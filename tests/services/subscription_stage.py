"""A zoom app with connected users, known at the simulated Zoom, which reaches us."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Flask
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import grants
from dashboard.sandbox.zoom.records import Subscription, ZoomUser
from dashboard.sandbox.zoom.records import ZoomApp as AtZoom
from dashboard.services import audit, urls
from dashboard.services.marketplace import subscriptions
from dashboard.services.marketplace.subscriptions import Seen
from dashboard.services.runtime import Services
from tests.makers import CLIENT_SECRET, SECRET_TOKEN, a_connection, a_zoom_app
from tests.served import served

PATH = "/v2/marketplace/app/event_subscription"
ACTOR = audit.Actor(name="admin@example.com")


@dataclass(kw_only=True)
class SubscriptionStage:
    services: Services
    flask: Flask
    sandbox: RunningSandbox
    app_id: UUID
    at_zoom: AtZoom
    kind: Kind

    @property
    def url(self) -> str:
        return urls.webhook_url(self.services.public_url, self.app_id)

    def app(self) -> ZoomApp:
        with self.services.database.reading() as session:
            return session.get_one(ZoomApp, self.app_id)

    def connect(self, email: str = "ana@example.com") -> ZoomUser:
        """Let a user allow the app at Zoom and be connected here, later than others."""
        world = self.sandbox.zoom_world
        user = world.add_user(email=email, role_name="Admin")
        world.install(self.at_zoom.client_id, user.id)
        code = next(reversed(world.state.codes.values()))
        with world.state.lock:
            from_code(world, self.at_zoom, code.code)
        app = self.app()
        with self.services.database.writing() as session:
            session.add(
                a_connection(
                    app,
                    zoom_user_id=user.id,
                    zoom_account_id=user.account_id,
                    email=email,
                    connected_at=self.services.clock.now(),
                )
            )
        self.services.clock.advance(seconds=1)  # type: ignore[attr-defined]  # a FakeClock
        return user

    def made(self) -> list[Subscription]:
        return list(self.sandbox.zoom_world.state.subscriptions)

    def create(self) -> Seen:
        return subscriptions.create(self.services, self.app_id, actor=ACTOR)

    def look(self) -> Seen:
        return subscriptions.look(self.services, self.app_id, actor=ACTOR)

    def mend(self) -> Seen:
        return subscriptions.mend(self.services, self.app_id, actor=ACTOR)

    def told(self) -> list[str]:
        query = select(AuditEntry.act).order_by(col(AuditEntry.id))
        with self.services.database.reading() as session:
            return list(session.exec(query).all())


def from_code(world: Any, at_zoom: AtZoom, code: str) -> None:
    """Exchange a code as Recall would."""
    grants.exchange(
        world.state,
        at_zoom,
        code=code,
        redirect_uri=at_zoom.redirect_url or "",
        verifier=None,
    )


@contextmanager
def a_subscription_stage(
    services: Services,
    sandbox: RunningSandbox,
    *,
    kind: Kind = Kind.USER_LEVEL,
    **over: Any,
) -> Iterator[SubscriptionStage]:
    at_zoom = sandbox.zoom_world.add_app(
        name="Notetaker",
        kind=kind.value,
        client_secret=CLIENT_SECRET.get_secret_value(),
        secret_token=SECRET_TOKEN.get_secret_value(),
        redirect_url="https://dashboard.example.com/oauth/zoom/callback",
    )
    app = a_zoom_app(services.vault, client_id=at_zoom.client_id, kind=kind, **over)
    with services.database.writing() as session:
        session.add(app)
    with served(services) as (reachable, flask):
        yield SubscriptionStage(
            services=reachable,
            flask=flask,
            sandbox=sandbox,
            app_id=app.id,
            at_zoom=at_zoom,
            kind=kind,
        )
