"""Both simulators on real ports, talking to each other over HTTP."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx2
import pytest

from dashboard.sandbox import serving
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import webhooks
from dashboard.sandbox.zoom.records import DeliveryState, ZoomApp, ZoomUser
from tests.fixtures.simulated_recall import APPS, CREDENTIALS, MAPPINGS

CALLBACK = "http://127.0.0.1:9/oauth/zoom/callback"
TIMEOUT_S = 10.0


def until(condition: Callable[[], object]) -> None:
    """Wait for the background threads."""
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"still not true after {TIMEOUT_S} s")


class Pair:
    """A Zoom app that the simulated Recall knows, and a Zoom user."""

    def __init__(self, running: RunningSandbox, kind: str = "user_level") -> None:
        self.running = running
        self.zoom = running.zoom_world
        self.app: ZoomApp = self.zoom.add_app(
            redirect_url=CALLBACK, kind=kind, published=True
        )
        self.user: ZoomUser = self.zoom.add_user(
            email="ana@example.com", role_name="Admin"
        )
        key = running.recall_world.add_workspace().api_key
        self.recall = httpx2.Client(
            base_url=running.recall_url, headers={"Authorization": f"Token {key}"}
        )
        body = {
            "kind": kind,
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
            "webhook_secret": self.app.secret_token,
        }
        self.id: str = self.recall.post(APPS, json=body).json()["id"]
        self.hook = f"{running.recall_url}{APPS}{self.id}/webhook"
        assert self.zoom.validate(self.app.client_id, self.hook).valid
        self.zoom.change_app(self.app.client_id, deauthorization_url=self.hook)

    def close(self) -> None:
        self.recall.close()

    def code(self) -> str:
        params = {"client_id": self.app.client_id, "redirect_uri": CALLBACK}
        back = self.zoom.authorize(self.user.id, **params)
        return httpx2.URL(back).params["code"]

    def connect(self, code: str | None = None) -> httpx2.Response:
        grant = {"code": code or self.code(), "redirect_uri": CALLBACK}
        body = {"oauth_app": self.id, "authorization_code": grant}
        return self.recall.post(CREDENTIALS, json=body)

    def read(self, credential: dict[str, Any]) -> dict[str, Any]:
        return dict(self.recall.get(f"{CREDENTIALS}{credential['id']}/").json())

    def token(self, credential: dict[str, Any]) -> httpx2.Response:
        return self.recall.get(f"{CREDENTIALS}{credential['id']}/access-token/")

    def mapped(self) -> set[int]:
        rows = self.recall.get(MAPPINGS).json()["results"]
        return {row["meeting_id"] for row in rows}


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    with closing(serving.start(allow_local=True)) as sandbox:
        yield sandbox


@pytest.fixture
def pair(running: RunningSandbox) -> Iterator[Pair]:
    with closing(Pair(running)) as made:
        yield made


def test_both_answer_at_once(running: RunningSandbox) -> None:
    zoom = httpx2.get(running.zoom_url + "/marketplace/")
    recall = httpx2.get(running.recall_url + APPS)

    assert (zoom.status_code, recall.status_code) == (200, 401)


@pytest.mark.parametrize("kind", ["user_level", "account_level"])
def test_from_consent_to_mapped_meetings(running: RunningSandbox, kind: str) -> None:
    with closing(Pair(running, kind)) as pair:
        before = pair.zoom.create_meeting(pair.user.id)

        answer = pair.connect()
        credential = answer.json()
        until(lambda: pair.read(credential)["meeting_sync_status"] == "completed")
        after = pair.zoom.create_meeting(pair.user.id, topic="Café 🚒")
        until(lambda: after.id in pair.mapped())

        assert answer.status_code == 201
        ids = (pair.user.id, None), (None, pair.user.account_id)
        assert (credential["user_id"], credential["account_id"]) in ids
        assert pair.zoom.state.active_grant(pair.app.client_id, pair.user.id)
        assert {before.id, pair.user.pmi} <= pair.mapped()
        until(lambda: pair.zoom.state.deliveries[-1].state is DeliveryState.DELIVERED)
        app = pair.recall.get(f"{APPS}{pair.id}/").json()
        assert app["webhook_last_validation"]


def test_recalls_access_token_opens_zooms_api(pair: Pair) -> None:
    token = pair.token(pair.connect().json()).json()["token"]

    headers = {"Authorization": f"Bearer {token}"}
    me = httpx2.get(pair.running.zoom_url + "/v2/users/me", headers=headers)
    assert me.json()["pmi"] == pair.user.pmi


def test_a_code_works_once(pair: Pair) -> None:
    code = pair.code()

    first, second = pair.connect(code), pair.connect(code)

    assert (first.status_code, second.status_code) == (201, 400)
    assert "Invalid Grant" in second.json()["detail"]


def test_a_wrong_client_secret_is_an_invalid_client(pair: Pair) -> None:
    wrong = {"client_secret": "test-wrong-secret"}
    pair.recall.patch(f"{APPS}{pair.id}/", json=wrong)

    answer = pair.connect()

    assert answer.status_code == 400
    assert "Invalid Client" in answer.json()["detail"]


def test_a_token_is_refreshed_and_an_uninstall_ends_it(pair: Pair) -> None:
    credential = pair.connect().json()
    first = pair.token(credential).json()["token"]
    pair.running.clock.advance(57 * 60)

    second = pair.token(credential).json()["token"]
    pair.zoom.uninstall(pair.app.client_id, pair.user.id)
    until(lambda: pair.read(credential)["status"] == "unhealthy")

    assert second != first
    assert pair.token(credential).status_code == 400


def test_an_uninstall_without_an_event_is_found_by_validate(pair: Pair) -> None:
    pair.zoom.change_app(pair.app.client_id, published=False)
    credential = pair.connect().json()
    pair.zoom.uninstall(pair.app.client_id, pair.user.id)
    before = pair.read(credential)["status"]

    pair.recall.post(f"{CREDENTIALS}{credential['id']}/validate/")

    assert (before, pair.read(credential)["status"]) == ("healthy", "unhealthy")


def test_a_missing_scope_fails_the_sync(pair: Pair) -> None:
    pair.zoom.switch(withheld_scopes=["meeting:read:list_meetings"])

    credential = pair.connect().json()
    until(lambda: pair.read(credential)["meeting_sync_status"] == "failed")

    logs = pair.recall.get("/api/v2/zoom-oauth-credential-logs/").json()["results"]
    assert credential["user_id"] == pair.user.id
    assert "meeting:read:list_meetings" in logs[0]["message"]


def test_advancing_the_clock_brings_a_retry_forward(pair: Pair) -> None:
    pair.connect()
    down = Fault(kind=FaultKind.UNAVAILABLE, path=APPS + pair.id, times=1)
    pair.running.recall_faults.set([down])

    pair.zoom.create_meeting(pair.user.id)
    delivery = pair.zoom.state.deliveries[-1]
    until(lambda: len(delivery.attempts) == 1)
    pair.running.clock.advance(301)
    until(lambda: delivery.state is DeliveryState.DELIVERED)

    assert [attempt.status for attempt in delivery.attempts] == [503, 200]


@pytest.mark.parametrize("kind", [FaultKind.DOWN, FaultKind.HALF_ANSWER])
def test_a_broken_connection_is_closed_and_not_left_hanging(
    running: RunningSandbox, kind: FaultKind
) -> None:
    running.zoom_faults.set([Fault(kind=kind)])

    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(running.zoom_url + "/marketplace/", timeout=TIMEOUT_S)


def test_half_of_an_empty_answer_is_not_a_whole_one(pair: Pair) -> None:
    half = Fault(kind=FaultKind.HALF_ANSWER, path=APPS + pair.id)
    pair.running.recall_faults.set([half])
    pair.running.recall_world.received.clear()
    body, at = b'{"event":"meeting.started","payload":{}}', "1760000100"
    signature = webhooks.signature(pair.app.secret_token, at, body)
    headers = {"x-zm-request-timestamp": at, "x-zm-signature": signature}

    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.post(pair.hook, content=body, headers=headers)

    assert [one.status for one in pair.running.recall_world.received] == [200]


def test_faults_can_be_set_over_http(running: RunningSandbox) -> None:
    faults = [{"kind": "rate_limited", "path": "/oauth/token", "seconds": 7}]

    httpx2.post(running.zoom_url + "/_sandbox/faults", json=faults)

    answer = httpx2.post(running.zoom_url + "/oauth/token")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_reset_deletes_all_data_and_faults(pair: Pair) -> None:
    running = pair.running
    pair.connect()
    running.zoom_faults.set([Fault(kind=FaultKind.DOWN)])
    running.clock.advance(86400)

    running.reset()

    assert httpx2.get(running.zoom_url + "/marketplace/").status_code == 200
    assert not running.zoom_world.state.apps
    assert not running.recall_world.apps


def test_a_port_in_use_is_an_error_and_leaves_nothing_open(
    running: RunningSandbox,
) -> None:
    taken = httpx2.URL(running.recall_url).port or 0

    with pytest.raises(OSError, match="in use"):
        serving.start(recall_port=taken)
