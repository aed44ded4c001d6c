"""No secret survives in a vendor's words, whatever its spelling."""

from urllib.parse import quote

import pytest
from pydantic import SecretStr

from dashboard.clients.http.scrubbing import scrub

ODD = 'test secret/with+odd="characters"&more'


@pytest.mark.parametrize(
    "echoed",
    [
        ODD,
        ODD.upper(),
        quote(ODD),
        quote(ODD, safe=""),
        "test+secret%2Fwith%2Bodd%3D%22characters%22%26more",
        "test secret/with+odd=&quot;characters&quot;&amp;more",
        'test secret/with+odd=\\"characters\\"&more',
    ],
)
def test_a_secret_is_removed_in_every_usual_spelling(echoed: str) -> None:
    assert scrub(f"It was <{echoed}>.", [SecretStr(ODD)]) == "It was <[removed]>."


def test_a_secret_sent_with_white_space_is_removed_when_echoed_without() -> None:
    assert scrub("It was tok-0001.", [SecretStr(" tok-0001\n")]) == "It was [removed]."


def test_a_secret_that_begins_another_does_not_spoil_it() -> None:
    secrets = [SecretStr("test-secret"), SecretStr("test-secret-0001")]

    assert scrub("a test-secret-0001 b", secrets) == "a [removed] b"


def test_a_dummy_of_one_letter_is_removed_as_a_word_only() -> None:
    assert scrub('"a" is wrong at all', [SecretStr("a")]) == (
        '"[removed]" is wrong at all'
    )


@pytest.mark.parametrize(
    "unsent",
    [
        "eyJhbGciOi.eyJpc3MiOi.c2lnbmF0dXJl",
        "whsec_dGVzdC1zZWNyZXQ=",
        "x" * 40,
    ],
)
def test_what_looks_like_a_secret_goes_although_we_never_sent_it(unsent: str) -> None:
    assert scrub(f"Bearer {unsent} is not valid") == "Bearer [removed] is not valid"


@pytest.mark.parametrize(
    "text",
    [
        "credential 11111111-2222-4333-8444-555555555555",
        "Zoom account(account_id: AbCdEfGhIjKlMnOpQrStUv)",
        "missing scopes: meeting_token:read:admin:local_recording",
        "more details: https://docs.recall.ai/reference/zoom_oauth_apps_create",
    ],
)
def test_ids_scopes_and_links_stay_readable(text: str) -> None:
    assert scrub(text) == text


def test_what_is_kept_is_one_short_line() -> None:
    scrubbed = scrub("a\x00b\nc\u2028d " + "word " * 100)

    assert scrubbed.startswith("a b c d word")
    assert len(scrubbed) == 300
