"""A `Host` that is no host is refused before Flask; every other one is served."""

import pytest
from flask.testing import FlaskClient

from dashboard.web.hosts import is_host

GOOD = [
    *("dashboard.example.com", "EXAMPLE.com.", "my_service:8000", "localhost"),
    *("10.0.0.1", "127.0.0.1:8000", "[::1]", "[2001:db8::1]:8080", "a" * 63),
]
BAD = [
    *("", "a..b", ".a", "a b", "a/b", "a@b", "-a.example", "a-.example", "a:"),
    *("a" * 64, "a" * 64 + ".example", "x." * 127 + "com", "[::1", "::1", "a:0"),
    *("a:65536", "a:99999999999", "a:b", "a\x00b", "a\nb", "a\r\nX: y", "ä.example"),
    *("a?b", "a#b", "a%2eb", "a\\b", "²", "a:\uff11"),
]


@pytest.mark.parametrize("host", GOOD)
def test_a_name_or_an_address_is_a_host(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", BAD)
def test_anything_else_is_none(host: str) -> None:
    assert not is_host(host)


@pytest.mark.parametrize("path", ["/sign-in", "/", "/no-such-page", "/static/x"])
@pytest.mark.parametrize("host", ["a..b", "a" * 64, "a b", ""])
def test_a_bad_host_is_answered_400_with_a_sentence(
    stranger: FlaskClient, host: str, path: str
) -> None:
    found = stranger.get(path, headers={"Host": host})

    assert (found.status_code, found.mimetype) == (400, "text/plain")
    assert "not a host name" in found.text
    assert found.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", GOOD)
def test_a_probe_may_call_by_any_name(stranger: FlaskClient, host: str) -> None:
    assert stranger.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["a..b", "a b"])
def test_zoom_and_recall_are_not_refused_by_host(
    stranger: FlaskClient, host: str
) -> None:
    hook = f"/hooks/zoom/{'0' * 8}-0000-0000-0000-{'0' * 12}"

    assert stranger.post(hook, headers={"Host": host}).status_code == 404
    assert (
        stranger.get(f"/tokens/{'k' * 20}", headers={"Host": host}).status_code == 404
    )


@pytest.mark.parametrize(
    "name", ["a" * 300, "a" * 5000, "a%00b", "../app.py", "%2e%2e/x"]
)
def test_a_file_s_odd_name_is_no_file(stranger: FlaskClient, name: str) -> None:
    assert stranger.get(f"/static/{name}").status_code == 404
