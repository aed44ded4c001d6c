"""The document of the API: valid, complete, and what the API does.

Schemathesis draws requests from the document, good and bad ones, and finds an answer of
5xx, one that is not documented, and a bad request that is not refused. With
`API_EXAMPLES=300` in the environment it draws 300 of each kind of each operation.
"""

import os
import sys
from collections import Counter
from typing import Any
from uuid import uuid4

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from sqlmodel import Session

from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.services.api_tokens.tokens import Scope
from dashboard.services.runtime import Runtime
from dashboard.web.api import bearer, document
from tests.conftest import HTTPS, SignIn
from tests.fixtures.api import a_token
from tests.makers import a_body, a_connection, a_webhook, a_zoom_app

EXAMPLES = int(os.environ.get("API_EXAMPLES", "8"))  # noqa: TID251 - a test's own
SEED = 16

LEFT_OUT = [
    ignored_auth,  # each is sent with a token, whatever was drawn in its place
    positive_data_acceptance,  # a cursor or a return address may be well spelled only
]


def openapi_of(app: Flask) -> dict[str, Any]:
    found = app.test_client().get("/api/v1/openapi.json", base_url=HTTPS)
    assert found.status_code == 200
    made: dict[str, Any] = found.get_json()
    return made


def test_the_document_is_valid_and_names_every_operation_once(app: Flask) -> None:
    made = openapi_of(app)

    OpenAPIV31SpecValidator(made).validate()

    names = Counter(one["operationId"] for _, _, one in document.operations(made))
    routes = {
        rule.endpoint.removeprefix("api.")
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.")
    }
    assert made["openapi"] == "3.1.0"
    assert set(names) == routes
    assert set(names.values()) == {1}


def test_every_post_takes_a_key_and_every_get_a_tag(app: Flask) -> None:
    for path, method, one in document.operations(openapi_of(app)):
        headers = {each["name"] for each in one["parameters"] if each["in"] == "header"}
        expected = {"POST": {"Idempotency-Key"}, "GET": {"If-None-Match"}}
        assert headers == expected.get(method, set()), path
        assert ("304" in one["responses"]) == (method == "GET"), path
        assert "429" in one["responses"], path


def test_the_page_of_it_names_every_operation_and_has_no_script_of_others(
    app: Flask, as_role: SignIn
) -> None:
    page = as_role(Role.VIEWER).get("/api/v1/docs")

    assert page.status_code == 200
    for path, method, _ in document.operations(openapi_of(app)):
        assert f"{method} {path}" in page.text
    for scope in Scope:
        assert f"<code>{scope}</code>" in page.text
    assert 'src="http' not in page.text


class Places:
    """Rows that exist, so that good requests are answered with more than 404."""

    def __init__(self, runtime: Runtime) -> None:
        app = a_zoom_app(runtime.vault, recall_app_id=uuid4())
        app.return_origins = "https://app.example.com"
        row = a_connection(app)
        hook = a_webhook(app, outcome=Outcome.DEAD)
        with runtime.database.writing() as session:
            self._add(session, runtime, app, row, hook)
        self.ids = {
            "zoom_app_id": str(app.id),
            "connection_id": str(row.id),
            "webhook_id": hook.id,
        }

    def _add(self, session: Session, runtime: Runtime, *rows: Any) -> None:
        app, row, hook = rows
        session.add(app)
        session.flush()
        session.add_all([row, hook])
        session.flush()
        session.add(a_body(runtime.vault, hook))


def run(app: Flask, runtime: Runtime, *, examples: int) -> Counter[str]:
    """Draw requests for each operation; return how many there were, by status."""
    places = Places(runtime)
    token = a_token(runtime).token
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    counted: Counter[str] = Counter()

    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # the document is valid
        named = {part.name for part in operation.path_parameters}
        real = {key: value for key, value in places.ids.items() if key in named}
        drawn: Any = st.one_of(  # type: ignore[call-overload]  # as below
            operation.as_strategy(generation_mode=mode, path_parameters=found)
            for mode in schemathesis.GenerationMode
            for found in ((None, real) if real else (None,))
        )

        @seed(SEED)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=drawn)
        def draw(case: Any) -> None:
            # Of another process's minute: what is drawn here is not about the rate.
            app.extensions["dashboard.api.rates"] = bearer.RateCounts()
            response = case.call(
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept-Encoding": "identity",
                }
            )
            counted.update((str(response.status_code), "requests"))
            case.validate_response(response, excluded_checks=LEFT_OUT)

        draw()
    return counted


def test_no_answer_is_5xx_or_undocumented(app: Flask, runtime: Runtime) -> None:
    counted = run(app, runtime, examples=EXAMPLES)

    sys.stdout.write(f"{dict(sorted(counted.items()))}\n")
    assert counted["requests"] >= EXAMPLES * 15
    assert {"200", "201", "404", "422"} <= set(counted)
