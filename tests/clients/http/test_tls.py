"""Outgoing TLS, on a platform that would allow what is old."""

import asyncio
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dashboard.clients import delivery
from dashboard.clients.http import tls
from dashboard.clients.http.client import make_http
from dashboard.errors import SettingsError
from tests.clients.test_public_url import answers, server
from tests.fixtures import certificates

ROOT = certificates.make("Root", is_authority=True)
BODY = b'{"event":"x"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def lax() -> ssl.SSLContext:
    """Return a context as some platforms make it: old versions, weak keys."""
    made = certificates.believing(ROOT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = ssl.TLSVersion.TLSv1
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    return made


@pytest.fixture
def lax_platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: lax())
    tls.context.cache_clear()
    yield
    tls.context.cache_clear()


def old_server(folder: Path) -> ssl.SSLContext:
    shown = certificates.serving(folder, certificates.make("localhost", by=ROOT))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shown.minimum_version = shown.maximum_version = ssl.TLSVersion.TLSv1_1
    shown.set_ciphers("DEFAULT:@SECLEVEL=0")
    return shown


def new_server(folder: Path) -> ssl.SSLContext:
    return certificates.serving(folder, certificates.make("localhost", by=ROOT))


async def delivered(url: str) -> delivery.Answer:
    async with delivery.open_session(None) as session:
        return await delivery.post(session, url, body=BODY, headers={})


@pytest.mark.usefixtures("lax_platform")
def test_zoom_and_recall_are_not_asked_over_old_tls(tmp_path: Path) -> None:
    with server(answers(OK), old_server(tmp_path)) as port:
        url = f"https://localhost:{port}"
        with make_http(url) as http, pytest.raises(httpx2.ConnectError):
            http.post("/", content=BODY)
        with make_http(url, tls=lax()) as http, pytest.raises(httpx2.ConnectError):
            http.post("/", content=BODY)


@pytest.mark.usefixtures("lax_platform")
def test_nothing_is_delivered_over_old_tls(tmp_path: Path) -> None:
    with server(answers(OK), old_server(tmp_path)) as port:
        answer = asyncio.run(delivered(f"https://localhost:{port}/"))

    assert answer.failure is delivery.Failure.TLS


@pytest.mark.usefixtures("lax_platform")
def test_tls_of_today_is_spoken(tmp_path: Path) -> None:
    with server(answers(OK), new_server(tmp_path)) as port:
        url = f"https://localhost:{port}"
        with make_http(url) as http:
            asked = http.post("/", content=BODY).status_code
        answer = asyncio.run(delivered(f"{url}/"))

    assert (asked, answer.status) == (200, 200)


def test_weak_keys_are_refused_and_a_stricter_platform_is_left_alone() -> None:
    assert tls.pinned(lax()).security_level >= 2
    assert tls.pinned(lax()).minimum_version is ssl.TLSVersion.TLSv1_2
    strict = lax()
    strict.minimum_version = ssl.TLSVersion.TLSv1_3

    assert tls.pinned(strict).minimum_version is ssl.TLSVersion.TLSv1_3


def test_without_authorities_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(httpx2, "create_ssl_context", lambda **_: empty)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    tls.context.cache_clear()
    try:
        nothing = tls.missing_authorities()
        (tmp_path / "0123abcd.0").write_text("a certificate, under its hash")
        something = tls.missing_authorities()
    finally:
        tls.context.cache_clear()

    assert nothing is not None
    assert "ca-certificates" in nothing
    assert something is None


def test_certificates_that_cannot_be_read_are_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    tls.context.cache_clear()
    try:
        with pytest.raises(SettingsError, match="SSL_CERT_FILE"):
            tls.context(trust_env=True)
    finally:
        tls.context.cache_clear()


def test_no_other_module_makes_a_context_of_its_own() -> None:
    root = Path(tls.__file__).parents[2]
    made = ("create_default_context(", "ssl.SSLContext(", "create_ssl_context(")
    own = {
        str(each.relative_to(root))
        for each in root.rglob("*.py")
        if any(call in each.read_text(encoding="utf-8") for call in made)
    }

    # The simulators share no code with the dashboard.
    assert own == {"clients/http/tls.py", "sandbox/recall/outgoing.py"}
