"""The panel and the pages of people who connect on two hosts."""

import dataclasses
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask, url_for
from flask.testing import FlaskClient

from dashboard.errors import SettingsError
from dashboard.models.staff import Role
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.marketplace import console, domain
from dashboard.services.marketplace.domain import Entered
from dashboard.services.runtime import Runtime
from dashboard.services.staff.single_sign_on import CALLBACK_PATH
from dashboard.services.zoom_apps import apps
from dashboard.settings import Settings, load
from tests.conftest import HTTPS, SignIn
from tests.makers import saved_app
from tests.web.test_access import address

HOSTED = "https://connect.example.net"
ON_BOTH = {"domain.file", "health.alive", "health.ready", "static", "overview.index"}
BLUEPRINTS = {"connect", "invited", "mine"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"hosted_url": HOSTED})


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


@pytest.fixture
def slug(runtime: Runtime) -> str:
    with runtime.database.writing() as session:
        return apps.get(session, saved_app(session, runtime.vault)).slug


def answers(client: FlaskClient, base_url: str, app: Flask, **headers: str) -> set[str]:
    """Return the endpoints that this host answers with anything but 404."""
    found = set()
    for rule in app.url_map.iter_rules():
        for method in {"GET", "POST"} & set(rule.methods or ()):
            answer = client.open(
                address(rule), method=method, base_url=base_url, headers=headers
            )
            if answer.status_code != 404:
                found.add(rule.endpoint)
    return found


@pytest.mark.parametrize(
    "host", [HOSTED, f"{HOSTED}:443", f"{HOSTED}.", HOSTED.upper().replace("S:", "s:")]
)
def test_the_hosted_host_has_nothing_of_the_panel(
    app: Flask, as_role: SignIn, host: str
) -> None:
    admin = as_role(Role.ADMIN)
    cookie = admin.get_cookie("__Host-dashboard", domain=HTTPS.removeprefix("https://"))
    assert cookie is not None
    copied = {"Cookie": f"__Host-dashboard={cookie.value}"}

    found = answers(app.test_client(use_cookies=False), host, app, **copied)

    assert {each for each in found if each.partition(".")[0] not in BLUEPRINTS} <= (
        ON_BOTH - {"overview.index"}
    )


def test_the_panel_has_nothing_of_the_hosted_pages(
    app: Flask, as_role: SignIn, slug: str
) -> None:
    admin = as_role(Role.ADMIN)

    found = answers(admin, HTTPS, app)

    assert {each for each in found if each.partition(".")[0] in BLUEPRINTS} == set()
    assert "signin.new" in found
    assert admin.get(f"/connect/{slug}", base_url=HTTPS).status_code == 404


def test_each_page_is_where_it_belongs(app: Flask, slug: str) -> None:
    browser = app.test_client()

    assert browser.get(f"/connect/{slug}", base_url=HOSTED).status_code == 200
    assert browser.get("/sign-in", base_url=HTTPS).status_code == 200
    assert browser.get("/sign-in", base_url=HOSTED).status_code == 404
    assert browser.get(CALLBACK_PATH, base_url=HOSTED).status_code == 404
    assert browser.get("/static/hosted.css", base_url=HOSTED).status_code == 200
    assert browser.get("/healthz", base_url=HOSTED).status_code == 200
    assert browser.delete("/sign-in", base_url=HOSTED).status_code == 404
    nothing = browser.get("/audit", base_url=HOSTED)
    assert nothing.status_code == 404
    assert "Go to the overview" not in nothing.text
    assert HTTPS not in nothing.text


def test_a_connect_attempt_begins_and_ends_on_the_hosted_host(
    app: Flask, slug: str
) -> None:
    browser = app.test_client()

    page = browser.get(f"/connect/{slug}", base_url=HOSTED)
    sent = browser.post(f"/connect/{slug}", base_url=HOSTED)

    assert f"{HTTPS}/" not in page.text
    assert sent.status_code == 303
    assert "redirect_uri=https%3A%2F%2Fconnect.example.net%2Foauth" in sent.location
    cookies = sent.headers.getlist("Set-Cookie")
    assert cookies
    assert all(each.startswith("__Host-") and "Domain" not in each for each in cookies)


@pytest.mark.parametrize("host", [HTTPS, HOSTED])
def test_webhooks_and_token_requests_come_to_both(
    app: Flask, runtime: Runtime, host: str
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
    browser = app.test_client()

    unsigned = browser.post(f"/hooks/zoom/{app_id}", base_url=host, data=b"{}")
    unknown = browser.get(f"/tokens/{'x' * 43}", base_url=host)

    assert unsigned.status_code == 401
    assert unknown.status_code != 200
    assert "text/html" not in unknown.headers["Content-Type"]


def test_what_zooms_console_needs_names_the_right_host(
    runtime: Runtime, admin: FlaskClient
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
    with runtime.database.reading() as session:
        here = console.gather(
            session, app_id, settings=runtime.settings, public_url=runtime.public_url
        )

    page = admin.get(f"/zoom-apps/{app_id}").text

    assert here.redirect_url == f"{HOSTED}/oauth/zoom/callback"
    assert here.connect_url.startswith(f"{HOSTED}/connect/")
    assert here.webhook_url == f"{HTTPS}/hooks/zoom/{app_id}"
    assert here.redirect_url in page
    assert f"{HTTPS}/oauth/" not in page
    assert f"{HTTPS}/connect/" not in page


def test_pages_of_staff_link_to_the_hosted_host(app: Flask, slug: str) -> None:
    with app.test_request_context(base_url=HTTPS):
        assert url_for("connect.show", slug=slug) == f"{HOSTED}/connect/{slug}"
        assert url_for("staff.index") == "/staff/"
        assert url_for("static", filename="app.css").startswith("/static/")
    with app.test_request_context(base_url=HOSTED):
        assert url_for("connect.show", slug=slug) == f"/connect/{slug}"
        assert url_for("signin.new") == f"{HTTPS}/sign-in"


def test_links_of_invitations_are_of_the_hosted_host(
    runtime: Runtime, admin: FlaskClient
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)

    made = admin.post(
        f"/zoom-apps/{app_id}/invitations/",
        data={"email": "ben@example.com", "days": "7", "zoom_app": str(app_id)},
        follow_redirects=True,
    )

    page = BeautifulSoup(made.text, "html.parser").get_text(" ")
    assert f"{HTTPS}/connect/" not in page


def test_the_home_page_for_zooms_check_is_at_both(
    app: Flask, runtime: Runtime, admin: FlaskClient
) -> None:
    browser = app.test_client()
    assert browser.get("/", base_url=HOSTED).status_code == 404
    tag = '<meta name="zoom-domain-verification" content="ZOOM_verify_12345678">'
    entered = Entered(file_name="", file_content="", tag=tag)
    domain.save(runtime, entered, actor=COMMAND_LINE)

    page = browser.get("/", base_url=HOSTED)

    assert page.status_code == 200
    assert "ZOOM_verify_12345678" in page.text
    assert "Continue" not in page.text
    assert admin.get("/", base_url=HTTPS).status_code == 200
    assert HOSTED in admin.get("/domain", base_url=HTTPS).text


def test_the_logo_of_the_hosted_host_may_be_shown_in_the_panel(app: Flask) -> None:
    page = app.test_client().get("/sign-in", base_url=HTTPS)

    assert f"img-src 'self' data: {HOSTED};" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("over", "word"),
    [
        ({"hosted_url": "https://b.example.com"}, "also needs DASHBOARD_PUBLIC_URL"),
        (
            {"hosted_url": "http://b.example.com", "public_url": HTTPS},
            "must both be https",
        ),
        ({"hosted_url": f"{HTTPS}:443", "public_url": HTTPS}, "another host"),
        ({"hosted_url": f"{HTTPS.upper()}/", "public_url": HTTPS}, "another host"),
        (
            {"hosted_url": "https://b.example.com/x", "public_url": HTTPS},
            "must have no path",
        ),
    ],
)
def test_two_hosts_that_do_not_fit_stop_the_start(
    tmp_path: Path, over: dict[str, str], word: str
) -> None:
    with pytest.raises(SettingsError, match=word):
        load(instance=tmp_path, **over)


def test_without_it_nothing_changes(runtime: Runtime) -> None:
    plain = dataclasses.replace(
        runtime, settings=runtime.settings.model_copy(update={"hosted_url": None})
    )

    assert plain.hosted_url == plain.public_url == HTTPS
