"""A zoom app under custody `dashboard`, with a door that simulated Recall reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import TokenCustody
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Grant, ZoomUser
from dashboard.services import held_grants
from dashboard.services.bundle import Services
from tests.connect_stage import ConnectStage, a_connect_stage
from tests.served import served


@contextmanager
def a_holding_stage(
    services: Services,
    sandbox: RunningSandbox,
    *,
    database: Database | None = None,
    **over: object,
) -> Iterator[ConnectStage]:
    if database is not None and not database.is_sqlite:
        services = replace(services, database=database)
    with served(services) as (reachable, _):
        values = {"token_custody": TokenCustody.DASHBOARD, **over}
        yield a_connect_stage(reachable, sandbox, **values)  # type: ignore[arg-type]


def grant_of(stage: ConnectStage, connection: Connection) -> HeldGrant:
    with stage.services.database.reading() as session:
        return held_grants.get(session, connection.id)


def at_zoom(stage: ConnectStage, user: ZoomUser | None = None) -> Grant | None:
    """Return the user's living grant at Zoom."""
    state = stage.sandbox.zoom_world.state
    return state.living_grant(stage.app.client_id, (user or stage.ana).id)


def lives(stage: ConnectStage, connection: Connection) -> bool:
    """Whether the refresh token stored is the living one at Zoom."""
    grant, living = grant_of(stage, connection), None
    for one in stage.sandbox.zoom_world.state.grants:
        if one.user_id == connection.zoom_user_id and one.ended is None:
            living = one.refresh_token
    stored = held_grants.refresh_token(stage.services.vault, grant)
    return stored.get_secret_value() == living
