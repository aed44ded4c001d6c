"""Every route is closed unless declared; sweeps over all of them."""

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from dashboard.models.staff import Role
from dashboard.services.staff.permissions import GRANTS, Permission
from dashboard.web import access, signin
from tests.conftest import SignIn

PUBLIC = {
    "api_docs.openapi",
    "domain.file",
    "health.alive",
    "health.ready",
    "metrics.index",
    "signin.create",
    "passwords.create",
    "passwords.new",
    "signin.check_code",
    "signin.destroy",
    "signin.new",
    "signin.passkey",
    "signin.passkey_options",
    "signin.second_factor",
    "single_sign_on.begin",
    "single_sign_on.callback",
}
VALUES = {
    "uuid": "00000000-0000-0000-0000-000000000000",
    "int": "1",
    "path": "x",
    "default": "x",
}


def address(rule: Rule) -> str:
    # Fill each <converter:name> with something of its kind.
    parts = []
    for is_dynamic, data in rule._trace:
        if not is_dynamic:
            parts.append(data.removeprefix("|"))
            continue
        kind = type(rule._converters[data]).__name__
        kinds = {"UUIDConverter": "uuid", "IntegerConverter": "int"}
        parts.append(VALUES[kinds.get(kind, "default")])
    return "".join(parts)


def closed_rules(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        return [
            (rule.endpoint, method, address(rule))
            for rule in app.url_map.iter_rules()
            if rule.endpoint != "static"
            and not access.is_public(rule.endpoint)
            and not access.is_by_token(rule.endpoint)
            for method in sorted((rule.methods or set()) & {"GET", "POST"})
        ]


def test_an_undeclared_route_keeps_the_app_from_starting() -> None:
    app = Flask(__name__, static_folder=None)
    app.add_url_rule("/open", "forgotten", lambda: "open to all")

    with pytest.raises(RuntimeError, match="forgotten"):
        access.install(app)


def test_a_view_needs_what_it_declares() -> None:
    app = Flask(__name__, static_folder=None)
    closed = access.requires(Permission.STAFF_WRITE)(lambda: "for a few")
    app.add_url_rule("/closed", "closed", closed)
    app.add_url_rule("/open", "open", access.public(lambda: "open to all"))

    access.install(app)

    with app.app_context():
        assert access.needs("closed") is Permission.STAFF_WRITE
        assert access.needs("open") is None


@pytest.mark.parametrize(
    ("shown", "expected"), [("Welcome.", (200, "Welcome.")), (None, (303, None))]
)
def test_a_stranger_may_be_shown_something_else_than_the_sign_in(
    app: Flask, shown: str | None, expected: tuple[int, str | None]
) -> None:
    app.view_functions["overview.index"] = access.requires(
        Permission.OVERVIEW_READ, for_strangers=lambda: shown
    )(lambda: "for those who are signed in")

    answer = app.test_client().get("/")

    assert answer.status_code == expected[0]
    assert expected[1] in (None, answer.text)


def test_what_is_public_is_on_this_list(app: Flask) -> None:
    with app.app_context():
        public = {
            name
            for name in app.view_functions
            if name != "static" and access.is_public(name)
        }

    hosted = ("connect.", "invited.", "mine.")
    assert {name for name in public if not name.startswith(hosted)} == PUBLIC


def test_every_closed_route_refuses_a_stranger(
    app: Flask, stranger: FlaskClient
) -> None:
    swept = closed_rules(app)

    let_in = [
        (endpoint, method)
        for endpoint, method, url in swept
        if not stranger.open(url, method=method)
        .headers.get("Location", "")
        .startswith("/sign-in")
    ]

    assert len(swept) > 20
    assert let_in == []


def test_every_route_refuses_support_what_it_may_not(
    app: Flask, as_role: SignIn
) -> None:
    support = as_role(Role.SUPPORT)
    with app.app_context():
        forbidden = [
            (endpoint, method, url)
            for endpoint, method, url in closed_rules(app)
            if access.needs(endpoint) not in {None, *GRANTS[Role.SUPPORT]}
        ]

    let_in = [
        (endpoint, method)
        for endpoint, method, url in forbidden
        if support.open(url, method=method).status_code != 403
    ]

    assert len(forbidden) > 10
    assert let_in == []


def test_support_holds_no_writing_permission() -> None:
    writing = {p for p in Permission if p.endswith((":write", ":resend", ":reveal"))}

    assert not writing & GRANTS[Role.SUPPORT]


@pytest.mark.parametrize(
    "path", ["/", "/zoom-apps/", "/connections/", "/webhooks/", "/nothing-here"]
)
def test_support_sees_no_link_to_what_it_may_not(as_role: SignIn, path: str) -> None:
    page = BeautifulSoup(as_role(Role.SUPPORT).get(path).text, "html5lib")

    links = {str(a["href"]) for a in page.select("a[href]")}
    assert not {
        link for link in links if link.startswith(("/staff", "/audit", "/workspaces"))
    }
    assert not {link for link in links if link.endswith(("/new", "/edit"))}


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Strict-Transport-Security", "max-age=31536000"),
        ("Cache-Control", "no-store"),
    ],
)
def test_every_page_carries_the_headers(
    stranger: FlaskClient, header: str, value: str
) -> None:
    assert stranger.get("/sign-in").headers[header] == value


def test_the_policy_allows_no_inline_script_or_style(stranger: FlaskClient) -> None:
    policy = stranger.get("/sign-in").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("role", Role)
def test_anyone_of_a_role_may_do_what_the_role_may(role: Role) -> None:
    onlooker, stranger = signin.Onlooker(role), signin.Stranger()

    assert {each for each in Permission if onlooker.can(each)} == GRANTS[role]
    assert not any(stranger.can(each) for each in Permission)
    for each in (onlooker, stranger):
        with pytest.raises(ValueError, match="misspelt"):
            each.can("misspelt")


def test_a_request_that_the_app_makes_of_itself_is_of_anyone_of_a_role(
    app: Flask,
) -> None:
    environ: dict[str, object] = {}
    signin.stand_in(environ, signin.Onlooker(Role.SUPPORT))

    with app.test_request_context("/", environ_overrides=environ):
        assert signin.person() == signin.Onlooker(Role.SUPPORT)


def test_a_page_is_come_back_to_after_the_sign_in_but_no_form_is_sent_again(
    app: Flask, stranger: FlaskClient
) -> None:
    form = next(url for _, method, url in closed_rules(app) if method == "POST")

    page = stranger.get("/audit/?page=2")
    sent = stranger.post(form)

    assert page.headers["Location"].endswith("/sign-in?next=/audit/?page%3D2")
    assert sent.headers["Location"].endswith("/sign-in")
