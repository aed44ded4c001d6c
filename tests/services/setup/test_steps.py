"""Each tick of the set-up: done, not done or in trouble; one row a case."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from dashboard.models.connection import TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing, TokenCustody
from dashboard.services.setup.steps import (
    Checklist,
    Facts,
    ScopeFacts,
    SetupStep,
    StepKey,
    Target,
    list_steps,
)
from dashboard.services.validation.states import State
from dashboard.services.zoom_apps import scopes
from dashboard.vault import Vault
from tests.fixtures.setup import a_status, a_working, an_app, facts
from tests.makers import NOON, a_connection

ALL = [key for key in StepKey if key is not StepKey.ZOOM_VALIDATED]


LATE = NOON + timedelta(minutes=30)


DIRECT = [
    *(StepKey.SCOPES, StepKey.PAIR, StepKey.RECALL_APP, StepKey.ZOOM_VALIDATED),
    *(StepKey.EVENT, StepKey.REDIRECT, StepKey.USER, StepKey.MAPPING),
]


TROUBLE = [state for state in State if state.tone == "trouble"]


NO_TROUBLE = [state for state in State if state.tone != "trouble"]


def step(key: StepKey, found: Facts) -> SetupStep:
    return next(one for one in list_steps(found) if one.key is key)


def test_users_of_an_own_server_are_added_there(vault: Vault) -> None:
    app = an_app(vault, token_custody=TokenCustody.OWN_SERVER)

    user = step(StepKey.USER, facts(app))

    assert user.next == "Enter your callback URL and add your own account."
    assert user.target is Target.CONNECT
    # Its redirect URL is the product's own: nothing here would ever prove it.
    assert [one.key for one in list_steps(facts(app))] == [
        key for key in ALL if key is not StepKey.REDIRECT
    ]


@pytest.mark.parametrize(
    ("routing", "keys"), [(Routing.RELAY, ALL), (Routing.DIRECT, DIRECT)]
)
def test_each_routing_lists_what_can_be_seen_with_it(
    vault: Vault, routing: Routing, keys: list[StepKey]
) -> None:
    app = an_app(vault, routing=routing)
    nothing, everything = (
        Checklist(steps=list_steps(facts(app))),
        list_steps(facts(app, *keys)),
    )

    assert [one.key for one in nothing.steps] == keys
    assert nothing.words == f"0 of {len(keys)} complete"
    assert all(one.next and not one.at and not one.proof for one in nothing.steps)
    assert all(one.is_done and one.proof and one.at == NOON for one in everything)
    assert not any(one.next or one.target or one.tone for one in everything)
    assert Checklist(steps=everything).is_complete
    assert Checklist(steps=everything).next is None


@pytest.mark.parametrize("missing", ALL)
def test_one_that_is_missing_is_the_one_thing_to_do_next(
    vault: Vault, missing: StepKey
) -> None:
    app = an_app(vault)
    seen = [key for key in ALL if key is not missing]

    setup = Checklist(steps=list_steps(facts(app, *seen, user=a_connection(app))))

    assert setup.words == "9 of 10 complete"
    assert setup.next is not None
    assert setup.next.key is missing
    assert setup.next.next.endswith(".")


NOT_YET = {
    "a pair Zoom could not be asked about": (
        {"verdict": Verdict.UNKNOWN},
        StepKey.PAIR,
        "Press Verify again.",
        Target.CHECK,
    ),
    "no Recall app": (
        {"recall_app_id": None},
        StepKey.RECALL_APP,
        "Choose a workspace and press Create in Recall.",
        Target.RECALL_APP,
    ),
    "a creation whose answer was lost": (
        {"recall_app_id": None, "create_key": str(uuid4())},
        StepKey.RECALL_APP,
        "Press Create in Recall again. It never creates a duplicate.",
        Target.RECALL_APP,
    ),
    "no challenge": (
        {},
        StepKey.CHALLENGE,
        "Paste the webhook URL in Zoom, then press Validate.",
        Target.WEBHOOKS,
    ),
    "Recall not tried": (
        {},
        StepKey.RECALL_VALIDATED,
        "Press Test now.",
        Target.PROBE,
    ),
    "Recall not tried, the app is not there": (
        {"recall_app_id": None},
        StepKey.RECALL_VALIDATED,
        "Create the app in Recall first.",
        Target.RECALL_APP,
    ),
    "Recall's URL not validated by Zoom": (
        {"routing": Routing.DIRECT},
        StepKey.ZOOM_VALIDATED,
        "Paste Recall's webhook URL in Zoom, then press Validate.",
        Target.WEBHOOKS,
    ),
    "nobody connected": (
        {},
        StepKey.USER,
        (
            "Add the two events and the redirect URL in Zoom. Then open the connect "
            "page and connect your own account."
        ),
        Target.CONNECT,
    ),
    "no event, and nobody to make one": (
        {},
        StepKey.EVENT,
        (
            "Add meeting.created and user.updated in Zoom, then save. Zoom sends "
            "events of connected users only, so the first event proves it later."
        ),
        Target.WEBHOOKS,
    ),
    "no connect attempt came back": (
        {},
        StepKey.REDIRECT,
        (
            "Paste the redirect URL in Zoom, then save. The first connect attempt "
            "proves it later."
        ),
        None,
    ),
}


@pytest.mark.parametrize(
    ("over", "key", "text", "target"), NOT_YET.values(), ids=NOT_YET.keys()
)
def test_what_was_not_seen_says_what_to_do_and_where(
    vault: Vault, over: dict[str, object], key: StepKey, text: str, target: Target
) -> None:
    one = step(key, facts(an_app(vault, **over)))

    assert (one.is_done, one.next, one.target) == (False, text, target)
    assert one.tone != "trouble"


BEFORE_A_USER = [
    *(StepKey.PAIR, StepKey.RECALL_APP, StepKey.RECALL_VALIDATED, StepKey.CHALLENGE),
]


def current(found: Facts) -> list[StepKey]:
    return [one.key for one in Checklist(steps=list_steps(found)).current]


def test_what_is_only_proved_by_a_user_is_done_before_the_first_connects(
    vault: Vault,
) -> None:
    app = an_app(vault)

    assert current(facts(app)) == [StepKey.PAIR]
    assert current(facts(app, StepKey.PAIR, StepKey.RECALL_APP)) == [
        StepKey.RECALL_VALIDATED
    ]
    assert current(facts(app, *BEFORE_A_USER)) == [
        *(StepKey.EVENT, StepKey.REDIRECT, StepKey.USER)
    ]
    assert current(facts(app, *BEFORE_A_USER, StepKey.REDIRECT)) == [
        *(StepKey.EVENT, StepKey.USER)
    ]
    assert current(facts(app, *ALL)) == []


AT_RECALL = (StepKey.PAIR, StepKey.RECALL_APP, StepKey.ZOOM_VALIDATED)


def test_with_direct_routing_the_events_are_a_step_that_recall_proves(
    vault: Vault,
) -> None:
    app = an_app(vault, routing=Routing.DIRECT)
    ana = a_connection(app, display_name="Ana Nowak")
    early = step(StepKey.EVENT, facts(app, *AT_RECALL))
    late = step(StepKey.EVENT, facts(app, *AT_RECALL, StepKey.USER, user=ana))

    assert current(facts(app, *AT_RECALL)) == [
        *(StepKey.EVENT, StepKey.REDIRECT, StepKey.USER)
    ]
    assert early.next == (
        "Add meeting.created and user.updated in Zoom, then save. The events go to "
        "Recall, not here: the first meeting that Recall maps because of one proves it "
        "later."
    )
    assert late.next == (
        "Add meeting.created and user.updated in Zoom, then save. Schedule a meeting "
        "in Zoom as Ana Nowak. Then press Check now on the connection's page. Don't "
        "sync the meetings first: that maps them without an event."
    )
    assert (late.target, late.connection_id) == (Target.CONNECTION, ana.id)


def test_an_admins_word_is_shown_and_completes_nothing(vault: Vault) -> None:
    app = an_app(vault, routing=Routing.DIRECT)
    found = facts(app, *AT_RECALL, events_said_at=NOON)

    said, user = step(StepKey.EVENT, found), step(StepKey.USER, found)

    assert not said.is_done
    assert (said.tone, said.said_at) == ("waiting", NOON)
    assert said.remark == (
        "An admin said on 2026-11-23 12:00 UTC that both are added. Nothing has shown "
        "it yet."
    )
    assert said.next.startswith("The events go to Recall, not here")
    assert "two events" not in user.next


def test_after_the_first_user_each_proof_has_its_turn_and_the_scopes_come_last(
    vault: Vault,
) -> None:
    app = an_app(vault)
    person, seen = a_connection(app), [*BEFORE_A_USER, StepKey.USER]
    turns = []

    for _ in range(len(ALL) - len(seen)):
        (upcoming,) = current(facts(app, *seen, user=person))
        turns.append(upcoming)
        seen.append(upcoming)

    assert turns == [
        *(StepKey.REDIRECT, StepKey.EVENT, StepKey.DELIVERY),
        *(StepKey.MAPPING, StepKey.SCOPES),
    ]


def test_trouble_is_turned_to_alone(vault: Vault) -> None:
    app = an_app(vault, verdict=Verdict.WRONG)

    assert current(facts(app, *BEFORE_A_USER)) == [StepKey.PAIR]


def test_the_step_done_last_is_known_while_something_is_left_to_do(
    vault: Vault,
) -> None:
    app = an_app(vault)

    def last(*seen: StepKey) -> StepKey | None:
        done = Checklist(steps=list_steps(facts(app, *seen))).last_done
        return done.key if done else None

    assert last() is None
    assert last(StepKey.PAIR) is StepKey.PAIR
    assert last(*BEFORE_A_USER) is StepKey.CHALLENGE
    assert last(*BEFORE_A_USER, StepKey.EVENT) is StepKey.EVENT
    assert last(*ALL) is None


def test_users_who_came_from_recall_prove_no_redirect_url(vault: Vault) -> None:
    app = an_app(vault)

    one = step(StepKey.REDIRECT, facts(app, user=a_connection(app)))

    assert one.next.endswith("Then connect a user on the connect page.")
    assert one.target is Target.CONNECT


def test_a_subscription_read_by_api_is_no_event_that_recall_refused(
    vault: Vault,
) -> None:
    app = an_app(vault)
    found = facts(app, StepKey.EVENT, user=a_connection(app), has_event=False)

    delivery, mapping = step(StepKey.DELIVERY, found), step(StepKey.MAPPING, found)

    assert step(StepKey.EVENT, found).is_done
    for one in (delivery, mapping):
        assert one.next.startswith("Schedule a meeting in Zoom as Ana Nowak.")
        assert not one.remark


def test_a_pair_refused_later_is_trouble_and_keeps_its_first_time(
    vault: Vault,
) -> None:
    app = an_app(vault, verdict=Verdict.WRONG, verdict_reason="Zoom refuses it.")

    one = step(StepKey.PAIR, facts(app, *ALL))

    assert (one.is_done, one.tone, one.at) == (False, "trouble", NOON)
    assert (one.remark, one.target) == ("Zoom refuses it.", Target.EDIT)
    assert one.proof == "The proof of pair"


@pytest.mark.parametrize(
    ("hours", "over", "restored_at", "is_proven"),
    [
        pytest.param(26, {}, None, False, id="asked too long ago"),
        pytest.param(25.9, {}, None, True, id="asked lately"),
        pytest.param(-1, {}, None, False, id="dated ahead"),
        pytest.param(1, {"pair_doubted_at": LATE}, None, False, id="doubted since"),
        pytest.param(1, {"pair_doubted_at": NOON}, None, True, id="asked since"),
        pytest.param(1, {}, LATE, False, id="restored since"),
        pytest.param(1, {"verdict": Verdict.UNKNOWN}, None, False, id="no answer"),
    ],
)
def test_a_pair_is_green_only_while_zooms_answer_counts(
    vault: Vault,
    *,
    hours: float,
    over: dict[str, Any],
    restored_at: datetime | None,
    is_proven: bool,
) -> None:
    now = NOON + timedelta(hours=hours)
    app = an_app(vault, **over)

    found = facts(app, StepKey.PAIR, now=now, restored_at=restored_at)

    one = step(StepKey.PAIR, found)
    assert (one.is_done, one.is_proven) == (True, is_proven)
    assert (one.tone, bool(one.remark)) == (
        (None, False) if is_proven else ("waiting", True)
    )


def test_a_pair_that_zoom_cannot_be_asked_about_later_stays_ticked(
    vault: Vault,
) -> None:
    assert step(
        StepKey.PAIR, facts(an_app(vault, verdict=Verdict.UNKNOWN), StepKey.PAIR)
    ).is_done


GONE = replace(a_status(State.FAILING), title="Deleted in Recall")


@pytest.mark.parametrize(
    "over", [{"recall_status": GONE}, {}], ids=["gone", "given up"]
)
def test_an_app_gone_from_recall_is_trouble(vault: Vault, over: dict[str, Any]) -> None:
    app = an_app(vault) if over else an_app(vault, recall_app_id=None)

    setup = Checklist(steps=list_steps(facts(app, *ALL, **over)))

    assert not setup.is_complete
    assert setup.next is not None
    assert (setup.next.key, setup.next.tone) == (StepKey.RECALL_APP, "trouble")
    assert setup.next.at == NOON


@pytest.mark.parametrize(
    ("way", "key"),
    [("zoom_status", StepKey.CHALLENGE), ("recall_status", StepKey.RECALL_VALIDATED)],
)
@pytest.mark.parametrize("state", State)
def test_a_way_in_trouble_takes_its_tick_away_and_a_late_one_does_not(
    vault: Vault, way: str, key: StepKey, state: State
) -> None:
    one = step(key, facts(an_app(vault), *ALL, **{way: a_status(state)}))

    assert one.is_done is (state in NO_TROUBLE)
    assert one.is_proven is (state.tone == "good")
    assert one.at == NOON
    assert one.remark == ("" if one.is_proven else f"It is {state}.")


def test_a_mismatch_names_the_act_that_mends_it(vault: Vault) -> None:
    app, mismatch = an_app(vault), a_status(State.SECRET_MISMATCH)

    zoom_status = step(StepKey.CHALLENGE, facts(app, zoom_status=mismatch))
    recall_status = step(StepKey.RECALL_VALIDATED, facts(app, recall_status=mismatch))

    assert (zoom_status.target, recall_status.target) == (
        Target.EDIT,
        Target.UPDATE_IN_RECALL,
    )
    assert recall_status.next == "Press Update in Recall."


def test_a_meeting_is_asked_for_when_someone_is_connected(vault: Vault) -> None:
    app = an_app(vault)

    one = step(StepKey.EVENT, facts(app, user=a_connection(app)))

    assert one.next == (
        "Schedule a meeting in Zoom as Ana Nowak. If nothing arrives, add "
        "meeting.created and user.updated in Zoom, then save."
    )


def test_trouble_comes_before_what_is_merely_not_seen_yet(vault: Vault) -> None:
    setup = Checklist(
        steps=list_steps(
            facts(an_app(vault), StepKey.PAIR, recall_status=a_status(State.FAILING))
        )
    )

    assert setup.next is not None
    assert setup.next.key is StepKey.RECALL_VALIDATED


def test_events_that_recall_does_not_take_lead_to_the_log(vault: Vault) -> None:
    one = step(StepKey.DELIVERY, facts(an_app(vault), StepKey.EVENT))

    assert (one.tone, one.target) == ("waiting", Target.LOG)


@pytest.mark.parametrize("routing", Routing)
def test_a_meeting_is_asked_of_the_connected_user_by_name(
    vault: Vault, routing: Routing
) -> None:
    app = an_app(vault, routing=routing)
    ana = a_connection(app)

    one = step(StepKey.MAPPING, facts(app, user=ana))

    assert one.next.startswith("Schedule a meeting in Zoom as Ana Nowak.")
    # Nothing tells of the meeting when Zoom posts to Recall.
    assert ("Sync meetings" in one.next) is (routing is Routing.DIRECT)
    assert one.connection_id == (ana.id if routing is Routing.DIRECT else None)


def test_after_an_event_the_mapping_is_waited_for_and_can_be_asked_for(
    vault: Vault,
) -> None:
    app = an_app(vault)
    ana = a_connection(app)

    one = step(StepKey.MAPPING, facts(app, StepKey.EVENT, user=ana))

    assert (one.tone, one.target) == ("waiting", Target.CONNECTION)
    assert (one.connection_id, "Sync meetings" in one.next) == (ana.id, True)


def test_for_an_account_any_of_its_users_will_do(vault: Vault) -> None:
    app = an_app(vault, kind=Kind.ACCOUNT_LEVEL)

    one = step(StepKey.MAPPING, facts(app, user=a_connection(app)))

    assert one.next == "Schedule a meeting in Zoom as a user of the connected account."


def test_a_user_is_named_while_here_and_forgotten_when_gone(vault: Vault) -> None:
    app = an_app(vault)
    here = facts(app, *ALL, user=a_connection(app))

    named, gone = step(StepKey.USER, here), step(StepKey.USER, replace(here, people={}))

    assert named.proof == "Ana Nowak connected."
    assert named.pmi == 5551234567
    assert gone.is_done
    assert gone.proof == "A former user connected."
    assert gone.pmi is None


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
    return next(one for one in list_steps(found) if one.key is StepKey.SCOPES)


def test_nobody_is_connected(zoom_app: Any) -> None:
    one = scopes_of(zoom_app)

    assert one.next == "Connect a user first. Scopes are verified with live API calls."
    assert one.target is Target.CONNECT


def test_a_token_that_does_not_work_yet_says_why(zoom_app: Any) -> None:
    ana = a_connection(
        zoom_app, token_state=TokenState.UNKNOWN, token_reason="Not yet."
    )

    one = scopes_of(zoom_app, user=ana)

    assert (one.tone, one.remark) == ("waiting", "Ana Nowak: Not yet.")
    assert one.connection_id == ana.id


@pytest.mark.parametrize(
    ("state", "next_step"),
    [
        (TokenState.RECONNECT_NEEDED, "Ask Ana Nowak to reconnect."),
        (TokenState.UNHEALTHY_IN_RECALL, "Press Check now on Ana Nowak's page"),
    ],
)
def test_a_grant_that_is_over_needs_whom_its_page_names(
    zoom_app: Any, state: TokenState, next_step: str
) -> None:
    one = scopes_of(zoom_app, user=a_connection(zoom_app, token_state=state))

    assert one.next.startswith(next_step)


def test_a_working_token_alone_is_no_proof_of_the_join_token(zoom_app: Any) -> None:
    ana = a_working(zoom_app)

    one = scopes_of(zoom_app, user=ana, working=ana)

    assert (one.is_done, one.tone, one.target) == (
        False,
        "waiting",
        Target.CONNECTION,
    )
    assert "join token not fetched yet" in one.remark
    assert one.next.startswith("Schedule a meeting in Zoom as Ana Nowak. Then press")


def test_a_grant_that_lacks_a_scope_is_trouble_that_names_it(zoom_app: Any) -> None:
    ana, ben = (
        a_working(zoom_app),
        a_connection(zoom_app, display_name="Ben Okafor", **LACKS),
    )

    one = scopes_of(zoom_app, user=ana, working=ana, lacking=ben)

    assert one.tone == "trouble"
    assert one.remark == f"Ben Okafor: {LACKS['token_reason']}"
    assert (
        one.next == "Add the missing scopes in Zoom, then ask Ben Okafor to reconnect."
    )
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
    full = a_connection(zoom_app, scopes=" ".join(scopes.missing(set(), zoom_app)))

    one = scopes_of(zoom_app, user=few, granted=few)

    assert one.tone == "trouble"
    assert "meeting:read:list_meetings" in one.remark
    assert scopes_of(zoom_app, StepKey.SCOPES, user=full, granted=full).is_done
