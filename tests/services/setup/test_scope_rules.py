"""What is known of the scopes, and the one thing to do next: one row a case."""

from typing import Any

import pytest

from dashboard.models.connection import TokenState
from dashboard.services.setup.rules import steps
from dashboard.services.setup.scope_rules import ScopeFacts
from dashboard.services.setup.steps import SetupStep, StepKey, Target
from dashboard.services.zoom_apps import scopes
from dashboard.vault import Vault
from tests.fixtures.setup import a_working, an_app, facts
from tests.makers import a_connection

LACKS = {
    "token_state": TokenState.MISSING_SCOPES,
    "token_reason": "The grant lacks meeting:read:local_recording_token.",
}


@pytest.fixture
def zoom_app(vault: Vault) -> Any:
    return an_app(vault)


def scopes_of(
    zoom_app: Any, *first_seen: StepKey, user: Any = None, **granting: Any
) -> SetupStep:
    found = facts(zoom_app, *first_seen, user=user, granting=ScopeFacts(**granting))
    return next(one for one in steps(found) if one.key is StepKey.SCOPES)


def test_nobody_is_connected(zoom_app: Any) -> None:
    one = scopes_of(zoom_app)

    assert one.next == "Connect a user first: scopes are proved by real calls."
    assert one.target is Target.CONNECT


def test_a_token_that_does_not_work_yet_says_why(zoom_app: Any) -> None:
    ana = a_connection(
        zoom_app, token_state=TokenState.UNKNOWN, token_reason="Not yet."
    )

    one = scopes_of(zoom_app, user=ana)

    assert (one.tone, one.remark) == ("waiting", "Ana Nowak: Not yet.")
    assert one.connection_id == ana.id


@pytest.mark.parametrize(
    "state", [TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL]
)
def test_a_grant_that_is_over_needs_the_user(zoom_app: Any, state: TokenState) -> None:
    one = scopes_of(zoom_app, user=a_connection(zoom_app, token_state=state))

    assert one.next == "Let Ana Nowak connect again."


def test_a_working_token_alone_is_no_proof_of_the_join_token(zoom_app: Any) -> None:
    ana = a_working(zoom_app)

    one = scopes_of(zoom_app, user=ana, working=ana)

    assert (one.is_done, one.tone, one.target) == (
        False,
        "waiting",
        Target.CONNECTION,
    )
    assert "no join token was fetched yet" in one.remark
    assert one.next.startswith("Schedule a meeting in Zoom as Ana Nowak. Then press")


def test_a_grant_that_lacks_a_scope_is_trouble_that_names_it(zoom_app: Any) -> None:
    ana, ben = (
        a_working(zoom_app),
        a_connection(zoom_app, display_name="Ben Okafor", **LACKS),
    )

    one = scopes_of(zoom_app, user=ana, working=ana, lacking=ben)

    assert one.tone == "trouble"
    assert one.remark == f"Ben Okafor: {LACKS['token_reason']}"
    assert one.next == "Add what is missing in Zoom, then let Ben Okafor connect again."
    assert one.connection_id == ben.id


def test_once_seen_one_user_who_unticks_what_others_grant_is_no_trouble(
    zoom_app: Any,
) -> None:
    ana, ben = a_working(zoom_app), a_connection(zoom_app, **LACKS)

    assert scopes_of(
        zoom_app, StepKey.SCOPES, user=ana, working=ana, lacking=ben
    ).is_done


def test_once_seen_it_is_trouble_again_when_nobody_has_them_all(zoom_app: Any) -> None:
    ana, ben = a_working(zoom_app), a_connection(zoom_app, **LACKS)

    one = scopes_of(zoom_app, StepKey.SCOPES, user=ana, lacking=ben)

    assert (one.tone, one.is_done) == ("trouble", False)
    assert one.at is not None
    assert "The proof of scopes" in one.proof


def test_once_seen_it_is_trouble_when_the_one_who_proved_it_lacks_one_now(
    zoom_app: Any,
) -> None:
    ana = a_connection(zoom_app, **LACKS)

    one = scopes_of(
        zoom_app, StepKey.SCOPES, user=ana, lacking=ana, working=a_working(zoom_app)
    )

    assert one.tone == "trouble"


def test_scopes_known_by_name_are_compared(zoom_app: Any) -> None:
    few = a_connection(zoom_app, scopes="user:read:user")
    full = a_connection(
        zoom_app, scopes=" ".join(scopes.required(zoom_app.kind, zoom_app.scope_style))
    )

    one = scopes_of(zoom_app, user=few, granted=few)

    assert one.tone == "trouble"
    assert "meeting:read:list_meetings" in one.remark
    assert scopes_of(zoom_app, StepKey.SCOPES, user=full, granted=full).is_done
