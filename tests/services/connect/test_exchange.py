"""The exchange of a code, wherever it happens: what is stored of it, and its tries."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.errors import ConflictError, StorageError, UpstreamError
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import (
    AttemptOutcome,
    Connection,
    SyncStatus,
    TokenState,
)
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect import exchange, flow
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.connect.exchange import (
    ChangedError,
    GrantedProfile,
    SupersededError,
)
from dashboard.services.connect.exchange_at_recall import (
    ExchangeAtRecall,
    GrantedAtRecall,
)
from dashboard.services.runtime import Runtime
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import BROWSER, ConnectStage, a_connect_stage
from tests.fixtures.invitations import go, invite, now_of, reconnect_link
from tests.makers import FakeClock, a_connection


@pytest.mark.parametrize(
    ("user_id", "account_id", "email", "masked"),
    [
        ("zUsErAna1", "zAcc1", "ana@example.com", "a***@example.com"),
        ("zUsErAna1", "zAcc1", "", "zUs***"),
        (None, "zAcc1", "", "zAc***"),
        (None, None, "", ""),
    ],
)
def test_a_rejected_account_is_named_masked(
    user_id: str | None, account_id: str | None, email: str, masked: str
) -> None:
    profile = GrantedProfile(user_id=user_id, account_id=account_id, email=email)

    assert profile.masked == masked


def come_back(stage: ConnectStage) -> ReturnedAttempt:
    return stage.come_back(stage.allow(stage.begin()))


def exchanged(stage: ConnectStage) -> Connection:
    """Exchange a code of Ana's at Recall without the health check that follows."""
    made = ExchangeAtRecall(stage.runtime, come_back(stage)).run()
    assert made is not None
    return stage.connection(made)


def test_a_new_connection_is_due_at_once_and_nothing_is_known_of_its_token(
    lite: ConnectStage,
) -> None:
    row, now = exchanged(lite), lite.runtime.clock.now()

    assert (row.connected_at, row.reconnected_at, row.due_at) == (now, None, now)
    assert (row.zoom_app_id, row.zoom_user_id) == (lite.app.id, lite.ana.id)
    assert (row.token_state, row.token_evidence) == (
        TokenState.UNKNOWN,
        "Recall accepted the code.",
    )
    assert row.token_reason == exchange._NOT_CHECKED


def test_of_a_renewed_connection_all_that_was_seen_before_is_forgotten(
    lite: ConnectStage, clock: FakeClock
) -> None:
    first = exchanged(lite)
    before = first.connected_at - timedelta(days=1)
    with lite.runtime.database.writing() as session:
        row = session.get_one(Connection, first.id)
        row.token_expires_at = row.deauthorized_at = row.token_checked_at = before
        row.token_since = row.recall_tried_at = row.lease_until = before
        row.sync_status, row.recall_status = SyncStatus.FAILED, "unhealthy"
        row.claim = 4
    clock.advance(minutes=1)

    row, now = exchanged(lite), clock.now()

    assert row.id == first.id
    assert (row.connected_at, row.reconnected_at) == (first.connected_at, now)
    assert (row.token_expires_at, row.deauthorized_at) == (None, None)
    assert (row.token_checked_at, row.recall_tried_at) == (None, None)
    assert (row.token_since, row.due_at, row.lease_until) == (now, now, None)
    assert (row.sync_status, row.recall_status) == (SyncStatus.UNKNOWN, "")
    assert row.claim == 5


class Scripted(ExchangeAtRecall):
    """Fails as told: at the exchange, at each try to store, or afterwards."""

    pauses_s = (0.0, 0.2, 1.0)

    def __init__(
        self,
        stage: ConnectStage,
        *,
        spending: Exception | None = None,
        storing: list[Exception | None] | None = None,
        after: Exception | None = None,
        profile: dict[str, Any] | None = None,
    ) -> None:
        attempt = come_back(stage)
        super().__init__(stage.runtime, attempt)
        self.attempt_id = attempt.id
        self._spending, self._after_error = spending, after
        self._storing = storing or []
        self._profile = profile or {}

    def _spend(self) -> GrantedAtRecall:
        if self._spending is not None:
            raise self._spending
        granted = super()._spend()
        return GrantedAtRecall(
            **{
                "credential": granted.credential,
                "user_id": granted.user_id,
                "account_id": granted.account_id,
                **self._profile,
            }
        )

    def _prepare(self, granted: GrantedAtRecall) -> None:
        error = self._storing.pop(0) if self._storing else None
        if error is not None:
            raise error

    def _after(self, row: Connection) -> None:
        if self._after_error is not None:
            raise self._after_error


def ended(stage: ConnectStage, tried: Scripted) -> tuple[AttemptOutcome, str]:
    attempt = stage.attempt(tried.attempt_id)
    return attempt.outcome, attempt.detail


def upstream(**facts: Any) -> UpstreamError:
    return UpstreamError("Recall refused.", service="Recall", **facts)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ConflictError("Approve once more."),
            (AttemptOutcome.REFUSED_BY_RECALL, "Approve once more."),
        ),
        (
            upstream(detail="Invalid code"),
            (AttemptOutcome.REFUSED_BY_RECALL, "Recall refused: Invalid code"),
        ),
        (upstream(retryable=True), (AttemptOutcome.UNREACHABLE, "Recall refused.")),
        (
            upstream(may_have_happened=True),
            (AttemptOutcome.UNREACHABLE, "Recall refused."),
        ),
    ],
    ids=["conflict", "refused", "retryable", "answer lost"],
)
def test_a_code_that_was_not_exchanged_ends_the_attempt(
    lite: ConnectStage, error: Exception, expected: tuple[AttemptOutcome, str]
) -> None:
    tried = Scripted(lite, spending=error)

    assert tried.run() is None
    assert ended(lite, tried) == expected
    assert lite.attempt(tried.attempt_id).ended_at == lite.runtime.clock.now()


@pytest.mark.parametrize(
    ("scripted", "is_doubted"),
    [
        ({"spending": upstream(code="invalid_client")}, True),
        ({"spending": upstream(code="invalid_grant")}, False),
        ({"spending": ConflictError("Approve once more.")}, False),
        ({"storing": [SupersededError()]}, False),
    ],
    ids=["pair", "code", "conflict", "superseded"],
)
def test_a_refused_pair_is_doubted_from_now_on(
    lite: ConnectStage, scripted: dict[str, Any], *, is_doubted: bool
) -> None:
    assert Scripted(lite, **scripted).run() is None

    with lite.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, lite.app.id)
    now = lite.runtime.clock.now()
    assert app.pair_doubted_at == (now if is_doubted else None)
    assert app.pair_due_at == (now if is_doubted else lite.app.pair_due_at)


def test_a_grant_proves_the_pair_and_has_the_others_checked(
    lite: ConnectStage, clock: FakeClock
) -> None:
    other = a_connection(lite.app, due_at=clock.now() + timedelta(hours=1))
    with lite.runtime.database.writing() as session:
        session.add(other)
        session.get_one(ZoomApp, lite.app.id).pair_doubted_at = clock.now()

    exchanged(lite)

    with lite.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, lite.app.id)
    assert app.pair_doubted_at is None
    assert lite.connection(other.id).due_at == clock.now()


DOWN = StorageError("The disk is full.")


@pytest.mark.parametrize(
    ("storing", "pauses", "outcome"),
    [
        ([], [0.0], AttemptOutcome.CONNECTED),
        ([DOWN, DOWN], [0.0, 0.2, 1.0], AttemptOutcome.CONNECTED),
        ([ChangedError()], [0.0, 0.2], AttemptOutcome.CONNECTED),
        ([ChangedError()] * 3, [0.0, 0.2, 1.0], AttemptOutcome.UNREACHABLE),
        ([SupersededError()], [0.0], AttemptOutcome.UNREACHABLE),
    ],
    ids=["at once", "disk full twice", "changed", "changes on", "superseded"],
)
def test_what_was_granted_is_tried_to_be_stored_a_few_times(
    lite: ConnectStage,
    storing: list[Exception | None],
    pauses: list[float],
    outcome: AttemptOutcome,
) -> None:
    made: list[float] = []
    tried = Scripted(lite, storing=list(storing))

    connection_id = tried.run(pause=made.append)

    assert made == pauses
    assert (connection_id is not None) is (outcome is AttemptOutcome.CONNECTED)
    assert ended(lite, tried) == (
        outcome,
        "" if connection_id else exchange._SUPERSEDED,
    )


def test_what_cannot_be_stored_to_the_last_is_an_error(lite: ConnectStage) -> None:
    tried = Scripted(lite, storing=[DOWN] * 3)

    with pytest.raises(StorageError):
        tried.run(pause=lambda _: None)


def test_the_pauses_are_of_the_clock(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(lite.runtime.clock, "sleep", slept.append)

    Scripted(lite, storing=[DOWN]).run()

    assert slept == [0.0, 0.2]


def test_a_connection_stands_though_what_follows_cannot_be_stored(
    lite: ConnectStage,
) -> None:
    tried = Scripted(lite, after=DOWN)

    assert tried.run() is not None
    assert ended(lite, tried) == (AttemptOutcome.CONNECTED, "")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            upstream(retryable=True),
            (
                AttemptOutcome.UNREACHABLE,
                "The profile could not be read: Recall refused.",
            ),
        ),
        (
            upstream(),
            (
                AttemptOutcome.ZOOM_ERROR,
                "The profile could not be read: Recall refused.",
            ),
        ),
    ],
    ids=["for now", "for good"],
)
def test_a_grant_of_nobody_known_is_not_used(
    lite: ConnectStage, error: UpstreamError, expected: tuple[AttemptOutcome, str]
) -> None:
    tried = Scripted(lite, profile={"user_id": None, "error": error})

    assert tried.run() is None
    assert ended(lite, tried) == expected


@pytest.mark.parametrize(
    ("profile", "outcome"),
    [
        ({"account_id": None, "user_id": "zUser1"}, AttemptOutcome.UNREACHABLE),
        ({"account_id": "zAccount1", "user_id": None}, AttemptOutcome.CONNECTED),
    ],
    ids=["only its user", "only itself"],
)
def test_the_grant_of_an_account_is_known_by_the_account(
    runtime: Runtime,
    sandbox: RunningSandbox,
    profile: dict[str, Any],
    outcome: AttemptOutcome,
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    tried = Scripted(stage, profile={**profile, "error": upstream(retryable=True)})

    tried.run()

    assert ended(stage, tried)[0] is outcome


@pytest.mark.parametrize("kind", [Kind.USER_LEVEL, Kind.ACCOUNT_LEVEL])
def test_a_link_to_reconnect_is_for_the_same_user_or_account(
    runtime: Runtime, sandbox: RunningSandbox, kind: Kind
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=kind)
    connection = stage.connect()
    made = reconnect_link(stage, connection)

    assert go(stage, made, stage.ana).connection_id == connection.id


def test_an_unreadable_profile_matters_only_to_a_link_for_an_email(
    lite: ConnectStage,
) -> None:
    tried = Scripted(lite, profile={"error": upstream()})

    assert tried.run() is not None
    assert ended(lite, tried) == (AttemptOutcome.CONNECTED, "")


def test_an_account_that_was_known_once_stays_known(lite: ConnectStage) -> None:
    for account_id in ("zAccount1", None):
        made = Scripted(lite, profile={"account_id": account_id}).run()

        assert made is not None
        assert lite.connection(made).zoom_account_id == "zAccount1"


def test_the_audit_log_names_app_and_link(lite: ConnectStage) -> None:
    made = invite(lite)
    connection_id = go(lite, made, lite.ana).connection_id
    lite.connect()

    with lite.runtime.database.reading() as session:
        mine = AUDIT_LOG.where(col(AuditEntry.subject).contains(str(connection_id)))
        entries = [(each.act, each.subject) for each in session.exec(mine)]
    subject = f"connection {connection_id} of Notetaker"
    through = f", through link {made.invitation.id} made by command line"
    assert entries == [
        ("connection.created", subject + through),
        ("connection.reconnected", subject),
    ]


def test_a_link_is_used_by_whom_it_was_made_for_alone(lite: ConnectStage) -> None:
    ben = lite.sandbox.zoom_world.add_user(email="ben@example.com")
    made = invite(lite, "ana@example.com")

    attempt = go(lite, made, ben)

    with lite.runtime.database.reading() as session:
        found: UUID | None = session.exec(select(Connection.id)).first()
    assert (attempt.outcome, attempt.connection_id, found) == (
        AttemptOutcome.WRONG_ACCOUNT,
        None,
        None,
    )
    assert now_of(lite, made).tried_as == "b***@example.com"
    assert attempt.ended_at == lite.runtime.clock.now()


def test_a_refused_account_that_is_connected_already_is_not_the_links(
    lite: ConnectStage,
) -> None:
    ben = lite.sandbox.zoom_world.add_user(email="ben@example.com")
    lite.connect(ben)
    link = invite(lite, "ana@example.com").invitation.id
    begun = flow.begin(lite.runtime, lite.app.slug, browser=BROWSER, invitation_id=link)

    attempt = lite.come_back(lite.allow(begun, ben))

    assert ExchangeAtRecall(lite.runtime, attempt).run() is None
