"""Asking for a proof again before something sensitive."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.services.runtime import Runtime
from dashboard.services.staff import second_factors
from dashboard.services.staff.permissions import Permission
from dashboard.web import access
from tests.conftest import PASSWORD, SignIn
from tests.makers import NOON, FakeClock
from tests.web.test_access import address

GUARDED = {
    Permission.CONNECTIONS_WRITE,
    Permission.ENDPOINTS_WRITE,
    Permission.STAFF_WRITE,
    Permission.WEBHOOKS_REVEAL,
    Permission.WORKSPACES_WRITE,
    Permission.ZOOM_APPS_WRITE,
}
"""Whoever may one of these may change secrets, people, or see what is hidden."""

NOT_ASKED = {
    "connect_button.update": "where a button leads back to; no secret goes there",
    "app_creation.undo": "deletes an app made a moment ago, with a token typed in it",
    "approvals.approve": "approves users at Zoom; no secret of ours",
    "bot_tests.create": "sends a bot to a meeting",
    "connections.destroy": "ends a connection; shows and changes no secret",
    "delivery_log.save_app_id": "an app's public ID",
    "domain.check": "reads a public page",
    "domain.save": "a public text of a verification page",
    "endpoints.pause": "stops deliveries; shows and changes no secret",
    "endpoints.resend": "sends again what was sent before",
    "endpoints.resend_failed": "sends again what was tried before",
    "endpoints.resume": "sends what waits",
    "endpoints.test": "sends a test message",
    "going_live.bring_back": "changes which app is shown, no secret",
    "going_live.link": "names an app that is there already",
    "going_live.promote": "Zoom's own pair becomes the production one; none is typed",
    "going_live.retire": "changes which app is shown, no secret",
    "going_live.undo_promotion": "as promote",
    "going_live.unlink": "names an app that is there already",
    "marketplace.create": "asks Zoom with a token typed in this form",
    "marketplace.fix": "as marketplace.create",
    "marketplace.read": "as marketplace.create",
    "own_servers.add_user": "registers an address that was saved with a proof",
    "page_designs.preview": "draws a page",
    "page_designs.update": "texts and the logo of a public page",
    "recall_apps.create_again": "gives Recall the secrets stored here; changes none",
    "recall_apps.import_users": "imports users; no secret",
    "recall_apps.take_over": "names an app in Recall; its secrets come from Recall's",
    "staff.unlock": "ends a wait; opens nothing",
    "staff.unlock_address": "ends a wait; opens nothing",
    "workspaces.check": "asks Recall whether the stored key works",
    "zoom_apps.adopt": "names an app in Recall; gives it the secrets stored here",
    "zoom_apps.check": "asks Zoom whether the stored pair works",
    "zoom_apps.create_in_recall": "gives Recall the secrets stored here; changes none",
    "zoom_apps.events_added": "notes an admin's word in the checklist",
    "zoom_apps.probe": "sends a self-test",
    "zoom_apps.update_in_recall": "gives Recall the secrets stored here; changes none",
}


@pytest.fixture
def stale(
    as_role: SignIn, runtime: Runtime, clock: FakeClock
) -> Callable[[Role], FlaskClient]:
    """A browser whose person proved themselves eleven minutes ago."""

    def sign_in(role: Role = Role.ADMIN) -> FlaskClient:
        browser = as_role(role)
        with runtime.database.writing() as session:
            for row in session.exec(select(StaffSession)).all():
                row.proven_at = clock.now() - timedelta(minutes=11)
                session.add(row)
        return browser

    return sign_in


def acts(runtime: Runtime) -> list[str]:
    with runtime.database.reading() as session:
        return [entry.act for entry in session.exec(select(AuditEntry)).all()]


def hidden(page: TestResponse) -> list[tuple[str, str]]:
    form = BeautifulSoup(page.text, "html5lib").select_one(
        "form[action]:has(#prove-password)"
    )
    assert form is not None
    return [
        (str(box["name"]), str(box.get("value", "")))
        for box in form.select("input[type=hidden]")
    ]


def test_every_view_that_changes_secrets_or_people_asks_or_says_why_not(
    app: Flask,
) -> None:
    with app.app_context():
        found = {
            rule.endpoint
            for rule in app.url_map.iter_rules()
            if rule.endpoint != "static"
            and access.needs(rule.endpoint) in GUARDED
            and "POST" in (rule.methods or ())
        }
        asked = {endpoint for endpoint in found if access.is_fresh(endpoint)}

    assert found - asked == set(NOT_ASKED)
    assert len(asked) > 15


OWN_NOT_ASKED = {
    "account.change_display": "a time zone and a theme",
    "account.change_password": "asks for the current password itself",
    "account.passkey_options": "a challenge; the passkey is stored with a proof",
    "account.proof_options": "a challenge for the proof",
    "account.rename_passkey": "a name",
    "account.take_proof": "takes the proof",
}


def test_every_view_that_changes_what_proves_oneself_asks_or_says_why_not(
    app: Flask,
) -> None:
    with app.app_context():
        found = {
            rule.endpoint
            for rule in app.url_map.iter_rules()
            if rule.endpoint != "static"
            and not rule.endpoint.startswith("api.")  # no session is there
            and access.needs(rule.endpoint) is None
            and not access.is_public(rule.endpoint)
            and "POST" in (rule.methods or ())
        }
        asked = {endpoint for endpoint in found if access.is_fresh(endpoint)}

    assert found - asked == set(OWN_NOT_ASKED)
    assert {"account.remove_passkey", "single_sign_on.unlink"} <= asked


def test_every_view_that_exports_asks(
    app: Flask, stale: Callable[[Role], FlaskClient]
) -> None:
    admin, urls = stale(Role.ADMIN), []
    with app.app_context():
        for rule in app.url_map.iter_rules():
            if rule.endpoint == "static" or access.is_public(rule.endpoint):
                continue
            if "GET" in (rule.methods or ()) and not rule.arguments:
                urls.append(address(rule))

    exported = {
        f"{url} as {kind}"
        for url in urls
        for kind in ("csv", "json")
        if admin.get(f"{url}?format={kind}").mimetype
        in ("text/csv", "application/json")
    }

    assert len(urls) > 10
    assert exported == set()


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("path", ["/connections/", "/webhooks/"])
def test_an_export_is_given_after_the_proof(
    stale: Callable[[Role], FlaskClient], path: str, kind: str
) -> None:
    support = stale(Role.SUPPORT)
    url = f"{path}?q=a+b&format={kind}"

    led = support.get(url)
    page = support.get(led.location)
    proven = support.post(
        led.location, data={"prove-password": PASSWORD.get_secret_value()}
    )
    given = support.get(proven.location)

    assert led.location.startswith("/account/prove?next=")
    assert page.status_code == 200
    assert "Confirm it" in page.text
    assert proven.location == url
    assert given.mimetype in ("text/csv", "application/json")
    assert support.get(path).status_code == 200


def test_what_was_typed_is_kept_and_sent_with_the_proof(
    stale: Callable[[Role], FlaskClient], runtime: Runtime
) -> None:
    admin = stale(Role.ADMIN)
    typed = {"email": "ben@example.com", "role": "support"}

    asked = admin.post("/staff/", data=typed)
    before = acts(runtime)
    wrong = admin.post(
        "/staff/", data=dict(hidden(asked)) | {"prove-password": "not this one"}
    )
    right = admin.post(
        "/staff/",
        data=dict(hidden(wrong)) | {"prove-password": PASSWORD.get_secret_value()},
    )

    assert (asked.status_code, wrong.status_code, right.status_code) == (422, 422, 200)
    assert set(typed.items()) <= set(hidden(asked))
    assert asked.headers["Cache-Control"] == "no-store"
    assert "That was not right" in wrong.text
    assert "staff.added" not in before
    assert "staff.added" in acts(runtime)
    assert acts(runtime).count("session.proof_refused") == 1
    assert acts(runtime).count("session.proven") == 1
    assert admin.post("/staff/", data=typed).status_code == 422  # there already
    assert "already an account" in admin.post("/staff/", data=typed).text


def test_no_proof_is_written_back_into_the_page(
    stale: Callable[[Role], FlaskClient],
) -> None:
    wrong = stale(Role.ADMIN).post(
        "/staff/",
        data={"email": "x@example.com", "prove-password": "typed too quickly"},
    )

    assert "typed too quickly" not in wrong.text


def test_a_proof_is_fresh_for_ten_minutes(
    as_role: SignIn, runtime: Runtime, clock: FakeClock
) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writing() as session:
        [row] = session.exec(select(StaffSession)).all()
        row.proven_at = clock.now()
        session.add(row)

    clock.advance(minutes=9, seconds=59)
    young = admin.get("/connections/?format=csv").status_code
    clock.advance(seconds=1)
    old = admin.get("/connections/?format=csv").status_code

    assert (young, old) == (200, 303)


def test_under_htmx_the_question_takes_the_place_of_the_page(
    stale: Callable[[Role], FlaskClient],
) -> None:
    asked = stale(Role.ADMIN).post(
        "/staff/", data={"email": "b@example.com"}, headers={"HX-Request": "true"}
    )

    assert asked.status_code == 422
    assert asked.headers["HX-Retarget"] == "#main"
    assert "<html" not in asked.text
    assert ("email", "b@example.com") in hidden(asked)


def test_who_may_not_is_refused_before_being_asked(
    stale: Callable[[Role], FlaskClient],
) -> None:
    assert stale(Role.SUPPORT).post("/staff/", data={}).status_code == 403


def test_guessing_the_password_again_has_to_wait(
    stale: Callable[[Role], FlaskClient], clock: FakeClock
) -> None:
    admin = stale(Role.ADMIN)
    for _ in range(5):
        admin.post("/staff/", data={"prove-password": "wrong one"})

    right = {"prove-password": PASSWORD.get_secret_value()}
    refused = admin.post("/staff/", data=right)
    clock.advance(seconds=2)

    assert refused.status_code == 429
    assert "Wait 1 second" in refused.text
    assert admin.post("/staff/", data=right).status_code == 422  # its own form's error


def test_another_persons_second_factor_proves_nothing(
    stale: Callable[[Role], FlaskClient], runtime: Runtime
) -> None:
    admin = stale(Role.ADMIN)
    with runtime.database.writing() as session:
        other = Staff(
            email="other@example.com",
            role=Role.ADMIN,
            password_hash="",
            created_at=NOON,
        )
        session.add(other)
        session.flush()
        codes = second_factors.new_recovery_codes(session, other.id, now=NOON)

    answer = admin.post("/staff/", data={"prove-code": codes[0]})

    assert answer.status_code == 422
    assert "That was not right" in answer.text
