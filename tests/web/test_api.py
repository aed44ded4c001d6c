"""The API: who may call, what it says, and that nothing is done twice."""

from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlmodel import col, select

from dashboard.models.api_token import ApiReplay, ApiToken
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection, TokenState
from dashboard.models.invitation import Invitation
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import events
from dashboard.services.api_tokens import replays, tokens
from dashboard.services.api_tokens.tokens import Scope
from dashboard.services.audit import COMMAND_LINE
from dashboard.services.runtime import Runtime
from dashboard.web import access
from dashboard.web.api import bearer
from tests.conftest import HTTPS, SignIn
from tests.fixtures.api import Api, a_token
from tests.makers import FakeClock, a_connection, a_zoom_app, saved_app


@pytest.fixture
def api(app: Flask, runtime: Runtime) -> Api:
    return Api(app, a_token(runtime).token)


@pytest.fixture
def zoom_app(runtime: Runtime) -> ZoomApp:
    made = a_zoom_app(runtime.vault, recall_app_id=uuid4())
    made.return_origins = "https://app.example.com"
    with runtime.database.writing() as session:
        session.add(made)
    return made


def add(runtime: Runtime, *rows: Connection) -> None:
    with runtime.database.writing() as session:
        session.add_all(rows)


def acts(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.database.reading() as session:
        query = select(AuditEntry).order_by(col(AuditEntry.id))
        return [(entry.act, entry.actor) for entry in session.exec(query)]


def test_every_route_of_the_api_is_opened_by_a_token_alone(app: Flask) -> None:
    with app.app_context():
        found = {
            rule.endpoint: access.is_by_token(rule.endpoint)
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/api/")
        }

    others = {name for name, is_by_token in found.items() if not is_by_token}
    assert others == {"api_docs.openapi", "api_docs.show"}
    assert len(found) > 15


def test_a_session_never_opens_the_api(as_role: SignIn, zoom_app: ZoomApp) -> None:
    client = as_role(Role.ADMIN)

    answer = client.get("/api/v1/zoom-apps")
    written = client.post(
        "/api/v1/invitations", json={"zoom_app_id": str(zoom_app.id), "reference": "u"}
    )

    for each in (answer, written):
        assert each.status_code == 401
        assert each.headers["WWW-Authenticate"] == 'Bearer realm="dashboard"'
        assert each.content_type == "application/problem+json"
        assert each.get_json()["code"] == "unauthorized"
        assert "Set-Cookie" not in each.headers


@pytest.mark.parametrize(
    "header",
    ["", "Basic YTpi", "Bearer", "Bearer x", "Bearer zrdapi_" + "a" * 51, "bearer é"],
)
def test_what_is_no_token_is_refused(app: Flask, header: str) -> None:
    answer = app.test_client().get(
        "/api/v1/zoom-apps", headers={"Authorization": header}, base_url=HTTPS
    )

    assert answer.status_code == 401


def test_a_revoked_and_an_expired_token_are_refused_at_once(
    app: Flask, runtime: Runtime, clock: FakeClock
) -> None:
    revoked, short = a_token(runtime), a_token(runtime, days=1)
    before = [Api(app, one.token).get("/zoom-apps") for one in (revoked, short)]
    with runtime.database.writing() as session:
        tokens.revoke(session, revoked.row.id, actor=COMMAND_LINE, now=clock.now())
    clock.advance(days=1)

    after = [Api(app, one.token).get("/zoom-apps") for one in (revoked, short)]

    assert [each.status_code for each in before] == [200, 200]
    assert [each.status_code for each in after] == [401, 401]
    assert after[0].get_json()["detail"].startswith("This token is unknown, expired")


def test_a_token_is_stored_as_a_hash_and_its_use_is_noted(
    app: Flask, runtime: Runtime
) -> None:
    made = a_token(runtime)

    Api(app, made.token).get("/zoom-apps")

    with runtime.database.reading() as session:
        [row] = session.exec(select(ApiToken)).all()
    assert made.token not in str(row.model_dump())
    assert tokens.is_spelled(made.token)
    assert not tokens.is_spelled(made.token[:-1] + "x")
    assert (row.hint, row.last_used_from) == (made.token[-4:], "127.0.0.1")
    assert row.last_used_at == runtime.clock.now()


def test_each_operation_asks_for_its_own_scope(app: Flask, runtime: Runtime) -> None:
    """As the document says it, tried with a token that has every other scope."""
    made = Api(app, a_token(runtime).token).get("/openapi.json").get_json()
    path_values = {
        "{webhook_id}": "1",
        "{connection_id}": str(uuid4()),
        "{invitation_id}": str(uuid4()),
        "{zoom_app_id}": str(uuid4()),
    }
    tried = set()
    for path, item in made["paths"].items():
        call = path.removeprefix("/api/v1")
        for name, value in path_values.items():
            call = call.replace(name, value)
        for method, one in item.items():
            [scope] = one["security"][0]["token"]
            without = a_token(runtime, [each for each in Scope if each != scope])
            only = a_token(runtime, [scope])
            refused = Api(app, without.token)(method.upper(), call)
            let_in = Api(app, only.token)(method.upper(), call)
            assert refused.status_code == 403, (method, path)
            assert refused.get_json()["code"] == "scope_missing"
            assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
            assert let_in.status_code not in (401, 403), (method, path)
            tried.add(scope)
    assert tried == set(Scope)


def test_a_token_of_one_zoom_app_sees_and_changes_nothing_of_others(
    app: Flask, runtime: Runtime
) -> None:
    with runtime.database.writing() as session:
        mine = saved_app(session, runtime.vault, client_id="mine")
        other = saved_app(session, runtime.vault, client_id="other")
        session.flush()
        rows = [
            a_connection(session.get_one(ZoomApp, one), zoom_user_id=f"u-{one}")
            for one in (mine, other)
        ]
        session.add_all(rows)
    seen, hidden = rows[0].id, rows[1].id
    api = Api(app, a_token(runtime, zoom_app_id=mine).token)

    listed = api.get("/connections").get_json()["data"]
    apps = api.get("/zoom-apps").get_json()["data"]

    assert [one["id"] for one in listed] == [str(seen)]
    assert [one["id"] for one in apps] == [str(mine)]
    assert api.get(f"/connections/{seen}").status_code == 200
    refused = [
        api.get(f"/connections/{hidden}"),
        api.get(f"/zoom-apps/{other}"),
        api("PATCH", f"/connections/{hidden}", json={"reference": "x"}),
        api("DELETE", f"/connections/{hidden}"),
        api.post(f"/connections/{hidden}/check"),
        api.post(f"/connections/{hidden}/reconnect-links", {}),
        api.get(f"/connections/{hidden}/access-token"),
        api.post("/invitations", {"zoom_app_id": str(other), "reference": "u"}),
    ]
    assert [each.status_code for each in refused] == [404] * len(refused)
    with runtime.database.reading() as session:
        assert session.get_one(Connection, hidden).reference == ""
        assert session.exec(select(Invitation)).all() == []


def test_a_connection_is_found_by_each_of_its_names_and_says_what_its_page_says(
    api: Api, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    row = a_connection(
        zoom_app,
        zoom_user_id="abcDEF",
        email="ana@example.com",
        pmi=5551234567,
        token_state=TokenState.RECONNECT_NEEDED,
        token_reason="Zoom no longer accepts this authorization.",
    )
    row.reference, row.tags = "u-1041", "eu vip"
    other = a_connection(
        zoom_app, zoom_user_id="other", email="bo@example.com", pmi=5550000000
    )
    add(runtime, row, other)

    for query in (
        *("reference=u-1041", "email=Ana@Example.com", "zoom_user_id=abcDEF"),
        *("pmi=5551234567", "tag=VIP", "q=u-1041", "state=reconnect_needed"),
        f"q={row.id}",
    ):
        answer = api.get(f"/connections?{query}")
        assert answer.status_code == 200, answer.text
        assert [one["id"] for one in answer.get_json()["data"]] == [str(row.id)], query
    one: dict[str, Any] = api.get(f"/connections/{row.id}").get_json()
    assert one["state"] == "reconnect_needed"
    assert one["who_must_act"] == "user"
    assert one["is_usable"] is False
    assert (one["reference"], one["tags"]) == ("u-1041", ["eu", "vip"])
    assert one["next_step"]
    assert api.get("/connections?reference=u-104").get_json()["data"] == []


def test_cursors_lead_through_all_and_are_refused_elsewhere(
    api: Api, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    rows = [a_connection(zoom_app, zoom_user_id=f"u{number}") for number in range(5)]
    add(runtime, *rows)

    found, query = [], "/connections?limit=2"
    first = api.get(query).get_json()
    page = first
    while True:
        found += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        page = api.get(f"{query}&cursor={page['next_cursor']}").get_json()

    assert sorted(found) == sorted(str(row.id) for row in rows)
    for wrong in (
        f"/connections?limit=2&sort=name&cursor={first['next_cursor']}",
        f"/invitations?cursor={first['next_cursor']}",
        "/connections?cursor=abc",
        "/webhooks?cursor=x.1",
    ):
        answer = api.get(wrong)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/connections?nope=1", {}, 422),
        ("GET", "/connections?limit=0", {}, 422),
        ("GET", "/connections?limit=1&limit=2", {}, 422),
        ("GET", "/connections?state=fine", {}, 422),
        ("GET", "/connections/not-a-uuid", {}, 404),
        ("GET", "/webhooks/99999999999999999999999", {}, 404),
        ("POST", "/invitations", {"data": "{"}, 415),
        (
            "POST",
            "/invitations",
            {"data": "{", "content_type": "application/json"},
            400,
        ),
        ("POST", "/invitations", {"json": []}, 422),
        ("POST", "/invitations", {"json": {"zoom_app_id": 5}}, 422),
        ("POST", "/explain", {"json": {"text": ""}}, 422),
        ("PUT", "/connections", {}, 405),
        ("GET", "/nothing", {}, 404),
    ],
)
def test_a_wrong_request_is_answered_with_a_problem(
    api: Api, method: str, path: str, sent: dict[str, Any], status: int
) -> None:
    answer = api(method, path, **sent)

    problem = answer.get_json()
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert problem["status"] == status
    assert {"type", "title", "detail", "code", "request_id"} <= set(problem)


def test_a_repeated_request_gets_the_first_answer_and_makes_nothing_again(
    api: Api, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    body = {
        "zoom_app_id": str(zoom_app.id),
        "reference": "u-7",
        "tags": ["VIP"],
        "return_url": "https://app.example.com/x",
    }
    key = {"Idempotency-Key": "k-1"}

    first = api.post("/invitations", body, headers=key)
    again = api.post("/invitations", body, headers=key)
    other = api.post("/invitations", body | {"reference": "u-8"}, headers=key)
    new = api.post("/invitations", body, headers={"Idempotency-Key": "k-2"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert first.get_json()["url"].startswith("https://dashboard.example.com/connect/")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert (other.status_code, other.get_json()["code"]) == (
        422,
        "idempotency_key_reused",
    )
    assert new.get_json()["id"] != first.get_json()["id"]
    with runtime.database.reading() as session:
        assert len(session.exec(select(Invitation)).all()) == 2
        [stored] = [
            row for row in session.exec(select(ApiReplay)) if row.body is not None
        ][:1]
    assert b"/connect/" not in (stored.body or b"")  # sealed: it holds the link


def test_a_key_is_of_one_token(app: Flask, runtime: Runtime, zoom_app: ZoomApp) -> None:
    body = {"zoom_app_id": str(zoom_app.id), "reference": "u-7"}
    found = [
        Api(app, a_token(runtime).token)
        .post("/invitations", body, headers={"Idempotency-Key": "same"})
        .get_json()["id"]
        for _ in range(2)
    ]

    assert found[0] != found[1]


def test_a_request_under_way_is_not_carried_out_twice_and_one_that_died_is(
    api: Api, runtime: Runtime, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    body = {"zoom_app_id": str(zoom_app.id), "reference": "u-7"}
    key = {"Idempotency-Key": "k-1"}
    first = api.post("/invitations", body, headers=key)
    with runtime.database.writing() as session:  # as if it had died before its end
        [row] = session.exec(select(ApiReplay)).all()
        row.status = row.body = None
        session.add(row)

    meanwhile = api.post("/invitations", body, headers=key)
    clock.advance(seconds=replays.LEASE.total_seconds())
    later = api.post("/invitations", body, headers=key)

    assert (meanwhile.status_code, meanwhile.get_json()["code"]) == (409, "in_progress")
    assert meanwhile.headers["Retry-After"] == "2"
    assert later.status_code == 409  # its links were made: not a second time
    with runtime.database.reading() as session:
        [made] = session.exec(select(Invitation)).all()
    assert str(made.id) == first.get_json()["id"]


def test_what_failed_may_be_tried_again_with_the_same_key(
    api: Api, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    key = {"Idempotency-Key": "k-1"}
    body = {
        "zoom_app_id": str(zoom_app.id),
        "reference": "u-7",
        "return_url": "https://other.example/x",
    }

    refused = api.post("/invitations", body, headers=key)
    with runtime.database.writing() as session:
        row = session.get_one(ZoomApp, zoom_app.id)
        row.return_origins = "https://other.example"
        session.add(row)
    made = api.post("/invitations", body, headers=key)

    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["field"] == "return_url"
    assert made.status_code == 201


def test_stored_answers_are_forgotten_after_a_day(
    api: Api, runtime: Runtime, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    body = {"zoom_app_id": str(zoom_app.id), "reference": "u-7"}
    api.post("/invitations", body, headers={"Idempotency-Key": "k-1"})
    early = replays.forget_old(runtime.database, runtime.clock)
    clock.advance(seconds=replays.KEPT.total_seconds() + 1)

    late = replays.forget_old(runtime.database, runtime.clock)

    assert (early, late) == (0, 1)


def test_an_unchanged_answer_is_304_though_it_grows_old(
    api: Api, runtime: Runtime, clock: FakeClock, zoom_app: ZoomApp
) -> None:
    row = a_connection(zoom_app, token_checked_at=clock.now())
    add(runtime, row)
    first = api.get(f"/connections/{row.id}")
    tag = first.headers["ETag"]
    clock.advance(seconds=5)

    same = api.get(f"/connections/{row.id}", headers={"If-None-Match": tag})
    api("PATCH", f"/connections/{row.id}", json={"tags": ["new"]})
    changed = api.get(f"/connections/{row.id}", headers={"If-None-Match": tag})

    assert first.get_json()["evidence"]["age_s"] == 0
    assert (same.status_code, same.data) == (304, b"")
    assert changed.status_code == 200
    assert changed.get_json()["tags"] == ["new"]


def test_more_than_the_rate_is_429_until_the_minute_is_over(
    app: Flask,
    runtime: Runtime,
    clock: FakeClock,
) -> None:
    api, other = (Api(app, a_token(runtime).token) for _ in range(2))
    first = api.get("/connections")
    for _ in range(bearer.DEFAULT.most - 1):
        last = api.get("/invitations?limit=1")

    refused = api.get("/connections")
    free = other.get("/connections")
    clock.advance(seconds=bearer.WINDOW_S)
    again = api.get("/connections")

    assert first.headers["RateLimit-Policy"] == '"default";q=600;w=60'
    assert first.headers["RateLimit"] == '"default";r=599;t=60'
    assert last.headers["RateLimit"] == '"default";r=0;t=60'
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert refused.get_json()["code"] == "rate_limited"
    assert (free.status_code, again.status_code) == (200, 200)


def test_no_other_site_may_read_the_answers(api: Api) -> None:
    preflight = api(
        "OPTIONS",
        "/connections",
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "GET",
        },
    )
    answer = api.get("/connections", headers={"Origin": "https://evil.example"})

    for each in (preflight, answer):
        assert not [n for n in dict(each.headers) if n.startswith("Access-Control")]


def test_what_the_api_changes_is_in_the_audit_log_with_its_token(
    app: Flask, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    made = a_token(runtime, name="crm")
    api = Api(app, made.token)
    row = a_connection(zoom_app)
    add(runtime, row)

    link = api.post(
        "/invitations", {"zoom_app_id": str(zoom_app.id), "reference": "u-7"}
    ).get_json()
    api.post(f"/invitations/{link['id']}/revoke")
    api("PATCH", f"/connections/{row.id}", json={"reference": "u-1"})
    api.post(f"/connections/{row.id}/reconnect-links", {})

    who = f"API token crm ({made.row.id})"
    assert acts(runtime)[1:] == [
        ("invitation.made", who),
        ("invitation.revoked", who),
        ("connection.references_changed", who),
        ("connection.link_made", who),
    ]
    assert api.get(f"/invitations/{link['id']}").get_json()["state"] == "revoked"
    listed = api.get("/invitations?reference=u-7").get_json()["data"]
    assert [one["id"] for one in listed] == [link["id"]]
    assert "url" not in listed[0]


def an_event(runtime: Runtime, app: ZoomApp, reference: str) -> None:
    """Record an event and give it its place, as a worker does."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        events.record(
            session,
            events.ConnectionCreated(connection_id=uuid4(), zoom_app_id=app.id),
            at=now,
            references={"reference": reference, "tags": ["vip"]},
        )
    with runtime.database.writing() as session:
        events.publish(session, now=now)


def test_the_feed_goes_on_where_a_reader_left_it(
    api: Api, app: Flask, runtime: Runtime, zoom_app: ZoomApp
) -> None:
    with runtime.database.writing() as session:
        other = session.get_one(
            ZoomApp, saved_app(session, runtime.vault, client_id="other")
        )
    for number in range(3):
        an_event(runtime, zoom_app, f"u-{number}")
    an_event(runtime, other, "u-other")

    first = api.get("/events?limit=2").get_json()
    second = api.get(f"/events?limit=2&cursor={first['next_cursor']}").get_json()
    empty = api.get(f"/events?cursor={second['next_cursor']}").get_json()
    an_event(runtime, zoom_app, "u-late")
    late = api.get(f"/events?cursor={empty['next_cursor']}").get_json()
    only = Api(app, a_token(runtime, zoom_app_id=other.id).token).get("/events")
    none = api.get("/events?type=webhook.dead").get_json()

    def references(page: dict[str, Any]) -> list[str]:
        return [one["data"]["reference"] for one in page["data"]]

    assert references(first) == ["u-0", "u-1"]
    assert references(second) == ["u-2", "u-other"]
    assert (references(empty), references(late)) == ([], ["u-late"])
    assert references(only.get_json()) == ["u-other"]
    assert (none["data"], isinstance(none["next_cursor"], str)) == ([], True)
    assert first["data"][0]["type"] == "connection.created"
    assert api.get("/events?type=nothing").status_code == 422
