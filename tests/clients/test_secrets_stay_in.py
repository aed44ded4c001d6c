"""Whatever a vendor echoes, no secret reaches an exception, a log or a page."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.oauth import ZoomOAuth
from tests.fixtures.vendors import (
    AN_ID,
    API_KEY,
    CLIENT_SECRET,
    CODE,
    HOST,
    REDIRECT,
    SECRET_TOKEN,
    VERIFIER,
    answering,
    everything_in,
    failing,
    http_to,
    recall_at,
    refusal_of,
)

TOKEN = SecretStr("test-access-token-0001")
SECRETS = [API_KEY, CLIENT_SECRET, SECRET_TOKEN, CODE, VERIFIER, TOKEN]


def create_app(recall: Recall) -> object:
    return recall.create_app(
        kind="user_level",
        client_id="a-client-id",
        client_secret=CLIENT_SECRET,
        webhook_secret=SECRET_TOKEN,
        idempotency_key="a-key",
    )


def update_app(recall: Recall) -> object:
    return recall.update_app(
        AN_ID, client_secret=CLIENT_SECRET, webhook_secret=SECRET_TOKEN
    )


def create_credential(recall: Recall) -> object:
    return recall.create_credential(
        oauth_app=AN_ID,
        code=CODE,
        redirect_uri=REDIRECT,
        code_verifier=VERIFIER,
        idempotency_key="a-key",
    )


CALLS = [create_app, update_app, create_credential, Recall.check_key]


def echo(status: int, form: Callable[[str], object]) -> Callable[..., httpx2.Response]:
    """Answer with everything that was sent, headers and body, in some form."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        said = f"{request.headers['Authorization']} {request.content.decode()}"
        return httpx2.Response(status, json=form(said))

    return answer


def revealed(text: str) -> list[str]:
    """Return the secrets that a text gives away."""
    found = [secret.get_secret_value() for secret in SECRETS]
    return [value for value in found if value in text]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 409, 429, 500])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "form",
    [
        lambda said: {"detail": said},
        lambda said: {"detail": quote(said)},
        lambda said: {"detail": json.dumps(said)},
        lambda said: {"code": said, "message": said, "errors": {said: [said]}},
        lambda said: {"client_secret": [said]},
        lambda said: {"conflicting_zoom_user_id": said, "detail": said},
        lambda said: [said],
        lambda said: said,
        lambda said: {"id": said, "results": said, "token": [said]},
    ],
)
def test_what_recall_echoes_stays_out_of_the_error(
    status: int, call: Callable[[Recall], object], form: Callable[[str], object]
) -> None:
    recall = recall_at(echo(status, form))

    error = refusal_of(lambda: call(recall))

    assert revealed(everything_in(error)) == []
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("call", CALLS)
def test_a_broken_wire_leaves_no_request_hanging_on_the_error(
    call: Callable[[Recall], object],
) -> None:
    told = " ".join(secret.get_secret_value() for secret in SECRETS)
    recall = recall_at(failing(httpx2.ReadError(told)))

    error = refusal_of(lambda: call(recall))

    assert revealed(everything_in(error)) == []
    assert error.__context__ is None


def test_a_reply_of_the_wrong_shape_is_reported_without_its_content() -> None:
    body = {"token": TOKEN.get_secret_value(), "expires_at": "never"}
    recall = recall_at(answering(200, body))

    error = refusal_of(lambda: recall.access_token(AN_ID))

    assert "AccessToken" in str(error)
    assert revealed(everything_in(error)) == []


def test_what_zoom_echoes_stays_out_of_the_error() -> None:
    zoom = ZoomApi(
        HOST, http=http_to(echo(401, lambda said: {"code": 124, "message": said}))
    )

    error = refusal_of(lambda: zoom.me(TOKEN))

    assert (error.code, error.detail) == ("124", "Bearer [removed]")
    assert revealed(everything_in(error)) == []


def test_a_verdict_on_a_pair_never_repeats_it() -> None:
    heard: list[str] = []

    def form(said: str) -> object:
        heard.append(said)
        basic = base64.b64decode(said.split()[1]).decode()
        return {"error": "odd", "reason": f"{basic} {said}"}

    oauth = ZoomOAuth(HOST, http=http_to(echo(400, form)))

    answer = oauth.check_pair(
        client_id="a-client-id", client_secret=CLIENT_SECRET, redirect_uri=REDIRECT
    )

    assert revealed(repr(answer)) == []
    assert heard[0].split()[1] not in repr(answer)


@pytest.mark.parametrize("secret", [API_KEY, TOKEN])
def test_clients_do_not_show_what_they_hold(secret: SecretStr) -> None:
    recall = recall_at(answering(), api_key=secret)

    assert secret.get_secret_value() not in f"{recall!r} {vars(recall)}"


def test_a_log_message_of_recall_is_scrubbed() -> None:
    message = f"Refused eyJhbGci.{'x' * 30}"
    entry = {"message": message, "created_at": "2026-11-23T12:00:00Z"}
    recall = recall_at(answering(200, {"results": [entry]}))

    [log] = recall.app_logs(AN_ID).results

    assert log.message == "Refused [removed]"
