"""A rotation in the browser: announced, half-way, done; and what support may not."""

from datetime import timedelta
from uuid import UUID

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.check import Check, Finding, Source
from dashboard.models.staff import Role
from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.status import attention, overview
from dashboard.services.zoom_apps import secret_changes
from tests.conftest import SignIn
from tests.fixtures.hooks import HooksClient, door, event
from tests.fixtures.refusals import BODY, SCRIBE, STRANGER, a_stage
from tests.fixtures.rotation import API, Stage, admin, minutes, stage
from tests.makers import NOON, SECRET_TOKEN

__all__ = ["admin", "door", "stage"]

CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}'
NEW = "test-token-new"


def announce(door: HooksClient, app_id: UUID) -> None:
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        app.rotation_until = door.clock.now() + secret_changes.WINDOW
        session.add(app)


def edit(admin: FlaskClient, stage: Stage, token: str) -> str:
    typed = {"name": "Notetaker", "routing": "relay", "secret_token": token}
    path = f"/zoom-apps/{stage.app_id}/edit"
    return admin.post(path, data=typed, follow_redirects=True).text


def break_patch(stage: Stage) -> None:
    fault = Fault(kind=FaultKind.HTML_403, path=API, method="PATCH")
    stage.sandbox.recall_faults.set([fault])


def card(page: str) -> str:
    found = BeautifulSoup(page, "html5lib").select_one("#zoom-app-rotation")
    assert found is not None
    return " ".join(found.text.split())


@pytest.mark.parametrize("body", [BODY, CHALLENGE])
def test_while_one_is_announced_an_unknown_signature_is_put_off(
    door: HooksClient, body: bytes
) -> None:
    on_stage = a_stage(door)
    announce(door, door.app_id)

    statuses = [
        door.post(body, headers={"x-zm-signature": "v0=" + "0" * 64}).status_code,
        door.post(event()).status_code,
    ]
    door.clock.advance(minutes=30)
    on_stage.post(STRANGER, body)

    assert statuses == [503, 200]
    assert {each.status: each.cause for each in door.stored(Refusal)} == {
        503: "rotating",
        401: "signature",
    }
    assert {each.cause: each.requests for each in door.stored(RefusalCount)} == {
        "rotating": 1,
        "signature": 1,
    }


def test_an_explained_mismatch_keeps_its_explanation_and_is_put_off_too(
    door: HooksClient,
) -> None:
    on_stage = a_stage(door)
    announce(door, door.app_id)

    on_stage.post(SCRIBE)

    [refusal] = door.stored(Refusal)
    assert (refusal.cause, refusal.status) == ("other_app", 503)
    assert "Scribe" in refusal.detail


def test_what_is_no_mismatch_is_answered_as_ever(door: HooksClient) -> None:
    announce(door, door.app_id)

    statuses = [
        door.post(BODY, headers={"x-zm-signature": None}).status_code,
        door.post(BODY, timestamp="yesterday").status_code,
        door.post(b"[1]").status_code,
    ]

    assert statuses == [401, 401, 200]


def test_a_challenge_that_is_put_off_is_evidence_all_the_same(
    door: HooksClient,
) -> None:
    announce(door, door.app_id)

    a_stage(door).post(STRANGER, CHALLENGE)

    [check] = door.stored(Check)
    assert (check.source, check.finding) == (
        Source.ZOOM_CHALLENGE,
        Finding.SECRET_MISMATCH,
    )


def test_beginning_one_says_what_to_do_next_and_until_when(
    admin: FlaskClient, stage: Stage
) -> None:
    path = f"/zoom-apps/{stage.app_id}"
    before = admin.get(f"{path}/edit").text

    begun = admin.post(f"{path}/begin-rotation", follow_redirects=True)

    assert "Start a rotation" in before
    assert begun.request.path == f"{path}/edit"
    assert "Regenerate the secret token in Zoom now" in begun.text
    assert "Start a rotation" not in begun.text
    assert stage.app().rotation_until == NOON + timedelta(minutes=30)
    assert "Regenerate the secret token in Zoom now" in stage.page(admin)


def test_the_edit_page_says_what_cannot_change_and_offers_a_new_app(
    admin: FlaskClient, stage: Stage
) -> None:
    page = admin.get(f"/zoom-apps/{stage.app_id}/edit")

    found = BeautifulSoup(page.text, "html5lib")
    assert "Client ID and kind can't be changed in Recall" in " ".join(
        found.text.split()
    )
    assert found.select_one("main a[href='/zoom-apps/new']") is not None
    assert len(found.select(".btn-primary")) == 1


def test_the_half_that_failed_is_named_with_why_and_when_and_can_be_done(
    admin: FlaskClient, stage: Stage
) -> None:
    break_patch(stage)
    stage.step()

    page = edit(admin, stage, NEW)
    stage.sandbox.recall_faults.set([])
    path = f"/zoom-apps/{stage.app_id}/update-in-recall"
    done = admin.post(path, follow_redirects=True).text

    assert "Not sent to Recall yet" in page
    assert "Stored here: new secret token" in card(page)
    assert "Recall still has the previous one" in card(page)
    assert "firewall" in card(page)
    assert "or when you press Update in Recall" in card(page)
    assert path in page
    assert NEW not in page + done
    assert "In Recall" in card(done)
    assert stage.at_recall.webhook_secret == NEW


def test_the_card_changes_by_itself(admin: FlaskClient, stage: Stage) -> None:
    break_patch(stage)
    stage.step()
    edit(admin, stage, NEW)

    live = admin.get(
        f"/zoom-apps/{stage.app_id}/validation", headers={"HX-Request": "true"}
    )

    assert 'hx-target="#zoom-app-rotation"' in live.text
    assert "Recall still has the previous one" in live.text


def test_support_reads_the_card_and_gets_no_button(
    as_role: SignIn, admin: FlaskClient, stage: Stage
) -> None:
    break_patch(stage)
    stage.step()
    edit(admin, stage, NEW)

    support = as_role(Role.SUPPORT)
    page = support.get(f"/zoom-apps/{stage.app_id}").text
    begun = support.post(f"/zoom-apps/{stage.app_id}/begin-rotation")

    assert "Recall still has the previous one" in card(page)
    assert "Update in Recall" not in card(page)
    assert begun.status_code == 403
    assert stage.app().rotation_until == stage.clock.now() + secret_changes.WINDOW


def test_a_half_that_failed_needs_attention(admin: FlaskClient, stage: Stage) -> None:
    def items() -> list[str]:
        with stage.runtime.database.reading() as session:
            now = stage.clock.now()
            apps = overview.list_apps(session, now=now)
            found = attention.items(
                session, apps, public_url="https://a.example.com", now=now
            )
            return [each.sentence for each in found if "New secrets" in each.sentence]

    stage.step()
    before = items()
    break_patch(stage)
    edit(admin, stage, NEW)
    half = items()
    stage.event()
    stage.sandbox.recall_faults.set([])
    stage.run(minutes(2))
    wrong = items()

    assert before == []
    of = "New secrets of Notetaker (development):"
    assert half == [f"{of} Recall still has the previous one."]
    assert wrong == [f"{of} Zoom still signs with the previous secret token."]
    assert SECRET_TOKEN.get_secret_value() not in "".join(half + wrong)
