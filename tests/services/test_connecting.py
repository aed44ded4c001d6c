"""One trip of one browser to Zoom and back."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import httpx2
import pytest
from sqlmodel import select

from dashboard.clients.http import make_http
from dashboard.clients.zoom import ZoomApi
from dashboard.clients.zoom_oauth import ZoomOAuth
from dashboard.db import Database
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import attempts, connecting
from dashboard.services.bundle import Services
from dashboard.services.connecting import Stop
from tests.connect_stage import BROWSER, ConnectStage, a_connect_stage, query_of
from tests.makers import FakeClock

OTHER = "test-browser-0002-bbbbbbbbbbbbbbbbbbbbbbbbb"
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


@pytest.fixture
def stage(
    services: Services, sandbox: RunningSandbox, database: Database
) -> ConnectStage:
    return a_connect_stage(services, sandbox, database=database)


@pytest.fixture
def lite(services: Services, sandbox: RunningSandbox) -> ConnectStage:
    """The same on SQLite alone, for what no database has a part in."""
    return a_connect_stage(services, sandbox)


def outcome(stage: ConnectStage, **query: str) -> ConnectAttempt:
    """Finish the trip that `query` belongs to and return how it ended."""
    finished = stage.finish(**query)
    assert finished.attempt_id is not None
    return stage.attempt(finished.attempt_id)


def test_a_user_connects_and_is_known_by_name(stage: ConnectStage) -> None:
    connection = stage.connect()

    assert (connection.display_name, connection.email) == (
        "Ana Nowak",
        "ana@example.com",
    )
    assert (connection.zoom_user_id, connection.pmi) == (stage.ana.id, 5551234567)
    assert connection.zoom_account_id == stage.ana.account_id
    assert connection.token_state is TokenState.HEALTHY
    assert str(connection.recall_credential_id) == stage.credentials()[0].id


def test_it_is_in_the_audit_log_without_the_name(stage: ConnectStage) -> None:
    connection = stage.connect()

    with stage.services.database.reading() as session:
        entries = session.exec(select(AuditEntry)).all()
    told = [(entry.actor, entry.act, entry.subject) for entry in entries]
    subject = f"connection {connection.id} of Notetaker"
    assert told == [("user", "connection.created", subject)]


def test_the_challenge_is_s256_of_the_verifier_recall_sends(lite: ConnectStage) -> None:
    begun = lite.begin()
    with lite.services.database.reading() as session:
        attempt = session.get_one(ConnectAttempt, begun.attempt_id)
    verifier = lite.services.vault.open_text(
        attempt.code_verifier or b"",
        table="connect_attempt",
        column="code_verifier",
        row=attempt.id,
    ).get_secret_value()

    asked = query_of(begun.authorize_url)
    ended = outcome(lite, **lite.allow(begun))

    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] == expected
    assert 43 <= len(verifier) <= 128
    assert ended.outcome is AttemptOutcome.CONNECTED  # Zoom held the two together


def test_a_code_without_its_verifier_is_worth_nothing(lite: ConnectStage) -> None:
    begun, other = lite.begin(), lite.begin()
    code = lite.allow(begun)["code"]

    ended = outcome(lite, state=query_of(other.authorize_url)["state"], code=code)

    assert ended.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert lite.credentials() == []


def test_the_redirect_url_is_of_the_settings_and_the_same_both_times(
    lite: ConnectStage,
) -> None:
    begun = lite.begin()

    query = lite.allow(begun)

    expected = "https://dashboard.example.com/oauth/zoom/callback"
    assert query_of(begun.authorize_url)["redirect_uri"] == expected
    assert lite.code(query["code"]).redirect_uri == expected


def test_neither_state_nor_cookie_nor_verifier_is_stored_in_clear(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()

    attempt = stage.attempt(begun.attempt_id)

    state = query_of(begun.authorize_url)["state"]
    assert len(base64.urlsafe_b64decode(state + "=")) == 32
    assert attempt.state_hash == hashlib.sha256(state.encode()).hexdigest()
    assert attempt.browser_hash == hashlib.sha256(BROWSER.encode()).hexdigest()
    assert attempt.code_verifier is not None
    assert attempt.code_verifier[:1] == b"\x01"


def test_the_verifier_is_gone_after_the_trip(stage: ConnectStage) -> None:
    begun = stage.begin()

    stage.finish(**stage.allow(begun))

    assert stage.attempt(begun.attempt_id).code_verifier is None


def test_a_state_works_once(stage: ConnectStage) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    first, second = stage.finish(**query), stage.finish(**query)

    assert first.attempt_id == begun.attempt_id
    assert (second.stop, second.attempt_id) == (Stop.USED, None)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.CONNECTED


def test_of_two_callbacks_at_once_exactly_one_goes_on(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    barrier = Barrier(2)

    def come_back(_: int) -> Stop | None:
        barrier.wait()
        return stage.finish(**query).stop

    with ThreadPoolExecutor(2) as pool:
        stops = list(pool.map(come_back, range(2)))

    assert sorted(map(str, stops)) == ["None", "used"]
    assert len(stage.credentials()) == 1


def test_another_browser_is_refused_and_the_state_is_spent(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    stolen, late = stage.finish(browser=OTHER, **query), stage.finish(**query)

    assert (stolen.stop, late.stop) == (Stop.OTHER_BROWSER, Stop.USED)
    assert stage.attempt(begun.attempt_id).outcome is AttemptOutcome.REPLAYED
    assert stage.credentials() == []


def test_a_browser_without_its_cookie_is_another_one(lite: ConnectStage) -> None:
    finished = lite.finish(browser=None, **lite.allow(lite.begin()))

    assert finished.stop is Stop.OTHER_BROWSER
    assert lite.credentials() == []


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(9.99, AttemptOutcome.CONNECTED), (10, AttemptOutcome.EXPIRED)],
)
def test_a_trip_lasts_ten_minutes(
    stage: ConnectStage, clock: FakeClock, minutes: float, expected: AttemptOutcome
) -> None:
    query = stage.allow(stage.begin())
    clock.advance(minutes=minutes)

    ended = outcome(stage, **query)

    assert ended.outcome is expected


def test_a_trip_that_never_came_back_is_ended(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    clock.advance(minutes=11)

    with stage.services.database.writing() as session:
        count = attempts.expire(session, now=clock.now())
    finished = stage.finish(**query)

    attempt = stage.attempt(begun.attempt_id)
    assert count == 1
    assert (attempt.outcome, attempt.code_verifier) == (AttemptOutcome.EXPIRED, None)
    assert (finished.stop, finished.attempt_id) == (None, begun.attempt_id)


def test_an_unknown_state_is_no_trip(stage: ConnectStage) -> None:
    finished = stage.finish(state="never-sent", code="test-code-0001")

    assert (finished.stop, finished.slug) == (Stop.UNKNOWN, None)


def test_an_installation_from_the_marketplace_is_not_exchanged(
    lite: ConnectStage,
) -> None:
    url = lite.sandbox.zoom_world.install(lite.app.client_id, lite.ana.id)

    finished = lite.finish(**query_of(url))

    assert finished.stop is Stop.NO_STATE
    assert not lite.code(query_of(url)["code"]).used


@pytest.mark.parametrize(
    ("query", "expected", "detail"),
    [
        ({"error": "access_denied"}, AttemptOutcome.DECLINED, "declined"),
        ({"error": "server_error"}, AttemptOutcome.ZOOM_ERROR, "server_error"),
        ({"error": "<b>hello"}, AttemptOutcome.ZOOM_ERROR, "words of its own"),
        ({}, AttemptOutcome.ZOOM_ERROR, "without a code"),
        (
            {"error": "access_denied", "code": "test-code-0001"},
            AttemptOutcome.DECLINED,
            "declined",
        ),
    ],
    ids=["declined", "an error", "odd words", "no code", "an error wins over a code"],
)
def test_without_consent_recall_is_not_asked(
    lite: ConnectStage, query: dict[str, str], expected: AttemptOutcome, detail: str
) -> None:
    state = query_of(lite.begin().authorize_url)["state"]

    ended = outcome(lite, state=state, **query)

    assert ended.outcome is expected
    assert detail in ended.detail
    assert not lite.sandbox.recall_world.answers


def test_the_dashboard_never_calls_zooms_token_endpoint(lite: ConnectStage) -> None:
    asked: list[str] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx2.Response(200, json={"id": lite.ana.id, "email": "a@example.com"})

    url = lite.sandbox.zoom_url
    with make_http(url, transport=httpx2.MockTransport(note)) as http:
        lite.services = replace(
            lite.services,
            zoom_oauth=ZoomOAuth(url, http=http),
            zoom=ZoomApi(url, http=http),
        )
        begun = lite.begin()
        query = lite.allow(begun)
        lite.finish(**query)

    assert asked == ["GET /v2/users/me"]
    assert lite.code(query["code"]).used  # by Recall


def test_the_token_is_not_kept(lite: ConnectStage) -> None:
    lite.connect()

    token = lite.credentials()[0].grant.access_token
    with lite.services.database.reading() as session:
        dump = "\n".join(session.connection().connection.iterdump())  # type: ignore[attr-defined]  # SQLite's own
    assert "ana@example.com" in dump
    assert token not in dump


def test_a_lost_answer_makes_no_second_credential(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=1)
    stage.sandbox.recall_faults.set([lost])

    ended = outcome(stage, **query)

    assert ended.outcome is AttemptOutcome.CONNECTED
    assert len(stage.credentials()) == 1


def test_an_answer_lost_twice_is_looked_up(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=2)
    stage.sandbox.recall_faults.set([lost])

    ended = outcome(stage, **query)

    assert ended.outcome is AttemptOutcome.CONNECTED
    assert len(stage.credentials()) == 1


def test_a_lost_answer_never_shows_one_user_to_another(stage: ConnectStage) -> None:
    query = stage.allow(stage.begin())
    other = stage.begin(OTHER)
    with stage.services.database.writing() as session:
        waiting = session.get_one(ConnectAttempt, other.attempt_id)
        waiting.outcome = AttemptOutcome.UNREACHABLE
        waiting.ended_at = stage.services.clock.now()
        session.add(waiting)
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=CREDENTIALS, method="POST", times=2)
    stage.sandbox.recall_faults.set([lost])

    ended = outcome(stage, **query)

    assert ended.outcome is AttemptOutcome.UNREACHABLE
    assert ended.connection_id is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.DOWN, AttemptOutcome.UNREACHABLE),
        (FaultKind.UNAVAILABLE, AttemptOutcome.UNREACHABLE),
        (FaultKind.RATE_LIMITED, AttemptOutcome.UNREACHABLE),
        (FaultKind.NONSENSE, AttemptOutcome.UNREACHABLE),
        (FaultKind.HTML_403, AttemptOutcome.REFUSED_BY_RECALL),
    ],
)
def test_what_recall_did_is_the_trips_outcome(
    lite: ConnectStage, kind: FaultKind, expected: AttemptOutcome
) -> None:
    query = lite.allow(lite.begin())
    lite.sandbox.recall_faults.set([Fault(kind=kind, path=CREDENTIALS)])

    ended = outcome(lite, **query)

    assert ended.outcome is expected
    assert ended.detail.endswith((".", "throttled."))
    assert query["code"] not in ended.detail


def test_connecting_again_renews_the_connection(
    stage: ConnectStage, clock: FakeClock
) -> None:
    first = stage.connect()
    clock.advance(hours=1)

    again = stage.connect()

    assert again.id == first.id
    assert (again.connected_at, again.reconnected_at) == (
        first.connected_at,
        clock.now(),
    )
    assert len(stage.credentials()) == 1


def test_the_legacy_conflict_leads_to_a_fresh_consent(stage: ConnectStage) -> None:
    first = stage.connect()
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})

    begun = stage.begin()
    refused = outcome(stage, **stage.allow(begun))

    with stage.services.database.reading() as session:
        shown = attempts.result(
            session, stage.app.slug, begun.attempt_id, browser=BROWSER
        )
    assert refused.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert shown.must_consent_again
    assert stage.credentials() == []
    assert stage.connect().id == first.id
    assert len(stage.credentials()) == 1


def test_a_conflict_deletes_no_other_users_credential(stage: ConnectStage) -> None:
    world = stage.sandbox.zoom_world
    ben = world.add_user(email="ben@example.com", first_name="Ben")
    kept = stage.connect(ben)
    stage.connect()
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})

    stage.finish(**stage.allow(stage.begin()))

    assert [one.id for one in stage.credentials()] == [str(kept.recall_credential_id)]


def test_a_profile_that_cannot_be_read_does_not_lose_the_connection(
    stage: ConnectStage, clock: FakeClock
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)
    down = Fault(kind=FaultKind.RATE_LIMITED, path="/v2/users/me", seconds=30)
    lacking = stage.sandbox.zoom_faults
    lacking.set([down])

    ended = outcome(stage, **query)

    assert ended.connection_id is not None
    connection = stage.connection(ended.connection_id)
    assert ended.outcome is AttemptOutcome.CONNECTED
    assert connection.token_state is TokenState.UNKNOWN
    assert "nobody's fault" in connection.token_reason
    assert (connection.due_at - clock.now()).total_seconds() < 360


def test_a_scope_that_is_missing_is_named(lite: ConnectStage) -> None:
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    connection = lite.connect()

    assert connection.token_state is TokenState.MISSING_SCOPES
    assert "user:read:user" in connection.token_reason


def test_an_account_connects_without_a_user(
    services: Services, sandbox: RunningSandbox, database: Database
) -> None:
    stage = a_connect_stage(
        services, sandbox, database=database, kind=Kind.ACCOUNT_LEVEL
    )

    first, again = stage.connect(), stage.connect()

    assert first.id == again.id
    assert (first.zoom_user_id, first.pmi) == (None, None)
    assert first.zoom_account_id == stage.ana.account_id


def test_an_app_that_is_not_in_recall_cannot_be_connected(
    services: Services, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(services, sandbox, recall_app_id=None)

    with pytest.raises(ConflictError, match="not in Recall yet"):
        stage.begin()


def test_a_flood_of_beginnings_is_stopped(lite: ConnectStage) -> None:
    begin = connecting.begin
    for _ in range(connecting.BEGINNINGS):
        begin(lite.services, lite.app.slug, browser=BROWSER, address="198.51.100.7")

    with pytest.raises(ConflictError, match="Too many tries"):
        begin(lite.services, lite.app.slug, browser=BROWSER, address="198.51.100.7")


def test_a_result_is_shown_to_its_own_browser_alone(stage: ConnectStage) -> None:
    begun = stage.begin()
    slug = stage.app.slug

    with stage.services.database.reading() as session:
        attempts.result(session, slug, begun.attempt_id, browser=BROWSER)
        with pytest.raises(NotFoundError):
            attempts.result(session, slug, begun.attempt_id, browser=OTHER)
        with pytest.raises(NotFoundError):
            attempts.result(session, "another", begun.attempt_id, browser=BROWSER)
