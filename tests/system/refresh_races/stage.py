"""PostgreSQL, the simulators, two racers, and what is true at Zoom."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from dashboard import schema
from dashboard.app import build_runtime
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import DashboardError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import TokenCustody
from dashboard.sandbox import serving
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Grant as RecallGrant
from dashboard.sandbox.zoom.records import Grant, ZoomUser
from dashboard.services import urls
from dashboard.services.connections import check, listing
from dashboard.services.grants import grants, refreshing
from dashboard.services.grants.refresh_claims import LEASE
from dashboard.settings import load
from tests.fixtures.connect import a_connect_stage
from tests.fixtures.databases import PostgresqlServer
from tests.fixtures.grants import TOKEN_PATH, a_pair
from tests.makers import CLIENT_SECRET, a_connection
from tests.system.refresh_races.racer import Racer, Where

_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One connection that is raced for.

    Attributes:
        user: At the simulated Zoom.
    """

    connection_id: UUID
    user: ZoomUser


class RaceStage(ExitStack):
    """Everything of all runs; closed at the end.

    Args:
        folder: An empty one.
        url: Of a PostgreSQL to use; one is started in `folder` when left out.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        super().__init__()
        if url is None:
            server = PostgresqlServer(folder / "postgresql")
            server.start()
            self.callback(server.cleanup)
            url = server.url().render_as_string(hide_password=False)
        database = Database(url)
        schema.upgrade(database)
        database.close()
        self.sandbox = serving.start(allow_local=True)
        self.callback(self.sandbox.close)
        where = Where(
            instance=folder,
            database_url=url,
            zoom_url=self.sandbox.zoom_url,
            recall_url=self.sandbox.recall_url,
        )
        settings = load(
            instance=folder,
            public_url="https://dashboard.example.com",
            database_url=url,
            zoom_url=where.zoom_url,
            zoom_api_url=where.zoom_url,
            recall_url=where.recall_url,
        )
        self.runtime = build_runtime(settings, listens_on=settings.public_url or "")
        self.callback(self.runtime.close)
        self.stage = a_connect_stage(
            self.runtime, self.sandbox, token_custody=TokenCustody.DASHBOARD
        )
        self.racers = Racer(where), Racer(where)
        for racer in self.racers:
            self.callback(racer.close)

    @property
    def clock(self) -> Clock:
        """This process's own; the racers have theirs."""
        return self.runtime.clock

    def runner(self, number: int) -> Runner:
        """Connect one more user; nothing is known of its state."""
        self.clock.set(None)
        user = self.sandbox.zoom_world.add_user(email=f"user{number}@example.com")
        tokens, now = a_pair(self.stage, user), self.clock.now()
        recall = self.sandbox.recall_world.add_credential(
            self.stage.recall_app,
            RecallGrant(
                access_token=tokens.access_token.get_secret_value(),
                refresh_token=None,
                expires_at=now + timedelta(hours=1),
                user_id=user.id,
                account_id=user.account_id,
            ),
            "https://dashboard.example.com/tokens/not-asked",
        )
        row = a_connection(
            self.stage.app,
            zoom_user_id=user.id,
            token_custody=TokenCustody.DASHBOARD,
            token_state=TokenState.UNKNOWN,
            recall_credential_id=UUID(recall.id),
            due_at=now + timedelta(days=1),
        )
        with self.runtime.database.writing() as session:
            session.add(row)
            session.flush()
            grants.add(
                session,
                self.runtime.vault,
                row.id,
                tokens,
                key=urls.new_key(),
                asked_at=now,
                now=now,
            )
        return Runner(connection_id=row.id, user=user)

    def strike(self, *faults: Fault) -> None:
        """Strike Zoom's token endpoint, in this order."""
        for fault in faults:
            fault.path, fault.times = TOKEN_PATH, 1
        self.sandbox.zoom_faults.set(list(faults))

    def calm(self) -> None:
        """Let Zoom be well."""
        self.sandbox.zoom_faults.set([])

    def at_zoom(self, runner: Runner) -> Grant | None:
        """Return the living grant."""
        state = self.sandbox.zoom_world.state
        with state.lock:
            return state.active_grant(self.stage.app.client_id, runner.user.id)

    def rotated(self, runner: Runner) -> int:
        """Return how many access tokens Zoom gave: it grows when it has acted."""
        living = self.at_zoom(runner)
        return 0 if living is None else len(living.access)

    def grant(self, runner: Runner) -> HeldGrant:
        """Return what is stored."""
        with self.runtime.database.reading() as session:
            return grants.get(session, runner.connection_id)

    def look(self, runner: Runner) -> Connection:
        """Look as *Check now* does; return the connection as it stands then."""
        try:
            return check.now(self.runtime, runner.connection_id)
        except UpstreamError:
            with self.runtime.database.reading() as session:
                return listing.get(session, runner.connection_id)

    def settle(self, runner: Runner) -> None:
        """Let time pass until nothing is owed any more: chores do the rest."""
        self.calm()
        for number in range(1, _ROUNDS):
            self.clock.set(None)
            self.clock.set(self.clock.now() + number * LEASE)
            refreshing.DueRefreshes(self.runtime)()
            self.runtime.flights.wait()
            row = self.grant(runner)
            if row.lost_at is not None or row.asked_at is None:
                return

    def survives(self, runner: Runner) -> bool:
        """Ask Zoom: whether the stored pair answers a call and can be renewed."""
        row = self.grant(runner)
        try:
            access = grants.access_token(self.runtime.vault, row)
            self.runtime.zoom.me(access)
            self.runtime.zoom_grants.refresh(
                client_id=self.stage.app.client_id,
                client_secret=CLIENT_SECRET,
                refresh_token=grants.refresh_token(self.runtime.vault, row),
            )
        except DashboardError:
            return False
        return True


def late(seconds: float) -> Fault:
    """Zoom acts at once and its answer takes long."""
    return Fault(kind=FaultKind.LATE_ANSWER, seconds=seconds)


def slow(seconds: float) -> Fault:
    """The request takes long to reach Zoom."""
    return Fault(kind=FaultKind.SLOW, seconds=seconds)
