"""Tokens on the customer's own server: tested, registered, watched, never half."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlmodel import select

from dashboard.app import chores
from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.own_server import OwnCallback, OwnServer
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.customer import KEY
from dashboard.services import former_emails
from dashboard.services.audit import Actor
from dashboard.services.connect import flow
from dashboard.services.connections import check
from dashboard.services.facts import connections as facts
from dashboard.services.facts.acting import Problem
from dashboard.services.grants import own_servers
from dashboard.services.grants.own_servers import Trouble
from dashboard.services.runtime import Runtime
from dashboard.services.status import attention, overview
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.every_column import places
from tests.makers import NOON, FakeClock

ADMIN = Actor(name="admin@example.com")


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    """An app of a customer that has tokens; its server is on this machine."""
    settings = runtime.settings.model_copy(update={"allow_private_endpoints": True})
    runtime = replace(runtime, settings=settings)
    made = a_connect_stage(runtime, sandbox, token_custody=TokenCustody.OWN_SERVER)
    save(made)
    return made


def url_of(stage: ConnectStage, key: str = KEY) -> str:
    base = f"{stage.sandbox.zoom_url}/customer/{stage.app.client_id}/token"
    return f"{base}?user={{user}}&auth_token={key}"


def save(stage: ConnectStage, url: str | None = None) -> None:
    typed = SecretStr(url_of(stage) if url is None else url)
    own_servers.save_url(stage.runtime, stage.app.id, typed, actor=ADMIN)


def add(stage: ConnectStage, user: str | None = None) -> Connection:
    name = stage.ana.id if user is None else user
    return own_servers.add_user(stage.runtime, stage.app.id, name, actor=ADMIN)


def stored(stage: ConnectStage) -> int:
    """Count what there is of users, here and at Recall."""
    with stage.runtime.database.reading() as session:
        rows = len(session.exec(select(Connection)).all())
        held = len(session.exec(select(OwnCallback)).all())
    return rows + held + len(stage.credentials())


def callback(stage: ConnectStage) -> OwnCallback:
    with stage.runtime.database.reading() as session:
        return session.exec(select(OwnCallback)).one()


def checked(stage: ConnectStage, row: Connection) -> Connection:
    return check.now(stage.runtime, row.id)


def test_a_user_is_tested_registered_and_found_healthy(stage: ConnectStage) -> None:
    row = checked(stage, add(stage))

    [credential] = stage.credentials()
    assert (row.token_state, row.token_custody) == (
        TokenState.HEALTHY,
        TokenCustody.OWN_SERVER,
    )
    # A slow machine may have let Recall sync meanwhile; then a join token is tried too.
    assert row.token_evidence.startswith(
        "Zoom answered an API call with a token from your token server."
    )
    assert (row.zoom_user_id, row.email) == (stage.ana.id, stage.ana.email)
    assert str(row.recall_credential_id) == str(credential.id)
    assert credential.access_token_callback_url is not None
    assert stage.ana.id in credential.access_token_callback_url


def test_who_is_added_again_with_another_email_is_found_by_the_former(
    stage: ConnectStage,
) -> None:
    row = add(stage)
    stage.sandbox.zoom_world.change_user(stage.ana.id, email="lis@example.org")

    again = add(stage)

    with stage.runtime.database.reading() as session:
        [former] = former_emails.of(session, row.id)
    assert (again.id, again.email) == (row.id, "lis@example.org")
    assert former.email == "ana@example.com"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("no_token", "answered 503 for this user"),
        ("json", "answered with JSON"),
        ("quoted", "put the token in quotes"),
        ("newline", "put a line break or a space around the token"),
        ("error_in_200", "answered 200 with something that is no token"),
        ("ends_soon", "less than 120 s left"),
        ("other_app", "token of another Zoom app"),
        ("revoked", "a token that Zoom rejects"),
        ("redirect", "redirects"),
        ("open", "answers 200 for a user that doesn't exist"),
        ("error_for_unknown", "fails for a user that doesn't exist"),
    ],
)
def test_each_mistake_of_the_server_has_its_sentence_and_nothing_is_stored(
    stage: ConnectStage, mode: str, said: str
) -> None:
    stage.sandbox.zoom_world.add_app(name="Another")
    stage.sandbox.zoom_world.switch(customer=mode)

    with pytest.raises(InvalidInputError) as caught:
        add(stage)

    assert said in str(caught.value)
    assert str(caught.value).startswith("Your token server ")
    assert str(caught.value).endswith("Nothing was stored.")
    assert KEY not in str(caught.value)
    assert stored(stage) == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (FaultKind.SLOW, "did not answer within 5 s"),
        (FaultKind.PAGE, "answered with a web page"),
        (FaultKind.DOWN, "could not be reached"),
        (FaultKind.EMPTY, "something that is no token"),
        (FaultKind.SERVER_ERROR, "answered 500"),
    ],
)
def test_each_failure_on_the_way_has_its_sentence(
    stage: ConnectStage, monkeypatch: pytest.MonkeyPatch, fault: FaultKind, said: str
) -> None:
    if fault is FaultKind.SLOW:
        monkeypatch.setattr(own_servers, "LIMIT_S", 0.2)
    faults = [Fault(kind=fault, path="/customer/", seconds=1.0)]
    stage.sandbox.zoom_faults.set(faults)

    with pytest.raises(InvalidInputError, match=said):
        add(stage)

    assert stored(stage) == 0


def test_what_recall_refuses_is_not_stored_here(stage: ConnectStage) -> None:
    body = '{"access_token_callback_url": ["Enter a valid URL."]}'
    fault = Fault(
        kind=FaultKind.ANSWER,
        path="/api/v2/zoom-oauth-credentials/",
        method="POST",
        status=400,
        body=body,
    )
    stage.sandbox.recall_faults.set([fault])

    with pytest.raises(InvalidInputError, match="Nothing was stored"):
        add(stage)

    assert stored(stage) == 0


def test_a_user_who_is_there_already_keeps_connection_and_credential(
    stage: ConnectStage,
) -> None:
    first = add(stage)

    again = add(stage)

    assert again.id == first.id
    assert stored(stage) == 3


def test_an_older_recall_that_calls_it_a_conflict_is_got_past(
    stage: ConnectStage,
) -> None:
    add(stage)
    stage.sandbox.recall_world.switches.reconnect = "conflict"

    row = add(stage)

    assert checked(stage, row).token_state is TokenState.HEALTHY
    assert len(stage.credentials()) == 1


@pytest.mark.parametrize(
    ("mode", "said"), [("no_token", "answered 503"), ("ends_soon", "less than 120 s")]
)
def test_a_server_that_fails_later_is_the_admins_and_says_why(
    stage: ConnectStage, mode: str, said: str
) -> None:
    row = checked(stage, add(stage))
    stage.sandbox.zoom_world.switch(customer=mode)
    stage.runtime.clock.advance(minutes=10)  # type: ignore[attr-defined]  # a FakeClock

    row = checked(stage, row)

    now = stage.runtime.clock.now()
    stands = facts.standing(row, now=now)
    assert (row.token_state, row.token_cause) == (
        TokenState.UNKNOWN,
        TokenCause.OWN_SERVER,
    )
    assert said in row.token_reason
    assert (stands.problem, stands.who) == (Problem.OWN_SERVER, "admin")
    assert said in own_servers.words(callback(stage))
    assert callback(stage).tested_at == now

    stage.sandbox.zoom_world.switch(customer="right")
    assert checked(stage, row).token_state is TokenState.HEALTHY
    assert callback(stage).problem == ""


def test_who_must_authorize_again_is_not_sent_to_a_page_that_is_off(
    stage: ConnectStage,
) -> None:
    row = add(stage)
    row.note_state(
        TokenState.RECONNECT_NEEDED,
        "Zoom rejects it.",
        evidence="",
        at=row.connected_at,
    )

    stands = facts.standing(row, now=row.connected_at + timedelta(minutes=1))

    assert stands.problem is Problem.AUTHORIZE_ELSEWHERE
    assert "your own product" in stands.next_step


def test_a_credential_deleted_at_recall_is_registered_again(
    stage: ConnectStage,
) -> None:
    row = checked(stage, add(stage))
    [credential] = stage.credentials()
    stage.sandbox.recall_world.remove_credential(credential)

    row = checked(stage, row)

    [made] = stage.credentials()
    assert made.id != credential.id
    assert str(row.recall_credential_id) == str(made.id)
    assert row.token_state is TokenState.HEALTHY


def test_the_hosted_page_is_off(stage: ConnectStage) -> None:
    with pytest.raises(ConflictError, match="connect in another product"):
        stage.begin()
    with stage.runtime.database.reading() as session:
        assert flow.only_ready(session) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://tokens.example.com/t?u={user}", "not https"),
        ("https://localhost/t?u={user}", "it is localhost"),
        ("https://10.0.0.7/t?u={user}", "IP address"),
        ("https://[::1]/t?u={user}", "IP address"),
        ("https://tokens.internal/t?u={user}", "not known on the internet"),
        ("https://[tokens/t?u={user}", "This is not a URL"),
        ("https://[{user}", "This is not a URL"),
        ("https://tokens.example.com/t", "must hold {user} once"),
        ("https://{user}.example.com/t", "must hold {user} once"),
        ("https://tokens.example.com/{user}/{user}", "must hold {user} once"),
        ("https://a:b@tokens.example.com/t?u={user}", "a user or a fragment"),
        ("https://tokens.example.com/t?u={user}#x", "a user or a fragment"),
        ("https://tokens.example.com/t ?u={user}", "a space or a line break"),
        ("https://tokens.example.com/t?u={user}&k=" + "k" * 200, "longer than Recall"),
        ("ftp://tokens.example.com/{user}", "not a URL"),
        ("tokens.example.com/{user}", "not a URL"),
    ],
)
def test_a_url_that_recall_could_not_call_is_refused_and_the_stored_one_stays(
    runtime: Runtime, sandbox: RunningSandbox, url: str, said: str
) -> None:
    stage = a_connect_stage(runtime, sandbox, token_custody=TokenCustody.OWN_SERVER)
    save(stage, "https://tokens.customer-site.com/t?u={user}")

    with pytest.raises(InvalidInputError) as caught:
        save(stage, url)

    assert said in str(caught.value)
    assert "Nothing was saved." in str(caught.value)
    with runtime.database.reading() as session:
        assert session.exec(select(OwnServer)).one().host == "tokens.customer-site.com"


def test_a_public_name_with_a_private_address_is_never_asked(
    stage: ConnectStage,
) -> None:
    guarded = stage.runtime.settings.model_copy(
        update={"allow_private_endpoints": False}
    )
    stage.runtime = replace(stage.runtime, settings=guarded)
    before = len(stage.sandbox.zoom_world.state.grants)

    with pytest.raises(InvalidInputError, match="has a private address"):
        add(stage)

    assert len(stage.sandbox.zoom_world.state.grants) == before
    assert stored(stage) == 0


@pytest.mark.parametrize("user", ["", "  ", "a b", "x" * 121, "a\nb"])
def test_what_is_no_user_is_refused(stage: ConnectStage, user: str) -> None:
    with pytest.raises(InvalidInputError, match="Enter one user"):
        add(stage, user)


def test_a_user_is_quoted_into_the_url(stage: ConnectStage) -> None:
    with pytest.raises(InvalidInputError, match="answered 404 for this user"):
        add(stage, "ana&auth_token=x")


def test_without_a_url_or_with_other_storage_no_user_is_added(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    with pytest.raises(ConflictError, match="not on your own server"):
        add(stage)


def test_the_urls_are_nowhere_in_the_clear(stage: ConnectStage) -> None:
    add(stage)
    database, vault = stage.runtime.database, stage.runtime.vault

    assert places(database, vault, [KEY]) == {"own_server.url", "own_callback.url"}


def test_pressing_test_asks_for_a_stranger_too(stage: ConnectStage) -> None:
    row = add(stage)
    stage.sandbox.zoom_world.switch(customer="open")

    tested = own_servers.test_again(stage.runtime, row.id)

    assert tested.trouble is Trouble.OPEN
    assert callback(stage).problem == "open"


def server(stage: ConnectStage) -> OwnServer:
    with stage.runtime.database.reading() as session:
        return session.get_one(OwnServer, stage.app.id)


def daily(stage: ConnectStage) -> int:
    chore = own_servers.DailyTests(stage.runtime)
    begun = chore()
    chore.wait(20)
    return begun


def concerns(stage: ConnectStage) -> list[tuple[Problem, str]]:
    with stage.runtime.database.reading() as session:
        now = stage.runtime.clock.now()
        apps = overview.list_apps(session, now=now)
        url = stage.runtime.public_url
        found = attention.items(session, apps, public_url=url, now=now)
    return [
        (one.problem, one.sentence)
        for one in found
        if one.problem is Problem.OWN_SERVER_STRANGERS
    ]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("open", "answers 200 for a user that doesn't exist; answer 404"),
        ("error_for_unknown", "fails for a user that doesn't exist; answer 404"),
    ],
)
def test_the_server_is_asked_for_an_unknown_user_daily(
    stage: ConnectStage, clock: FakeClock, mode: str, said: str
) -> None:
    first = daily(stage)
    well = concerns(stage), server(stage).strangers_problem
    stage.sandbox.zoom_world.switch(customer=mode)
    clock.advance(hours=23)
    too_soon = daily(stage)
    clock.advance(hours=2)
    again = daily(stage)

    assert (first, too_soon, again) == (1, 0, 1)
    assert well == ([], "")
    assert server(stage).strangers_tested_at == clock.now()
    ((problem, sentence),) = concerns(stage)
    assert problem is Problem.OWN_SERVER_STRANGERS
    assert said in sentence
    stage.sandbox.zoom_world.switch(customer="right")
    clock.advance(hours=25)
    daily(stage)
    assert concerns(stage) == []


def test_a_test_by_hand_counts_as_the_days(
    stage: ConnectStage, clock: FakeClock
) -> None:
    row = add(stage)
    clock.advance(minutes=1)
    stage.sandbox.zoom_world.switch(customer="open")
    own_servers.test_again(stage.runtime, row.id)

    assert server(stage).strangers_problem == Trouble.OPEN.value
    assert daily(stage) == 0


def elsewhere(app: ZoomApp) -> None:
    app.token_custody = TokenCustody.RECALL


def retired(app: ZoomApp) -> None:
    app.retired_at = NOON


@pytest.mark.parametrize("made", [elsewhere, retired])
def test_a_server_that_is_not_in_use_is_not_asked(
    stage: ConnectStage, made: Callable[[ZoomApp], None]
) -> None:
    with stage.runtime.database.writing() as session:
        made(session.get_one(ZoomApp, stage.app.id))

    assert daily(stage) == 0


def test_a_new_url_is_tested_anew(stage: ConnectStage) -> None:
    daily(stage)

    save(stage)

    assert server(stage).strangers_tested_at is None
    assert daily(stage) == 1


def test_the_daily_test_is_among_the_workers_chores(runtime: Runtime) -> None:
    assert any(isinstance(one, own_servers.DailyTests) for one in chores(runtime))
