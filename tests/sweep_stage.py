"""Thousands of connections here, at the simulated Recall and at the simulated Zoom.

Made in the worlds' own process, not by thousands of trips. What is wrong with each is
known, so that it is known as well how each must end.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.recall.records import App, Credential, Grant, Health, Sync
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Grant as ZoomGrant
from dashboard.sandbox.zoom.records import ZoomApp as AtZoom
from dashboard.services.runtime import Services
from dashboard.services.sweep.sweep import Sweep
from tests.connect_stage import ConnectStage, a_connect_stage
from tests.makers import NOON, FakeClock, a_connection, a_zoom_app

_PATIENCE_S = 60.0
_STEP = timedelta(seconds=10)
_CALLS_A_STEP = 10


class Fate(StrEnum):
    """What is the matter with a connection."""

    WELL = "well"
    UNINSTALLED = "uninstalled"  # Recall still says healthy, its token still lives
    REVOKED = "revoked"  # and the token has ended
    SCOPES = "scopes"
    UNHEALTHY = "unhealthy"
    DELETED = "deleted"
    WRONG_PAIR = "wrong_pair"  # Recall holds a wrong client secret


ENDS: Mapping[Fate, set[TokenState]] = {
    Fate.WELL: {TokenState.HEALTHY},
    Fate.UNINSTALLED: {TokenState.RECONNECT_NEEDED},
    # After a third refusal Recall calls the credential unhealthy by itself.
    Fate.REVOKED: {TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL},
    Fate.SCOPES: {TokenState.MISSING_SCOPES},
    Fate.UNHEALTHY: {TokenState.UNHEALTHY_IN_RECALL},
    Fate.DELETED: {TokenState.RECONNECT_NEEDED},
    Fate.WRONG_PAIR: {TokenState.UNKNOWN},
}
_EVERY = 25
_FATES = dict(enumerate(list(Fate)[1:], 3))
"""Six of every twenty-five; all others are well."""


@dataclass(frozen=True, kw_only=True)
class _Apps:
    """The good app, and one whose secret is wrong in Recall: here, there, at Zoom."""

    good: ConnectStage
    other: ZoomApp
    other_in_recall: App
    other_at_zoom: AtZoom


@dataclass(kw_only=True)
class SweepStage:
    """Both worlds and the dashboard, with time in one hand."""

    connecting: ConnectStage
    clock: FakeClock
    sweep: Sweep
    fates: dict[UUID, Fate] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        return self.connecting.services

    @property
    def sandbox(self) -> RunningSandbox:
        return self.connecting.sandbox

    def run(self, seconds: float) -> Iterator[None]:
        """Let time pass in steps, and the chore do what it does meanwhile."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            self.tick()
            yield

    def tick(self) -> int:
        """Let ten seconds pass; return how many looks were begun in them."""
        self.sandbox.clock.set(self.clock.now())
        looks = 0
        for _ in range(_CALLS_A_STEP):
            begun = self.sweep()
            looks += begun
            if not begun:
                break
        self.clock.advance(seconds=_STEP.total_seconds())
        return looks

    def unseen(self) -> int:
        """How many were never looked at."""
        with self.services.database.reading() as session:
            query = select(Connection.id).where(
                col(Connection.token_checked_at).is_(None)
            )
            return len(session.exec(query).all())

    def wrong(self) -> Counter[tuple[Fate, TokenState]]:
        """Count those whose state is not what it must be."""
        with self.services.database.reading() as session:
            query = select(Connection.id, Connection.token_state)
            found = session.exec(query).all()
        return Counter(
            (self.fates[connection_id], TokenState(state))
            for connection_id, state in found
            if state not in ENDS[self.fates[connection_id]]
        )

    def calls(self) -> dict[str, dict[str, Any]]:
        """What the simulated Recall counted, by operation."""
        found = self.sandbox.recall_world.throttle.tallies()
        return {one["operation"]: one for one in found}


def a_sweep_stage(
    services: Services, sandbox: RunningSandbox, clock: FakeClock, *, number: int
) -> SweepStage:
    """Make so many connections, none of them looked at yet, all of them due."""
    stage = SweepStage(
        connecting=a_connect_stage(services, sandbox),
        clock=clock,
        sweep=Sweep(services, patience_s=_PATIENCE_S),
    )
    sandbox.recall_world.set_switches({"page_size": 100})
    sandbox.clock.set(clock.now())
    apps = _two_apps(stage)
    rows = [_one(stage, apps, index) for index in range(number)]
    with services.database.writing() as session:
        session.add_all(rows)
    return stage


def _two_apps(stage: SweepStage) -> _Apps:
    first = stage.connecting
    at_zoom = stage.sandbox.zoom_world.add_app(name="Other", kind=first.app.kind)
    recall = stage.sandbox.recall_world
    in_recall = recall.add_app(
        first.recall_app.workspace,
        kind=first.recall_app.kind,
        client_id=at_zoom.client_id,
        client_secret="not-the-secret",
        webhook_secret="not-the-token",
    )
    other = a_zoom_app(
        stage.services.vault,
        name="Other",
        client_id=at_zoom.client_id,
        recall_app_id=UUID(in_recall.id),
        workspace_id=first.app.workspace_id,
    )
    with stage.services.database.writing() as session:
        session.add(other)
    return _Apps(
        good=first, other=other, other_in_recall=in_recall, other_at_zoom=at_zoom
    )


def _one(stage: SweepStage, apps: _Apps, index: int) -> Connection:
    fate = _FATES.get(index % _EVERY, Fate.WELL)
    is_other = fate is Fate.WRONG_PAIR
    client_id = (apps.other if is_other else apps.good.app).client_id
    zoom, recall = stage.sandbox.zoom_world, stage.sandbox.recall_world
    user = zoom.add_user(email=f"user{index}@example.com", pmi=5_000_000_000 + index)
    has_ended = fate in (Fate.REVOKED, Fate.WRONG_PAIR)
    ends_at = NOON + timedelta(hours=-1 if has_ended else 12)
    access, refresh = f"simulated-access-{index}", f"simulated-refresh-{index}"
    scopes = list(zoom.state.apps[apps.good.app.client_id].scopes)
    granted = ZoomGrant(
        client_id=client_id,
        user_id=user.id,
        account_id=user.account_id,
        scopes=[one for one in scopes if fate is not Fate.SCOPES or "user" not in one],
        access={access: ends_at},
        refresh_token=refresh,
        granted_at=NOON,
        ended="uninstalled" if fate in (Fate.UNINSTALLED, Fate.REVOKED) else None,
    )
    zoom.state.grants.append(granted)
    credential: Credential = recall.add_credential(
        apps.other_in_recall if is_other else apps.good.recall_app,
        Grant(
            access_token=access,
            refresh_token=refresh,
            expires_at=ends_at,
            user_id=user.id,
            account_id=user.account_id,
        ),
        None,
    )
    credential.meeting_sync_status = Sync.COMPLETED
    if fate is Fate.UNHEALTHY:
        credential.status = Health.UNHEALTHY
    _map(stage, credential, user.pmi, index)
    if fate is Fate.DELETED:
        recall.remove_credential(credential)
    row = a_connection(
        apps.other if is_other else apps.good.app,
        recall_credential_id=UUID(credential.id),
        zoom_user_id=user.id,
        email=user.email,
        pmi=None,
        token_state=TokenState.UNKNOWN,
        token_checked_at=None,
        due_at=NOON,
    )
    stage.fates[row.id] = fate
    return row


def _map(stage: SweepStage, credential: Credential, pmi: int, index: int) -> None:
    recall = stage.sandbox.recall_world
    recall.map_meeting(pmi, credential)
    mapped = recall.mappings[pmi, credential.id]
    mapped.synced_at = NOON - timedelta(hours=index % 720, seconds=index % 3600)
