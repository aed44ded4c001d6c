"""The control API and the pages of the simulated Recall."""

import hashlib
from typing import Any

import pytest
from bs4 import BeautifulSoup

from tests.fixtures.simulated_recall import APPS, Recall


def test_the_control_api_creates_a_workspace_with_a_simulated_key(
    recall: Recall,
) -> None:
    made = recall.http.post("/_sandbox/workspaces", json={}).get_json()

    key = made["api_key"]
    assert key.startswith("simulated-recall-key-")
    assert made == {
        "region": "us-west-2",
        "api_key": key,
        "verification_secret": None,
    }
    assert recall.http.get(APPS, headers={"Authorization": key}).status_code == 200


def test_the_control_api_finds_a_workspace_again_and_renews_its_secret(
    recall: Recall,
) -> None:
    body = {"region": "eu-central-1", "api_key": "test-key-0001"}
    recall.http.post("/_sandbox/workspaces", json=body)

    body_with_secret = {**body, "verification": True}
    made = recall.http.post("/_sandbox/workspaces", json=body_with_secret).get_json()

    assert made["verification_secret"].startswith("whsec_")
    assert len(recall.world.workspaces) == 2


def test_webhooks_are_counted_by_digest_and_status(recall: Recall) -> None:
    app = recall.app()
    body = b'{"event":"meeting.started","payload":{}}'

    recall.webhook(app["id"], body)
    recall.webhook(app["id"], body)
    recall.webhook(app["id"], body, secret="test-secret-token-0002")
    counted = recall.http.get("/_sandbox/received/digests").get_json()

    assert counted == {hashlib.sha256(body).hexdigest(): {"200": 2, "401": 1}}


def test_switches_are_set_by_name_and_all_are_returned(recall: Recall) -> None:
    answer = recall.http.post("/_sandbox/switches", json={"reconnect": "conflict"})

    assert answer.get_json()["reconnect"] == "conflict"
    assert answer.get_json()["page_size"] == 20


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("switches", {"reconect": "upsert"}),
        ("switches", {"reconnect": "sometimes"}),
        ("switches", {"rate_limits": "no"}),
        ("switches", {"page_size": 0}),
        ("switches", []),
        ("workspaces", {"region": "mars"}),
        ("workspaces", {"name": "x"}),
        ("clock", {"now": "soon"}),
        ("clock", {}),
        ("faults", [{"kind": "earthquake"}]),
        ("faults", {}),
    ],
)
def test_an_unknown_request_is_refused_with_a_sentence(
    recall: Recall, path: str, body: Any
) -> None:
    answer = recall.http.post(f"/_sandbox/{path}", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["detail"]


def test_the_clock_is_set_and_advanced(recall: Recall) -> None:
    put = recall.http.post("/_sandbox/clock", json={"now": "2027-01-01T00:00:00Z"})
    moved = recall.http.post("/_sandbox/clock", json={"advance_s": 3600})
    real = recall.http.post("/_sandbox/clock", json={"now": None})

    assert put.get_json()["now"].startswith("2027-01-01T00:00")
    assert moved.get_json()["now"].startswith("2027-01-01T01:00")
    assert not real.get_json()["now"].startswith("2027-01-01")


def test_a_fault_applies_to_the_api_but_never_to_the_control_api(
    recall: Recall,
) -> None:
    fault = {"kind": "unavailable", "path": "/", "times": 1}

    recall.http.post("/_sandbox/faults", json=[fault])
    control = recall.http.get("/_sandbox/state")
    struck = recall.get(APPS)
    afterwards = recall.get(APPS)

    assert control.status_code == 200
    assert (struck.status_code, afterwards.status_code) == (503, 200)


def test_a_lost_answer_is_found_again_by_its_idempotency_key(recall: Recall) -> None:
    app = recall.app()
    fault = {"kind": "lost_answer", "path": "/api/v2/zoom-oauth-cred", "times": 1}
    recall.http.post("/_sandbox/faults", json=[fault])

    with pytest.raises(ConnectionAbortedError):
        recall.connecting(app["id"], Idempotency_Key="k1")
    repeat = recall.connecting(app["id"], Idempotency_Key="k1")

    assert repeat.status_code == 201
    assert recall.zoom.paths().count("/oauth/token") == 1


def test_the_state_shows_all_and_a_reset_deletes_all(recall: Recall) -> None:
    recall.switch(reconnect="conflict")
    recall.credential()
    recall.http.post("/_sandbox/faults", json=[{"kind": "unavailable"}])

    before = recall.http.get("/_sandbox/state").get_json()
    recall.http.post("/_sandbox/reset")
    after = recall.http.get("/_sandbox/state").get_json()

    assert before["simulated"] is True
    assert before["credentials"][0]["refresh_token"] == "refresh-1"
    assert before["apps"][0]["client_secret"] == "test-client-secret"
    assert [after[name] for name in ("workspaces", "apps", "credentials")] == [[]] * 3
    assert after["switches"]["reconnect"] == "upsert"
    assert recall.http.get(APPS).status_code == 401


def test_meeting_syncs_can_be_run_by_control(recall: Recall) -> None:
    recall.credential()

    assert recall.http.post("/_sandbox/run-due").get_json() == {"done": 1}


@pytest.mark.parametrize("path", ["/", "/dashboard/explorer/zoom-oauth"])
@pytest.mark.parametrize("filled", [True, False], ids=["filled", "empty"])
def test_each_page_says_that_it_is_simulated(
    recall: Recall, path: str, *, filled: bool
) -> None:
    if filled:
        recall.webhook(recall.credential()["oauth_app"], b"")

    page = BeautifulSoup(recall.http.get(path).data, "html5lib")

    headings = [heading.text for heading in page.select("h1")]
    assert len(headings) == 1
    assert headings[0].startswith("Simulated Recall")
    assert page.title is not None
    assert "Simulated Recall" in page.title.text
    assert page.select("script, style, [style]") == []


def test_the_explorer_shows_the_exact_webhook_url(recall: Recall) -> None:
    app = recall.app()

    page = recall.http.get(
        "/dashboard/explorer/zoom-oauth", base_url="http://recall.test:5002"
    )

    assert f"http://recall.test:5002{APPS}{app['id']}/webhook</code>" in page.text


def test_no_page_shows_an_apps_secrets(recall: Recall) -> None:
    recall.app()

    shown = [recall.http.get(path).text for path in ("/", "/_sandbox/received")]

    assert not any("test-client-secret" in text for text in shown)
