"""`GET /tokens/<key>` and its siblings: what Recall gets."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from werkzeug.test import Client

from dashboard.clients.zoom.api import ZoomApi
from dashboard.errors import DatabaseBusyError
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.grants import grants, token_calls
from dashboard.services.grants.token_calls import (
    NOT_YET,
    Call,
    Reply,
    TokenCalls,
    Want,
)
from dashboard.web.token_endpoint import TokenMiddleware
from tests.fixtures.relay import until
from tests.fixtures.token_endpoint import UNKNOWN, TokenStage, a_page, stage

__all__ = ["stage"]

SIBLINGS = ["", "/zak", "/obf?meeting_id=91234567890"]


def allow_bots(stage: TokenStage, *scopes: str) -> None:
    """Let the grant at Zoom have these scopes besides."""
    grant = stage.held.at_zoom()
    assert grant is not None
    grant.scopes.extend(scopes)


def test_the_bare_token_is_the_whole_answer(stage: TokenStage) -> None:
    answer = stage.get()

    living = stage.held.at_zoom()
    assert living is not None
    assert answer.status_code == 200
    assert answer.text in living.access
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content_length == len(answer.data)
    assert "set-cookie" not in answer.headers


def test_a_slash_at_the_end_and_a_query_change_nothing(stage: TokenStage) -> None:
    assert stage.get("/").text == stage.get("?a=b").text == stage.get().text


def test_a_token_with_too_little_left_is_renewed_first(stage: TokenStage) -> None:
    old = stage.get().text
    stage.grow_old(left_s=124)

    answer = stage.get()

    left = stage.held.grant().expires_at - stage.runtime.clock.now()
    assert answer.status_code == 200
    assert answer.text != old
    assert left >= timedelta(seconds=120)


def test_a_bots_tokens_are_given_in_the_same_way(stage: TokenStage) -> None:
    allow_bots(stage, "user:read:zak", "user:read:token")

    for tail in SIBLINGS[1:]:
        first, second = stage.get(tail), stage.get(tail)

        assert (first.status_code, second.status_code) == (200, 200)
        assert len(first.text) == 64
        assert first.text != second.text  # nobody says that one may be used twice


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("form", ["4700_bare", "201"])
def test_a_missing_scope_is_final_in_each_form_of_zoom(
    stage: TokenStage, status: int, form: str
) -> None:
    stage.held.stage.sandbox.zoom_world.switch(
        missing_scope_status=status, missing_scope_form=form
    )

    answer = stage.get("/zak")

    assert (answer.status_code, "lacks a scope" in answer.text) == (403, True)


def test_a_missing_scope_is_named_to_whoever_has_the_key(stage: TokenStage) -> None:
    scopes = ("user:read:zak", "user:read:token")
    for tail, scope in zip(SIBLINGS[1:], scopes, strict=True):
        answer = stage.get(tail)

        assert (answer.status_code, scope in answer.text) == (403, True)


def test_a_bots_tokens_are_fetched_at_the_grants_own_host(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def at(self: ZoomApi, base_url: str) -> ZoomApi:
        asked.append(base_url)
        return self

    monkeypatch.setattr(ZoomApi, "at", at)
    allow_bots(stage, "user:read:zak", "user:read:token")
    stage.held.set(api_url="https://api-eu.zoom.us")

    statuses = [stage.get(tail).status_code for tail in SIBLINGS]

    assert statuses == [200, 200, 200]
    assert asked == ["https://api-eu.zoom.us"] * 2


def test_a_meeting_that_is_no_number_is_refused(stage: TokenStage) -> None:
    for query in ("?meeting_id=x", "?meeting_id=1.5", f"?meeting_id={'1' * 19}"):
        answer = stage.get(f"/obf{query}")

        assert (answer.status_code, "digits only" in answer.text) == (400, True)


@pytest.mark.parametrize("query", ["", "?meeting_id="])
def test_a_token_on_behalf_is_fetched_without_a_meeting(
    stage: TokenStage, query: str
) -> None:
    allow_bots(stage, "user:read:token")

    assert stage.get(f"/obf{query}").status_code == 200


def test_the_caller_learns_that_zoom_wants_the_meeting(stage: TokenStage) -> None:
    allow_bots(stage, "user:read:token")
    stage.held.stage.sandbox.zoom_world.switch(obf_meeting="required")

    refused, fetched = stage.get("/obf"), stage.get("/obf?meeting_id=81234567890")

    assert (refused.status_code, "Zoom wants" in refused.text) == (400, True)
    assert fetched.status_code == 200


def test_an_unknown_key_is_told_nothing(stage: TokenStage) -> None:
    answers = [
        stage.get(tail, key=key)
        for key in (UNKNOWN, "a" * 42, "a" * 20)
        for tail in SIBLINGS
    ]

    assert {(one.status_code, one.text) for one in answers} == {(404, "Not Found\n")}


PATHS = ["", "short", f"{UNKNOWN}/x", f"{UNKNOWN}//", "\u00fc" * 20, f"{UNKNOWN}/zakx"]


def test_what_is_no_address_of_a_token_is_not_found(stage: TokenStage) -> None:
    answers = [stage.client.get(f"/tokens/{path}") for path in PATHS]

    assert {(one.status_code, one.text) for one in answers} == {(404, "Not Found\n")}


def test_tokens_are_only_got(stage: TokenStage) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        known = stage.client.open(f"/tokens/{stage.held.key}", method=method)
        unknown = stage.client.open(f"/tokens/{UNKNOWN}", method=method)

        assert known.status_code == unknown.status_code == 405
        assert known.headers["allow"] == "GET"
        assert known.data == unknown.data


def test_both_doors_answer_alike(stage: TokenStage) -> None:
    allow_bots(stage, "user:read:zak")
    stage.recall_signs()
    asked: list[tuple[str, str, dict[str, str]]] = [
        *(("GET", stage.held.key + tail, {}) for tail in (*SIBLINGS, "/obf", "/")),
        ("GET", stage.held.key, stage.signed()),
        ("GET", stage.held.key, {"webhook-signature": "v1,x"}),
        *(("GET", path, {}) for path in (UNKNOWN, *PATHS)),
        *((method, stage.held.key, {}) for method in ("HEAD", "POST")),
    ]

    for method, path, headers in asked:
        here, there = (
            door.open(f"/tokens/{path}", method=method, headers=headers)
            for door in (stage.client, stage.in_loop)
        )
        assert here.status_code == there.status_code, (method, path)
        assert dict(here.headers) == dict(there.headers), (method, path)
        assert path.endswith("/zak") or here.data == there.data, (method, path)
    statuses = [
        stage.in_loop.get(f"/tokens/{stage.held.key}{tail}").status_code
        for tail in SIBLINGS
    ]
    assert statuses == [200, 200, 403]


def test_the_door_in_the_loop_waits_for_a_refresh_too(stage: TokenStage) -> None:
    stage.grow_old()
    stage.held.strike(FaultKind.SLOW, seconds=0.2)

    assert stage.in_loop.get(f"/tokens/{stage.held.key}").status_code == 200


def test_another_path_is_not_this_doors(stage: TokenStage) -> None:
    assert stage.client.get("/tokensx").text == "a page"


def test_a_lost_grant_is_gone(stage: TokenStage) -> None:
    stage.held.set(lost_at=stage.runtime.clock.now())

    answers = [stage.get(tail) for tail in SIBLINGS]

    assert [one.status_code for one in answers] == [410, 410, 410]
    assert "reconnect" in answers[0].text


def test_a_grant_that_zoom_ends_at_this_call_is_gone(stage: TokenStage) -> None:
    world, held = stage.held.stage.sandbox.zoom_world, stage.held.stage
    world.uninstall(held.app.client_id, held.ana.id)
    stage.grow_old()

    assert stage.get().status_code == 410


@pytest.mark.parametrize(
    "kind",
    [FaultKind.DOWN, FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.NONSENSE],
)
def test_when_zoom_cannot_be_asked_there_is_a_time_to_ask_again(
    stage: TokenStage, kind: FaultKind
) -> None:
    stage.grow_old()
    stage.held.strike(kind, times=10, seconds=7)

    answer = stage.get()

    assert answer.status_code == 503
    assert answer.text == "Zoom can't be asked for a token now.\n"
    assert 1 <= int(answer.headers["retry-after"]) <= 3600


def test_a_wrong_pair_is_no_users_fault_and_can_be_mended(stage: TokenStage) -> None:
    stage.held.stage.sandbox.zoom_world.change_app(
        stage.held.stage.app.client_id, client_secret="another"
    )
    stage.grow_old()

    assert stage.get().status_code == 503


@pytest.mark.parametrize("kind", [FaultKind.DOWN, FaultKind.RATE_LIMITED])
def test_a_bots_token_waits_for_zoom_as_well(
    stage: TokenStage, kind: FaultKind
) -> None:
    fault = Fault(kind=kind, path="/v2/", times=10, seconds=7)
    stage.held.stage.sandbox.zoom_faults.set([fault])

    answer = stage.get("/zak")

    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)


def test_recall_is_asked_to_wait_as_long_as_zoom_asks(stage: TokenStage) -> None:
    for seconds, wait in ((1, "1"), (7, "7"), (5000, "3600")):
        fault = Fault(
            kind=FaultKind.RATE_LIMITED, path="/v2/", times=10, seconds=seconds
        )
        stage.held.stage.sandbox.zoom_faults.set([fault])

        assert stage.get("/zak").headers["retry-after"] == wait


def a_call(stage: TokenStage, want: Want = Want.ACCESS) -> Call:
    return Call(
        key=stage.held.key, want=want, meeting_id="", headers={}, address="192.0.2.1"
    )


def test_only_a_token_that_lasts_long_enough_needs_no_thread(stage: TokenStage) -> None:
    stage.grow_old(left_s=125)
    at_once = stage.calls.begin(a_call(stage))
    stage.grow_old(left_s=124)
    later = stage.calls.begin(a_call(stage))

    assert isinstance(at_once, Reply)
    assert isinstance(later, Future)


def test_calls_during_a_refresh_share_it_and_a_later_call_has_its_own(
    stage: TokenStage,
) -> None:
    stage.grow_old()
    stage.held.strike(FaultKind.SLOW, seconds=0.3)
    first, second = (stage.calls.begin(a_call(stage)) for _ in range(2))
    assert isinstance(first, Future)
    refreshed = first.result()
    stage.grow_old()
    third = stage.calls.begin(a_call(stage))

    assert second is first
    assert isinstance(third, Future)
    assert (refreshed.status, third.result().status) == (200, 200)
    assert third.result().token != refreshed.token
    until(lambda: not stage.calls._running)
    assert stage.calls._running == {}


def test_a_call_gets_no_answer_of_a_refresh_that_has_ended(stage: TokenStage) -> None:
    stage.grow_old()
    ended: Future[Reply] = Future()
    ended.set_result(NOT_YET)
    stage.calls._running[stage.held.connection_id] = ended

    assert stage.get().status_code == 200


def test_at_the_end_a_call_that_waits_for_a_thread_is_given_up(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_calls, "_ASKERS", 1)
    calls = TokenCalls(stage.runtime)
    fault = Fault(kind=FaultKind.SLOW, path="/v2/", times=1, seconds=0.3)
    stage.held.stage.sandbox.zoom_faults.set([fault])
    first, second = (calls.begin(a_call(stage, Want.ZAK)) for _ in range(2))

    calls.close()

    assert isinstance(first, Future)
    assert isinstance(second, Future)
    assert (first.done(), first.cancelled(), second.cancelled()) == (True, False, True)
    assert calls.begin(a_call(stage, Want.ZAK)) is NOT_YET


def test_of_many_at_once_one_asks_zoom_and_all_get_what_came(stage: TokenStage) -> None:
    stage.grow_old()
    stage.held.strike(FaultKind.SLOW, seconds=1.0)
    before = stage.held.grant().version
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: stage.get(), range(8)))

    assert {one.status_code for one in answers} == {200}
    assert len({one.text for one in answers}) == 1
    assert stage.held.grant().version == before + 1


def test_the_key_is_in_no_log_and_no_table(stage: TokenStage) -> None:
    with capture_logs() as logs:
        stage.get()
        stage.get(headers={"webhook-signature": "v1,x"})
        stage.held.set(access_token=b"spoiled")
        stage.get()

    assert stage.held.key not in repr(logs)
    assert stage.held.grant().key_hash == grants.hashed(stage.held.key)


def test_what_cannot_be_opened_is_an_error_here_and_no_answer(
    stage: TokenStage,
) -> None:
    stage.held.set(access_token=b"spoiled", refresh_token=b"spoiled")

    with capture_logs() as logs:
        answers = [stage.get()]
        stage.grow_old()
        answers.append(stage.get())

    assert [one.status_code for one in answers] == [503, 503]
    assert [(one["event"], one["reason"]) for one in logs] == [
        ("tokens.not_readable", "held_grant.access_token holds no sealed value.")
    ]
    assert [one.headers["retry-after"] for one in answers] == ["30", "30"]


def test_a_token_that_can_be_opened_again_ends_the_error(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_calls, "_CALM_S", 0.0)
    calls = TokenCalls(stage.runtime)
    client = Client(TokenMiddleware(a_page, calls))
    intact = stage.held.grant().access_token

    with capture_logs() as logs:
        for access_token in (b"spoiled", b"spoiled", intact):
            stage.held.set(access_token=access_token)
            client.get(f"/tokens/{stage.held.key}")

    calls.close()
    assert [one["event"] for one in logs] == [
        "tokens.not_readable",
        "tokens.readable_again",
    ]


def test_every_answer_is_counted_by_its_status(stage: TokenStage) -> None:
    for door in (stage.client, stage.in_loop):
        door.get(f"/tokens/{stage.held.key}")
        door.get(f"/tokens/{stage.held.key}/zak")
        door.get(f"/tokens/{UNKNOWN}")
        door.post(f"/tokens/{stage.held.key}")
    stage.grow_old()
    stage.held.strike(FaultKind.DOWN, times=10)
    stage.get()
    stage.held.set(lost_at=stage.runtime.clock.now())
    stage.get()

    [counted] = stage.runtime.token_requests.collect()
    assert {
        one.labels["status"]: one.value
        for one in counted.samples
        if one.name.endswith("_total")
    } == {"200": 2, "403": 2, "404": 2, "405": 2, "503": 1, "410": 1}


def test_when_it_was_given_is_noted_once_a_minute(stage: TokenStage) -> None:
    first = stage.runtime.clock.now()
    stage.get()
    stage.get()
    stage.settle()

    row = stage.held.grant()
    assert row.served_at == row.unsigned_at == first


def test_a_database_that_is_busy_and_a_wrong_key_are_two_lines(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise DatabaseBusyError("Another process writes.")

    stage.held.set(access_token=b"spoiled")
    with capture_logs() as logs:
        stage.get()
        monkeypatch.setattr(stage.calls, "_find", busy)
        stage.get()
        stage.get()

    assert [(one["event"], one["reason"]) for one in logs] == [
        ("tokens.not_readable", "held_grant.access_token holds no sealed value."),
        ("tokens.not_readable", "Another process writes."),
    ]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, 3001, 403),
        (400, 300, 403),
        (403, 200, 403),
        (401, 124, 503),
        (500, 300, 503),
        (429, 429, 503),
    ],
)
def test_only_what_zooms_api_refuses_for_good_is_refused(
    stage: TokenStage, status: int, code: int, expected: int
) -> None:
    fault = Fault(
        kind=FaultKind.ANSWER,
        path="/v2/",
        status=status,
        body=json.dumps({"code": code, "message": "Not so."}),
    )
    stage.held.stage.sandbox.zoom_faults.set([fault])

    assert stage.get("/obf?meeting_id=91234567890").status_code == expected
