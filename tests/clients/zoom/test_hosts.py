"""Which hosts are Zoom's: a token goes to no other."""

import pytest

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.clients.zoom.hosts import read_api_url


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        ("https://api.zoom.us", "https://api.zoom.us"),
        ("https://api-eu.zoom.us/", "https://api-eu.zoom.us"),
        (" https://API-US.zoom.us ", "https://api-us.zoom.us"),
        ("https://api.zoomgov.com", "https://api.zoomgov.com"),
        ("http://api.zoom.us", ""),
        ("https://zoom.us", ""),
        ("https://api.zoom.us.attacker.example", ""),
        ("https://attacker.example/api.zoom.us", ""),
        ("https://api.zoom.us@attacker.example", ""),
        ("https://user@api.zoom.us", ""),
        ("https://api.zoom.us:8443", ""),
        ("https://api.zoom.us:x", ""),
        ("https://api.zoom.us/v3", ""),
        ("https://api.zoom.us?x=1", ""),
        ("https://evilapi.zoom.us", ""),
        ("https://api-.zoom.us", ""),
        ("https://api.zoom.us\n.attacker.example", ""),
        ("http://127.0.0.1:8001", ""),
        ("api.zoom.us", ""),
        ("https://[", ""),
        ("", ""),
        (None, ""),
        (5, ""),
        ("https://" + "a" * 200 + ".zoom.us", ""),
    ],
)
def test_only_api_hosts_of_zoom_are_taken(named: object, taken: str) -> None:
    tokens = GrantTokens.model_validate(
        {"access_token": "a", "refresh_token": "r", "expires_in": 1, "api_url": named}
    )

    assert (read_api_url(named), tokens.api_url) == (taken, taken)


def test_an_answer_without_one_is_fine() -> None:
    tokens = GrantTokens.model_validate(
        {"access_token": "a", "refresh_token": "r", "expires_in": 1}
    )

    assert tokens.api_url == ""
