"""Zoom's refusals of a pair, a grant or a token are told apart."""

import pytest

from dashboard.clients.http.error_bodies import Refusal
from dashboard.clients.http.error_words import Answer, about_status


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
