"""A pair is right, wrong, or could not be told; and the authorize link."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.http.client import make_http
from dashboard.clients.zoom.oauth import PairAnswer, PairVerdict, ZoomOAuth
from dashboard.models.workspace import Verdict
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.vendors import (
    CLIENT_SECRET,
    HOST,
    REDIRECT,
    VERIFIER,
    Stage,
    answering,
    challenge_of,
    http_to,
)


@pytest.fixture
def oauth(stage: Stage) -> Iterator[ZoomOAuth]:
    with make_http(stage.sandbox.zoom_url, timeout_s=2.0) as http:
        yield ZoomOAuth(stage.sandbox.zoom_url, http=http)


def check(
    oauth: ZoomOAuth,
    client_id: str = "a-client-id",
    client_secret: SecretStr = CLIENT_SECRET,
) -> PairAnswer:
    return oauth.check_pair(
        client_id=client_id, client_secret=client_secret, redirect_uri=REDIRECT
    )


def answered(status: int, body: object) -> PairAnswer:
    return check(ZoomOAuth(HOST, http=http_to(answering(status, body))))


def test_a_right_pair_is_right(stage: Stage, oauth: ZoomOAuth) -> None:
    answer = check(oauth, stage.client_id)

    assert answer.verdict is PairVerdict.RIGHT


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("another-client-id", CLIENT_SECRET.get_secret_value()),
        (None, "another-secret-0001"),
        (None, ""),
        (None, "sécret\n"),
    ],
)
def test_a_wrong_half_makes_the_pair_wrong(
    stage: Stage, oauth: ZoomOAuth, status: int, client_id: str | None, secret: str
) -> None:
    stage.sandbox.zoom_world.switch(invalid_client_status=status)

    answer = check(oauth, client_id or stage.client_id, SecretStr(secret))

    assert answer.verdict is PairVerdict.WRONG
    assert "App Credentials" in answer.reason


@pytest.mark.parametrize("kind", FaultKind)
def test_a_zoom_in_trouble_is_never_a_wrong_secret(
    stage: Stage, oauth: ZoomOAuth, kind: FaultKind
) -> None:
    stage.sandbox.zoom_faults.set([Fault(kind=kind, seconds=3.0)])

    answer = check(oauth, "another-client-id")

    assert answer.verdict is PairVerdict.UNKNOWN
    assert answer.reason.startswith(("Zoom could not verify", "Zoom accepted a code"))
    assert len(answer.reason) <= 300


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, {"error": "invalid_grant", "reason": "Code is expired"}, "right"),
        (
            400,
            {"error": "invalid_request", "reason": "Invalid authorization code x"},
            "right",
        ),
        (400, {"error": "invalid_request", "reason": "Bad Request"}, "unknown"),
        (400, {"error": "invalid_request"}, "unknown"),
        (400, {"errorCode": 4702, "errorMessage": "Invalid client"}, "wrong"),
        (400, {}, "unknown"),
        (400, b"invalid_client", "unknown"),
        (429, {"error": "invalid_client"}, "unknown"),
        (500, {"error": "invalid_client"}, "unknown"),
        (403, {"error": "invalid_client"}, "unknown"),
        (503, {"error": "invalid_grant"}, "unknown"),
        (200, {"access_token": "a"}, "unknown"),
        (302, b"", "unknown"),
    ],
)
def test_only_a_plain_answer_is_believed(
    status: int, body: object, verdict: str
) -> None:
    assert answered(status, body).verdict == verdict


OFF = "The app has been disabled by the developer"


@pytest.mark.parametrize(
    ("status", "body", "begins", "said"),
    [
        (
            400,
            {"reason": OFF, "error": "invalid_client"},
            "Zoom has switched this app off",
            OFF,
        ),
        (400, {"reason": OFF}, "Zoom has switched this app off", OFF),
        (
            401,
            {"error": "unauthorized_client"},
            "Zoom refused the app and said",
            "unauthorized_client",
        ),
        (
            400,
            {"reason": "x" * 900, "error": "invalid_client"},
            "Zoom refused the pair and said",
            "",
        ),
        (
            400,
            {"reason": "Not now", "error": "invalid_client"},
            "Zoom refused the pair and said",
            "Not now",
        ),
    ],
)
def test_an_app_that_zoom_refuses_for_another_reason_is_no_wrong_pair(
    status: int, body: object, begins: str, said: str
) -> None:
    answer = answered(status, body)

    assert answer.verdict is PairVerdict.UNKNOWN
    assert answer.is_refusal
    assert answer.reason.startswith(begins)
    assert said in answer.reason
    assert "access token" not in answer.reason
    assert len(answer.reason) <= 300


def test_an_unclear_answer_gives_zooms_own_words() -> None:
    answer = answered(400, {"error": "invalid_request", "reason": "Bad Request"})

    assert answer.reason.endswith("It said: Bad Request")


def test_the_pair_goes_in_the_header_and_the_rest_in_the_body() -> None:
    seen: list[httpx2.Request] = []

    def noting(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(400, json={"error": "invalid_grant"})

    check(ZoomOAuth(HOST, http=http_to(noting)))

    [request] = seen
    form = parse_qs(request.content.decode())
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.url.query == b""
    assert form["grant_type"] == ["authorization_code"]
    assert form["redirect_uri"] == [REDIRECT]
    assert CLIENT_SECRET.get_secret_value() not in request.content.decode()


def test_the_authorize_link_brings_a_user_to_consent(
    stage: Stage, oauth: ZoomOAuth
) -> None:
    url = oauth.authorize_url(
        client_id=stage.client_id,
        redirect_uri=REDIRECT,
        state="a-state",
        code_challenge=challenge_of(VERIFIER),
    )

    query = {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{stage.sandbox.zoom_url}/oauth/authorize?")
    assert query == {
        "response_type": "code",
        "client_id": stage.client_id,
        "redirect_uri": REDIRECT,
        "state": "a-state",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    assert httpx2.get(url, trust_env=False).status_code == 200


def test_every_verdict_can_be_stored() -> None:
    assert {verdict.value for verdict in PairVerdict} == {
        verdict.value for verdict in Verdict
    }
