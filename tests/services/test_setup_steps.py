"""Each step of the set-up is ticked by evidence, and says the one thing to do next."""

from datetime import timedelta
from uuid import uuid4

import pytest

from dashboard.db import Database
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing, ScopeStyle, ZoomApp
from dashboard.services import scopes, setup_facts, setup_steps
from dashboard.services.setup_facts import Facts
from dashboard.services.setup_steps import Key, Step
from dashboard.services.validation_states import State, ValidationStatus
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app

FULL = " ".join(scopes.required(Kind.USER_LEVEL, ScopeStyle.GRANULAR))


def a_status(state: State) -> ValidationStatus:
    return ValidationStatus(state=state, sentence=f"It is {state}.", since=NOON)


def steps(
    app: ZoomApp,
    ours: State = State.NEVER_SEEN,
    recalls: State = State.NEVER_SEEN,
    connection: Connection | None = None,
) -> dict[Key, Step]:
    facts = Facts(
        zoom_app=app,
        ours=a_status(ours),
        recalls=a_status(recalls),
        first=connection,
        granted=connection,
    )
    return {step.key: step for step in setup_steps.steps(facts)}


def test_a_new_app_has_five_steps_each_with_one_thing_to_do(vault: Vault) -> None:
    found = steps(a_zoom_app(vault))

    assert list(found) == list(Key)
    assert not any(step.is_done for step in found.values())
    assert all(step.next for step in found.values())


def test_an_app_of_which_everything_was_seen_is_done_with_proof_and_time(
    vault: Vault,
) -> None:
    app = a_zoom_app(
        vault,
        verdict=Verdict.RIGHT,
        checked_at=NOON,
        recall_app_id=uuid4(),
        recall_created_at=NOON,
    )

    found = steps(app, State.VALID, State.VALID, a_connection(app, scopes=FULL))

    assert all(step.is_done and step.proof and step.at for step in found.values())
    assert setup_steps.next_open(list(found.values())) is None


@pytest.mark.parametrize("state", [one for one in State if one is not State.VALID])
def test_webhooks_are_not_ticked_unless_both_ways_are_valid(
    vault: Vault, state: State
) -> None:
    app = a_zoom_app(vault)

    assert not steps(app, State.VALID, state)[Key.WEBHOOKS].is_done
    assert not steps(app, state, State.VALID)[Key.WEBHOOKS].is_done


def test_with_direct_routing_only_recalls_way_counts(vault: Vault) -> None:
    app = a_zoom_app(vault, routing=Routing.DIRECT)

    assert steps(app, State.NEVER_SEEN, State.VALID)[Key.WEBHOOKS].is_done


def test_a_mismatch_in_recall_names_the_button_that_mends_it(vault: Vault) -> None:
    step = steps(a_zoom_app(vault), State.VALID, State.SECRET_MISMATCH)[Key.WEBHOOKS]

    assert step.tone == "trouble"
    assert step.next == "Press Update in Recall."


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [(Verdict.WRONG, "trouble"), (Verdict.UNKNOWN, "waiting"), (Verdict.RIGHT, None)],
)
def test_credentials_are_ticked_by_zooms_verdict(
    vault: Vault, verdict: Verdict, tone: str | None
) -> None:
    step = steps(a_zoom_app(vault, verdict=verdict))[Key.CREDENTIALS]

    assert step.tone == tone
    assert step.is_done is (verdict is Verdict.RIGHT)


def test_a_lost_answer_is_said(vault: Vault) -> None:
    step = steps(a_zoom_app(vault, create_key=str(uuid4())))[Key.RECALL_APP]

    assert step.tone == "waiting"
    assert "never makes a second one" in step.next


def test_a_scope_that_a_user_did_not_grant_is_named(vault: Vault) -> None:
    app = a_zoom_app(vault)

    found = steps(app, connection=a_connection(app, scopes="user:read:user"))

    assert found[Key.SCOPES].tone == "trouble"
    assert "meeting:read:list_meetings" in found[Key.SCOPES].proof


def test_a_connection_found_to_lack_a_scope_is_trouble_with_its_reason(
    vault: Vault,
) -> None:
    app = a_zoom_app(vault)
    lacking = a_connection(app, token_reason="It lacks meeting:read:list_meetings.")
    facts = Facts(
        zoom_app=app,
        ours=a_status(State.VALID),
        recalls=a_status(State.VALID),
        lacking=lacking,
    )

    step = setup_steps.steps(facts)[0]

    assert step.tone == "trouble"
    assert step.proof == "Ana Nowak: It lacks meeting:read:list_meetings."


def test_a_working_token_alone_does_not_tick_the_join_token_scope(
    vault: Vault,
) -> None:
    app = a_zoom_app(vault)
    facts = Facts(
        zoom_app=app,
        ours=a_status(State.VALID),
        recalls=a_status(State.VALID),
        working=a_connection(app),
        lacking=a_connection(app),
    )

    step = setup_steps.steps(facts)[0]

    assert not step.is_done
    assert step.tone is None
    assert "Profile read and meetings listed" in step.proof


def test_what_was_seen_last_of_tokens_is_gathered(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    with database.writing() as session:
        session.add(app)
        session.flush()
        for name, state, sync in (
            ("Lacking", TokenState.MISSING_SCOPES, SyncStatus.FAILED),
            ("Working", TokenState.HEALTHY, SyncStatus.COMPLETED),
            ("Unsynced", TokenState.HEALTHY, SyncStatus.FAILED),
        ):
            session.add(
                a_connection(
                    app, display_name=name, token_state=state, sync_status=sync
                )
            )

    with database.reading() as session:
        facts = setup_facts.gather(
            session, app, ours=a_status(State.VALID), recalls=a_status(State.VALID)
        )

    assert facts.lacking is not None
    assert facts.working is not None
    assert facts.lacking.display_name == "Lacking"
    assert facts.working.display_name == "Working"


def test_trouble_is_opened_before_what_is_merely_undone(vault: Vault) -> None:
    found = steps(a_zoom_app(vault), State.VALID, State.FAILING)

    assert setup_steps.next_open(list(found.values())) is Key.WEBHOOKS


def test_the_first_user_and_the_newest_seen_grant_are_gathered(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    later = NOON + timedelta(days=1)
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add(a_connection(app, display_name="First", scopes="a"))
        session.add(
            a_connection(app, display_name="Newest", scopes=FULL, connected_at=later)
        )
        session.add(
            a_connection(
                app, display_name="Unseen", connected_at=later + timedelta(hours=1)
            )
        )

    with database.reading() as session:
        facts = setup_facts.gather(
            session, app, ours=a_status(State.VALID), recalls=a_status(State.VALID)
        )

    assert facts.first is not None
    assert facts.granted is not None
    assert (facts.first.display_name, facts.granted.display_name) == ("First", "Newest")
