"""The side bar: what exists, what one may read, where one is."""

from flask import Blueprint, Flask, Request
from flask_login import LoginManager, UserMixin

from dashboard.web import navigation

READS = ("overview:read", "webhooks:read")


class Someone(UserMixin):  # type: ignore[misc]  # Flask-Login ships no types
    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def can(self, permission: str) -> bool:
        return permission in self.allowed


def an_app(who: Someone, *nouns: str) -> Flask:
    app = Flask("tests", static_folder=None)

    def find(_request: Request) -> Someone:
        return who

    LoginManager(app).request_loader(find)
    for noun in nouns:
        blueprint = Blueprint(noun, __name__, url_prefix=f"/{noun}")
        blueprint.add_url_rule("/", "index", lambda: "")
        app.register_blueprint(blueprint)
    return app


def test_a_page_that_does_not_exist_yet_is_left_out() -> None:
    app = an_app(Someone(*READS), "overview", "webhooks")

    with app.test_request_context("/overview/"):
        shown = navigation.navigation()

    assert [entry.label for entry in shown.entries] == ["Overview", "Webhooks"]
    assert shown.sign_out_url == ""


def test_a_page_the_person_may_not_read_is_left_out() -> None:
    app = an_app(Someone("audit:read"), "staff", "audit", "workspaces")

    with app.test_request_context("/audit/"):
        shown = navigation.navigation()

    assert [entry.label for entry in shown.account] == ["Audit log"]


def test_the_page_one_is_on_is_marked() -> None:
    app = an_app(Someone(*READS), "overview", "webhooks")

    with app.test_request_context("/webhooks/"):
        shown = navigation.navigation()

    assert [entry.label for entry in shown.entries if entry.is_current] == ["Webhooks"]


def test_the_first_page_is_one_that_the_person_may_open() -> None:
    app = an_app(Someone("audit:read", "staff:read"), "overview", "audit", "workspaces")

    with app.test_request_context("/"):
        assert navigation.first_page() == "/audit/"
