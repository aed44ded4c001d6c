"""The macros: what every page is made of, drawn alone."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask, render_template_string
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import StrictUndefined
from wtforms import PasswordField, StringField
from wtforms.widgets import PasswordInput

from dashboard.clock import Clock
from dashboard.web import assets, filters

NOW = datetime(2026, 11, 23, 21, 4, 31, tzinfo=UTC)


class StoppedClock(Clock):
    def now(self) -> datetime:
        return NOW


class CredentialsForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    name = StringField("Name")
    # As careless as a form can be: the macro must hide it all the same.
    client_secret = PasswordField(
        "Client secret", widget=PasswordInput(hide_value=False)
    )


@pytest.fixture
def app() -> Flask:
    app = Flask("dashboard", static_folder=None)
    app.secret_key = "test-secret-key-0001"
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    CSRFProtect(app)
    assets.install(app)
    filters.install(app, StoppedClock())
    return app


def draw(app: Flask, imported: str, source: str, **values: object) -> BeautifulSoup:
    template = "{% from 'macros/" + imported + " %}" + source
    with app.test_request_context():
        return BeautifulSoup(render_template_string(template, **values), "html5lib")


def the(page: BeautifulSoup, selector: str) -> Tag:
    found = page.select(selector)
    assert len(found) == 1, selector
    return found[0]


def words(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def test_a_status_has_icon_word_age_and_reason_in_that_order(app: Flask) -> None:
    page = draw(
        app,
        "status.html' import status",
        "{{ status('good', 'valid', age=at, reason='answered in 3 ms') }}",
        at=NOW - timedelta(minutes=4),
    )

    assert words(the(page, "body")) == "valid 4 min ago answered in 3 ms"
    assert str(the(page, "use")["href"]).endswith("#i-circle-check")


def test_a_time_tells_both_how_long_ago_and_when(app: Flask) -> None:
    page = draw(app, "time.html' import ago", "{{ ago(at) }}", at=NOW)

    time = the(page, "time")
    assert time["datetime"] == "2026-11-23T21:04:31Z"
    assert time["title"] == "2026-11-23 21:04:31 UTC"


def test_a_time_that_has_not_come_is_never(app: Flask) -> None:
    page = draw(app, "time.html' import ago", "{{ ago(None) }}")

    assert words(the(page, "body")) == "never"


def test_a_copy_button_has_a_name_and_the_whole_value(app: Flask) -> None:
    value = "32721c6e-3acf-4511-8a0c-34b7ab12cd34"

    page = draw(
        app,
        "copy.html' import copyable",
        "{{ copyable(value, 'Recall app ID') }}",
        value=value,
    )

    button = the(page, "button")
    assert button["data-copy"] == value
    assert button["aria-label"] == "Copy Recall app ID"
    assert "…" in the(page, "code").text


def test_an_error_is_tied_to_its_field(app: Flask) -> None:
    with app.test_request_context():
        form = CredentialsForm()
        form.name.errors = ["Enter a name."]
        page = draw(app, "forms.html' import text", "{{ text(form.name) }}", form=form)

    field = the(page, "input")
    assert field["aria-invalid"] == "true"
    assert words(the(page, f"#{field['aria-describedby']}")) == "Enter a name."
    assert the(page, "label")["for"] == field["id"]


def test_what_is_typed_is_kept_but_a_secret_is_not(app: Flask) -> None:
    typed = {"name": "<Notetaker>", "client_secret": "test-secret-0001"}
    with app.test_request_context(method="POST", data=typed):
        form = CredentialsForm()
        page = draw(
            app,
            "forms.html' import text, secret",
            "{{ text(form.name) }}{{ secret(form.client_secret) }}",
            form=form,
        )

    assert the(page, "#name")["value"] == "<Notetaker>"
    assert not the(page, "#client_secret").get("value")
    assert "test-secret-0001" not in str(page)


def test_a_stored_secret_shows_when_it_was_set_and_how_to_keep_it(app: Flask) -> None:
    with app.test_request_context():
        page = draw(
            app,
            "forms.html' import secret",
            "{{ secret(form.client_secret, at, 32, '9f2c11ab') }}",
            form=CredentialsForm(),
            at=NOW - timedelta(days=3),
        )

    assert words(the(page, ".hint")).replace(" .", ".") == (
        "Set 3 d ago , 32 characters, fingerprint 9f2c11ab. Leave empty to keep it."
    )


def test_a_step_is_ticked_in_words_too(app: Flask) -> None:
    page = draw(
        app,
        "steps.html' import item",
        "{{ item('A', done=True, proof='seen', at=at) }}{{ item('B', done=False) }}",
        at=NOW,
    )

    labels = [icon["aria-label"] for icon in page.select("svg")]
    assert labels == ["done", "not yet"]


def test_an_act_that_loses_something_is_asked_about_in_a_form(app: Flask) -> None:
    page = draw(
        app,
        "dialogs.html' import ask",
        "{{ ask('q', 'Remove', 'Remove A?', 'Gone.', '/x', 'Remove it', typed='A') }}",
    )

    form = the(page, "#q form")
    assert (form["method"], form["action"]) == ("post", "/x")
    assert the(page, "#q [name=csrf_token]")["value"]
    assert the(page, "#q [name=typed_name]").has_attr("required")
    assert the(page, "button[popovertarget=q].btn:not(#q *)")


TEMPLATES = sorted((assets.STATIC.parent / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_no_template_asks_for_what_the_content_policy_refuses(path: Path) -> None:
    source = path.read_text()

    forbidden = re.findall(
        r"\sstyle=|<style|\son\w+=|hx-on|[\"']js:|\|\s*safe\b|<script>", source
    )
    assert forbidden == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_every_icon_named_is_in_the_sprite(path: Path) -> None:
    sprite = (assets.STATIC / "icons.svg").read_text()
    source = path.read_text()

    named = re.findall(r"\bicon\(\"([\w-]+)\"", source)
    assert [name for name in named if f'id="i-{name}"' not in sprite] == []


def test_every_search_form_has_a_name_so_that_two_on_a_page_are_told_apart() -> None:
    templates = Path(__file__).parents[2] / "dashboard" / "templates"
    forms = [
        (path.name, form)
        for path in templates.rglob("*.html")
        for form in re.findall(r'<form[^>]*role="search"[^>]*>', path.read_text())
    ]

    assert len(forms) >= 4
    assert [name for name, form in forms if "aria-label=" not in form] == []
