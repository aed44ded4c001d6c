"""The simulated Recall against the simulated Zoom, over real sockets."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from dashboard.sandbox import serving
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import ZoomApp
from tests.fixtures.simulated_recall import APPS, CREDENTIALS, MAPPINGS, REDIRECT


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    running = serving.start(allow_local=True)
    yield running
    running.close()


@pytest.fixture
def api(sandbox: RunningSandbox) -> Iterator[httpx2.Client]:
    key = sandbox.recall_world.add_workspace().api_key
    headers = {"Authorization": f"Token {key}"}
    with httpx2.Client(base_url=sandbox.recall_url, headers=headers) as client:
        yield client


def until(condition: Callable[[], object]) -> None:
    """Wait for what the background threads do."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not come about")


def registered(sandbox: RunningSandbox, api: httpx2.Client, kind: str) -> ZoomApp:
    """A Zoom app known to Recall, its webhooks pointing there."""
    app = sandbox.zoom_world.add_app(redirect_url=REDIRECT, kind=kind, published=True)
    body = {
        "kind": kind,
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secret": app.secret_token,
    }
    recall_id = api.post(APPS, json=body).json()["id"]
    url = f"{sandbox.recall_url}{APPS}{recall_id}/webhook"
    sandbox.zoom_world.validate(app.client_id, url)
    return sandbox.zoom_world.change_app(app.client_id, deauthorization_url=url)


def connected(
    sandbox: RunningSandbox, api: httpx2.Client, app: ZoomApp, user_id: str
) -> httpx2.Response:
    callback = sandbox.zoom_world.authorize(
        user_id, client_id=app.client_id, redirect_uri=REDIRECT
    )
    code = parse_qs(urlsplit(callback).query)["code"][0]
    body = {
        "oauth_app": api.get(APPS).json()["results"][0]["id"],
        "authorization_code": {"code": code, "redirect_uri": REDIRECT},
    }
    return api.post(CREDENTIALS, json=body)


def read(api: httpx2.Client, credential: dict[str, Any]) -> dict[str, Any]:
    return dict(api.get(f"{CREDENTIALS}{credential['id']}/").json())


def is_mapped(api: httpx2.Client, meeting_id: int) -> bool:
    return bool(api.get(MAPPINGS, params={"meeting_id": meeting_id}).json()["results"])


@pytest.mark.parametrize("kind", ["user_level", "account_level"])
def test_from_consent_to_mapped_meetings(
    sandbox: RunningSandbox, api: httpx2.Client, kind: str
) -> None:
    zoom = sandbox.zoom_world
    user = zoom.add_user(email="ana@example.com", role_name="Owner")
    app = registered(sandbox, api, kind)
    before = zoom.create_meeting(user.id)

    credential = connected(sandbox, api, app, user.id).json()
    until(lambda: read(api, credential)["meeting_sync_status"] == "completed")
    after = zoom.create_meeting(user.id)
    until(lambda: is_mapped(api, after.id))

    named = credential["user_id"] or credential["account_id"]
    assert named in {user.id, user.account_id}
    assert is_mapped(api, before.id)
    assert is_mapped(api, user.pmi)
    assert api.get(APPS).json()["results"][0]["webhook_last_validation"]


def test_a_code_works_once(sandbox: RunningSandbox, api: httpx2.Client) -> None:
    user = sandbox.zoom_world.add_user(email="ana@example.com")
    app = registered(sandbox, api, "user_level")
    callback = sandbox.zoom_world.authorize(
        user.id, client_id=app.client_id, redirect_uri=REDIRECT
    )
    code = parse_qs(urlsplit(callback).query)["code"][0]
    body = {
        "oauth_app": api.get(APPS).json()["results"][0]["id"],
        "authorization_code": {"code": code, "redirect_uri": REDIRECT},
    }

    answers = [api.post(CREDENTIALS, json=body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 400]
    assert "Invalid Grant" in answers[1].json()["detail"]


def test_a_wrong_client_secret_is_an_invalid_client(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    user = sandbox.zoom_world.add_user(email="ana@example.com")
    app = registered(sandbox, api, "user_level")
    recall_id = api.get(APPS).json()["results"][0]["id"]
    api.patch(f"{APPS}{recall_id}/", json={"client_secret": "test-wrong-secret"})

    answer = connected(sandbox, api, app, user.id)

    assert answer.status_code == 400
    assert "Invalid Client" in answer.json()["detail"]


def test_a_token_is_refreshed_and_an_uninstall_ends_it(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    user = sandbox.zoom_world.add_user(email="ana@example.com")
    app = registered(sandbox, api, "user_level")
    credential = connected(sandbox, api, app, user.id).json()
    path = f"{CREDENTIALS}{credential['id']}/access-token/"
    first = api.get(path).json()["token"]
    sandbox.clock.advance(57 * 60)

    second = api.get(path).json()["token"]
    sandbox.zoom_world.uninstall(app.client_id, user.id)
    until(lambda: read(api, credential)["status"] == "unhealthy")

    assert second != first
    assert api.get(path).status_code == 400


def test_an_uninstall_that_nobody_told_is_found_by_validate(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    user = sandbox.zoom_world.add_user(email="ana@example.com")
    app = registered(sandbox, api, "user_level")
    sandbox.zoom_world.change_app(app.client_id, published=False)
    credential = connected(sandbox, api, app, user.id).json()
    sandbox.zoom_world.uninstall(app.client_id, user.id)
    untold = read(api, credential)["status"]

    api.post(f"{CREDENTIALS}{credential['id']}/validate/")

    assert untold == "healthy"
    assert read(api, credential)["status"] == "unhealthy"


def test_a_missing_scope_fails_the_sync(
    sandbox: RunningSandbox, api: httpx2.Client
) -> None:
    user = sandbox.zoom_world.add_user(email="ana@example.com")
    app = registered(sandbox, api, "user_level")
    sandbox.zoom_world.switch(withheld_scopes=["meeting:read:list_meetings"])

    credential = connected(sandbox, api, app, user.id).json()
    until(lambda: read(api, credential)["meeting_sync_status"] == "failed")

    logs = api.get("/api/v2/zoom-oauth-credential-logs/").json()["results"]
    assert credential["user_id"] == user.id
    assert "meeting:read:list_meetings" in logs[0]["message"]
