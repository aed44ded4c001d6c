"""Error bodies come in many forms; each says what it can, none can break us."""

import json

import pytest
from pydantic import SecretStr

from dashboard.clients.http.error_bodies import Refusal, read_refusal

SENT = SecretStr("test-secret-token-0001")


def read(body: object) -> Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_refusal(raw, [SENT])


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        pytest.param({"detail": "Invalid token."}, None, "Invalid token.", id="detail"),
        pytest.param(
            {"code": "authentication_failed", "detail": "Invalid API token."},
            "authentication_failed",
            "Invalid API token.",
            id="code and detail",
        ),
        pytest.param(
            {"client_id": ["Too long.", "Not blank."], "kind": ["Unknown."]},
            None,
            "client_id: Too long. Not blank. kind: Unknown.",
            id="fields",
        ),
        pytest.param(
            {"non_field_errors": ["Send one of both."]},
            None,
            "Send one of both.",
            id="no field",
        ),
        pytest.param(
            {
                "code": "invalid_request_data",
                "message": "Invalid request.",
                "errors": {"non_field_errors": ["No."], "kind": ["Unknown."]},
            },
            "invalid_request_data",
            "Invalid request. No. kind: Unknown.",
            id="envelope",
        ),
        pytest.param(["First.", "Second."], None, "First. Second.", id="list"),
        pytest.param(
            {"reason": "Invalid Token!", "error": "invalid_grant"},
            "invalid_grant",
            "Invalid Token!",
            id="Zoom's token endpoint",
        ),
        pytest.param(
            {"code": 124, "message": "Invalid access token."},
            "124",
            "Invalid access token.",
            id="Zoom's API",
        ),
        pytest.param(
            {
                "code": 300,
                "message": "Validation Failed.",
                "errors": [{"field": "page_size", "message": "Invalid field."}, 7],
            },
            "300",
            "Validation Failed. page_size: Invalid field.",
            id="Zoom's fields",
        ),
        pytest.param(
            {
                "status": False,
                "errorCode": 4702,
                "errorMessage": "Invalid client_id",
                "result": None,
            },
            "4702",
            "Invalid client_id",
            id="Zoom's authorize",
        ),
        pytest.param(
            {"code": ["odd"], "detail": {"a": 1}}, None, "a: 1", id="odd types"
        ),
        pytest.param({"code": True, "detail": 7}, None, None, id="odder types"),
        pytest.param({"code": "two words"}, None, None, id="no word"),
        pytest.param({"code": "x" * 65}, None, None, id="too long a word"),
        pytest.param({}, None, None, id="empty object"),
        pytest.param(None, None, None, id="null"),
        pytest.param(b"", None, None, id="empty"),
        pytest.param(b"upstream went away", None, None, id="plain text"),
        pytest.param(b'{"detail": "\xff"}', None, None, id="not UTF-8"),
        pytest.param(b"[" * 100_000, None, None, id="deep"),
    ],
)
def test_every_form_says_what_it_can(
    body: object, code: str | None, detail: str | None
) -> None:
    refusal = read(body)

    assert (refusal.code, refusal.detail) == (code, detail)
    assert not refusal.is_page


@pytest.mark.parametrize(
    "key", ["conflicting_zoom_user_id", "conflicting_zoom_account_id"]
)
def test_a_conflict_names_its_zoom_id(key: str) -> None:
    refusal = read({"detail": "Already there.", key: "zUsEr0001"})

    assert refusal == Refusal(detail="Already there.", conflicting_id="zUsEr0001")


@pytest.mark.parametrize(
    "body", [b"<html>403", b" \n<!DOCTYPE HTML>", b"\xef\xbb\xbf<"]
)
def test_a_page_is_known_as_one_and_its_text_is_dropped(body: bytes) -> None:
    assert read(body) == Refusal(is_page=True)


@pytest.mark.parametrize(
    "body",
    [
        {"code": SENT.get_secret_value()},
        {"error": SENT.get_secret_value(), "reason": SENT.get_secret_value()},
        {"conflicting_zoom_user_id": SENT.get_secret_value()},
        {"detail": f"no such token {SENT.get_secret_value()}!"},
        {"webhook_secret": [f'"{SENT.get_secret_value()}" is too short.']},
        {SENT.get_secret_value(): ["Unknown field."]},
        [SENT.get_secret_value()],
    ],
)
def test_no_field_gives_back_what_was_sent(body: object) -> None:
    assert SENT.get_secret_value() not in repr(read(body))


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (
            {"authorization_code": {"redirect_uri": ["Enter a valid URL."]}},
            None,
            "authorization_code.redirect_uri: Enter a valid URL.",
        ),
        (
            {"authorization_code": {"code": ["Invalid Grant"]}},
            None,
            "authorization_code.code: Invalid Grant",
        ),
        (
            {
                "detail": {
                    "error": "invalid_grant",
                    "reason": "Invalid authorization code",
                }
            },
            "invalid_grant",
            "error: invalid_grant; Invalid authorization code",
        ),
        (
            {"error": {"code": "odd_one", "message": "No."}},
            "odd_one",
            "error.code: odd_one; error: No.",
        ),
        ({"detail": {"kind": ["No.", "Never."]}}, None, "kind: No. Never."),
        ({"detail": [{"kind": ["No."]}, {}, "Whole."]}, None, "Whole. kind: No."),
        ([{"a": ["One."]}, {"b": {"c": ["Two."]}}], None, "a: One. b.c: Two."),
        ({"non_field_errors": {"x": ["No."]}}, None, "x: No."),
        ("Just a sentence.", None, "Just a sentence."),
        (
            {"code": "invalid", "errors": {"a": {"b": ["No."]}}},
            "invalid",
            "a.b: No.",
        ),
    ],
)
def test_a_reason_is_found_however_deep_it_is_nested(
    body: object, code: str | None, detail: str | None
) -> None:
    refusal = read(body)

    assert (refusal.code, refusal.detail) == (code, detail)


def test_nested_reasons_are_bounded_and_without_what_was_sent() -> None:
    secret = SENT.get_secret_value()
    deep: object = ["Too deep."]
    for _ in range(50):
        deep = {"a": deep}
    wide = {f"f{n}": {"x": [f"No {secret}."]} for n in range(10_000)}

    assert read(deep).detail is None
    found = read(wide).detail
    assert found is not None
    assert len(found) <= 300
    assert secret not in found
    assert (
        read({"a": {secret: [f"was {secret}"]}}).detail == "a.[removed]: was [removed]"
    )
