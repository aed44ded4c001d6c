import base64
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook
from werkzeug.test import TestResponse

from tests.fixtures.simulated_recall import (
    CREDENTIALS,
    NOON,
    Bench,
    a_recall,
    a_token,
    plain,
)

URL = "https://dashboard.example/token?user=0001&key=test-secret-0001"
SOON = int((NOON + timedelta(seconds=118)).timestamp())
LATER = int((NOON + timedelta(seconds=180)).timestamp())


def connect(recall: Bench) -> TestResponse:
    body = {"oauth_app": recall.app()["id"], "access_token_callback_url": URL}
    return recall.post(CREDENTIALS, body)


def test_the_callback_is_asked_exactly_as_given_and_tells_who_the_user_is() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token("user-7", exp=LATER))

    credential = connect(recall).get_json()

    asked = recall.zoom.requests
    assert [str(request.url) for request in asked] == [URL]
    assert asked[0].method == "GET"
    assert credential["user_id"] == "user-7"
    assert credential["access_token_callback_url"] == URL


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("opaque", "did not answer with a Zoom access token"),
        (f'"{a_token()}"', "did not answer with a Zoom access token"),
        (a_token() + "\n", "did not answer with a Zoom access token"),
        (a_token(exp=None), "did not answer with a Zoom access token"),
        (a_token(exp=10**30), "did not answer with a Zoom access token"),
        (a_token(iss="zm:cid:another-client"), "another Zoom client id"),
        (a_token(exp=SOON), "less than 120 seconds"),
    ],
    ids=["opaque", "quoted", "newline", "no-exp", "far-exp", "stranger", "old"],
)
def test_a_token_that_is_not_right_makes_the_create_fail(text: str, said: str) -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(text)

    answer = connect(recall)

    assert answer.status_code == 400
    assert said in answer.get_json()["detail"]
    assert recall.world.credentials == {}


def test_a_callback_that_does_not_answer_200_makes_the_create_fail() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token(), status=503)

    answer = connect(recall)

    assert answer.status_code == 400
    assert "answered 503" in answer.get_json()["detail"]


def too_slow(request: httpx2.Request) -> httpx2.Response:
    timeouts = request.extensions["timeout"]
    raise httpx2.ReadTimeout(f"simulated: longer than {timeouts['read']} s")


def test_a_callback_has_five_seconds() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = too_slow

    answer = connect(recall)

    assert recall.zoom.requests[0].extensions["timeout"]["read"] == 5.0
    assert answer.status_code == 400
    assert "within 5 seconds" in answer.get_json()["detail"]


def test_a_callback_is_unsigned_until_the_workspace_has_a_secret() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token())

    connect(recall)

    assert "webhook-signature" not in recall.zoom.requests[0].headers


def test_a_callback_is_signed_with_the_workspaces_secret() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token())
    secret = recall.world.renew_verification_secret(recall.key)

    connect(recall)

    headers = recall.zoom.requests[0].headers
    message_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    expected = Webhook(secret).sign(message_id, datetime.fromtimestamp(at, UTC), "")
    assert message_id.startswith("msg_")
    assert at == int(NOON.timestamp())
    assert headers["webhook-signature"] == expected


def test_an_old_secret_signs_beside_the_new_one_for_a_day() -> None:
    recall = a_recall()
    recall.zoom.answers["/token"] = plain(a_token())
    recall.world.renew_verification_secret(recall.key)
    recall.world.renew_verification_secret(recall.key)

    connect(recall)
    recall.world.clock.advance(24 * 3600 + 1)
    connect(recall)

    signatures = [
        request.headers["webhook-signature"].split() for request in recall.zoom.requests
    ]
    assert [len(found) for found in signatures] == [2, 1]
    assert all(one.startswith("v1,") for one in signatures[0])
    digests = {base64.b64decode(one.removeprefix("v1,")) for one in signatures[0]}
    assert len(digests) == 2
