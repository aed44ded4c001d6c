"""Sessions end where they must, on both databases, and are listed."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlmodel import select

from dashboard.app import build_runtime, create_app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts, sessions
from dashboard.settings import Settings
from tests.conftest import HTTPS, PASSWORD, SignIn
from tests.makers import NOON, FakeClock

NAME, HOST = "__Host-dashboard", "dashboard.example.com"
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0"
)

Browse = Callable[[str], FlaskClient]


@pytest.fixture
def sqlite(database: Database) -> Database:
    """Have the app of `conftest` work on both databases."""
    return database


@pytest.fixture
def person(runtime: Runtime, password_hash: str) -> Staff:
    one = Staff(
        email="ana@example.com",
        role=Role.ADMIN,
        password_hash=password_hash,
        created_at=NOON,
    )
    other = Staff(
        email="other@example.com",
        role=Role.ADMIN,
        password_hash=password_hash,
        created_at=NOON,
    )
    with runtime.database.writing() as session:
        session.add_all([one, other])
    return one


def browser_of(app: Flask, runtime: Runtime, person: Staff) -> FlaskClient:
    """Give a browser in which the person signed in now."""
    with runtime.database.writing() as session:
        secret = sessions.begin(
            session,
            person.id,
            address="192.0.2.7",
            user_agent=AGENT,
            second_factor="passkey",
            now=runtime.clock.now(),
        )
    browser = app.test_client()
    browser.environ_base["HTTP_REFERER"] = f"{HTTPS}/"
    with browser.session_transaction(base_url=HTTPS) as kept:
        kept["_user_id"] = secret
        kept.permanent = True
    return browser


@pytest.fixture
def browser(app: Flask, runtime: Runtime, person: Staff) -> FlaskClient:
    return browser_of(app, runtime, person)


@pytest.fixture
def thief(app: Flask, browser: FlaskClient) -> FlaskClient:
    """A copy of the browser's cookie, elsewhere."""
    cookie = browser.get_cookie(NAME, domain=HOST)
    assert cookie is not None
    other = app.test_client()
    other.set_cookie(NAME, cookie.value, domain=HOST, secure=True)
    return other


def is_in(browser: FlaskClient, path: str = "/account") -> bool:
    return browser.get(path, base_url=HTTPS).status_code == 200


def test_a_copied_cookie_is_refused_after_sign_out(
    browser: FlaskClient, thief: FlaskClient
) -> None:
    before = is_in(thief)

    browser.post("/sign-out", base_url=HTTPS)

    assert before
    assert not is_in(thief)


@pytest.mark.parametrize("what", ["role", "disabled", "password"])
def test_a_copied_cookie_is_refused_after_the_account_changed(
    runtime: Runtime, person: Staff, thief: FlaskClient, what: str
) -> None:
    before = is_in(thief)

    if what == "password":
        accounts.set_password(
            runtime.database,
            person.id,
            PASSWORD,
            actor=audit.COMMAND_LINE,
            now=NOON,
        )
    else:
        with runtime.database.writing() as session:
            changed = session.get_one(Staff, person.id)
            if what == "role":
                accounts.set_role(
                    session, changed, Role.SUPPORT, actor=audit.COMMAND_LINE
                )
            else:
                accounts.disable(session, changed, actor=audit.COMMAND_LINE, now=NOON)

    assert before
    assert not is_in(thief)


def test_a_copied_cookie_is_refused_after_an_hour_without_use(
    thief: FlaskClient, clock: FakeClock
) -> None:
    clock.advance(minutes=59)
    live = thief.get("/", base_url=HTTPS, headers={"Live": "1"}).status_code
    clock.advance(minutes=1)

    assert live == 200  # a page keeping itself up to date is no use
    assert not is_in(thief)


def test_a_copied_cookie_is_refused_after_twelve_hours_of_use(
    browser: FlaskClient, thief: FlaskClient, clock: FakeClock
) -> None:
    for _ in range(23):
        clock.advance(minutes=30)
        assert is_in(browser)
    clock.advance(minutes=30)

    assert not is_in(browser)
    assert not is_in(thief)


@pytest.fixture
def short(settings: Settings, database: Database, clock: FakeClock) -> FlaskClient:
    """The same with other lifetimes, in a browser of its own."""
    changed = settings.model_copy(
        update={"session_idle_minutes": 5, "session_hours": 1}
    )
    clock_: Clock = clock  # type: ignore[assignment]  # a test's clock
    made = build_runtime(changed, listens_on=HTTPS, clock=clock_, database=database)
    app = create_app(made)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    one = Staff(
        email="cy@example.com", role=Role.ADMIN, password_hash="-", created_at=NOON
    )
    with database.writing() as session:
        session.add(one)
    return browser_of(app, made, one)


def test_how_long_sessions_last_is_set(short: FlaskClient, clock: FakeClock) -> None:
    clock.advance(minutes=4)
    before = is_in(short)
    clock.advance(minutes=5)

    assert before
    assert not is_in(short)


def test_the_longest_session_is_set_too(short: FlaskClient, clock: FakeClock) -> None:
    for _ in range(14):
        clock.advance(minutes=4)
        assert is_in(short)
    clock.advance(minutes=4)

    assert not is_in(short)


def test_the_cookie_is_the_hosts_own(
    app: Flask, runtime: Runtime, person: Staff
) -> None:
    browser = browser_of(app, runtime, person)
    browser.get("/account", base_url=HTTPS)

    cookie = browser.get_cookie(NAME, domain=HOST)
    assert cookie is not None
    assert (cookie.secure, cookie.http_only, cookie.path) == (True, True, "/")
    assert cookie.same_site == "Lax"
    assert cookie.domain == HOST
    assert cookie.origin_only


def test_over_http_the_cookie_has_a_plain_name(
    settings: Settings, database: Database
) -> None:
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1:8000"})
    runtime = build_runtime(plain, listens_on="http://x", database=database)
    app = create_app(runtime)

    assert app.config["SESSION_COOKIE_NAME"] == "dashboard"
    assert not app.config["SESSION_COOKIE_SECURE"]


def test_a_cookie_signed_with_sha_1_is_not_accepted(
    app: Flask, browser: FlaskClient
) -> None:
    """Those of before are not, nor is any that an older version signs."""
    with browser.session_transaction(base_url=HTTPS) as kept:
        content = dict(kept)
    old = URLSafeTimedSerializer(
        app.secret_key or "",
        salt="cookie-session",
        serializer=app.session_interface.serializer,  # type: ignore[attr-defined]  # Flask's own
        signer_kwargs={"key_derivation": "hmac"},
    )
    other = app.test_client()
    other.set_cookie(NAME, str(old.dumps(content)), domain=HOST, secure=True)

    assert is_in(browser)
    assert not is_in(other)


def handles(browser: FlaskClient, path: str = "/account") -> list[str]:
    page = browser.get(path, base_url=HTTPS).text
    return re.findall(r"/sessions/([0-9a-f]{16})/end", page)


def test_ones_own_sessions_are_listed_in_plain_words(
    app: Flask, runtime: Runtime, person: Staff, browser: FlaskClient
) -> None:
    browser_of(app, runtime, person)

    page = browser.get("/account", base_url=HTTPS).text

    assert page.count("Firefox on Windows") >= 2
    assert page.count("This browser") == 1
    assert "192.0.2.7" in page
    assert len(handles(browser)) == 2
    with runtime.database.reading() as session:
        for row in session.exec(select(StaffSession)):
            assert row.id not in page


def test_a_session_elsewhere_is_ended(
    app: Flask, runtime: Runtime, person: Staff, browser: FlaskClient
) -> None:
    other = browser_of(app, runtime, person)
    _, elsewhere = handles(browser)

    answer = browser.post(f"/account/sessions/{elsewhere}/end", base_url=HTTPS)

    assert answer.status_code == 303
    assert not is_in(other)
    assert is_in(browser)
    with runtime.database.reading() as session:
        acts = [row.act for row in session.exec(select(AuditEntry))]
    assert acts == ["session.ended"]


def test_all_others_are_ended_at_once(
    app: Flask, runtime: Runtime, person: Staff, browser: FlaskClient
) -> None:
    others = [browser_of(app, runtime, person) for _ in range(2)]

    browser.post("/account/sessions/end-others", base_url=HTTPS)

    assert [is_in(each) for each in (browser, *others)] == [True, False, False]


def age_proof(runtime: Runtime, clock: FakeClock) -> None:
    with runtime.database.writing() as session:
        for row in session.exec(select(StaffSession)):
            row.proven_at = clock.now() - timedelta(minutes=11)
            session.add(row)


@pytest.mark.parametrize("whose", ["one", "others", "a person's one", "a person's all"])
def test_a_session_elsewhere_is_ended_after_a_new_proof_only(
    app: Flask, runtime: Runtime, browser: FlaskClient, clock: FakeClock, whose: str
) -> None:
    person = other_person(runtime) if "person" in whose else own_person(runtime)
    other = browser_of(app, runtime, person)
    is_own = "person" not in whose
    handle = handles(browser, "/account" if is_own else f"/staff/{person.id}")[-1]
    age_proof(runtime, clock)
    path = {
        "one": f"/account/sessions/{handle}/end",
        "others": "/account/sessions/end-others",
        "a person's one": f"/staff/{person.id}/sessions/{handle}/end",
        "a person's all": f"/staff/{person.id}/sessions/end",
    }[whose]

    answer = browser.post(path, base_url=HTTPS)

    assert answer.status_code == 422
    assert "Confirm it" in answer.text
    assert is_in(other)


def test_to_sign_out_here_takes_no_proof(
    runtime: Runtime, browser: FlaskClient, clock: FakeClock
) -> None:
    [handle] = handles(browser)
    age_proof(runtime, clock)

    browser.post(f"/account/sessions/{handle}/end", base_url=HTTPS)

    assert not is_in(browser)


def test_a_session_that_ran_out_is_not_listed(
    app: Flask, runtime: Runtime, person: Staff, clock: FakeClock
) -> None:
    browser_of(app, runtime, person)
    clock.advance(minutes=60)

    assert len(handles(browser_of(app, runtime, person))) == 1


def other_person(runtime: Runtime) -> Staff:
    return person_of(runtime, "other@example.com")


def own_person(runtime: Runtime) -> Staff:
    return person_of(runtime, "ana@example.com")


def person_of(runtime: Runtime, email: str) -> Staff:
    with runtime.database.reading() as session:
        found = accounts.find_by_email(session, email)
    assert found is not None
    return found


def test_nobody_ends_anothers_session_by_their_own_page(
    app: Flask, runtime: Runtime, browser: FlaskClient
) -> None:
    theirs = browser_of(app, runtime, other_person(runtime))
    [handle] = handles(theirs)

    for path in (handle, handle[:8], "0" * 16, "%" * 16, "x"):
        answer = browser.post(f"/account/sessions/{path}/end", base_url=HTTPS)
        assert answer.status_code == 404
    assert is_in(theirs)


@pytest.mark.parametrize("what", ["one", "all"])
def test_an_admin_ends_anybodys_session(
    app: Flask, runtime: Runtime, browser: FlaskClient, what: str
) -> None:
    other = other_person(runtime)
    theirs = browser_of(app, runtime, other)
    [handle] = handles(browser, f"/staff/{other.id}")

    path = f"{handle}/end" if what == "one" else "end"
    browser.post(f"/staff/{other.id}/sessions/{path}", base_url=HTTPS)

    assert not is_in(theirs)
    assert is_in(browser)
    with runtime.database.reading() as session:
        [entry] = session.exec(select(AuditEntry)).all()
    assert (entry.actor, entry.act, entry.subject) == (
        "ana@example.com",
        "session.ended",
        "other@example.com",
    )


def test_who_is_no_admin_does_not(
    person: Staff, browser: FlaskClient, as_role: SignIn
) -> None:
    support = as_role(Role.SUPPORT)

    answer = support.post(f"/staff/{person.id}/sessions/end", base_url=HTTPS)

    assert answer.status_code == 403
    assert is_in(browser)


def test_ended_sessions_are_deleted_by_the_chore(
    runtime: Runtime, browser: FlaskClient, clock: FakeClock
) -> None:
    assert is_in(browser)
    lifetime = sessions.Lifetime(idle=timedelta(hours=1), longest=timedelta(hours=12))
    clock.advance(hours=2)
    clock_: Clock = clock  # type: ignore[assignment]  # a test's clock

    assert sessions.forget_ended(runtime.database, lifetime, clock_) == 1
