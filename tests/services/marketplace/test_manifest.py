"""The manifest: what is in it, what stands in its way, and whether Zoom takes it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2
import jsonschema
import pytest
from sqlmodel import select

from dashboard.errors import ConflictError
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
)
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import manifest as manifests
from dashboard.services.marketplace import console, manifest
from dashboard.services.marketplace.console import Console
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.manifest_schema import schema
from tests.fixtures.relay import until
from tests.fixtures.servers import served
from tests.makers import SECRET_TOKEN, a_zoom_app

HTTPS = "https://dashboard.example.com"
CALLBACK = "/oauth/zoom/callback"
ALL = [
    (kind, environment, routing)
    for kind in Kind
    for environment in Environment
    for routing in Routing
]


def a_console(**over: Any) -> Console:
    made = Console(
        zoom_app_id=UUID("11111111-2222-4333-8444-555555555555"),
        name="Notetaker",
        slug="notetaker-1",
        environment=Environment.DEVELOPMENT,
        kind=Kind.USER_LEVEL,
        scope_style=ScopeStyle.GRANULAR,
        joins_external=False,
        routing=Routing.RELAY,
        custody=TokenCustody.RECALL,
        client_id="simC",
        redirect_url=f"{HTTPS}/oauth/zoom/callback",
        connect_url=f"{HTTPS}/connect/notetaker-1",
        webhook_url=f"{HTTPS}/hooks/zoom/1",
    )
    return replace(made, **over)


@pytest.mark.parametrize(("kind", "environment", "routing"), ALL)
def test_it_is_as_the_contracts_want_it(
    kind: Kind, environment: Environment, routing: Routing
) -> None:
    here = a_console(kind=kind, environment=environment, routing=routing)

    made = json.loads(manifest.text(here))

    jsonschema.validate(made, schema(environment.value))
    assert manifests.validation_answer(made) == {
        "ok": True,
        "error": "",
        "errors": None,
    }


def test_only_the_own_environment_is_filled_unless_both_are_here() -> None:
    alone = json.dumps(manifest.build(a_console()))
    both = manifest.build(a_console(twin_webhook_url=f"{HTTPS}/hooks/zoom/2"))

    (subscription,) = both["features"]["event_subscription"]["events"]  # type: ignore[index]
    assert "production_webhook_url" not in alone
    assert "production_redirect_uri" not in alone
    assert subscription["development_webhook_url"] == f"{HTTPS}/hooks/zoom/1"
    assert subscription["production_webhook_url"] == f"{HTTPS}/hooks/zoom/2"


def test_a_scope_that_only_an_sdk_brings_is_left_out() -> None:
    assert "zak" not in manifest.text(a_console())


def test_an_app_for_meetings_of_other_accounts_asks_for_their_scopes() -> None:
    made = manifest.build(a_console(joins_external=True))

    names = [one["scope"] for one in made["oauth_information"]["scopes"]]  # type: ignore[index]
    assert {"user:read:token", "user:read:zak"} < set(names)


def test_a_trial_on_one_machine_needs_no_other_redirect_url() -> None:
    def problems(**over: Any) -> list[str]:
        here = a_console(redirect_url="http://localhost:8000/oauth/zoom/callback")
        return [str(one) for one in manifest.problems(replace(here, **over))]

    trial = {"custody": TokenCustody.DASHBOARD, "routing": Routing.DIRECT}

    assert problems(**trial) == []
    (for_recall,) = problems(routing=Routing.DIRECT)
    assert "accepts for development and Recall refuses" in for_recall
    (live,) = problems(**trial, environment=Environment.PRODUCTION)
    assert "localhost" in live


def test_a_long_name_is_cut_and_that_is_said() -> None:
    here = a_console(name="An app with a name that goes on for longer than Zoom takes")

    made = manifest.build(here)

    name = made["display_information"]["display_name"]  # type: ignore[index]
    assert len(name) <= 49
    assert [one.is_fatal for one in manifest.problems(here)] == [False]
    assert name in str(manifest.problems(here)[0])


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"scope_style": ScopeStyle.LEGACY}, "apps with granular scopes"),
        ({"routing": Routing.DIRECT, "webhook_url": None}, "Create in Recall first"),
        ({"redirect_url": "https://u:p@x.example.com/"}, "contains a user name"),
    ],
)
def test_what_would_fail_is_not_offered(over: dict[str, Any], said: str) -> None:
    with pytest.raises(ConflictError, match=said):
        manifest.build(a_console(**over))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://dashboard.example.com", "not https"),
        ("https://localhost:8000", "localhost"),
        ("https://192.0.2.7", "IP address"),
    ],
)
def test_an_address_that_zoom_refuses_is_said_beforehand(url: str, said: str) -> None:
    ours = a_console(
        redirect_url=f"{url}/oauth/zoom/callback", webhook_url=f"{url}/hooks/zoom/1"
    )
    recalls = a_console(routing=Routing.DIRECT, webhook_url=f"{url}/webhook")

    for here, setting in (
        (ours, "DASHBOARD_PUBLIC_URL"),
        (recalls, "DASHBOARD_RECALL_URL"),
    ):
        (problem,) = manifest.problems(here)
        assert said in problem.sentence
        assert setting in problem.advice
        assert not problem.is_fatal


def test_the_other_environment_is_found_by_the_one_it_succeeds(
    runtime: Runtime,
) -> None:
    old = a_zoom_app(runtime.vault)
    new = a_zoom_app(
        runtime.vault, environment=Environment.PRODUCTION, succeeds_id=old.id
    )
    stranger = a_zoom_app(runtime.vault, environment=Environment.PRODUCTION)
    with runtime.database.writing() as session:
        session.add_all([old, new, stranger])

    with runtime.database.reading() as session:
        found = {
            app.id: console.gather(
                session, app.id, settings=runtime.settings, public_url=HTTPS
            ).twin_webhook_url
            for app in (old, new, stranger)
        }

    assert found == {
        old.id: f"{HTTPS}/hooks/zoom/{new.id}",
        new.id: f"{HTTPS}/hooks/zoom/{old.id}",
        stranger.id: None,
    }


@contextmanager
def a_bare_app_at_zoom(
    runtime: Runtime, sandbox: RunningSandbox, **over: Any
) -> Iterator[ConnectStage]:
    """Serve the dashboard; Zoom knows the app's credentials and nothing else of it."""
    with served(runtime) as (reachable, _):
        stage = a_connect_stage(reachable, sandbox, **over)
        sandbox.zoom_world.change_app(
            stage.app.client_id,
            environment=stage.app.environment.value,
            secret_token=SECRET_TOKEN.get_secret_value(),
            redirect_url=None,
            events=[],
            scopes=[],
        )
        yield stage


def text_of(stage: ConnectStage) -> str:
    with stage.runtime.database.reading() as session:
        here = console.gather(
            session,
            stage.app.id,
            settings=stage.runtime.settings,
            public_url=stage.runtime.public_url,
        )
    return manifest.text(here)


@pytest.mark.parametrize(("kind", "environment", "routing"), ALL)
def test_imported_it_validates_connects_and_brings_an_event(
    runtime: Runtime,
    sandbox: RunningSandbox,
    kind: Kind,
    environment: Environment,
    routing: Routing,
) -> None:
    over = {"kind": kind, "environment": environment, "routing": routing}
    with a_bare_app_at_zoom(runtime, sandbox, **over) as stage:
        page = f"{sandbox.zoom_url}/marketplace/apps/{stage.app.client_id}"
        file = {"file": ("manifest.json", text_of(stage).encode())}

        imported = httpx2.post(f"{page}/manifest", files=file, trust_env=False)
        at_zoom = sandbox.zoom_world.state.app(stage.app.client_id)
        pressed = httpx2.post(
            f"{page}/webhook",
            data={
                "do": "validate",
                "webhook_url": at_zoom.webhook_url or "",
                "events": at_zoom.events,
            },
            trust_env=False,
        )
        connection = stage.connect()
        sandbox.zoom_world.create_meeting(stage.ana.id)

        assert (imported.status_code, pressed.status_code) == (303, 303)
        assert at_zoom.validated_at is not None
        assert at_zoom.redirect_url == f"{stage.runtime.public_url}{CALLBACK}"
        assert at_zoom.optional_scopes == []
        assert connection.recall_credential_id is not None
        assert brings_it(stage, "meeting.created")


def brings_it(stage: ConnectStage, event: str) -> bool:
    """Tell whether the event arrives where the routing says."""

    def arrived() -> bool:
        if stage.app.routing is Routing.RELAY:
            with stage.runtime.database.reading() as session:
                return event in session.exec(select(Webhook.event)).all()
        received = stage.sandbox.recall_world.received
        return any(event.encode() in one.body for one in list(received))

    until(arrived)
    return arrived()
