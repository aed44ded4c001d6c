"""The REST API of the simulated Zoom (docs/contracts/zoom.md 4)."""

from datetime import UTC, datetime

import pytest
from werkzeug.test import TestResponse

from dashboard.sandbox.zoom import ZoomWorld
from tests.fixtures.simulated_zoom import a_user, a_world, an_app, tokens, web


def get(world: ZoomWorld, path: str, token: str, **params: str | int) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return web(world).get("/v2" + path, headers=headers, query_string=params)


def an_access_token(world: ZoomWorld, **app_fields: object) -> tuple[str, str]:
    """Return a user's access token and id."""
    user = a_user(world, role_name="Admin")
    return tokens(world, an_app(world, **app_fields), user)["access_token"], user.id


@pytest.mark.parametrize(("pmi_as", "kind"), [("int", int), ("string", str)])
def test_the_pmi_is_an_int_now_and_was_a_string_once(
    world: ZoomWorld, pmi_as: str, kind: type
) -> None:
    token, user_id = an_access_token(world)
    world.switch(pmi_as=pmi_as)

    body = get(world, "/users/me", token).get_json()

    assert body["id"] == user_id
    assert type(body["pmi"]) is kind
    assert body["status"] == "active"


def test_every_answer_carries_a_tracking_id(world: ZoomWorld) -> None:
    token, _ = an_access_token(world)

    good, bad = get(world, "/users/me", token), get(world, "/users/me", "wrong")

    assert good.headers["x-zm-trackingid"] != bad.headers["x-zm-trackingid"]


def test_an_unknown_token_is_401_with_124() -> None:
    answer = get(a_world(), "/users/me", "wrong")

    assert answer.status_code == 401
    assert answer.get_json() == {"code": 124, "message": "Invalid access token."}


def test_a_token_expires_after_an_hour(world: ZoomWorld) -> None:
    token, _ = an_access_token(world)
    world.state.clock.advance(3601)

    answer = get(world, "/users/me", token)

    assert answer.status_code == 401
    assert answer.get_json() == {"code": 124, "message": "Access token is expired."}


def test_a_token_in_the_query_string_is_refused(world: ZoomWorld) -> None:
    token, _ = an_access_token(world)

    answer = web(world).get("/v2/users/me", query_string={"access_token": token})

    assert answer.status_code == 401
    assert "not supported as query parameter" in answer.get_json()["message"]


def test_a_missing_scope_is_named(world: ZoomWorld) -> None:
    token, _ = an_access_token(world, scopes=["meeting:read:list_meetings"])

    answer = get(world, "/users/me", token)

    assert answer.status_code == 400
    assert answer.get_json() == {
        "code": 4711,
        "message": "Invalid access token, does not contain scopes:[user:read:user].",
    }


def test_classic_scopes_do_as_well(world: ZoomWorld) -> None:
    token, _ = an_access_token(world, scopes=["meeting:read", "user:read"])

    assert get(world, "/users/me", token).status_code == 200
    assert get(world, "/users/me/meetings", token).status_code == 200


def test_a_user_level_token_cannot_access_other_users(world: ZoomWorld) -> None:
    token, _ = an_access_token(world)
    other = a_user(world, email="ben@example.com")

    answer = get(world, f"/users/{other.id}", token)

    assert answer.status_code == 404
    assert answer.get_json()["code"] == 1001


def test_an_account_level_token_lists_its_account_only(world: ZoomWorld) -> None:
    token, user_id = an_access_token(world, kind="account_level")
    ben = a_user(world, email="ben@example.com")
    eve = a_user(world, email="eve@example.org", account_id="other")

    rows = get(world, "/users", token).get_json()["users"]

    assert [row["id"] for row in rows] == [user_id, ben.id]
    assert get(world, f"/users/{ben.id}", token).status_code == 200
    assert get(world, f"/users/{eve.id}", token).status_code == 404


def test_meetings_come_in_pages_that_end(world: ZoomWorld) -> None:
    token, user_id = an_access_token(world)
    made = [world.create_meeting(user_id).id for _ in range(5)]

    first = get(world, "/users/me/meetings", token, page_size=3).get_json()
    rest = get(
        world,
        "/users/me/meetings",
        token,
        page_size=3,
        next_page_token=first["next_page_token"],
    ).get_json()

    assert (first["page_size"], first["total_records"]) == (3, 5)
    assert rest["next_page_token"] == ""
    ids = [row["id"] for row in first["meetings"] + rest["meetings"]]
    assert sorted(ids) == sorted(made)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"page_size": "301"}, id="too-large"),
        pytest.param({"page_size": "0"}, id="zero"),
        pytest.param({"page_size": "٣"}, id="other-digits"),
        pytest.param({"next_page_token": "!"}, id="bad-token"),
    ],
)
def test_a_wrong_page_is_300_with_the_field(
    world: ZoomWorld, params: dict[str, str]
) -> None:
    token, _ = an_access_token(world)

    answer = get(world, "/users/me/meetings", token, **params)

    assert answer.status_code == 400
    assert answer.get_json()["code"] == 300
    assert answer.get_json()["errors"][0]["field"] in params


def test_a_join_token_lives_120_seconds(world: ZoomWorld) -> None:
    token, user_id = an_access_token(world)
    meeting = world.create_meeting(user_id)

    path = f"/meetings/{meeting.id}/jointoken/local_recording"
    body = get(world, path, token).get_json()

    assert set(body) == {"token", "expire_in"}
    assert body["expire_in"] == 120


def test_another_users_meeting_does_not_exist(world: ZoomWorld) -> None:
    token, _ = an_access_token(world)
    meeting = world.create_meeting(a_user(world, email="ben@example.com").id)

    answer = get(world, f"/meetings/{meeting.id}", token)

    assert (answer.status_code, answer.get_json()["code"]) == (404, 3001)


@pytest.mark.parametrize("path", ["/users/me/zak", "/users/me/token"])
def test_zak_and_user_tokens_need_their_scopes(world: ZoomWorld, path: str) -> None:
    bare, _ = an_access_token(world)
    full, _ = an_access_token(world, scopes=["user:read:zak", "user:read:token"])

    assert get(world, path, bare).get_json()["code"] == 4711
    assert set(get(world, path, full).get_json()) == {"token"}


def test_the_per_second_limit_names_no_time(world: ZoomWorld) -> None:
    world.switch(rate_limit="qps")

    answer = get(world, "/users/me", "any")

    assert (answer.status_code, answer.get_json()["code"]) == (429, 429)
    assert answer.headers["X-RateLimit-Type"] == "QPS"
    assert "Retry-After" not in answer.headers


def test_the_daily_limit_names_a_date_and_not_seconds(world: ZoomWorld) -> None:
    world.switch(rate_limit="daily")

    answer = get(world, "/users/me", "any")

    assert answer.headers["X-RateLimit-Type"] == "Daily-limit"
    again_at = datetime.fromisoformat(answer.headers["Retry-After"])
    assert again_at == datetime(2026, 11, 24, tzinfo=UTC)
