"""Single sign-on in a browser: there, back, and refused."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import col, delete, select
from werkzeug.test import TestResponse

from dashboard import logs
from dashboard.app import build_runtime, create_app
from dashboard.db import Database
from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts, passwords
from dashboard.services.staff.single_sign_on import CALLBACK_PATH
from dashboard.settings import Settings
from tests.conftest import HTTPS, PASSWORD
from tests.fixtures import identity_provider as simulated
from tests.makers import NOON, FakeClock

Browse = Callable[..., FlaskClient]


@pytest.fixture
def over() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(
    settings: Settings, sandbox: RunningSandbox, over: dict[str, Any]
) -> Settings:
    simulated.register(sandbox, f"{HTTPS}{CALLBACK_PATH}")
    given = {
        "oidc_issuer": sandbox.oidc_url,
        "oidc_client_id": simulated.CLIENT_ID,
        "oidc_client_secret": simulated.CLIENT_SECRET,
        "oidc_name": "Sign in with Example",
        "oidc_role_claim": "groups",
        "oidc_role_map": "zoom-admins=admin,helpdesk=support",
    }
    return settings.model_copy(update={**given, **over})


@pytest.fixture
def browse(app: Flask) -> Browse:
    def make() -> FlaskClient:
        return app.test_client()

    return make


def begin(browser: FlaskClient, **query: str) -> TestResponse:
    return browser.get("/sign-in/sso", base_url=HTTPS, query_string=query)


def come_back(browser: FlaskClient, url: str) -> TestResponse:
    assert url.startswith(f"{HTTPS}{CALLBACK_PATH}?")
    return browser.get(url.removeprefix(HTTPS), base_url=HTTPS)


def sign_in(browser: FlaskClient, sub: str = "idp-ada", **query: str) -> TestResponse:
    sent = begin(browser, **query)
    assert sent.status_code == 303
    return come_back(browser, simulated.decide(sent.location, sub))


def alert(answer: TestResponse) -> str:
    found = BeautifulSoup(answer.text, "html.parser").select_one("[role=alert]")
    return found.get_text(" ", strip=True) if found else ""


def refusals(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.act == "session.refused")
        return [row.subject for row in session.exec(query)]


def test_the_button_leads_to_the_provider_and_back(browse: Browse) -> None:
    browser = browse()
    page = BeautifulSoup(
        browser.get("/sign-in?next=/audit/", base_url=HTTPS).text, "html.parser"
    )
    [button] = [a for a in page.select("a") if a.text == "Sign in with Example"]
    sent = browser.get(str(button["href"]), base_url=HTTPS)

    answer = come_back(browser, simulated.decide(sent.location, "idp-ada"))

    assert (answer.status_code, answer.location) == (303, "/audit/")
    assert "ada@example.com" in browser.get("/audit/", base_url=HTTPS).text


def test_a_new_session_row_begins_and_the_old_one_ends(
    browse: Browse, runtime: Runtime
) -> None:
    browser = browse()
    sign_in(browser)
    with runtime.database.reading() as session:
        [first] = [row.id for row in session.exec(select(StaffSession))]

    sign_in(browser, "idp-hal")

    with runtime.database.reading() as session:
        [second] = [row.id for row in session.exec(select(StaffSession))]
    assert first != second


def test_what_another_planted_in_the_browser_is_gone(browse: Browse) -> None:
    browser = browse()
    with browser.session_transaction(base_url=HTTPS) as kept:
        kept["planted"] = "by somebody else"

    sign_in(browser)

    with browser.session_transaction(base_url=HTTPS) as kept:
        assert "planted" not in kept
        assert "single_sign_on" not in kept


@pytest.mark.parametrize("target", ["https://evil.example.com/", "//evil.example.com"])
def test_it_never_leads_away(browse: Browse, target: str) -> None:
    assert sign_in(browse(), next=target).location == "/"


def test_an_answer_that_was_used_is_refused(browse: Browse, runtime: Runtime) -> None:
    browser = browse()
    back = simulated.decide(begin(browser).location, "idp-ada")
    come_back(browser, back)
    other = browse()

    again, elsewhere = come_back(browser, back), come_back(other, back)

    assert (again.status_code, elsewhere.status_code) == (403, 403)
    assert "used already" in alert(again)
    assert refusals(runtime) == ["single sign-on: state"] * 2


def test_a_state_that_failed_is_used_too(
    browse: Browse, sandbox: RunningSandbox
) -> None:
    browser = browse()
    sandbox.oidc_world.switch(wrong_nonce=True)
    back = simulated.decide(begin(browser).location, "idp-ada")

    first, second = come_back(browser, back), come_back(browser, back)

    assert "another sign-in" in alert(first)
    assert "another browser" in alert(second)  # not that the code is spent


def test_an_answer_for_another_browser_is_refused(browse: Browse) -> None:
    """Nobody is signed in as somebody else by a link."""
    attacker, victim = browse(), browse()
    back = simulated.decide(begin(attacker).location, "idp-ada")
    begin(victim)

    answer = come_back(victim, back)

    assert answer.status_code == 403
    assert victim.get("/", base_url=HTTPS).status_code == 303


def test_a_sign_in_takes_ten_minutes_at_most(browse: Browse, clock: FakeClock) -> None:
    browser = browse()
    back = simulated.decide(begin(browser).location, "idp-ada")
    clock.advance(minutes=10)

    assert "older than 10 minutes" in alert(come_back(browser, back))


def test_two_windows_both_come_back(browse: Browse) -> None:
    browser = browse()
    first, second = begin(browser).location, begin(browser).location

    answer = come_back(browser, simulated.decide(first, "idp-ada"))
    assert answer.status_code == 303
    # The first began a session, which keeps nothing of before.
    late = come_back(browser, simulated.decide(second, "idp-ada"))
    assert late.status_code == 403


def test_cancelling_is_one_sentence(browse: Browse) -> None:
    browser = browse()
    back = simulated.decide(begin(browser).location, "idp-ada", decision="no")

    answer = come_back(browser, back)

    assert answer.status_code == 403
    assert "you cancelled" in alert(answer)


@pytest.mark.parametrize(
    ("sub", "words"),
    [
        ("idp-uma", "gives you no role here"),
        ("idp-ned", "gave no email address"),
        ("idp-adm", "which is not linked to the identity provider"),
    ],
)
def test_who_may_not_come_in_is_told_why(
    browse: Browse, runtime: Runtime, sub: str, words: str
) -> None:
    an_admin(runtime, "admin@example.com")

    answer = sign_in(browse(), sub)

    assert answer.status_code == 403
    assert words in alert(answer)
    [said] = refusals(runtime)
    assert sub in said


@pytest.mark.parametrize("over", [{"oidc_allowed_domains": "example.com"}])
def test_an_unverified_address_is_refused(browse: Browse) -> None:
    assert "not say that your email" in alert(sign_in(browse(), "idp-vic"))


def test_a_provider_that_is_down_leaves_the_password(
    browse: Browse, runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.oidc_faults.set([Fault(kind=FaultKind.DOWN)])
    an_admin(runtime)
    browser = browse()

    answer = begin(browser, next="/audit/")

    assert answer.status_code == 503
    assert "does not answer as it should" in alert(answer)
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one("input[name=password]") is not None
    target = page.select_one("input[name=next]")
    assert target is not None
    assert target["value"] == "/audit/"


@pytest.mark.parametrize("over", [{"oidc_only": True}])
def test_passwords_can_be_turned_off(browse: Browse, runtime: Runtime) -> None:
    an_admin(runtime)
    browser = browse()

    page = browser.get("/sign-in", base_url=HTTPS)
    answer = browser.post(
        "/sign-in",
        base_url=HTTPS,
        data={"email": "ana@example.com", "password": PASSWORD.get_secret_value()},
    )

    assert 'name="password"' not in page.text
    assert answer.status_code == 403
    assert "Passwords and passkeys are turned off" in alert(answer)
    passkey = browser.post("/sign-in/passkey", base_url=HTTPS, data={"credential": "x"})
    assert passkey.status_code == 403
    assert browser.get("/", base_url=HTTPS).status_code == 303
    assert sign_in(browser).status_code == 303


def test_nothing_of_a_token_is_logged(
    browse: Browse,
    sandbox: RunningSandbox,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up()
    caplog.set_level(logging.INFO)
    sandbox.oidc_world.switch(wrong_key=True)
    browser = browse()
    sent = begin(browser).location
    back = simulated.decide(sent, "idp-ada")
    capsys.readouterr()  # the test's own browser

    answer = come_back(browser, back)

    assert answer.status_code == 403
    logged = capsys.readouterr().err
    assert f"{sandbox.oidc_url}/token" in logged
    assert "single_sign_on.refused" in logged
    code = simulated.query_of(back)["code"]
    secret = simulated.CLIENT_SECRET.get_secret_value()
    for hidden in (code, secret, "eyJ", simulated.query_of(sent)["nonce"]):
        assert hidden not in logged
        assert hidden not in answer.text


def test_an_account_of_the_provider_has_no_password(
    browse: Browse,
) -> None:
    sign_in(browse())
    browser = browse()

    for password in ("", "-", "x" * 12):
        answer = browser.post(
            "/sign-in",
            base_url=HTTPS,
            data={"email": "ada@example.com", "password": password},
        )
        assert answer.status_code == 422


def later(clock: FakeClock, sandbox: RunningSandbox) -> None:
    """Let every proof be too old."""
    clock.advance(minutes=11)
    sandbox.clock.set(clock.now())


NEW_PERSON = {"email": "ben@example.com", "role": "support"}


def ask(browser: FlaskClient) -> str:
    """Add a person with an old proof; return where the question leads."""
    asked = browser.post("/staff/", base_url=HTTPS, data=NEW_PERSON)
    assert asked.status_code == 422
    page = BeautifulSoup(asked.text, "html.parser")
    kept = {str(box["name"]): box.get("value") for box in page.select("[type=hidden]")}
    assert NEW_PERSON.items() <= kept.items()
    assert page.select_one("[name=prove-password]") is None
    [link] = page.select("form[data-proof] a[target=_blank]")
    form = page.select_one("form[data-proof]")
    assert form is not None
    assert str(link["href"]).endswith(f"mark={form['data-proof']}")
    return str(link["href"])


def proven(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.database.reading() as session:
        query = select(AuditEntry).where(col(AuditEntry.act).startswith("session.pro"))
        return [(row.act, row.subject) for row in session.exec(query)]


def test_who_has_no_password_proves_themselves_at_the_provider(
    browse: Browse, clock: FakeClock, sandbox: RunningSandbox, runtime: Runtime
) -> None:
    browser = browse()
    sign_in(browser)
    later(clock, sandbox)
    link = ask(browser)

    sent = browser.get(link, base_url=HTTPS)
    asked = simulated.query_of(sent.location)
    back = come_back(browser, simulated.decide(sent.location, "idp-ada"))

    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    mark = link.partition("mark=")[2]
    assert f'data-proven="{mark}"' in back.text
    assert proven(runtime) == [("session.proven", "single sign-on idp-ada")]
    assert browser.post("/staff/", base_url=HTTPS, data=NEW_PERSON).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "sub", "words"),
    [
        ({}, "idp-hal", "as someone else than here"),
        ({"keeps_session": True}, "idp-ada", "did not ask you to sign in again"),
        ({"no_auth_time": True}, "idp-ada", "did not ask you to sign in again"),
        ({"wrong_nonce": True}, "idp-ada", "sent the proof of another sign-in"),
    ],
)
def test_what_the_provider_does_not_confirm_is_not_confirmed(  # noqa: PLR0917 - fixtures and cases
    browse: Browse,
    clock: FakeClock,
    sandbox: RunningSandbox,
    runtime: Runtime,
    wrong: dict[str, bool],
    sub: str,
    words: str,
) -> None:
    browser = browse()
    sign_in(browser)
    later(clock, sandbox)
    sandbox.oidc_world.switch(**wrong)
    sent = browser.get(ask(browser), base_url=HTTPS)

    back = come_back(browser, simulated.decide(sent.location, sub))

    assert back.status_code == 403
    assert words in back.text
    assert [act for act, _ in proven(runtime)] == ["session.proof_refused"]
    ask(browser)  # again


def test_a_proof_is_for_the_session_that_asked(
    browse: Browse, clock: FakeClock, sandbox: RunningSandbox, runtime: Runtime
) -> None:
    browser, other = browse(), browse()
    sign_in(browser)
    sign_in(other)
    later(clock, sandbox)
    sent = browser.get(ask(browser), base_url=HTTPS).location
    answer = simulated.decide(sent, "idp-ada")
    with browser.session_transaction(base_url=HTTPS) as kept:
        attempts = kept["single_sign_on"]
    with other.session_transaction(base_url=HTTPS) as theirs:
        theirs["single_sign_on"] = attempts

    assert "signed in again" in come_back(other, answer).text
    ask(other)
    assert [act for act, _ in proven(runtime)] == ["session.proof_refused"]


def test_a_proof_for_a_session_that_ended_confirms_nothing(
    browse: Browse, clock: FakeClock, sandbox: RunningSandbox, runtime: Runtime
) -> None:
    browser = browse()
    sign_in(browser)
    later(clock, sandbox)
    sent = browser.get(ask(browser), base_url=HTTPS).location
    with runtime.database.writing() as session:
        session.exec(delete(StaffSession))

    back = come_back(browser, simulated.decide(sent, "idp-ada"))

    assert back.status_code == 403
    assert "You were signed out" in alert(back)


def test_a_sign_in_with_an_old_proof_is_not_a_fresh_one(
    browse: Browse, clock: FakeClock, sandbox: RunningSandbox
) -> None:
    sign_in(browse())
    later(clock, sandbox)
    browser = browse()

    sign_in(browser)  # the provider still knows the person

    ask(browser)


def an_admin(runtime: Runtime, email: str = "ana@example.com") -> None:
    accounts.add(
        runtime.database,
        email=email,
        role=Role.ADMIN,
        password=PASSWORD,
        actor=audit.COMMAND_LINE,
        now=NOON,
    )


def with_password(browser: FlaskClient, email: str = "ana@example.com") -> TestResponse:
    form = {"email": email, "password": PASSWORD.get_secret_value()}
    return browser.post("/sign-in", base_url=HTTPS, data=form)


def to_link(browser: FlaskClient) -> str:
    """Return where the page about linking leads."""
    page = browser.get("/account/sign-on/link", base_url=HTTPS)
    assert page.status_code == 200, page.location
    soup = BeautifulSoup(page.text, "html.parser")
    [link] = soup.find_all("a", string="Continue")
    return str(link["href"])


def recorded(runtime: Runtime, act: str) -> list[str]:
    with runtime.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.act == act)
        return [row.subject for row in session.exec(query)]


def account(browser: FlaskClient) -> str:
    page = browser.get("/account", base_url=HTTPS)
    assert page.status_code == 200, page.location
    return " ".join(BeautifulSoup(page.text, "html.parser").get_text(" ").split())


def test_an_account_is_linked_and_unlinked_by_its_person(
    browse: Browse, runtime: Runtime
) -> None:
    an_admin(runtime)
    browser, other = browse(), browse()
    with_password(browser)

    linked = come_back(browser, simulated.decide(to_link(browser), "idp-ada"))

    assert linked.location == "/account"
    assert "Linked your account to ada@example.com" in account(browser)
    assert recorded(runtime, "staff.linked") == ["ana@example.com to idp-ada"]
    sign_in(other)
    assert "ana@example.com" in account(other)

    browser.post("/account/sign-on/unlink", base_url=HTTPS)

    assert "Your account is not linked to it" in account(browser)
    assert recorded(runtime, "staff.unlinked") == ["ana@example.com from idp-ada"]
    assert other.get("/account", base_url=HTTPS).status_code == 303
    assert "ada@example.com" in account_after(browse(), "idp-ada")


def account_after(browser: FlaskClient, sub: str) -> str:
    sign_in(browser, sub)
    return account(browser)


def test_a_link_needs_a_fresh_proof_of_both(
    browse: Browse, runtime: Runtime, clock: FakeClock, sandbox: RunningSandbox
) -> None:
    an_admin(runtime)
    browser = browse()
    with_password(browser)
    sign_in(browse())  # the provider knows Ada since
    simulated_link = to_link(browser)
    asked = simulated.query_of(simulated_link)
    later(clock, sandbox)

    old_here = browser.get("/account/sign-on/link", base_url=HTTPS)
    late = come_back(browser, simulated.decide(simulated_link, "idp-hal"))
    with_password(browser)
    sandbox.oidc_world.switch(keeps_session=True)
    link = to_link(browser)
    old_there = come_back(browser, simulated.decide(link, "idp-ada"))

    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert old_here.location.startswith("/account/prove?")
    assert late.status_code == old_there.status_code == 403
    assert "did not ask you to sign in again" in old_there.text
    assert recorded(runtime, "staff.linked") == []


@pytest.mark.parametrize(
    ("sub", "words"),
    [("idp-uma", "gives you no role here"), ("idp-hal", "linked to another account")],
)
def test_who_could_not_come_in_is_not_linked(
    browse: Browse, runtime: Runtime, sub: str, words: str
) -> None:
    an_admin(runtime)
    sign_in(browse(), "idp-hal")
    browser = browse()
    with_password(browser)

    back = come_back(browser, simulated.decide(to_link(browser), sub))

    assert back.status_code == 403
    assert words in back.text
    assert "Your account is not linked to it" in account(browser)


def test_the_only_way_in_stays(browse: Browse, runtime: Runtime) -> None:
    browser = browse()
    sign_in(browser)

    shown = account(browser)
    kept = browser.post("/account/sign-on/unlink", base_url=HTTPS)

    assert "only way to sign in, so the link can't be removed" in shown
    assert "Remove the link" not in shown
    assert kept.status_code == 409
    assert recorded(runtime, "staff.unlinked") == []


def test_who_has_no_password_is_not_offered_to_change_it(browse: Browse) -> None:
    browser = browse()
    sign_in(browser)

    answer = browser.post(
        "/account/password",
        base_url=HTTPS,
        data={"current": "-", "password": "a long and good one"},
    )

    assert "Change password" not in account(browser)
    assert answer.status_code == 409
    assert "has no password here" in answer.text


@pytest.mark.parametrize("over", [{"oidc_only": True}])
def test_a_password_proves_nothing_while_passwords_are_off(
    browse: Browse, runtime: Runtime, clock: FakeClock, sandbox: RunningSandbox
) -> None:
    browser = browse()
    sign_in(browser)
    hashed = passwords.hashed(PASSWORD)
    with runtime.database.writing() as session:
        [person] = session.exec(select(Staff)).all()
        person.password_hash = hashed
        session.add(person)
    later(clock, sandbox)

    ask(browser)
    form = {**NEW_PERSON, "prove-password": PASSWORD.get_secret_value()}

    assert browser.post("/staff/", base_url=HTTPS, data=form).status_code == 422
    assert "Change password" not in account(browser)
    assert recorded(runtime, "staff.added") == ["ada@example.com as admin"]


@pytest.fixture
def without(
    settings: Settings, sqlite: Database, clock: FakeClock
) -> Iterator[FlaskClient]:
    """A browser at a dashboard without an identity provider."""
    bare = settings.model_copy(update={"oidc_issuer": None})
    clock_: Any = clock
    made = build_runtime(bare, listens_on=HTTPS, clock=clock_, database=sqlite)
    yield create_app(made).test_client()
    made.close()


def test_without_a_provider_there_is_no_button_and_no_address(
    without: FlaskClient,
) -> None:
    assert "/sign-in/sso" not in without.get("/sign-in", base_url=HTTPS).text
    assert begin(without).status_code == 404
    assert without.get(CALLBACK_PATH, base_url=HTTPS).status_code == 404
