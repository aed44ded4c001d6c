"""Live pages over HTTP: who gets a stream, and what is in it for whom."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.models.check import Finding, Source
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.services.staff.permissions import Permission
from dashboard.services.validation import evidence
from dashboard.web.access import requires
from dashboard.web.live import fragments
from dashboard.web.live import watcher as live
from dashboard.web.signin import Onlooker, person
from tests.conftest import HTTPS, SignIn
from tests.fixtures.live import Counting
from tests.makers import NOON, FakeClock, a_webhook, saved_app

FRAGMENT = {"HX-Request": "true"}
ADMIN = Onlooker(Role.ADMIN)
TOKEN = re.compile(r'(name="csrf_token"\s+value=")[^"]*')


@pytest.fixture
def zoom_app_id(runtime: Runtime) -> UUID:
    """An app that Recall refuses: its page offers admins the most."""
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
        evidence.record(
            session,
            zoom_app_id=app_id,
            source=Source.RECALL_PROBE,
            finding=Finding.SECRET_MISMATCH,
            detail="Recall answered with another token.",
            at=NOON,
        )
    return app_id


def parts_of(client: FlaskClient, topics: str) -> Iterator[bytes]:
    answer = client.get(f"/live/stream?topics={topics}", buffered=False)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    yield from answer.iter_encoded()
    answer.close()


def pushed(client: FlaskClient, topic: str) -> tuple[list[str], str]:
    """Return the head of what is drawn of a topic, and its HTML."""
    for part in parts_of(client, topic):
        if part.startswith(b"event: drawn\n"):
            lines = part.decode().splitlines()[1:]
            data = [x.removeprefix("data: ") for x in lines if x.startswith("data: ")]
            return data[0].split(" "), "\n".join(data[1:])
    pytest.fail("Nothing came.")


@pytest.mark.parametrize("role", [one for one in Role if one is not Role.AUDITOR])
@pytest.mark.parametrize("what", ["zoom app", "overview"])
def test_what_is_pushed_is_what_would_be_fetched(
    as_role: SignIn, zoom_app_id: UUID, role: Role, what: str
) -> None:
    topic = f"zoom-app-{zoom_app_id}" if what == "zoom app" else "overview"
    client = as_role(role)

    (told, address, tag), html = pushed(client, topic)
    fetched = client.get(address, headers=FRAGMENT)

    assert told == topic
    assert TOKEN.sub(r"\1", fetched.text).splitlines() == html.splitlines()
    assert fetched.headers["ETag"] == f'W/"{tag}"'
    root = BeautifulSoup(html, "html5lib").select_one("[data-live]")
    assert root is not None
    assert (root["data-live"], root["hx-get"]) == (topic, address)


def test_support_is_pushed_none_of_an_admins_buttons(
    as_role: SignIn, zoom_app_id: UUID
) -> None:
    topic = f"zoom-app-{zoom_app_id}"

    _, admins = pushed(as_role(Role.ADMIN), topic)
    _, supports = pushed(as_role(Role.SUPPORT), topic)

    assert "<form" in admins
    assert "<form" not in supports
    assert "An admin must act." in supports


@pytest.mark.parametrize("what", ["zoom app", "overview"])
def test_a_second_role_costs_no_query(
    app: Flask, runtime: Runtime, zoom_app_id: UUID, what: str
) -> None:
    topic = f"zoom-app-{zoom_app_id}" if what == "zoom app" else "overview"
    counting = Counting(runtime.database)
    draw = fragments.drawing(app, HTTPS)

    costs = []
    others = [Onlooker(role) for role in Role if role is not Role.AUDITOR]
    for onlookers in ([ADMIN], others):
        before = counting.statements
        assert draw(topic, onlookers).keys() == set(onlookers)
        costs.append(counting.statements - before)

    assert costs[0] == costs[1] > 0


def test_forms_that_are_pushed_hold_no_ones_token(
    as_role: SignIn, zoom_app_id: UUID
) -> None:
    _, html = pushed(as_role(Role.ADMIN), f"zoom-app-{zoom_app_id}")

    tokens = BeautifulSoup(html, "html5lib").select("input[name=csrf_token]")

    assert tokens
    assert {field["value"] for field in tokens} == {""}


@pytest.mark.parametrize("word", ["email", "staff_id", "name"])
def test_what_names_its_reader_is_fetched_by_each(
    app: Flask, zoom_app_id: UUID, word: str
) -> None:
    @requires(Permission.ZOOM_APPS_READ)
    def named(**_: UUID) -> str:
        return str(getattr(person(), word))

    app.view_functions["zoom_apps.validation"] = named
    draw = fragments.drawing(app, HTTPS)

    assert draw(f"zoom-app-{zoom_app_id}", [ADMIN]) == {}


def test_what_a_role_may_not_read_is_not_drawn_for_it(
    app: Flask, zoom_app_id: UUID
) -> None:
    @requires(Permission.AUDIT_READ)
    def for_admins(**_: UUID) -> str:
        return "for admins"

    app.view_functions["zoom_apps.validation"] = for_admins
    draw = fragments.drawing(app, HTTPS)

    drawn = draw(f"zoom-app-{zoom_app_id}", [*map(Onlooker, Role)])

    assert {each.role for each in drawn} == {Role.ADMIN, Role.AUDITOR}


@pytest.mark.parametrize("topic", ["webhooks", f"zoom-app-{UUID(int=5)}"])
def test_what_is_not_the_same_for_all_or_gone_is_not_drawn(
    app: Flask, topic: str
) -> None:
    assert fragments.drawing(app, HTTPS)(topic, [ADMIN]) == {}


def test_strangers_get_no_stream(stranger: FlaskClient, app: Flask) -> None:
    answer = stranger.get("/live/stream?topics=webhooks")

    assert answer.status_code in {302, 303, 401}
    assert live.watcher_of(app).open_streams == 0


def test_nobody_becomes_an_onlooker_by_a_header(stranger: FlaskClient) -> None:
    for name in ("dashboard.onlooker", "Dashboard-Onlooker"):
        answer = stranger.get("/", headers={name: "admin"})

        assert answer.status_code in {302, 303, 401}


def test_a_page_that_goes_frees_its_place(as_role: SignIn, app: Flask) -> None:
    watcher = live.watcher_of(app)
    browser = as_role(Role.SUPPORT)

    answer = browser.get("/live/stream?topics=webhooks,overview", buffered=False)
    taken = watcher.open_streams
    answer.close()

    assert (taken, watcher.open_streams) == (1, 0)


@pytest.mark.parametrize("topics", ["", "staff", "webhooks,nonsense", "webhook-1;x"])
def test_unknown_topics_are_refused(as_role: SignIn, topics: str) -> None:
    answer = as_role(Role.ADMIN).get("/live/stream", query_string={"topics": topics})

    assert answer.status_code == 400


def test_whether_there_is_a_place_can_be_asked_without_taking_it(
    as_role: SignIn, app: Flask
) -> None:
    answer = as_role(Role.SUPPORT).head("/live/stream?topics=webhooks")
    answer.close()

    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert "Live-Places" not in answer.headers
    assert live.watcher_of(app).open_streams == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_full_house_says_so_and_when_to_try_again(
    as_role: SignIn, app: Flask, method: str
) -> None:
    live.watcher_of(app).places = 0

    answer = as_role(Role.SUPPORT).open("/live/stream?topics=webhooks", method=method)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "15"
    assert answer.headers["Live-Places"] == "0"


def test_polling_costs_nothing_while_nothing_changed(
    as_role: SignIn, runtime: Runtime, clock: FakeClock
) -> None:
    browser = as_role(Role.SUPPORT)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
        session.add(a_webhook(app))
    first = browser.get("/webhooks/", headers=FRAGMENT)
    known = {**FRAGMENT, "If-None-Match": first.headers["ETag"]}

    clock.advance(minutes=5)
    again = browser.get("/webhooks/", headers=known)
    with runtime.database.writing() as session:
        session.add(a_webhook(app))
    changed = browser.get("/webhooks/", headers=known)

    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert changed.status_code == 200
