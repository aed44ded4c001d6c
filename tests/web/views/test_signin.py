"""Signing in, staying apart, signing out."""

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.clock import Clock
from dashboard.models.staff import Role, StaffSession
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.web import signin
from dashboard.web.access import local_path
from tests.conftest import HTTPS, PASSWORD, SignIn
from tests.makers import NOON, FakeClock


def test_two_people_are_told_apart(as_role: SignIn) -> None:
    admin, support = as_role(Role.ADMIN), as_role(Role.SUPPORT)

    assert admin.get("/staff/").status_code == 200
    assert support.get("/staff/").status_code == 403
    assert admin.get("/staff/").status_code == 200


def test_a_stranger_is_led_to_the_form_and_back(
    stranger: FlaskClient, as_role: SignIn
) -> None:
    as_role(Role.ADMIN)

    led = stranger.get("/audit/?act=x")
    answer = stranger.post(
        "/sign-in",
        data={
            "email": "admin@example.com",
            "password": PASSWORD.get_secret_value(),
            "next": "/audit/?act=x",
        },
    )

    assert led.location == "/sign-in?next=/audit/?act%3Dx"
    assert answer.location == "/audit/?act=x"


def test_a_stranger_under_htmx_leaves_the_page(stranger: FlaskClient) -> None:
    answer = stranger.get("/", headers={"HX-Request": "true"})

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/sign-in")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "\t//evil.example.com",
        "/\t/evil.example.com",
        "/webhooks\r\nSet-Cookie: a=b",
        "/\x00",
        "/\x1f/evil.example.com",
        "///evil.example.com",
        "//[",
        "http://[",
        "evil.example.com",
        "",
        None,
    ],
)
def test_a_sign_in_never_leads_away(target: str | None) -> None:
    assert local_path(target) is None


def test_a_local_path_is_kept_with_its_query() -> None:
    assert local_path("/webhooks?event=x y") == "/webhooks?event=x y"
    assert local_path("/webhooks?") == "/webhooks"


def test_a_wrong_password_keeps_the_email_and_says_neither_half(
    stranger: FlaskClient, as_role: SignIn
) -> None:
    as_role(Role.ADMIN)

    answer = stranger.post(
        "/sign-in", data={"email": "admin@example.com", "password": "wrong password"}
    )

    assert answer.status_code == 422
    assert "admin@example.com" in answer.text
    assert "Incorrect email or password" in answer.text
    assert "wrong password" not in answer.text


def test_the_session_is_renewed_on_sign_in(stranger: FlaskClient, app: Flask) -> None:
    with stranger.session_transaction(base_url=HTTPS) as session:
        session["planted"] = "by somebody else"
    accounts.add(
        app.extensions["dashboard"].database,
        email="ana@example.com",
        role=Role.ADMIN,
        password=PASSWORD,
        now=app.extensions["dashboard"].clock.now(),
        actor=audit.COMMAND_LINE,
    )

    stranger.post(
        "/sign-in",
        data={"email": "ana@example.com", "password": PASSWORD.get_secret_value()},
    )

    with stranger.session_transaction(base_url=HTTPS) as session:
        assert "planted" not in session
        assert "_user_id" in session


def test_signing_out_is_a_post(as_role: SignIn) -> None:
    admin = as_role(Role.ADMIN)

    assert admin.get("/sign-out").status_code == 405
    admin.post("/sign-out")

    assert admin.get("/staff/").status_code == 303


@pytest.fixture
def signed_in(stranger: FlaskClient, as_role: SignIn) -> FlaskClient:
    """A browser in which an admin signed in with the form."""
    as_role(Role.ADMIN)
    sign_in(stranger)
    return stranger


def sign_in(browser: FlaskClient) -> TestResponse:
    password = PASSWORD.get_secret_value()
    return browser.post(
        "/sign-in", data={"email": "admin@example.com", "password": password}
    )


def copy_of(app: Flask, browser: FlaskClient) -> FlaskClient:
    cookie = browser.get_cookie("__Host-dashboard", domain="dashboard.example.com")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie(
        "__Host-dashboard", cookie.value, domain="dashboard.example.com", secure=True
    )
    return thief


def test_a_copied_cookie_is_dead_after_sign_out(
    app: Flask, signed_in: FlaskClient
) -> None:
    thief = copy_of(app, signed_in)
    before = thief.get("/staff/", base_url=HTTPS).status_code

    answer = signed_in.post("/sign-out")

    assert before == 200
    assert thief.get("/staff/", base_url=HTTPS).status_code == 303
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_signing_in_again_ends_the_former_session(
    app: Flask, signed_in: FlaskClient
) -> None:
    thief = copy_of(app, signed_in)

    sign_in(signed_in)

    assert thief.get("/staff/", base_url=HTTPS).status_code == 303
    assert signed_in.get("/staff/").status_code == 200


def test_the_cookie_lasts_twelve_hours_and_is_not_renewed(
    stranger: FlaskClient, as_role: SignIn
) -> None:
    as_role(Role.ADMIN)

    begun = sign_in(stranger).headers.getlist("Set-Cookie")[-1]
    stranger.get("/staff/")  # its form's token comes into the session
    later = stranger.get("/staff/")

    ends = parsedate_to_datetime(str(re.findall(r"Expires=([^;]+)", begun)[0]))
    assert abs(ends - Clock().now() - timedelta(hours=12)) < timedelta(minutes=5)
    assert "Set-Cookie" not in later.headers


def test_only_a_person_keeps_a_session_alive(
    signed_in: FlaskClient, clock: FakeClock
) -> None:
    clock.advance(minutes=30)
    for _ in range(3):
        signed_in.get("/", headers={"Live": "1"})
        signed_in.get("/live/stream?topics=webhooks", buffered=False).close()
    clock.advance(minutes=29)
    signed_in.get("/")
    clock.advance(minutes=31)
    renewed = signed_in.get("/", headers={"Live": "1"}).status_code
    clock.advance(minutes=29)
    asked_by_page = signed_in.get("/", headers={"Live": "1"})

    assert renewed == 200
    assert (asked_by_page.status_code, asked_by_page.text) == (401, "")
    assert signed_in.get("/").location == "/sign-in?next=/"


def test_a_session_ends_after_twelve_hours_of_work(
    signed_in: FlaskClient, clock: FakeClock
) -> None:
    for _ in range(23):
        clock.advance(minutes=30)
        assert signed_in.get("/").status_code == 200
    clock.advance(minutes=30)

    assert signed_in.get("/").status_code == 303


def test_a_new_password_ends_a_session_that_is_open(
    as_role: SignIn, runtime: Runtime
) -> None:
    admin = as_role(Role.ADMIN)

    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, "admin@example.com")
    assert person is not None
    accounts.set_password(
        runtime.database, person.id, PASSWORD, actor=audit.COMMAND_LINE, now=NOON
    )

    assert admin.get("/staff/").status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    stranger: FlaskClient, as_role: SignIn
) -> None:
    as_role(Role.ADMIN)

    answer = stranger.post(
        "/sign-in",
        data={"email": "admin@example.com", "password": PASSWORD.get_secret_value()},
    )

    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2  # the session's, and the one that knows this browser
    for cookie in cookies:
        assert {"HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))


def test_a_form_without_its_token_is_refused_and_under_htmx_too(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    browser = app.test_client()
    form = {"email": "ana@example.com", "password": "irrelevant here"}

    plain = browser.post("/sign-in", data=form, base_url=HTTPS)
    under_htmx = browser.post(
        "/sign-in", data=form, base_url=HTTPS, headers={"HX-Request": "true"}
    )

    assert plain.status_code == 400
    assert "This form has expired" in plain.text
    assert under_htmx.status_code == 400
    assert "<html" not in under_htmx.text


def test_a_button_without_its_token_does_nothing(
    app: Flask, as_role: SignIn, runtime: Runtime
) -> None:
    admin = as_role(Role.ADMIN)
    app.config["WTF_CSRF_ENABLED"] = True
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, "admin@example.com")
        assert person is not None

    answers = [
        admin.post("/sign-out"),
        admin.post(f"/staff/{person.id}/enable"),
        admin.post("/webhooks/1/resend", headers={"HX-Request": "true"}),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert admin.get("/staff/").status_code == 200


def test_a_form_with_its_token_passes(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    browser = app.test_client()
    page = browser.get("/sign-in", base_url=HTTPS).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None

    answer = browser.post(
        "/sign-in",
        data={
            "email": "ana@example.com",
            "password": "irrelevant here",
            "csrf_token": token[1],
        },
        base_url=HTTPS,
        headers={"Referer": f"{HTTPS}/sign-in"},
    )

    assert answer.status_code == 422


def test_who_is_signed_in_is_the_person_of_the_session(
    as_role: SignIn, runtime: Runtime
) -> None:
    with as_role(Role.SUPPORT) as browser:
        browser.get("/")
        person = signin.person()

    with runtime.database.reading() as session:
        staff = accounts.find_by_email(session, "support@example.com")
        assert staff is not None
        [kept] = session.exec(select(StaffSession)).all()
    assert person == signin.Person(
        staff_id=staff.id,
        email=staff.email,
        role=Role.SUPPORT,
        session_id=kept.id,
        last_used_at=kept.last_used_at,
        second_factor=kept.second_factor,
        proven_at=kept.proven_at,
    )


def test_a_browser_that_was_signed_in_with_is_not_held_up_by_strangers(
    app: Flask, signed_in: FlaskClient
) -> None:
    strangers = app.test_client()
    strangers.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    wrong = {"email": "admin@example.com", "password": "not this one"}
    for _ in range(6):
        refused = strangers.post("/sign-in", data=wrong, base_url=HTTPS)
    signed_in.post("/sign-out")

    known = signed_in.get_cookie("__Host-dashboard_known", domain=_HOST)
    held_up = sign_in_anew(strangers).status_code
    for _ in range(6):  # for someone else, who did not sign in with this browser
        other = signed_in.post(
            "/sign-in", data=wrong | {"email": "other@example.com"}
        ).status_code

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert known is not None
    assert (known.secure, known.http_only, known.same_site) == (True, True, "Lax")
    assert held_up == 429
    assert other == 429
    assert sign_in(signed_in).status_code == 303


def test_a_forged_mark_of_a_known_browser_counts_for_nothing(
    app: Flask, signed_in: FlaskClient
) -> None:
    strangers = app.test_client()
    strangers.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    known = signed_in.get_cookie("__Host-dashboard_known", domain=_HOST)
    assert known is not None
    for number in range(6):
        strangers.set_cookie(
            "__Host-dashboard_known",
            f"{number}{known.value}",
            domain=_HOST,
            secure=True,
        )
        last = strangers.post(
            "/sign-in",
            data={"email": "admin@example.com", "password": "not this one"},
            base_url=HTTPS,
        )

    assert last.status_code == 429


_HOST = "dashboard.example.com"


def sign_in_anew(browser: FlaskClient) -> TestResponse:
    form = {"email": "admin@example.com", "password": PASSWORD.get_secret_value()}
    return browser.post("/sign-in", data=form, base_url=HTTPS)
