"""Both simulators on real sockets, talking to each other as strangers would."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx2
import pytest

from dashboard.sandbox import serving
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import webhooks
from dashboard.sandbox.zoom.records import DeliveryState, ZoomApp, ZoomUser

CALLBACK = "http://127.0.0.1:9/oauth/zoom/callback"
APPS = "/api/v2/zoom-oauth-apps/"
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"
PATIENCE_S = 10.0


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    with closing(serving.start(allow_local=True)) as sandbox:
        yield sandbox


def wait_until(seen: Callable[[], bool]) -> bool:
    """Return True as soon as it is so; False when patience ends."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if seen():
            return True
        time.sleep(0.02)
    return False


class Pair:
    """A Zoom app that is known to the simulated Recall, and a user."""

    def __init__(self, running: RunningSandbox, **app_fields: object) -> None:
        self.running = running
        zoom = running.zoom_world
        self.app: ZoomApp = zoom.add_app(redirect_url=CALLBACK, **app_fields)
        self.user: ZoomUser = zoom.add_user(email="ana@example.com", role_name="Admin")
        key = running.recall_world.add_workspace().api_key
        self.recall = httpx2.Client(
            base_url=running.recall_url, headers={"Authorization": f"Token {key}"}
        )
        made = self.recall.post(
            APPS,
            json={
                "kind": self.app.kind.value,
                "client_id": self.app.client_id,
                "client_secret": self.app.client_secret,
                "webhook_secret": self.app.secret_token,
            },
        )
        assert made.status_code == 201, made.text
        self.id: str = made.json()["id"]
        self.hook = f"{running.recall_url}{APPS}{self.id}/webhook"

    def close(self) -> None:
        self.recall.close()

    def connect(self) -> httpx2.Response:
        params = {"client_id": self.app.client_id, "redirect_uri": CALLBACK}
        back = self.running.zoom_world.authorize(self.user.id, **params)
        grant = {"code": httpx2.URL(back).params["code"], "redirect_uri": CALLBACK}
        body = {"oauth_app": self.id, "authorization_code": grant}
        return self.recall.post(CREDENTIALS, json=body)

    def mapped(self) -> set[str]:
        rows = self.recall.get(MAPPINGS).json()["results"]
        return {str(row["meeting_id"]) for row in rows}


@pytest.fixture
def pair(running: RunningSandbox) -> Iterator[Pair]:
    with closing(Pair(running)) as made:
        yield made


def test_both_answer_at_once(running: RunningSandbox) -> None:
    zoom = httpx2.get(running.zoom_url + "/marketplace/")
    recall = httpx2.get(running.recall_url + APPS)

    assert zoom.status_code == 200
    assert recall.status_code == 401


def test_recall_spends_a_code_of_zoom(pair: Pair) -> None:
    answer = pair.connect()

    assert answer.status_code == 201, answer.text
    assert answer.json()["user_id"] == pair.user.id
    grant = pair.running.zoom_world.state.active_grant(pair.app.client_id, pair.user.id)
    assert grant is not None


def test_recalls_access_token_opens_zooms_api(pair: Pair) -> None:
    credential = pair.connect().json()["id"]

    token = pair.recall.get(f"{CREDENTIALS}{credential}/access-token/").json()["token"]

    headers = {"Authorization": f"Bearer {token}"}
    me = httpx2.get(pair.running.zoom_url + "/v2/users/me", headers=headers)
    assert me.json()["pmi"] == pair.user.pmi


def test_recall_syncs_the_meetings_zoom_has(pair: Pair) -> None:
    meeting = pair.running.zoom_world.create_meeting(pair.user.id)

    pair.connect()

    assert wait_until(lambda: str(meeting.id) in pair.mapped())


def test_a_meeting_reaches_recall_without_anybody_pushing(pair: Pair) -> None:
    zoom = pair.running.zoom_world
    pair.connect()
    assert zoom.validate(pair.app.client_id, pair.hook).valid

    meeting = zoom.create_meeting(pair.user.id, topic="Café 🚒")

    assert wait_until(lambda: str(meeting.id) in pair.mapped())
    assert zoom.state.deliveries[-1].state is DeliveryState.DELIVERED


def test_an_account_level_app_works_as_well(running: RunningSandbox) -> None:
    with closing(Pair(running, kind="account_level")) as pair:
        answer = pair.connect()

        assert answer.status_code == 201, answer.text
        assert answer.json()["account_id"] == pair.user.account_id


def test_moving_the_clock_brings_the_retry_forward(pair: Pair) -> None:
    zoom = pair.running.zoom_world
    pair.connect()
    zoom.validate(pair.app.client_id, pair.hook)
    down = Fault(kind=FaultKind.UNAVAILABLE, path=APPS + pair.id, times=1)
    pair.running.recall_faults.set([down])

    zoom.create_meeting(pair.user.id)
    delivery = zoom.state.deliveries[-1]
    refused = wait_until(lambda: len(delivery.attempts) == 1)
    pair.running.clock.advance(301)
    delivered = wait_until(lambda: delivery.state is DeliveryState.DELIVERED)

    assert (refused, delivered) == (True, True)
    assert [attempt.status for attempt in delivery.attempts] == [503, 200]


@pytest.mark.parametrize("kind", [FaultKind.DOWN, FaultKind.HALF_ANSWER])
def test_a_broken_connection_is_closed_and_not_left_hanging(
    running: RunningSandbox, kind: FaultKind
) -> None:
    running.zoom_faults.set([Fault(kind=kind)])

    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(running.zoom_url + "/marketplace/", timeout=PATIENCE_S)


def test_half_of_an_empty_answer_is_no_whole_one(pair: Pair) -> None:
    half = Fault(kind=FaultKind.HALF_ANSWER, path=APPS + pair.id)
    pair.running.recall_faults.set([half])
    body, at = b'{"event":"meeting.started","payload":{}}', "1760000100"
    proof = webhooks.signature(pair.app.secret_token, at, body)
    headers = {"x-zm-request-timestamp": at, "x-zm-signature": proof}

    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.post(pair.hook, content=body, headers=headers)

    assert [one.status for one in pair.running.recall_world.received] == [200]


def test_faults_can_be_set_over_http(running: RunningSandbox) -> None:
    faults = [{"kind": "rate_limited", "path": "/oauth/token", "seconds": 7}]

    httpx2.post(running.zoom_url + "/_sandbox/faults", json=faults)

    answer = httpx2.post(running.zoom_url + "/oauth/token")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_reset_empties_both_worlds_and_clears_faults(pair: Pair) -> None:
    running = pair.running
    pair.connect()
    running.zoom_faults.set([Fault(kind=FaultKind.DOWN)])
    running.clock.advance(86400)

    running.reset()

    assert httpx2.get(running.zoom_url + "/marketplace/").status_code == 200
    assert not running.zoom_world.state.apps
    assert not running.recall_world.apps


def test_a_taken_port_is_an_error_and_leaves_nothing_open(
    running: RunningSandbox,
) -> None:
    taken = httpx2.URL(running.recall_url).port or 0

    with pytest.raises(OSError, match="in use"):
        serving.start(recall_port=taken)
