"""Zoom's refusals of a pair, a grant or a token are told apart."""

import pytest

from dashboard.clients.http.error_bodies import Refusal
from dashboard.clients.http.error_words import Answer, about_status

_LACKS = "Invalid access token, does not contain scopes"
OFF = "The app has been disabled by the developer"


@pytest.mark.parametrize(
    ("status", "code", "detail", "told_as", "says"),
    [
        (400, "invalid_client", OFF, "app_disabled", "switched off"),
        (400, None, OFF, "app_disabled", "switched off"),
        (401, "invalid_client", f"{OFF}.", "app_disabled", "switched off"),
        (400, "invalid_request", "Your app is not activated", "app_disabled", "off"),
        (400, "4717", None, "app_disabled", "switched off"),
        (
            400,
            "invalid_client",
            "Invalid client_id or client_secret",
            "invalid_client",
            "correct them",
        ),
        (400, "invalid_client", None, "invalid_client", "correct them"),
        (400, "invalid_client", "Not now", "client_refused", "another reason"),
        (401, "unauthorized_client", None, "unauthorized_client", "no token"),
        (400, "unauthorized_client", "No.", "unauthorized_client", "no token"),
        (401, None, None, None, "no token"),
        (400, "4711", "Refresh token invalid.", "4711", "no token"),
        (400, "invalid_grant", "Invalid Token!", "invalid_grant", "connect again"),
        (400, "invalid_request", "Invalid Token!", "invalid_grant", "connect again"),
        (400, None, "The user has been disabled", None, "no token"),
    ],
)
def test_a_refused_token_is_told_by_its_words_and_never_as_an_access_token(
    status: int, code: str | None, detail: str | None, told_as: str | None, says: str
) -> None:
    answer = Answer(
        status=status,
        refusal=Refusal(code=code, detail=detail),
        host="zoom.us",
        wait_s=None,
        settle="Nothing was changed.",
        is_for_token=True,
    )

    told = about_status("Zoom", answer)

    assert told.code == told_as
    assert says in told.sentence
    assert "access token" not in told.sentence


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        ("4741", None),
        ("4741", "Any words."),
        ("4735", "Owner does not exist."),
        (None, "Token has been revoked"),
        ("invalid_request", "The refresh token is expired."),
    ],
)
@pytest.mark.parametrize("is_for_token", [True, False])
def test_a_refresh_token_that_ended_is_known_by_its_code_or_by_words(
    code: str | None, detail: str | None, *, is_for_token: bool
) -> None:
    answer = Answer(
        status=400,
        refusal=Refusal(code=code, detail=detail),
        host="zoom.us",
        wait_s=None,
        settle="",
        is_for_token=is_for_token,
    )

    told = about_status("Zoom", answer)

    assert (told.code == "invalid_grant") is is_for_token
    assert ("connect again" in told.sentence) is is_for_token


@pytest.mark.parametrize(
    ("status", "code", "detail", "told_as", "says"),
    [
        (400, "invalid_client", "Invalid client_id", "invalid_client", "correct them"),
        (401, "invalid_client", None, "invalid_client", "correct them"),
        (400, "4702", "Invalid client_id: x", "invalid_client", "correct them"),
        (400, "invalid_grant", "Code is expired", "invalid_grant", "connect again"),
        (400, "invalid_grant", "Invalid Token!", "invalid_grant", "connect again"),
        (401, "invalid_request", "Invalid Token!", "invalid_grant", "connect again"),
        (400, "invalid_request", "Bad Request", "invalid_request", "HTTP status 400"),
        (401, "124", "Invalid access token.", "124", "expired or was revoked"),
        (400, "4711", None, "4711", "lacks a scope"),
        (401, "4700", f"{_LACKS}.", "4711", "lacks a scope"),
        (403, "201", f"{_LACKS}", "4711", "lacks a scope"),
        (404, None, f"{_LACKS} .", "4711", "lacks a scope"),
        (500, "invalid_grant", "Invalid Token!", "invalid_grant", "only Zoom can fix"),
    ],
)
def test_each_refusal_of_zoom_says_who_has_to_act(
    status: int, code: str, detail: str | None, told_as: str, says: str
) -> None:
    answer = Answer(
        status=status,
        refusal=Refusal(code=code, detail=detail),
        host="zoom.us",
        wait_s=None,
        settle="Nothing was changed.",
    )

    told = about_status("Zoom", answer)

    assert told.code == told_as
    assert told.detail == detail
    assert says in told.sentence
