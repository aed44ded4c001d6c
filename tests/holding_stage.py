"""A zoom app under custody `dashboard`, and a door that Recall reaches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sqlmodel import select

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Grant, ZoomUser
from dashboard.services.grants import grants
from dashboard.services.runtime import Services
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
        return grants.get(session, connection.id)


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
    stored = grants.refresh_token(stage.services.vault, grant)
    return stored.get_secret_value() == living


def callback_of(stage: ConnectStage) -> str:
    """Return the key in the address that Recall asks for its one credential."""
    [credential] = stage.credentials()
    url = credential.access_token_callback_url
    assert url is not None
    assert url.startswith(f"{stage.services.public_url}/tokens/")
    return url.rpartition("/")[2]


def everything(stage: ConnectStage) -> tuple[list[Connection], list[HeldGrant]]:
    with stage.services.database.reading() as session:
        rows = session.exec(select(Connection)).all()
        return list(rows), list(session.exec(select(HeldGrant)).all())


def break_recall(stage: ConnectStage, kind: FaultKind, *, times: int = 1) -> None:
    path = "/api/v2/zoom-oauth-credentials/"
    fault = Fault(kind=kind, path=path, method="POST", times=times)
    stage.sandbox.recall_faults.set([fault])


def custody(stage: ConnectStage, value: TokenCustody) -> None:
    with stage.services.database.writing() as session:
        session.get_one(ZoomApp, stage.app.id).token_custody = value
    stage.app.token_custody = value
