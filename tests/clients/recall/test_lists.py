"""Lists are read page after page, and the key never leaves its host."""

from collections.abc import Sequence

import httpx2
import pytest

from dashboard.clients.recall.replies import RecallApp
from tests.fixtures.vendors import (
    AN_ID,
    CLIENT_SECRET,
    HOST,
    SECRET_TOKEN,
    Handler,
    Stage,
    recall_at,
    refusal_of,
)

APPS = f"{HOST}/api/v2/zoom-oauth-apps/"


def an_app(client_id: str = "a-client-id") -> dict[str, object]:
    return {
        "id": str(AN_ID),
        "kind": "user_level",
        "client_id": client_id,
        "client_secret": "test-client-secret-0001",
        "webhook_secret": "test-secret-token-0001",
        "webhook_last_validation": None,
        "created_at": "2026-11-23T12:00:00Z",
    }


def always_next(url: str | None, seen: list[str]) -> Handler:
    """Answer one app a page, and the same `next` every time."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(200, json={"next": url, "results": [an_app()]})

    return answer


def test_a_list_of_many_pages_is_read_whole(stage: Stage) -> None:
    stage.sandbox.recall_world.set_switches({"page_size": 2})
    wanted = [f"client-{number}" for number in range(5)]
    for client_id in wanted:
        stage.recall.create_app(
            kind="user_level",
            client_id=client_id,
            client_secret=CLIENT_SECRET,
            webhook_secret=SECRET_TOKEN,
            idempotency_key=client_id,
        )

    found = [app.client_id for app in stage.recall.list_apps()]

    assert found == [*reversed(wanted), stage.client_id]


def test_no_more_pages_are_read_than_a_limit_needs() -> None:
    seen: list[str] = []
    following = f"{HOST}/api/v2/zoom-meetings-to-credentials/?cursor=b"
    mapping = {
        "meeting_id": 84731728293,
        "credential": str(AN_ID),
        "synced_at": "2026-11-23T12:00:00Z",
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        body = {"next": following, "results": [mapping, mapping]}
        return httpx2.Response(200, json=body)

    found = recall_at(answer).mappings(limit=2)

    assert (len(found), len(seen)) == (2, 1)


def test_an_endless_list_ends_after_twenty_pages() -> None:
    seen: list[str] = []

    found = recall_at(always_next(f"{APPS}?cursor=again", seen)).list_apps()

    assert len(found) == len(seen) == 20


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/api/v2/zoom-oauth-apps/?cursor=b",
        "https://us-west-2.recall.ai.evil.example/api/v2/zoom-oauth-apps/",
        "https://us-west-2.recall.ai@evil.example/api/v2/zoom-oauth-apps/",
        "//evil.example/api/v2/zoom-oauth-apps/?cursor=b",
        "https://us-west-2.recall.ai:8443/api/v2/zoom-oauth-apps/?cursor=b",
        "https://us-east-1.recall.ai/api/v2/zoom-oauth-apps/?cursor=b",
        "https://us-west-2.recall.ai/api/v1/bot/",
        "https://[half",
        "https://us-west-2.recall.ai:no-port/",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_next_page_elsewhere_is_refused_and_never_gets_the_key(
    following: str,
) -> None:
    seen: list[str] = []

    error = refusal_of(recall_at(always_next(following, seen)).list_apps)

    assert seen == [APPS]
    assert "at another address" in str(error)
    assert (error.retryable, error.may_have_happened) == (False, False)


@pytest.mark.parametrize(
    "following",
    [
        f"{APPS}?cursor=cD0y%3D",
        "http://us-west-2.recall.ai/api/v2/zoom-oauth-apps/?cursor=cD0y%3D",
        "/api/v2/zoom-oauth-apps/?cursor=cD0y%3D",
    ],
    ids=["as documented", "behind a proxy that ends TLS", "without a host"],
)
def test_a_next_page_is_asked_for_at_our_own_address(following: str) -> None:
    seen: list[str] = []

    recall_at(always_next(following, seen)).list_apps()

    assert seen[1] == f"{APPS}?cursor=cD0y%3D"


def test_a_filter_that_the_vendor_ignores_holds_all_the_same() -> None:
    apps: Sequence[object] = [an_app("wanted"), an_app("another")]
    recall = recall_at(lambda _: httpx2.Response(200, json={"results": apps}))

    found: list[RecallApp] = recall.list_apps(client_id="wanted")

    assert [app.client_id for app in found] == ["wanted"]


def test_an_ignored_filter_never_hands_out_another_users_credential() -> None:
    other = {"id": str(AN_ID), "oauth_app": str(AN_ID), "user_id": "another"}
    recall = recall_at(lambda _: httpx2.Response(200, json={"results": [other]}))

    assert recall.list_credentials(user_id="wanted") == []
    assert recall.list_credentials(account_id="wanted") == []
    assert recall.list_credentials(status="healthy") == []
    assert len(recall.list_credentials(oauth_app=AN_ID, user_id="another")) == 1
