"""Recall's API over real HTTP, against the simulated one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.http.client import make_http
from dashboard.clients.recall.api import REGION_LABELS, REGIONS, Recall, webhook_url
from dashboard.clients.recall.replies import CredentialStatus, MeetingSync, RecallApp
from dashboard.clients.zoom.api import ZoomApi
from tests.fixtures.vendors import (
    AN_ID,
    API_KEY,
    CLIENT_SECRET,
    CODE,
    HOST,
    REDIRECT,
    SECRET_TOKEN,
    VERIFIER,
    Handler,
    Stage,
    everything_in,
    recall_at,
    refusal_of,
)
from tests.makers import NOON


def connect(stage: Stage, user_id: str, key: str = "a-key") -> UUID:
    return stage.recall.create_credential(
        oauth_app=stage.app.id,
        code=stage.a_code(user_id),
        redirect_uri=REDIRECT,
        code_verifier=VERIFIER,
        idempotency_key=key,
    ).id


def test_an_app_is_created_and_told_without_its_secrets(stage: Stage) -> None:
    app = stage.recall.get_app(stage.app.id)

    assert app == stage.app
    assert (app.kind, app.client_id) == ("user_level", stage.client_id)
    assert app.webhook_last_validation is None
    assert set(app.model_dump()) == {
        "id",
        "kind",
        "client_id",
        "webhook_last_validation",
        "created_at",
    }


def test_an_app_is_created_once_for_one_idempotency_key(stage: Stage) -> None:
    again = stage.recall.create_app(
        kind="user_level",
        client_id=stage.client_id,
        client_secret=CLIENT_SECRET,
        webhook_secret=SECRET_TOKEN,
        idempotency_key="the-first",
    )

    assert again == stage.app
    assert stage.recall.list_apps().whole() == [stage.app]


def test_apps_are_found_by_client_id(stage: Stage) -> None:
    assert stage.recall.list_apps(client_id=stage.client_id).whole() == [stage.app]
    assert stage.recall.list_apps(client_id="another").whole() == []


def test_only_the_given_secret_of_an_app_is_replaced(stage: Stage) -> None:
    fresh = SecretStr("test-secret-token-0002")

    stage.recall.update_app(stage.app.id, webhook_secret=fresh)

    held = stage.sandbox.recall_world.apps[str(stage.app.id)]
    assert held.webhook_secret == fresh.get_secret_value()
    assert held.client_secret == CLIENT_SECRET.get_secret_value()


def test_a_user_is_connected_with_code_and_verifier(stage: Stage) -> None:
    user_id = stage.a_user()

    credential_id = connect(stage, user_id)

    credential = stage.recall.get_credential(credential_id)
    assert credential.user_id == user_id
    assert credential.oauth_app == stage.app.id
    assert credential.status is CredentialStatus.HEALTHY


def test_a_wrong_code_verifier_is_refused(stage: Stage) -> None:
    code = stage.a_code(stage.a_user())
    other = SecretStr("another-code-verifier-0001-which-is-long-enough")

    error = refusal_of(
        lambda: stage.recall.create_credential(
            oauth_app=stage.app.id,
            code=code,
            redirect_uri=REDIRECT,
            code_verifier=other,
            idempotency_key="a-key",
        )
    )

    assert (error.status, error.may_have_happened) == (400, False)
    assert "Invalid Grant" in (error.detail or "")


def test_a_flow_without_pkce_sends_no_verifier() -> None:
    sent: list[bytes] = []

    def noting(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.content)
        return httpx2.Response(400, json={"detail": "no"})

    refusal_of(
        lambda: recall_at(noting).create_credential(
            oauth_app=AN_ID,
            code=CODE,
            redirect_uri=REDIRECT,
            code_verifier=None,
            idempotency_key="a-key",
        )
    )

    assert b"code_verifier" not in sent[0]


@pytest.mark.parametrize("echoed", ["a-key-of-theirs", "a-long-path"])
def test_a_key_in_the_callback_url_is_not_echoed(echoed: str) -> None:
    url = "https://tokens.example.com/a-long-path/zoom?key=a-key-of-theirs"
    body = {"access_token_callback_url": [f"{echoed} was refused."]}

    error = refusal_of(
        lambda: recall_at(
            lambda _: httpx2.Response(400, json=body)
        ).create_held_credential(
            oauth_app=AN_ID, token_url=SecretStr(url), idempotency_key="a-key"
        )
    )

    assert echoed not in everything_in(error)
    assert "was refused" in everything_in(error)


@pytest.mark.parametrize("mode", ["upsert", "upsert_200"])
def test_connecting_again_gives_the_same_credential(stage: Stage, mode: str) -> None:
    stage.sandbox.recall_world.set_switches({"reconnect": mode})
    user_id = stage.a_user()
    first = connect(stage, user_id)

    again = connect(stage, user_id, key="another-key")

    assert again == first


def test_a_legacy_conflict_names_the_zoom_user(stage: Stage) -> None:
    stage.sandbox.recall_world.set_switches({"reconnect": "conflict"})
    user_id = stage.a_user()
    connect(stage, user_id)

    error = refusal_of(lambda: connect(stage, user_id, key="another-key"))

    assert (error.status, error.conflicting_id) == (400, user_id)
    assert "already has a credential" in str(error)


def test_credentials_are_found_by_user_app_and_status(stage: Stage) -> None:
    ana, ben = stage.a_user("ana@example.com"), stage.a_user("ben@example.com")
    connect(stage, ana, key="ana")
    bens = connect(stage, ben, key="ben")
    recall = stage.recall

    assert [one.id for one in recall.list_credentials(user_id=ben).whole()] == [bens]
    assert (
        len(recall.list_credentials(oauth_app=stage.app.id, status="healthy").whole())
        == 2
    )
    assert recall.list_credentials(oauth_app=AN_ID).whole() == []
    assert recall.list_credentials(account_id="another").whole() == []


def test_the_token_on_loan_works_at_zoom(stage: Stage) -> None:
    user_id = stage.a_user()
    token = stage.recall.access_token(connect(stage, user_id))
    zoom = ZoomApi(stage.sandbox.zoom_url)

    user = zoom.me(token.token)
    zoom.close()

    assert user.id == user_id
    assert token.expires_at > NOON
    assert token.token.get_secret_value() not in repr(token)


def test_validate_and_sync_are_done_though_their_answers_are_empty(
    stage: Stage,
) -> None:
    credential_id = connect(stage, stage.a_user())

    stage.recall.validate(credential_id)
    stage.recall.sync_meetings(credential_id)

    credential = stage.recall.get_credential(credential_id)
    assert credential.meeting_sync_status is not MeetingSync.UNKNOWN


def test_a_deleted_credential_is_gone(stage: Stage) -> None:
    credential_id = connect(stage, stage.a_user())

    stage.recall.delete_credential(credential_id)

    error = refusal_of(lambda: stage.recall.get_credential(credential_id))
    assert (error.status, error.retryable) == (404, False)
    assert "does not have this" in str(error)


def test_mappings_are_found_by_credential_and_meeting(stage: Stage) -> None:
    user_id = stage.a_user()
    credential_id = connect(stage, user_id)
    world = stage.sandbox.recall_world
    for number in (84731728293, 84731728294, 84731728295):
        world.map_meeting(number, world.credentials[str(credential_id)])

    recall = stage.recall
    [one] = recall.mappings(meeting_id=84731728293).results

    assert (one.meeting_id, one.credential) == (84731728293, credential_id)
    assert one.synced_at == NOON or one.synced_at > NOON
    assert len(recall.mappings(credential=credential_id).results) == 3
    assert recall.mappings(credential=AN_ID).results == []


def test_logs_are_read_newest_first(stage: Stage) -> None:
    world = stage.sandbox.recall_world
    world.log_app(world.apps[str(stage.app.id)], "The first warning.")
    stage.sandbox.clock.advance(1)
    world.log_app(world.apps[str(stage.app.id)], "The second warning.")
    credential_id = connect(stage, stage.a_user())
    world.log_credential(world.credentials[str(credential_id)], "A failure.")

    app_logs = stage.recall.app_logs(stage.app.id)
    credential_logs = stage.recall.credential_logs(credential_id)

    said = [entry.message for entry in app_logs.results]
    assert said == ["The second warning.", "The first warning."]
    assert [entry.message for entry in credential_logs.results] == ["A failure."]


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_newest_lines_are_read_whatever_the_order_of_recalls_lists(
    stage: Stage, order: str
) -> None:
    world = stage.sandbox.recall_world
    world.set_switches({"list_order": order, "page_size": 2})
    for number in range(7):
        stage.sandbox.clock.advance(1)
        world.log_app(world.apps[str(stage.app.id)], f"Warning {number}.")

    log = stage.recall.app_logs(stage.app.id)

    said = [entry.message for entry in log.results]
    assert said[:2] == ["Warning 6.", "Warning 5."]
    assert log.has_newest
    assert log.is_whole is (order == "oldest")


def test_a_log_that_does_not_end_and_begins_with_the_oldest_is_called_a_part() -> None:
    asked = iter(range(100))

    def answer(_: httpx2.Request) -> httpx2.Response:
        entry = {"message": "A line.", "created_at": f"2026-11-23T12:{next(asked)}:00Z"}
        following = f"{HOST}/api/v2/zoom-oauth-app-logs/?cursor=b"
        return httpx2.Response(200, json={"next": following, "results": [entry]})

    asked = iter(range(10, 100))
    log = recall_at(answer).app_logs(AN_ID)

    assert (len(log.results), log.is_whole, log.has_newest) == (20, False, False)


def test_a_span_is_read_to_its_end_though_recall_ignores_it_and_begins_oldest() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        is_second = "cursor" in str(request.url)
        hours = (14, 15) if is_second else (10, 11)
        following = f"{HOST}/api/v2/zoom-meetings-to-credentials/?cursor=b"
        results = [
            {
                "meeting_id": 84731728000 + hour,
                "credential": str(AN_ID),
                "synced_at": f"2026-11-23T{hour}:00:00Z",
            }
            for hour in hours
        ]
        body = {"next": None if is_second else following, "results": results}
        return httpx2.Response(200, json=body)

    found = recall_at(answer).mappings_synced(after=NOON)

    assert [one.meeting_id for one in found.results] == [84731728014, 84731728015]
    assert found.is_whole


def test_an_api_key_goes_in_its_header_and_nowhere_else() -> None:
    seen: list[httpx2.Request] = []

    def noting(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"results": []})

    recall_at(noting).check_key()

    [request] = seen
    key = API_KEY.get_secret_value()
    assert request.headers["Authorization"] == f"Token {key}"
    assert key not in str(request.url)
    assert request.content == b""


def test_many_threads_share_connections_and_mix_nothing_up(stage: Stage) -> None:
    stage.sandbox.recall_world.add_workspace(api_key="test-api-key-0002")
    url = stage.sandbox.recall_url
    with make_http(url) as http:
        ours = Recall(url, API_KEY, http=http)
        theirs = Recall(url, SecretStr("test-api-key-0002"), http=http)

        with ThreadPoolExecutor(16) as threads:
            asked = [(ours, theirs)[number % 2] for number in range(48)]
            found = list(threads.map(Recall.list_apps, asked))

    assert [each.whole() for each in found] == [[stage.app], []] * 24


def test_the_webhook_url_has_no_trailing_slash() -> None:
    expected = f"{HOST}/api/v2/zoom-oauth-apps/{AN_ID}/webhook"

    assert webhook_url(HOST, AN_ID) == webhook_url(f"{HOST}/", AN_ID) == expected


def test_every_region_has_a_host_of_its_own_and_a_label() -> None:
    assert set(REGIONS) == set(REGION_LABELS)
    assert all(url == f"https://{name}.recall.ai" for name, url in REGIONS.items())


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

    listed = stage.recall.list_apps()
    found = [app.client_id for app in listed.whole()]

    assert found == [*reversed(wanted), stage.client_id]


def test_no_more_pages_are_read_than_a_limit_needs() -> None:
    seen: list[str] = []
    following = f"{HOST}/api/v2/zoom-meetings-to-credentials/?cursor=b"
    newer, older = (
        {
            "meeting_id": 84731728293,
            "credential": str(AN_ID),
            "synced_at": f"2026-11-23T12:00:0{second}Z",
        }
        for second in (9, 8)
    )

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        body = {"next": following, "results": [newer, older]}
        return httpx2.Response(200, json=body)

    found = recall_at(answer).mappings(limit=2)

    assert (len(found.results), len(seen)) == (2, 1)
    assert (found.is_whole, found.has_newest) == (False, True)


def test_an_endless_list_ends_and_is_called_a_part() -> None:
    seen: list[str] = []

    found = recall_at(always_next(f"{APPS}?cursor=again", seen)).list_apps()

    assert len(found.results) == len(seen) == 40
    assert not found.is_whole
    assert "too long to be read whole" in refusal_of(found.whole).message()


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
    assert "at a different address" in str(error)
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

    found: list[RecallApp] = recall.list_apps(client_id="wanted").whole()

    assert [app.client_id for app in found] == ["wanted"]


def test_an_ignored_filter_never_hands_out_another_users_credential() -> None:
    other = {"id": str(AN_ID), "oauth_app": str(AN_ID), "user_id": "another"}
    recall = recall_at(lambda _: httpx2.Response(200, json={"results": [other]}))

    assert recall.list_credentials(user_id="wanted").whole() == []
    assert recall.list_credentials(account_id="wanted").whole() == []
    assert recall.list_credentials(status="healthy").whole() == []
    assert len(recall.list_credentials(oauth_app=AN_ID, user_id="another").whole()) == 1


def a_bot(meeting: object, second: int) -> dict[str, object]:
    step = {"code": "fatal", "sub_code": None, "message": "Gone", "created_at": ""}
    step["created_at"] = f"2026-11-23T12:00:{second:02}Z"
    return {"id": str(AN_ID), "meeting_url": meeting, "status_changes": [step]}


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ({"meeting_id": "84731728293", "platform": "zoom"}, 84731728293),
        ({"meeting_id": 84731728293}, 84731728293),
        ({"meeting_id": "abc-defg-hij", "platform": "google_meet"}, None),
        ("https://zoom.us/j/84731728293", None),
        (None, None),
        ({}, None),
    ],
)
def test_a_bots_meeting_is_read_where_recall_says_it(
    link: object, number: int | None
) -> None:
    found = recall_at(lambda _: httpx2.Response(200, json=a_bot(link, 1))).get_bot(
        AN_ID
    )

    assert found.meeting_id == number
    assert found.status_changes[0].message == "Gone"


def test_of_many_bots_the_newest_pages_are_read_and_called_a_part() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        following = f"https://us-west-2.recall.ai/api/v1/bot/?page={len(seen) + 1}"
        bots = [a_bot(None, 50 - len(seen) * 2), a_bot(None, 49 - len(seen) * 2)]
        body = {"count": 99, "next": following, "previous": None, "results": bots}
        return httpx2.Response(200, json=body)

    found = recall_at(answer).latest_bots()

    assert seen[0].endswith("/api/v1/bot/?platform=zoom")
    assert (len(seen), len(found.results)) == (3, 6)
    assert (found.is_whole, found.has_newest) == (False, True)
