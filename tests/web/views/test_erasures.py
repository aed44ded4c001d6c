"""Erasures on the pages: listed without names, said where it matters."""

import re

import pytest
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.erasure import steps
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.connect import a_connect_stage
from tests.fixtures.erasure import Everything, leave
from tests.fixtures.setup import a_mapping
from tests.makers import FakeClock, a_body, a_webhook


@pytest.fixture
def ana(runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock) -> Everything:
    stage = a_connect_stage(runtime, sandbox)
    return Everything(stage=stage, clock=clock, row=stage.connect(), user=stage.ana)


def test_nobody_has_left(as_role: SignIn) -> None:
    page = as_role(Role.SUPPORT).get("/connections/erasures")

    assert "No data deletions yet" in page.text


def test_a_user_who_left_is_told_of_with_the_deadline_until_all_is_gone(
    ana: Everything, as_role: SignIn, sandbox: RunningSandbox
) -> None:
    support = as_role(Role.SUPPORT)
    webhook_id = a_delivered_webhook(ana)
    path = "/api/v2/zoom-oauth-credentials/"
    leave(ana)
    for meeting_id in (91234567890, 91234567891):
        with ana.stage.runtime.database.writing() as session:
            session.add(a_mapping(ana.row, meeting_id=meeting_id))
    sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN, path=path)])
    steps.run_due(ana.stage.runtime)
    connection = support.get(f"/connections/{ana.row.id}").text
    overview = support.get("/").text
    pending = support.get("/connections/erasures").text
    sandbox.recall_faults.set([])
    ana.clock.advance(hours=1)
    steps.run_due(ana.stage.runtime)

    done = support.get("/connections/erasures").text

    assert "by 2026-12-03 12:01 UTC at the latest" in connection
    assert "Data of a user who left is not fully deleted yet." in overview
    assert "Recall did not delete the credential" in pending
    assert done.count("Deleted</span>") == 2
    assert re.search(r"Connection and tokens, \d webhooks?, [23] mapped", done)
    assert "Connection and tokens" not in pending
    for page in (overview, pending, done):
        assert ana.user.email not in page
        assert ana.user.id not in page
    says_erased(support, webhook_id)


def a_delivered_webhook(ana: Everything) -> int:
    made = a_webhook(ana.stage.app, zoom_user_id=ana.user.id, outcome=Outcome.DELIVERED)
    with ana.stage.runtime.database.writing() as session:
        session.add(made)
        session.flush()
        session.add(a_body(ana.stage.runtime.vault, made))
    return made.id


def says_erased(browser: FlaskClient, webhook_id: int) -> None:
    listed = browser.get("/webhooks/").text
    assert "data deleted" in listed
    for path in ("", "/verify", "/trace", "/sent"):
        assert browser.get(f"/webhooks/{webhook_id}{path}").status_code == 200
    page = browser.get(f"/webhooks/{webhook_id}").text
    assert "Deleted on 2026-11-23" in page
    assert "Verify again" not in page


def test_an_admin_can_neither_reveal_nor_resend_what_is_erased(
    ana: Everything, as_role: SignIn
) -> None:
    admin = as_role(Role.ADMIN)
    webhook_id = a_delivered_webhook(ana)
    leave(ana)
    steps.run_due(ana.stage.runtime)

    page = admin.get(f"/webhooks/{webhook_id}").text
    revealed = admin.post(f"/webhooks/{webhook_id}/reveal")
    resent = admin.post(f"/webhooks/{webhook_id}/resend")

    assert "Sends the same bytes" not in page
    assert (revealed.status_code, resent.status_code) == (409, 409)
    assert "Deleted on" in revealed.text
    assert "Deleted on" in resent.text
