"""One connect attempt, from the button to the callback."""

import base64
import hashlib
import json
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlmodel import select

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.db import Database
from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, TokenState
from dashboard.models.invitation import InvitationState
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect import attempts, flow
from dashboard.services.connect.callbacks import Finished, Stop
from dashboard.services.connections import check
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import (
    BROWSER,
    ConnectStage,
    a_connect_stage,
    query_of,
)
from tests.fixtures.invitations import go, invite, now_of
from tests.makers import NOON, FakeClock, a_zoom_app


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

    with stage.runtime.database.reading() as session:
        entries = session.exec(AUDIT_LOG).all()
    told = [(entry.actor, entry.act, entry.subject) for entry in entries]
    subject = f"connection {connection.id} of Notetaker"
    assert told == [("user", "connection.created", subject)]


def test_the_challenge_is_s256_of_the_verifier_recall_sends(lite: ConnectStage) -> None:
    begun = lite.begin()
    with lite.runtime.database.reading() as session:
        attempt = session.get_one(ConnectAttempt, begun.attempt_id)
    verifier = lite.runtime.vault.open_text(
        attempt.code_verifier or b"",
        table="connect_attempt",
        column="code_verifier",
        row=attempt.id,
    ).get_secret_value()

    asked = query_of(begun.authorize_url)
    ended = lite.outcome(**lite.allow(begun))

    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert asked["code_challenge_method"] == "S256"
    assert asked["code_challenge"] == expected
    assert 43 <= len(verifier) <= 128
    assert ended.outcome is AttemptOutcome.CONNECTED  # Zoom held the two together


def test_a_code_without_its_verifier_is_worth_nothing(lite: ConnectStage) -> None:
    begun, other = lite.begin(), lite.begin()
    code = lite.allow(begun)["code"]

    ended = lite.outcome(state=query_of(other.authorize_url)["state"], code=code)

    assert ended.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert lite.credentials() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"authorization_code": {"redirect_uri": ["Enter a valid URL."]}},
            "authorization_code.redirect_uri: Enter a valid URL.",
        ),
        (
            {"authorization_code": {"code": ["Invalid Grant"]}},
            "authorization_code.code: Invalid Grant",
        ),
        (
            {
                "detail": {
                    "error": "invalid_grant",
                    "reason": "Invalid authorization code",
                }
            },
            "Invalid authorization code",
        ),
    ],
)
def test_a_reason_that_recall_nests_is_kept_with_the_attempt(
    lite: ConnectStage, body: dict[str, object], said: str
) -> None:
    fault = Fault(
        kind=FaultKind.ANSWER,
        path="*/zoom-oauth-credentials/",
        method="POST",
        status=400,
        body=json.dumps(body),
    )
    lite.sandbox.recall_faults.set([fault])

    ended = lite.outcome(**lite.allow(lite.begin()))

    assert ended.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert said in ended.detail


def test_the_redirect_url_is_of_the_settings_and_the_same_both_times(
    lite: ConnectStage,
) -> None:
    begun = lite.begin()

    query = lite.allow(begun)

    expected = "https://dashboard.example.com/oauth/zoom/callback"
    assert query_of(begun.authorize_url)["redirect_uri"] == expected
    assert lite.code(query["code"]).redirect_uri == expected


def test_the_user_is_sent_to_the_zoom_of_the_settings(lite: ConnectStage) -> None:
    url = lite.begin().authorize_url

    assert url.startswith(f"{lite.sandbox.zoom_url}/oauth/authorize?")


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


def test_the_dashboard_never_calls_zooms_token_endpoint(lite: ConnectStage) -> None:
    asked: list[str] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.path}")
        return httpx2.Response(200, json={"id": lite.ana.id, "email": "a@example.com"})

    url = lite.sandbox.zoom_url
    with make_http(url, transport=httpx2.MockTransport(note)) as http:
        lite.runtime = replace(
            lite.runtime,
            zoom_oauth=ZoomOAuth(url, http=http),
            zoom=ZoomApi(url, http=http),
        )
        begun = lite.begin()
        query = lite.allow(begun)
        lite.finish(**query)

    assert asked[0] == "GET /v2/users/me"
    assert all(one.startswith("GET /v2/") for one in asked)
    assert lite.code(query["code"]).used  # by Recall


def test_the_token_is_not_kept(lite: ConnectStage) -> None:
    lite.connect()

    token = lite.credentials()[0].grant.access_token
    with lite.runtime.database.reading() as session:
        dump = "\n".join(session.connection().connection.iterdump())
    assert "ana@example.com" in dump
    assert token not in dump


def test_an_app_that_is_not_in_recall_cannot_be_connected(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, recall_app_id=None)

    with pytest.raises(ConflictError, match="not in Recall yet"):
        stage.begin()


def test_a_flood_of_beginnings_is_stopped(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "BEGINNINGS", 5)
    begin = flow.begin
    for _ in range(flow.BEGINNINGS):
        begin(lite.runtime, lite.app.slug, browser=BROWSER, address="198.51.100.7")

    with pytest.raises(ConflictError, match="Too many attempts"):
        begin(lite.runtime, lite.app.slug, browser=BROWSER, address="198.51.100.7")


def test_an_app_whose_users_connect_elsewhere_begins_no_attempt(
    lite: ConnectStage,
) -> None:
    with lite.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, lite.app.id)
        app.token_custody = TokenCustody.OWN_SERVER

    with pytest.raises(ConflictError, match="connect in another product"):
        lite.begin()


def test_a_retired_app_begins_no_attempt(lite: ConnectStage) -> None:
    with lite.runtime.database.writing() as session:
        session.get_one(ZoomApp, lite.app.id).retired_at = lite.runtime.clock.now()

    with pytest.raises(ConflictError, match="no longer works"):
        lite.begin()


@pytest.mark.parametrize(
    ("apps", "ready"),
    [
        ([{}], 0),
        ([{}, {"recall_app_id": None}], 0),
        ([{"retired_at": NOON}, {}], 1),
        ([{"token_custody": TokenCustody.OWN_SERVER}, {}], 1),
        ([{}, {}], None),
        ([{}, {}, {}], None),
        ([{"recall_app_id": None}], None),
        ([], None),
    ],
)
def test_an_installation_is_of_the_one_app_that_can_be_connected(
    sqlite: Database, vault: Vault, apps: list[dict[str, Any]], ready: int | None
) -> None:
    with sqlite.writing() as session:
        rows = [a_zoom_app(vault, **{"recall_app_id": uuid4(), **a}) for a in apps]
        session.add_all(rows)
    with sqlite.reading() as session:
        found = flow.only_ready(session)

    assert found == (None if ready is None else rows[ready])


def begun_at_zoom(stage: ConnectStage) -> ConnectAttempt:
    with stage.runtime.database.reading() as session:
        [attempt] = session.exec(select(ConnectAttempt)).all()
    return attempt


def test_an_installation_is_an_attempt_that_ended_and_of_this_browser(
    lite: ConnectStage,
) -> None:
    lite.finish(code="a-code")

    now, attempt = lite.runtime.clock.now(), begun_at_zoom(lite)
    assert attempt.outcome is AttemptOutcome.BEGUN_AT_ZOOM
    assert attempt.detail == "Added at Zoom, not from the connect page."
    assert attempt.browser_hash == attempts.hashed(BROWSER)
    assert (attempt.created_at, attempt.ended_at) == (now, now)
    assert attempt.expires_at == now + attempts.LASTS


def test_an_installation_without_a_cookie_is_of_no_browser(lite: ConnectStage) -> None:
    lite.finish(browser=None, code="a-code")

    assert len(begun_at_zoom(lite).browser_hash) == 64
    assert not attempts.is_bound(begun_at_zoom(lite), None)


def test_without_one_app_to_choose_an_installation_is_not_noted(
    lite: ConnectStage,
) -> None:
    with lite.runtime.database.writing() as session:
        session.get_one(ZoomApp, lite.app.id).recall_app_id = None

    assert lite.finish(code="a-code") == Finished(stop=Stop.NO_STATE)


@pytest.mark.parametrize("query", [{}, {"error": "access_denied"}, {"state": ""}])
def test_a_way_back_without_state_and_code_is_unknown(
    lite: ConnectStage, query: dict[str, str]
) -> None:
    assert lite.finish(**query) == Finished(stop=Stop.UNKNOWN)


@pytest.mark.parametrize(
    "error",
    [
        ConflictError("It is checked already."),
        NotFoundError("connection"),
        UpstreamError("Recall did not answer.", service="Recall"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_outcome_stands_whatever_happens_to_the_first_check(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(check, "now", fail)

    assert lite.connect().token_state is TokenState.UNKNOWN


@pytest.mark.parametrize("custody", [TokenCustody.RECALL, TokenCustody.DASHBOARD])
def test_the_app_says_where_the_tokens_are_stored(
    lite: ConnectStage, custody: TokenCustody
) -> None:
    with lite.runtime.database.writing() as session:
        session.get_one(ZoomApp, lite.app.id).token_custody = custody

    assert lite.connect().token_custody is custody


def test_a_repeated_callback_waits_for_nothing_once_the_attempt_has_ended(
    lite: ConnectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = lite.allow(lite.begin())
    first = lite.finish(**query)
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    assert lite.finish(**query) == first
    assert pauses == []


@pytest.mark.parametrize("slug", ["another", "a" * 65, "Not A Slug", "a\0b", ""])
def test_there_is_no_page_of_another_name(database: Database, slug: str) -> None:
    with (
        database.reading() as session,
        pytest.raises(NotFoundError, match="connect page"),
    ):
        flow.app_of_page(session, slug)


def test_a_link_counts_as_started_when_its_attempt_begins(
    lite: ConnectStage, clock: FakeClock
) -> None:
    made = invite(lite)
    clock.advance(minutes=1)

    flow.begin(
        lite.runtime, lite.app.slug, browser=BROWSER, invitation_id=made.invitation.id
    )

    link = now_of(lite, made)
    assert (link.state, link.opened_at) == (InvitationState.OPENED, clock.now())


def test_a_link_that_was_used_begins_no_attempt(lite: ConnectStage) -> None:
    made = invite(lite)
    go(lite, made, lite.ana)

    with pytest.raises(ConflictError, match=r"^This link no longer works\.$"):
        go(lite, made, lite.ana)
