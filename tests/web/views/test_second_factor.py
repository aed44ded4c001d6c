"""Second factors: set up, asked for at the sign-in, and removed."""

from datetime import timedelta

import pyotp
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Authenticator, RecoveryCode, Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts, second_factors
from dashboard.settings import SecondFactor, Settings
from tests.conftest import HTTPS, PASSWORD, SignIn
from tests.makers import FakeClock

ADMIN = "admin@example.com"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As they are when nothing is chosen."""
    return settings.model_copy(update={"require_second_factor": None})


def add(runtime: Runtime, email: str = ADMIN, role: Role = Role.ADMIN) -> None:
    accounts.add(
        runtime.database,
        email=email,
        role=role,
        password=PASSWORD,
        actor=audit.COMMAND_LINE,
        now=runtime.clock.now(),
    )


def enter(
    browser: FlaskClient, email: str = ADMIN, to: str = "/staff/"
) -> TestResponse:
    form = {"email": email, "password": PASSWORD.get_secret_value(), "next": to}
    return browser.post("/sign-in", data=form)


def type_code(browser: FlaskClient, code: str) -> TestResponse:
    data = {"code": code, "next": "/staff/"}
    return browser.post("/sign-in/second-factor", data=data)


def secret_on(page: TestResponse) -> str:
    found = BeautifulSoup(page.text, "html5lib").select_one(".copy-box code")
    assert found is not None
    return found.text


def code_now(secret: str, clock: FakeClock, *, later: int = 0) -> str:
    return pyotp.TOTP(secret).at(clock.now() + timedelta(seconds=later))


@pytest.fixture
def set_up(
    stranger: FlaskClient, runtime: Runtime, clock: FakeClock
) -> tuple[str, list[str]]:
    """An admin with an app, signed in in `stranger`; its secret and recovery codes."""
    add(runtime)
    enter(stranger)
    stranger.post("/account/authenticator")
    secret = secret_on(stranger.get("/account/second-factor"))
    shown = stranger.post(
        "/account/authenticator/confirm", data={"code": code_now(secret, clock)}
    )
    codes = BeautifulSoup(shown.text, "html5lib").select_one("pre")
    assert codes is not None
    clock.advance(minutes=1)
    return secret, codes.text.split()


def test_who_must_have_one_sets_it_up_before_anything_else_opens(
    stranger: FlaskClient, runtime: Runtime, clock: FakeClock
) -> None:
    add(runtime)
    enter(stranger)

    led = [stranger.get(path).location for path in ("/", "/staff/", "/account")]
    written = stranger.post("/staff/", data={"email": "b@example.com", "role": "admin"})
    live = stranger.get("/", headers={"Live": "1"})
    page = stranger.get("/account/second-factor?next=/staff/")
    stranger.post("/account/authenticator")
    secret = secret_on(stranger.get("/account/second-factor"))
    wrong = stranger.post("/account/authenticator/confirm", data={"code": "000000"})
    right = stranger.post(
        "/account/authenticator/confirm",
        data={"code": code_now(secret, clock), "next": "/staff/"},
    )

    assert led == [
        "/account/second-factor?next=/",
        "/account/second-factor?next=/staff/",
        "/account/second-factor?next=/account",
    ]
    assert written.location == "/account/second-factor"
    assert live.status_code == 401
    assert "needs a second factor" in page.text
    assert (wrong.status_code, right.status_code) == (422, 200)
    assert "This code is not right" in wrong.text
    assert stranger.get("/staff/").status_code == 200


@pytest.mark.parametrize(
    ("chosen", "role", "is_led"),
    [
        (None, Role.ADMIN, True),
        (None, Role.SUPPORT, False),
        (SecondFactor.SECRETS, Role.SUPPORT, False),
        (SecondFactor.EVERYONE, Role.SUPPORT, True),
        (SecondFactor.NONE, Role.ADMIN, False),
    ],
)
def test_the_setting_says_who_must(
    runtime: Runtime,
    stranger: FlaskClient,
    chosen: SecondFactor | None,
    role: Role,
    *,
    is_led: bool,
) -> None:
    object.__setattr__(runtime.settings, "require_second_factor", chosen)
    add(runtime, "who@example.com", role)

    enter(stranger, "who@example.com", to="/")

    assert (stranger.get("/").status_code == 303) is is_led


def test_on_plain_http_nobody_must_unless_it_is_chosen() -> None:
    http, https = "http://127.0.0.1:8000", "https://dashboard.example.com"

    assert second_factors.policy(None, https) is SecondFactor.SECRETS
    assert second_factors.policy(None, http) is SecondFactor.NONE
    assert second_factors.policy(SecondFactor.EVERYONE, http) is SecondFactor.EVERYONE


@pytest.mark.usefixtures("set_up")
def test_the_password_alone_opens_nothing_for_who_has_one(
    stranger: FlaskClient,
) -> None:
    stranger.post("/sign-out")

    answer = enter(stranger)

    assert answer.location == "/sign-in/second-factor?next=/staff/"
    assert stranger.get("/staff/").location.startswith("/sign-in")
    assert stranger.get("/sign-in/second-factor").status_code == 200


def test_a_code_signs_in_once(
    set_up: tuple[str, list[str]], stranger: FlaskClient, clock: FakeClock
) -> None:
    code = code_now(set_up[0], clock)
    stranger.post("/sign-out")
    enter(stranger)

    first = type_code(stranger, f"{code[:3]} {code[3:]}")
    inside = stranger.get("/staff/").status_code
    stranger.post("/sign-out")
    enter(stranger)
    again = type_code(stranger, code)

    assert (first.location, inside) == ("/staff/", 200)
    assert again.status_code == 422
    assert "used before" in again.text
    assert stranger.get("/staff/").status_code == 303


@pytest.mark.parametrize(("later", "fits"), [(-30, True), (30, True), (60, False)])
def test_a_code_of_the_step_before_or_after_is_taken(
    set_up: tuple[str, list[str]],
    stranger: FlaskClient,
    clock: FakeClock,
    later: int,
    *,
    fits: bool,
) -> None:
    stranger.post("/sign-out")
    enter(stranger)

    answer = type_code(stranger, code_now(set_up[0], clock, later=later))

    assert (answer.status_code == 303) is fits


def test_a_recovery_code_signs_in_once(
    set_up: tuple[str, list[str]], stranger: FlaskClient, runtime: Runtime
) -> None:
    _, codes = set_up
    statuses = []
    for code in (codes[0], codes[0], codes[1].upper().replace("-", " ")):
        stranger.post("/sign-out")
        enter(stranger)
        statuses.append(type_code(stranger, code).status_code)

    with runtime.database.reading() as session:
        left = session.exec(select(RecoveryCode)).all()
        kept = {row.code_hash for row in left}
    assert len(codes) == len(set(codes)) == 10
    assert statuses == [303, 422, 303]
    assert len(left) == 8
    assert not kept & set(codes)


def test_guessing_codes_has_to_wait_and_the_right_one_too(
    set_up: tuple[str, list[str]], stranger: FlaskClient, clock: FakeClock
) -> None:
    stranger.post("/sign-out")
    enter(stranger)
    for _ in range(5):
        type_code(stranger, "000000")

    refused = type_code(stranger, code_now(set_up[0], clock))
    clock.advance(seconds=2)
    taken = type_code(stranger, code_now(set_up[0], clock))

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "Wait 1 second" in refused.text
    assert taken.status_code == 303


def copy_of(app: Flask, browser: FlaskClient) -> FlaskClient:
    cookie = browser.get_cookie(
        app.config["SESSION_COOKIE_NAME"], domain="dashboard.example.com"
    )
    assert cookie is not None
    thief = app.test_client()
    thief.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    thief.set_cookie(
        app.config["SESSION_COOKIE_NAME"],
        cookie.value,
        domain="dashboard.example.com",
        secure=True,
    )
    return thief


def test_a_copy_of_the_half_way_cookie_opens_nothing_after_it_was_used(
    set_up: tuple[str, list[str]], app: Flask, stranger: FlaskClient
) -> None:
    stranger.post("/sign-out")
    enter(stranger)
    thief = copy_of(app, stranger)
    type_code(stranger, set_up[1][0])

    answer = thief.post(
        "/sign-in/second-factor", data={"code": set_up[1][1]}, base_url=HTTPS
    )

    assert answer.status_code != 303
    assert "used before" in answer.text
    assert thief.get("/staff/", base_url=HTTPS).status_code == 303


@pytest.mark.parametrize("what", ["time", "password", "disabled"])
def test_half_way_in_ends_with_time_and_with_what_changes(
    set_up: tuple[str, list[str]],
    stranger: FlaskClient,
    runtime: Runtime,
    clock: FakeClock,
    what: str,
) -> None:
    stranger.post("/sign-out")
    enter(stranger)
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, ADMIN)
        assert person is not None
    if what == "time":
        clock.advance(minutes=11)
    elif what == "password":
        accounts.set_password(
            runtime.database,
            person.id,
            PASSWORD,
            actor=audit.COMMAND_LINE,
            now=clock.now(),
        )
    else:
        add(runtime, "other@example.com")
        with runtime.database.writing() as session:
            accounts.disable(
                session,
                accounts.get(session, person.id),
                actor=audit.COMMAND_LINE,
                now=clock.now(),
            )

    answer = type_code(stranger, set_up[1][0])

    assert answer.location == "/sign-in?next=/staff/"
    assert stranger.get("/staff/").status_code == 303


def test_the_secret_is_sealed_and_shown_until_it_is_confirmed_alone(
    set_up: tuple[str, list[str]], stranger: FlaskClient, runtime: Runtime
) -> None:
    with runtime.database.reading() as session:
        [app] = session.exec(select(Authenticator)).all()
    pages = [stranger.get(path).text for path in ("/account", "/account/second-factor")]

    assert set_up[0].encode() not in app.secret
    assert not any(set_up[0] in page for page in pages)
    assert not any(code in page for page in pages for code in set_up[1])


def test_the_first_second_factor_ends_sessions_begun_without(
    stranger: FlaskClient, app: Flask, runtime: Runtime, clock: FakeClock
) -> None:
    add(runtime)
    elsewhere = app.test_client()
    elsewhere.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    enter(elsewhere)
    enter(stranger)
    stranger.post("/account/authenticator")
    secret = secret_on(stranger.get("/account/second-factor"))

    stranger.post(
        "/account/authenticator/confirm", data={"code": code_now(secret, clock)}
    )

    assert elsewhere.get("/account/second-factor").location.startswith("/sign-in")
    assert stranger.get("/staff/").status_code == 200


@pytest.mark.usefixtures("set_up")
def test_the_last_one_of_who_must_have_one_stays(
    stranger: FlaskClient, runtime: Runtime
) -> None:
    refused = stranger.post("/account/authenticator/remove")
    object.__setattr__(runtime.settings, "require_second_factor", SecondFactor.NONE)
    removed = stranger.post("/account/authenticator/remove")

    with runtime.database.reading() as session:
        left = session.exec(select(RecoveryCode)).all()
    assert refused.status_code == 409
    assert "only second factor" in refused.text
    assert removed.status_code == 303
    assert left == []


def test_new_recovery_codes_end_the_former(
    set_up: tuple[str, list[str]], stranger: FlaskClient
) -> None:
    shown = stranger.post("/account/recovery-codes")
    stranger.post("/sign-out")
    enter(stranger)

    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert not any(code in shown.text for code in set_up[1])
    assert type_code(stranger, set_up[1][0]).status_code == 422


@pytest.mark.usefixtures("set_up")
def test_an_admin_removes_what_a_person_lost(
    stranger: FlaskClient,
    as_role: SignIn,
    runtime: Runtime,
) -> None:
    add(runtime, "other@example.com")
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, ADMIN)
        assert person is not None
    other = as_role(Role.ADMIN)  # the same person, in another browser

    other.post(f"/staff/{person.id}/second-factor/remove")
    answer = enter(stranger)

    assert answer.location == "/staff/"
    assert stranger.get("/").location == "/account/second-factor?next=/"
    with runtime.database.reading() as session:
        acts = [entry.act for entry in session.exec(select(AuditEntry)).all()]
    assert "staff.second_factor_removed" in acts
