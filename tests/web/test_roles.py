"""What each role may open, what a viewer never sees, and what limits hide."""

import re
from dataclasses import fields
from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func
from sqlmodel import SQLModel, select
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from dashboard.models.ids import new_id
from dashboard.models.resend import Resend
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.services.staff.permissions import CANNOT, GRANTS, Permission
from dashboard.web import access
from dashboard.web.live import fragments
from dashboard.web.signin import Onlooker
from tests.conftest import HTTPS, SignIn
from tests.fixtures.roles import Furnished, furnish
from tests.fixtures.walking import walk
from tests.makers import NOON
from tests.web.test_access import address

PUBLIC, SIGNED_IN, BY_TOKEN = "public", "signed in", "by token"

ROUTES = {
    PUBLIC: (
        *("connect.again", "connect.callback", "connect.create", "connect.help_page"),
        *("connect.logo", "connect.result", "connect.show", "connect.test_plan"),
        *("domain.file", "health.alive", "health.ready", "invited.ask"),
        *("invited.create", "invited.show", "metrics.index", "mine.ask"),
        *("mine.destroy", "mine.forget", "mine.gone", "mine.show"),
        *("passwords.create", "passwords.new", "signin.check_code"),
        *("signin.create", "signin.destroy", "signin.new", "signin.passkey"),
        *("signin.passkey_options", "signin.second_factor", "single_sign_on.begin"),
        "single_sign_on.callback",
        "api_docs.openapi",
    ),
    BY_TOKEN: (
        *("api.change_connection", "api.check_connection", "api.create_invitation"),
        *("api.create_reconnect_link", "api.disconnect_connection", "api.explain"),
        *("api.get_access_token", "api.get_connection", "api.get_invitation"),
        *("api.get_webhook", "api.get_zoom_app", "api.list_connections"),
        "api.list_events",
        *("api.list_invitations", "api.list_webhooks", "api.list_zoom_apps"),
        *("api.resend_webhook", "api.revoke_invitation"),
    ),
    SIGNED_IN: (
        *("account.add_passkey", "account.change_display", "account.change_password"),
        "account.confirm_app",
        *("account.index", "account.new_app", "account.new_codes"),
        *("account.passkey_options", "account.proof_options", "account.prove"),
        *("account.remove_app", "account.remove_passkey", "account.rename_passkey"),
        *("account.second_factor", "account.take_proof", "sessions.end_others"),
        *("sessions.end_own", "single_sign_on.begin_link", "single_sign_on.prove"),
        "single_sign_on.unlink",
        "api_docs.show",
    ),
    "api_tokens:write": (
        *("api_tokens.create", "api_tokens.index", "api_tokens.revoke"),
    ),
    "alerts:acknowledge": ("alerts.acknowledge",),
    "alerts:read": ("alerts.index", "alerts.show"),
    "alerts:write": (
        *("alert_channels.create", "alert_channels.new", "alert_channels.remove"),
        *("alert_channels.show", "alert_channels.test", "alert_channels.update"),
    ),
    "audit:read": ("audit.index",),
    "endpoints:read": ("endpoints.delivery", "endpoints.index", "endpoints.show"),
    "endpoints:write": (
        *("endpoints.create", "endpoints.create_destination", "endpoints.new"),
        *("endpoints.new_destination", "endpoints.pause", "endpoints.remove"),
        *("endpoints.resend", "endpoints.resend_failed", "endpoints.resume"),
        *("endpoints.rotate", "endpoints.test"),
    ),
    "connections:check": (
        *("connections.bots", "connections.check", "connections.sync"),
        *("connections.try_token", "delivery_log.read", "own_servers.test"),
    ),
    "connections:count": ("connections.index",),
    "connections:invite": ("approvals.read", "approvals.show", "invitations.renew"),
    "connections:read": (
        *("attempts.index", "bot_tests.index", "bot_tests.show"),
        *("connections.recall_log", "connections.show", "erasures.index"),
        *("explain.create", "explain.index", "explain.recall", "own_servers.show"),
    ),
    "connections:write": ("connections.destroy", "connections.replace_key"),
    "invitations:read": ("invitations.index",),
    "invitations:write": (
        *("invitations.create", "invitations.create_many", "invitations.new"),
        "invitations.revoke",
    ),
    "overview:read": ("live.stream", "overview.index"),
    "settings:read": ("settings.index",),
    "staff:read": ("staff.index",),
    "staff:write": (
        *("sessions.end_all", "sessions.end_one", "staff.change_role"),
        *("staff.create", "staff.disable", "staff.edit"),
        *("staff.enable", "staff.make_link", "staff.new"),
        *("staff.remove_second_factor", "staff.unlock", "staff.unlock_address"),
    ),
    "webhooks:read": (
        *("delivery_log.show", "resends.index", "resends.show", "webhooks.index"),
        *("webhooks.refused_index", "webhooks.sent", "webhooks.show"),
        *("webhooks.trace", "webhooks.verify"),
    ),
    "webhooks:resend": (
        *("resends.cancel", "resends.create", "resends.new", "webhooks.resend"),
    ),
    "webhooks:reveal": ("webhooks.reveal",),
    "workspaces:read": ("recall_apps.index", "workspaces.index"),
    "workspaces:write": (
        *("workspaces.check", "workspaces.create", "workspaces.edit"),
        *("workspaces.new", "workspaces.update"),
    ),
    "zoom_apps:read": (
        *("domain.show", "going_live.show", "marketplace.manifest_file"),
        *("marketplace.manifest_page", "marketplace.review"),
        *("marketplace.subscription", "zoom_apps.index", "zoom_apps.show"),
        "zoom_apps.validation",
    ),
    "zoom_apps:write": (
        *("app_creation.create", "app_creation.new", "app_creation.save"),
        *("app_creation.undo", "approvals.approve", "bot_tests.create"),
        *("connect_button.show", "connect_button.update"),
        *("custody.change", "custody.show", "delivery_log.save_app_id"),
        *("domain.check", "domain.save", "going_live.bring_back"),
        *("going_live.create", "going_live.link", "going_live.promote"),
        *("going_live.retire", "going_live.undo_promotion", "going_live.unlink"),
        *("marketplace.create", "marketplace.fix", "marketplace.read"),
        *("own_servers.add_user", "own_servers.save", "page_designs.edit"),
        *("page_designs.preview", "page_designs.update", "recall_apps.create_again"),
        *("recall_apps.import_users", "recall_apps.new", "recall_apps.take_over"),
        *("rotation.begin", "rotation.new_secret", "zoom_apps.events_added"),
        *("rotation.rotate", "zoom_apps.adopt", "zoom_apps.check"),
        *("zoom_apps.create", "zoom_apps.create_in_recall", "zoom_apps.edit"),
        *("zoom_apps.new", "zoom_apps.new_credentials", "zoom_apps.new_scopes"),
        *("zoom_apps.probe", "zoom_apps.update", "zoom_apps.update_in_recall"),
    ),
}
"""Who may open what, written a second time: a route without a line here fails."""

_VIEWER = {"alerts:read", "connections:count", "overview:read", "zoom_apps:read"}
_SUPPORT = _VIEWER | {
    *("alerts:acknowledge", "connections:check", "connections:invite"),
    *("connections:read", "invitations:read", "webhooks:read"),
}
MAY = {
    Role.VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
    Role.OPERATOR: _SUPPORT
    | {"connections:write", "invitations:write", "webhooks:resend"},
    Role.ADMIN: {each.value for each in Permission},
    Role.AUDITOR: {"audit:read", "settings:read"},
}

ENDS_THE_SESSION = "signin.destroy"
MARKS = ("mine", "other")
LIMITABLE = (Role.VIEWER, Role.SUPPORT, Role.OPERATOR)
FRAGMENT = {"HX-Request": "true"}
START = (
    *("/", "/alerts/", "/zoom-apps/", "/connections/", "/connections/invitations/"),
    *("/connections/attempts/", "/connections/erasures/", "/webhooks/"),
    *("/webhooks/refused", "/webhooks/resends", "/webhooks/resends/new"),
    *("/explain/", "/connections/invitations/new", "/zoom-apps/domain"),
)


def rules(app: Flask) -> list[tuple[Rule, str]]:
    """Return every route with each method that people use, in the order of names."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
        if rule.endpoint not in ("static", ENDS_THE_SESSION)
    ]
    return sorted(found, key=lambda one: (one[0].endpoint, one[1]))


def ruling() -> dict[str, str]:
    return {endpoint: needed for needed, all_ in ROUTES.items() for endpoint in all_}


def outcome(answer: TestResponse) -> str:
    """Return "sign in", "no token", "refused", "broken" or "open"."""
    status, location = answer.status_code, answer.headers.get("Location", "")
    if location.startswith("/sign-in"):
        return "sign in"
    if status == 401 and answer.mimetype == "application/problem+json":
        return "no token"
    if status >= 500:
        return "broken"
    return "refused" if status == 403 else "open"


def test_every_route_is_ruled_and_declares_that(app: Flask) -> None:
    ruled = ruling()
    with app.app_context():
        declared = {
            name: access.needs(name)
            or (PUBLIC if access.is_public(name) else "")
            or (BY_TOKEN if access.is_by_token(name) else SIGNED_IN)
            for name in app.view_functions
            if name != "static"
        }

    assert declared == ruled


def test_the_roles_are_these() -> None:
    assert {role: {each.value for each in GRANTS[role]} for role in Role} == MAY
    assert CANNOT.keys() == set(Role)


@pytest.mark.parametrize("visitor", [None, *Role], ids=str)
def test_the_access_table(
    app: Flask, as_role: SignIn, stranger: FlaskClient, visitor: Role | None
) -> None:
    browser = stranger if visitor is None else as_role(visitor)
    ruled, wrong = ruling(), []

    for rule, method in rules(app):
        needed = ruled[rule.endpoint]
        expected = "open"
        if needed == BY_TOKEN:
            expected = "no token"
        elif needed != PUBLIC and visitor is None:
            expected = "sign in"
        elif visitor and needed not in {PUBLIC, SIGNED_IN, *MAY[visitor]}:
            expected = "refused"
        if rule.endpoint == "overview.index" and visitor is Role.AUDITOR:
            expected = "open"  # leads to the audit log, see below
        seen = outcome(browser.open(address(rule), method=method))
        if needed == PUBLIC and seen == "sign in":
            seen = "open"  # a step of signing in that nobody has begun
        if seen != expected:
            wrong.append((rule.endpoint, method, expected, seen))

    assert wrong == []


@pytest.mark.parametrize(
    ("role", "first"), [(Role.AUDITOR, "/audit/"), (Role.VIEWER, None)]
)
def test_signing_in_leads_to_a_page_that_one_may_open(
    as_role: SignIn, role: Role, first: str | None
) -> None:
    answer = as_role(role).get("/")

    assert answer.headers.get("Location") == first
    assert answer.status_code == (303 if first else 200)


# What a viewer never sees


@pytest.fixture
def both(runtime: Runtime) -> tuple[Furnished, Furnished]:
    """Two zoom apps with one of everything."""
    with runtime.database.writing() as session:
        vault = runtime.vault
        mine, other = (furnish(session, vault, m, n + 1) for n, m in enumerate(MARKS))
    return mine, other


def named(text: str, *things: Furnished) -> set[str]:
    """Return what of their people is in the text, numbers in groups as well."""
    joined = re.sub(r"[\s\u00a0\u202f-]", "", text)
    return {
        needle
        for each in things
        for needle in each.needles
        if needle in text or (needle.isdigit() and needle in joined)
    }


def values_of(one: Furnished) -> dict[str, str]:
    return {
        each.name: str(getattr(one, each.name))
        for each in fields(one)
        if each.name != "needles"
    }


def filled(rule: Rule, values: dict[str, str]) -> str:
    """Return the address of the route with these IDs; KeyError for an unknown part."""
    parts = []
    for is_dynamic, data in rule._trace:
        if not is_dynamic:
            parts.append(data.removeprefix("|"))
        else:
            parts.append({"which": "zak", **values}[data])
    return "".join(parts)


def test_no_page_fragment_file_or_error_names_people_to_a_viewer(
    app: Flask, as_role: SignIn, both: tuple[Furnished, Furnished]
) -> None:
    viewer = as_role(Role.VIEWER)
    known = {"run_id", *values_of(both[0])}
    seen: dict[str, set[str]] = {}
    opened = 0

    for rule, method in rules(app):
        if ruling()[rule.endpoint] == PUBLIC or not rule.arguments <= known | {"which"}:
            continue
        path = filled(rule, values_of(both[0]))
        for query in ("", "?format=csv", "?format=json", "?q=Quirina&show=all"):
            for headers in ({}, FRAGMENT):
                answer = viewer.open(path + query, method=method, headers=headers)
                opened += answer.status_code == 200
                if found := named(answer.text, *both):
                    seen[f"{method} {path}{query}"] = found
    walked = walk(viewer, START)
    seen |= {
        f"{method} {path}": found
        for (method, path), text in walked.texts.items()
        if (found := named(text, *both))
    }

    assert seen == {}
    assert opened > 30


def test_nothing_that_is_pushed_names_people_to_a_viewer(
    app: Flask, both: tuple[Furnished, Furnished]
) -> None:
    draw, viewer = fragments.drawing(app, HTTPS), Onlooker(Role.VIEWER)

    for topic in ("overview", f"zoom-app-{both[0].zoom_app_id}"):
        [drawn] = draw(topic, [viewer]).values()
        assert named(drawn.html.decode(), *both) == set()


def test_support_sees_the_people_that_a_viewer_does_not(
    as_role: SignIn, both: tuple[Furnished, Furnished]
) -> None:
    support = as_role(Role.SUPPORT)

    walked = walk(support, START, may=lambda method, _: method == "GET")

    assert named(" ".join(walked.texts.values()), both[0]) >= set(both[0].needles[:2])


def test_a_viewer_reads_counts_where_a_list_would_stand(
    as_role: SignIn, both: tuple[Furnished, Furnished]
) -> None:
    viewer = as_role(Role.VIEWER)

    everyone = viewer.get("/connections/").text
    searched = viewer.get("/connections/?q=nobody-has-this-name").text

    assert both
    assert "Reconnect needed" in everyone
    assert re.sub(r"\s+", " ", everyone) == re.sub(r"\s+", " ", searched)


@pytest.mark.parametrize("kind", ["connection", "webhook", "resend"])
def test_a_viewer_follows_no_persons_topic(
    as_role: SignIn, both: tuple[Furnished, Furnished], kind: str
) -> None:
    topic = f"{kind}-{getattr(both[0], f'{kind}_id')}"

    assert as_role(Role.VIEWER).head(f"/live/stream?topics={topic}").status_code == 403


# Limits


def limit(runtime: Runtime, role: Role, *zoom_apps: UUID) -> None:
    with runtime.database.writing() as session:
        person = accounts.find_by_email(session, f"{role.value}@example.com")
        assert person is not None
        accounts.limit(session, person, zoom_apps, actor=audit.COMMAND_LINE)


@pytest.fixture
def limited(
    as_role: SignIn, runtime: Runtime, both: tuple[Furnished, Furnished]
) -> dict[Role, FlaskClient]:
    """People of each role, limited to the first of the two zoom apps."""
    for role in LIMITABLE:
        as_role(role)
        limit(runtime, role, both[0].zoom_app_id)
    return {role: as_role(role) for role in LIMITABLE}


def rows_of_each_table(runtime: Runtime) -> dict[str, int]:
    with runtime.database.reading() as session:
        return {
            table.name: session.connection()
            .execute(select(func.count()).select_from(table))
            .scalar_one()
            for table in SQLModel.metadata.sorted_tables
        }


@pytest.mark.parametrize("role", LIMITABLE)
def test_whatever_names_something_of_another_app_is_404(
    app: Flask,
    limited: dict[Role, FlaskClient],
    both: tuple[Furnished, Furnished],
    runtime: Runtime,
    role: Role,
) -> None:
    before = rows_of_each_table(runtime)
    foreign, ruled, seen, swept = values_of(both[1]), ruling(), [], 0
    mixed = values_of(both[0]) | {"run_id": foreign["run_id"]}

    for rule, method in rules(app):
        if ruled[rule.endpoint] not in MAY[role] or not rule.arguments:
            continue
        for values in (foreign, mixed) if "run_id" in rule.arguments else (foreign,):
            swept += 1
            answer = limited[role].open(filled(rule, values), method=method)
            if answer.status_code != 404:
                seen.append((rule.endpoint, method, answer.status_code))

    assert seen == []
    assert rows_of_each_table(runtime) == before
    assert swept >= {Role.VIEWER: 7, Role.SUPPORT: 20, Role.OPERATOR: 25}[role]


@pytest.mark.parametrize("role", LIMITABLE)
def test_no_list_count_file_or_answer_shows_another_app(
    app: Flask,
    limited: dict[Role, FlaskClient],
    both: tuple[Furnished, Furnished],
    role: Role,
) -> None:
    browser, other = limited[role], both[1].zoom_app_id
    paths = [
        filled(rule, values_of(both[0]))
        for rule, method in rules(app)
        if ruling()[rule.endpoint] in MAY[role] and method == "GET"
    ]
    files = [f"{path}?format={kind}" for path in paths for kind in ("csv", "json")]
    asked = [f"/webhooks/?zoom_app={other}", f"/connections/?app={other}"]

    answers = {path: browser.get(path) for path in [*paths, *files, *asked]}
    texts = {path: each.text for path, each in answers.items()}
    texts |= {path: text for (_, path), text in walk(browser, START).texts.items()}

    assert [path for path, each in answers.items() if each.status_code >= 500] == []
    strangers = ("App other", *(set(both[1].needles) - {"people.example"}))
    assert [
        (path, needle)
        for path, text in texts.items()
        for needle in strangers
        if needle in text
    ] == []


@pytest.mark.parametrize("number", [3, 1, -1], ids=["Zoom ID", "email", "meeting"])
def test_explain_knows_nothing_of_another_app(
    limited: dict[Role, FlaskClient], both: tuple[Furnished, Furnished], number: int
) -> None:
    asked = {"q": both[1].needles[number]}

    for address_ in ("/explain/", "/explain/recall"):
        answer = limited[Role.SUPPORT].post(address_, data=asked)

        assert answer.status_code == 200
        assert named(answer.text, both[1]) <= {asked["q"], "people.example"}
        assert "App other" not in answer.text


def test_a_limited_person_sees_all_of_their_own_app(
    limited: dict[Role, FlaskClient], both: tuple[Furnished, Furnished]
) -> None:
    support = limited[Role.SUPPORT]

    listed = support.get("/connections/?format=csv").text
    page = support.get(f"/webhooks/{both[0].webhook_id}")

    assert both[0].needles[1] in listed
    assert page.status_code == 200
    assert support.get(f"/zoom-apps/{both[0].zoom_app_id}").status_code == 200


def test_a_resend_is_of_ones_own_apps_alone(
    as_role: SignIn,
    limited: dict[Role, FlaskClient],
    both: tuple[Furnished, Furnished],
    runtime: Runtime,
) -> None:
    operator, new = limited[Role.OPERATOR], "/webhooks/resends"
    other, number = both[1].zoom_app_id, new_id(NOON + timedelta(seconds=30))

    foreign = [
        operator.get(f"{new}/new?zoom_app={other}"),
        operator.post(f"{new}?zoom_app={other}", data={"resend": number}),
    ]
    started = operator.post(new, data={"resend": number})  # of the one app there is
    assert started.status_code == 303, started.text
    limit(runtime, Role.OPERATOR, *(one.zoom_app_id for one in both))
    of_some = as_role(Role.OPERATOR).post(new, data={"resend": new_id(NOON)})

    assert [each.status_code for each in foreign] == [422, 422]
    assert operator.get(started.location).status_code == 303  # a new limit signs out
    assert of_some.status_code == 422
    assert "Choose one of your zoom apps" in of_some.text
    with runtime.database.reading() as session:
        queries = set(session.exec(select(Resend.query)))
    assert queries == {"", f"zoom_app={both[0].zoom_app_id}"}


def test_a_topic_of_another_app_is_not_followed(
    limited: dict[Role, FlaskClient], both: tuple[Furnished, Furnished]
) -> None:
    support = limited[Role.SUPPORT]

    for kind in ("zoom_app", "connection", "webhook", "resend"):
        for one, expected in zip(both, (200, 404), strict=True):
            topic = f"{kind.replace('_', '-')}-{getattr(one, f'{kind}_id')}"
            answer = support.head(f"/live/stream?topics={topic}")
            assert (topic, answer.status_code) == (topic, expected)


def test_what_is_pushed_is_drawn_within_the_limits(
    app: Flask, both: tuple[Furnished, Furnished]
) -> None:
    mine, other = (one.zoom_app_id for one in both)
    limited, whole = Onlooker(Role.SUPPORT, frozenset({mine})), Onlooker(Role.SUPPORT)
    draw = fragments.drawing(app, HTTPS)

    overview = draw("overview", [whole, limited])
    foreign = draw(f"zoom-app-{other}", [whole, limited])

    assert b"App other" in overview[whole].html
    assert b"App other" not in overview[limited].html
    assert b"App mine" in overview[limited].html
    assert foreign.keys() == {whole}


@pytest.mark.parametrize("is_limited", [False, True])
def test_who_is_not_limited_pays_nothing(
    as_role: SignIn,
    runtime: Runtime,
    both: tuple[Furnished, Furnished],
    is_limited: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    as_role(Role.SUPPORT)
    if is_limited:
        limit(runtime, Role.SUPPORT, both[0].zoom_app_id)
    browser, sent = as_role(Role.SUPPORT), []

    def note(*told: object) -> None:
        sent.append(str(told[2]))

    event.listen(runtime.database._reader, "before_cursor_execute", note)
    browser.get("/connections/")

    assert any("staff_zoom_app" in one for one in sent) is is_limited
    assert any("NOT MATERIALIZED" in one for one in sent) is is_limited
