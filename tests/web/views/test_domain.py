"""Domain verification: what Zoom's check finds on our host, and what it does not."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from dashboard.models.staff import Role
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import ZoomWorld
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.marketplace import domain
from dashboard.services.marketplace.domain import Entered
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.servers import served

CODE = "ZOOM_verify_958bd47838f84fa582d1aeac0a6cfee9"
FILE = f"{CODE}.html"
TAG = f'<meta name="zoom-domain-verification" content="{CODE}">'
FILLED = {"file_name": FILE, "file_content": CODE, "tag": TAG}


@pytest.fixture
def reached(runtime: Runtime) -> Iterator[tuple[Runtime, Flask]]:
    """Serve the dashboard on a socket that its public address leads to."""
    with served(runtime) as found:
        yield found


@pytest.fixture
def app(reached: tuple[Runtime, Flask]) -> Flask:
    return reached[1]


@pytest.fixture
def address(reached: tuple[Runtime, Flask]) -> str:
    return reached[0].public_url


@pytest.fixture
def zoom(sandbox: RunningSandbox) -> ZoomWorld:
    return sandbox.zoom_world


def said(client: FlaskClient, path: str = "/domain", **fields: str) -> str:
    answer = client.post(path, data=fields, follow_redirects=True)
    return BeautifulSoup(answer.text, "html.parser").get_text(" ", strip=True)


def test_zoom_finds_file_and_tag_without_signing_in(
    admin: FlaskClient, address: str, zoom: ZoomWorld
) -> None:
    code = zoom.state.domain_code
    before = [zoom.verify_domain(address, "file"), zoom.verify_domain(address, "tag")]

    shown = said(
        admin, file_name=f"{code}.html", file_content=f"{code}\n", tag=f" {code} "
    )

    assert before == [False, False]
    assert "Seen from outside. Press Verify in Zoom now." in shown
    assert "File found" in shown
    assert "Tag found" in shown
    assert zoom.verify_domain(address, "file")
    assert zoom.verify_domain(address, "tag")


def test_nothing_is_left_when_it_is_removed(
    admin: FlaskClient, address: str, zoom: ZoomWorld, stranger: FlaskClient
) -> None:
    code = zoom.state.domain_code
    said(admin, file_name=f"{code}.html", file_content=code, tag=code)

    shown = said(admin)

    assert "Removed." in shown
    assert not zoom.verify_domain(address, "file")
    assert not zoom.verify_domain(address, "tag")
    assert stranger.get(f"/{code}.html").status_code == 404
    assert stranger.get("/").status_code == 303


def test_strangers_see_a_home_page_without_a_word_about_what_runs_here(
    admin: FlaskClient, stranger: FlaskClient
) -> None:
    said(admin, **FILLED)

    page = stranger.get("/")

    text = BeautifulSoup(page.text, "html.parser").get_text(" ", strip=True)
    assert page.status_code == 200
    assert not {"dashboard", "staff", "sign in", "recall"} & set(text.lower().split())
    assert admin.get("/").text.count("zoom-domain-verification") == 0


def test_the_file_runs_nothing(admin: FlaskClient, stranger: FlaskClient) -> None:
    said(admin, **FILLED)

    file = stranger.get(f"/{FILE}")

    assert (file.status_code, file.text, file.mimetype) == (200, CODE, "text/html")
    assert file.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert stranger.get("/ZOOM_verify_another.html").status_code == 404


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"file_name": "../x.html"}, "not the name of Zoom's file"),
        ({"file_name": f"a/{FILE}"}, "not the name of Zoom's file"),
        ({"file_name": "index.html"}, "not the name of Zoom's file"),
        ({"file_name": f"{CODE}.php"}, "not the name of Zoom's file"),
        ({"file_name": f"ZOOM_verify_{'a' * 100}.html"}, "not the name of Zoom's"),
        ({"file_name": ""}, "Enter both the name and the content"),
        ({"file_content": ""}, "Enter both the name and the content"),
        ({"file_content": "x" * 2001}, "shorter than 2,000 characters"),
        ({"file_content": f"{CODE}<script>1</script>"}, "contains no script"),
        ({"file_content": "<img src=x onerror = alert(1)>"}, "contains no script"),
        ({"tag": "<meta name=x content=y>"}, "not Zoom's tag"),
    ],
)
def test_what_zoom_does_not_hand_out_is_not_stored(
    admin: FlaskClient, runtime: Runtime, over: dict[str, str], words: str
) -> None:
    answer = admin.post("/domain", data=FILLED | over)

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    assert words in page.get_text(" ")
    field = page.select_one("#tag")
    assert field is not None
    assert (FILLED | over)["tag"] in field.text  # nothing typed is lost
    with runtime.database.reading() as session:
        assert domain.find(session) is None


ENTERED = Entered(file_name=FILE, file_content=CODE, tag=TAG)


def test_an_address_that_does_not_answer_is_said(runtime: Runtime) -> None:
    away = replace(runtime, public_url="http://127.0.0.1:1")

    seen = domain.save(away, ENTERED, actor=COMMAND_LINE)

    assert seen is not None
    assert "did not answer, so the file was not seen" in str(seen.file)
    with runtime.database.reading() as session:
        row = domain.find(session)
    assert row is not None
    assert (row.file_seen_at, row.tag_seen_at) == (None, None)


def test_another_page_in_front_is_said(runtime: Runtime) -> None:
    other = Flask("other")
    other.add_url_rule("/<path:path>", "any", lambda path: f"<html>{path}</html>")
    server = make_server("127.0.0.1", 0, other, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    elsewhere = replace(runtime, public_url=f"http://127.0.0.1:{server.port}")
    seen = domain.save(elsewhere, ENTERED, actor=COMMAND_LINE)

    server.shutdown()
    server.server_close()
    assert seen is not None
    assert "answered, without the file" in str(seen.file)
    assert "HTTP status 404 instead of the tag" in str(seen.tag)


def test_support_reads_it_and_changes_nothing(as_role: SignIn) -> None:
    support = as_role(Role.SUPPORT)

    assert support.get("/domain").status_code == 200
    assert support.post("/domain", data=FILLED).status_code == 403
