"""The vectors of docs/contracts/zoom.md section 8, and how bodies are spelt."""

import json
import random

import pytest

from dashboard.sandbox.zoom import webhooks

V1_SECRET = "4fv1RkqGQUq5sWbEz6hA5A"
V1_BODY = (
    b'{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},'
    b'"event_ts":1720705455858,"event":"endpoint.url_validation"}'
)
SECRET = "test-secret-token-0001"
C1_BODY = (
    b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},'
    b'"event_ts":1654503849680,"event":"endpoint.url_validation"}'
)
C2_BODY = (
    b'{"event":"user.updated","event_ts":1760000000123,"payload":{"account_id":'
    b'"AbCdEfGhIjKlMnOpQrStUv","operator":"ana@example.com","operator_id":'
    b'"zUsEr0001AAAAAAAAAAAAA","object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":'
    b'5551234567},"old_object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":5559876543},'
    b'"time_stamp":1760000000100}}'
)


def an_order() -> random.Random:
    return random.Random(1)  # noqa: S311 - the order of keys is no secret


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "expected"),
    [
        pytest.param(
            V1_SECRET,
            "1720705455",
            V1_BODY,
            "v0=93a1a675965ceb9c5a50c5dfb31f20e50f763be37a54ef74cd2d16a1a8e5c0d6",
            id="V1-captured",
        ),
        pytest.param(
            SECRET,
            "1654503849",
            C1_BODY,
            "v0=0483ac479818cffec360da2cfd8426263cf1108e49d4efb63aea6f1313202358",
            id="C1",
        ),
        pytest.param(
            SECRET,
            "1760000000",
            C2_BODY,
            "v0=29479befbb7041ee3de943c8470a13e56ddb26cbbedc5dff389c8e94fca1d005",
            id="C2",
        ),
    ],
)
def test_signatures_are_zooms(
    secret: str, timestamp: str, body: bytes, expected: str
) -> None:
    assert webhooks.signature(secret, timestamp, body) == expected


@pytest.mark.parametrize(
    ("secret", "plain", "expected"),
    [
        pytest.param(
            V1_SECRET,
            "xys8n8PGS7mAU0m5-YJjRA",
            "2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3",
            id="V1-captured",
        ),
        pytest.param(
            SECRET,
            "qgg8vlvZRS6UYooatFL8Aw",
            "72596419203632983777668b3abf3fb366d47c026a8b24a599d86c9ecce12c23",
            id="C1",
        ),
        pytest.param(
            SECRET + " ",
            "qgg8vlvZRS6UYooatFL8Aw",
            "02f04a30be4a8865e2e3bca3a4565d7ca49c180076989cdfd0142e0ffc6cb2e7",
            id="C1-trailing-space",
        ),
        pytest.param(
            SECRET + "\n",
            "qgg8vlvZRS6UYooatFL8Aw",
            "540e031c4ae2505d1c247e2d23c19d496f3375ce1a1de7a893e67b3bf2346bb7",
            id="C1-trailing-newline",
        ),
    ],
)
def test_challenge_answers_are_zooms(secret: str, plain: str, expected: str) -> None:
    assert webhooks.encrypted_token(secret, plain) == expected


def test_only_characters_beyond_the_bmp_are_escaped_and_in_uppercase() -> None:
    envelope: dict[str, object] = {"topic": "Café ✅ 🚒"}

    body = webhooks.encode(envelope, an_order())

    assert body == '{"topic":"Café ✅ \\uD83D\\uDE92"}'.encode()
    assert json.loads(body) == envelope


def test_the_order_of_the_outer_keys_varies() -> None:
    envelope: dict[str, object] = {"event": "a", "event_ts": 1, "payload": {}}
    order = an_order()

    spellings = {webhooks.encode(envelope, order) for _ in range(50)}

    assert len(spellings) == 6


def test_a_reserialised_body_says_the_same_in_other_bytes() -> None:
    body = webhooks.encode({"topic": "🚒", "n": 1}, an_order())

    other = webhooks.reserialised(body)

    assert other != body
    assert json.loads(other) == json.loads(body)
