"""The audit log: an empty filter is not an empty log."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.models.audit import AuditEntry
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import NOON


def said(admin: FlaskClient, query: str) -> str:
    page = BeautifulSoup(admin.get(f"/audit/{query}").text, "html.parser")
    return " ".join(page.get_text(" ").split())


def test_a_filter_that_matches_nothing_says_so(admin: FlaskClient) -> None:
    shown = said(admin, "?act=nothing.of.this.name")

    assert "No entries match this filter" in shown
    assert "No entries yet" not in shown


def test_an_empty_log_says_what_it_lists(admin: FlaskClient) -> None:
    shown = said(admin, "")

    assert "No entries yet" in shown
    assert "Each change, sign-in, export and view of unredacted data is listed" in shown


def entries(runtime: Runtime) -> list[AuditEntry]:
    with runtime.database.reading() as session:
        return sorted(session.exec(AUDIT_LOG), key=lambda entry: entry.seq or 0)


def add(runtime: Runtime, who: str, act: str, subject: str, minutes: int) -> None:
    at = NOON + timedelta(minutes=minutes)
    with runtime.database.writing() as session:
        audit.record(session, audit.Actor(name=who), act, subject=subject, now=at)


@pytest.fixture
def filled(admin: FlaskClient, runtime: Runtime) -> FlaskClient:
    add(runtime, "ana@example.com", "bot.sent", "Notes (production)", 1)
    add(runtime, "ben@example.com", "keys.rotated", "=HYPERLINK(1)", 2)
    add(runtime, "ben@example.com", "webhook.pruned", "5 webhooks", 3)
    return admin


@pytest.mark.parametrize(
    ("query", "acts"),
    [
        ("who=BEN@", ["webhook.pruned", "keys.rotated"]),
        ("act=webhook", ["webhook.pruned"]),
        ("subject=notes", ["bot.sent"]),
        ("since=2026-11-23T12:02&until=2026-11-23T12:03", ["keys.rotated"]),
        ("who=ben&act=keys", ["keys.rotated"]),
        ("who=%25", []),
    ],
)
def test_the_filters_hold_for_the_page_and_the_file(
    filled: FlaskClient, query: str, acts: list[str]
) -> None:
    page = BeautifulSoup(filled.get(f"/audit/?{query}").text, "html.parser")
    file = filled.get(f"/audit/?{query}&format=json").get_json()

    assert [code.text for code in page.select("td code")] == acts
    found = [row["act"] for row in file["audit"]]
    assert [act for act in found if act != "audit.export_begun"] == acts


def test_a_formula_is_disarmed_and_the_export_is_an_entry(
    filled: FlaskClient, runtime: Runtime
) -> None:
    text = filled.get("/audit/?act=keys&format=csv").text

    assert "'=HYPERLINK(1)" in text
    begun, done = entries(runtime)[-2:]
    assert (begun.act, done.act) == ("audit.export_begun", "audit.exported")
    assert done.subject == "1 rows, complete, filter act=keys&format=csv"
    assert done.actor.endswith("@example.com")


def test_an_export_that_breaks_off_is_an_entry(
    filled: FlaskClient, runtime: Runtime
) -> None:
    response = filled.get("/audit/?format=csv", buffered=False)
    next(response.iter_encoded())
    response.close()

    assert "broken off" in entries(runtime)[-1].subject


def test_a_time_that_is_none_is_said_at_its_field(filled: FlaskClient) -> None:
    assert filled.get("/audit/?since=yesterday").status_code == 422


def test_refused_access_is_recorded_with_who_and_what(
    as_role: SignIn, runtime: Runtime
) -> None:
    support = as_role(Role.SUPPORT)
    for _ in range(3):
        assert support.get("/audit/?who=x").status_code == 403

    found = [entry for entry in entries(runtime) if entry.act == "request.refused"]
    assert [entry.subject for entry in found] == ["GET /audit/"]
    assert found[0].staff_id is not None


def test_a_form_without_a_token_is_recorded_by_its_route(
    app: Flask, runtime: Runtime
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert app.test_client().post("/sign-in", data={"email": "x"}).status_code == 400

    [found] = entries(runtime)
    assert (found.act, found.subject) == ("form.rejected", "POST /sign-in")


def test_what_was_typed_is_kept_only_when_it_is_an_account(
    app: Flask, runtime: Runtime
) -> None:
    client = app.test_client()
    for typed in ("hunter2-my-password", "admin@example.com"):
        client.post("/sign-in", data={"email": typed, "password": "x" * 12})

    subjects = {entry.subject for entry in entries(runtime)}
    assert "hunter2-my-password" not in subjects
