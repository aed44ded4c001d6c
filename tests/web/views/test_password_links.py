"""Links with which people choose their passwords, and changing one's own."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, StaffLink
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts, links, second_factors
from tests.conftest import HTTPS, PASSWORD, SignIn
from tests.makers import FakeClock
from tests.web.views.test_staff import person_id

BEN = "ben@example.com"
NEW = "a lantern over quiet harbours"


def link_of(answer_text: str) -> str:
    found = re.search(rf"{HTTPS}(/password/[\w-]+)", answer_text)
    assert found is not None
    return found[1]


@pytest.fixture
def link(as_role: SignIn) -> str:
    """The link of a new person."""
    new = {"email": BEN, "role": "support"}
    return link_of(as_role(Role.ADMIN).post("/staff/", data=new).text)


def enter(browser: FlaskClient, password: str, email: str = BEN) -> int:
    form = {"email": email, "password": password}
    return browser.post("/sign-in", data=form).status_code


def test_a_new_person_chooses_a_password_and_signs_in_with_it(
    link: str, stranger: FlaskClient
) -> None:
    before = enter(stranger, "")
    looked = [stranger.get(link) for _ in range(3)]
    weak = stranger.post(link, data={"password": "password1234"})
    chosen = stranger.post(link, data={"password": NEW})

    assert before == 422
    assert {page.status_code for page in looked} == {200}
    assert looked[0].headers["Referrer-Policy"] == "strict-origin"
    assert looked[0].headers["Cache-Control"] == "no-store"
    assert BEN in looked[0].text
    assert weak.status_code == 422
    assert "easy to guess" in weak.text
    assert chosen.location == "/sign-in"
    assert enter(stranger, NEW) == 303


def test_a_link_works_once(link: str, stranger: FlaskClient) -> None:
    stranger.post(link, data={"password": NEW})

    again = stranger.post(link, data={"password": f"{NEW} again"})

    assert again.status_code == 404
    assert "no longer works" in again.text
    assert stranger.get(link).status_code == 404
    assert enter(stranger, NEW) == 303


@pytest.mark.parametrize("what", ["time", "newer", "disabled", "password"])
def test_a_link_ends(  # noqa: PLR0917 - fixtures
    link: str,
    stranger: FlaskClient,
    as_role: SignIn,
    runtime: Runtime,
    clock: FakeClock,
    what: str,
) -> None:
    ben = person_id(runtime, BEN)
    if what == "time":
        clock.advance(hours=24)
    elif what == "newer":
        newer = link_of(as_role(Role.ADMIN).post(f"/staff/{ben}/link").text)
        assert stranger.get(newer).status_code == 200
    elif what == "disabled":
        as_role(Role.ADMIN).post(f"/staff/{ben}/disable")
        as_role(Role.ADMIN).post(f"/staff/{ben}/enable")
    else:
        with runtime.database.reading() as session:
            person = accounts.find_by_email(session, BEN)
            assert person is not None
        accounts.set_password(
            runtime.database,
            person.id,
            PASSWORD,
            actor=audit.COMMAND_LINE,
            now=clock.now(),
        )

    assert stranger.get(link).status_code == 404
    assert stranger.post(link, data={"password": NEW}).status_code == 404


def test_a_reset_ends_the_sessions_once_it_is_used(
    as_role: SignIn, stranger: FlaskClient, runtime: Runtime
) -> None:
    support, admin = as_role(Role.SUPPORT), as_role(Role.ADMIN)
    who = person_id(runtime, "support@example.com")
    link = link_of(admin.post(f"/staff/{who}/link").text)
    still = support.get("/").status_code

    stranger.post(link, data={"password": NEW})

    assert still == 200
    assert support.get("/").status_code == 303
    assert enter(stranger, PASSWORD.get_secret_value(), "support@example.com") == 422
    assert enter(stranger, NEW, "support@example.com") == 303


def test_the_database_and_the_audit_log_have_no_secret(
    link: str, runtime: Runtime
) -> None:
    secret = link.rpartition("/")[2]
    with runtime.database.reading() as session:
        [kept] = session.exec(select(StaffLink)).all()
        entries = session.exec(select(AuditEntry)).all()

    assert secret not in repr(kept)
    assert not any(secret in entry.subject for entry in entries)
    assert {entry.act for entry in entries} >= {"staff.added", "staff.link_made"}


def test_a_deactivated_person_gets_no_link(as_role: SignIn, runtime: Runtime) -> None:
    admin = as_role(Role.ADMIN)
    as_role(Role.SUPPORT)
    who = person_id(runtime, "support@example.com")
    admin.post(f"/staff/{who}/disable")

    answer = admin.post(f"/staff/{who}/link")

    assert answer.status_code == 409
    assert "deactivated" in answer.text


def test_links_that_expired_are_deleted(
    link: str, runtime: Runtime, clock: FakeClock
) -> None:
    kept = second_factors.forget_expired(runtime.database, runtime.clock)
    clock.advance(hours=24)

    assert link
    assert timedelta(hours=24) == links.LASTS
    assert kept == 0
    assert second_factors.forget_expired(runtime.database, runtime.clock) == 1


def test_a_person_changes_the_password_with_the_current_one(
    as_role: SignIn, stranger: FlaskClient
) -> None:
    here, elsewhere = as_role(Role.SUPPORT), as_role(Role.SUPPORT)
    old = PASSWORD.get_secret_value()

    wrong = here.post("/account/password", data={"current": "x", "password": NEW})
    weak = here.post("/account/password", data={"current": old, "password": "a" * 12})
    still = elsewhere.get("/").status_code
    right = here.post("/account/password", data={"current": old, "password": NEW})

    assert (wrong.status_code, weak.status_code, still) == (422, 422, 200)
    assert "This is not your password." in wrong.text
    assert right.location == "/account"
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 303
    assert enter(stranger, NEW, "support@example.com") == 303


def test_guessing_the_current_password_has_to_wait(as_role: SignIn) -> None:
    here = as_role(Role.SUPPORT)
    for _ in range(5):
        here.post("/account/password", data={"current": "x", "password": NEW})

    old = PASSWORD.get_secret_value()
    answer = here.post("/account/password", data={"current": old, "password": NEW})

    assert answer.status_code == 429
    assert "Wait 1 second" in answer.text
