"""The verdicts of Explain, from facts alone: one row a case, as the docs have them."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dashboard.clients.recall.replies import CredentialStatus, RecallCredential
from dashboard.errors import UpstreamError
from dashboard.models.connection import AttemptOutcome, TokenState
from dashboard.models.erasure import ErasureReason
from dashboard.models.invitation import InvitationState
from dashboard.models.webhook import Outcome
from dashboard.services.bot_tests import outcomes
from dashboard.services.explain.evidence import of_gone
from dashboard.services.explain.questions import Asked, Kind
from dashboard.services.explain.rules import RULES, judge
from dashboard.services.explain.rules_people import APPS, GRANTS
from dashboard.services.explain.verdicts import Target, Tone, parts
from dashboard.services.facts import meetings
from dashboard.services.token_states import rules
from dashboard.services.token_states.rules import CheckResult
from tests.fixtures.explain_cases import CASES, Case
from tests.fixtures.explain_facts import (
    APP,
    OTHER,
    PMI,
    VAULT,
    a_meeting,
    ago,
    an_email,
    ana,
    bot,
    facts,
    gone,
    heard,
    hook,
    invited,
    mapped,
    tried,
)
from tests.makers import NOON, a_connection, a_zoom_app

CREDENTIAL = RecallCredential(
    id=UUID(int=1), oauth_app=UUID(int=2), status=CredentialStatus.HEALTHY
)
A_WEBHOOK = Asked(kind=Kind.WEBHOOK, shown="1", webhook_id=1)
DOCS = Path(__file__).parents[3] / "docs" / "explain.md"


def told_by_docs() -> list[tuple[str, ...]]:
    """Give id, sentence, who acts and next step of each row."""
    part = DOCS.read_text().split("## Verdicts\n")[1].split("\n## ")[0]
    cells = r" ([^|]+) \|"
    rows = re.findall(rf"^\| `([\w-]+)` \|{cells * 4}$", part, re.MULTILINE)
    return [(name, sentence, who, step) for name, _, sentence, who, step in rows]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_facts_give_the_verdict_of_their_row(case: Case) -> None:
    assert judge(case.facts).id == case.id


def test_the_docs_tell_the_same_rows_in_the_same_order() -> None:
    verdicts = [judge(case.facts) for case in CASES]

    assert told_by_docs() == [
        (each.id, each.sentence, each.who.words, each.step) for each in verdicts
    ]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_nothing_that_has_happened_is_dated_ahead(case: Case) -> None:
    """All of it was stored while the clock was six days ahead; it is right again."""
    now = case.facts.now - timedelta(days=6)
    [rule] = [each for each in RULES if each.id == case.id]
    is_coming = case.id == "webhook-refused"  # says when it is tried next

    found = rule.verdict(replace(case.facts, now=now))

    told = [found.text, *found.causes, found.also]
    ahead = [
        part
        for part in parts(" ".join(told))
        if isinstance(part, datetime) and part > now
    ]
    assert len(ahead) == is_coming
    assert is_coming or not re.search(r"\b[01] seconds?\b|-\d|\bin \d", found.sentence)


def test_every_row_is_reached_once_and_stands_where_it_decides() -> None:
    assert [case.id for case in CASES] == [rule.id for rule in RULES]
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_row_says_who_acts_and_what_comes_next() -> None:
    unsaid = [case.id for case in CASES if not judge(case.facts).step.endswith(".")]
    # Where somebody must act, the page leads there, unless the link was theirs alone.
    nowhere = {rule.id for rule in RULES if rule.target is Target.NONE}

    assert unsaid == []
    assert nowhere == {
        *("not-understood", "no-number", "unknown-meeting", "unknown"),
        *("email-not-connected", "email-unknown"),
        *("account-of-users", "wrong-account", "declined", "at-zoom"),
        *("invitation-revoked", "invitation-expired", "invitation-opened", "invited"),
        "host-unnamed",
    }


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (
            CheckResult(credential=UpstreamError("No.", service="Recall", status=401)),
            "key-refused",
        ),
        (
            CheckResult(
                credential=CREDENTIAL,
                token=UpstreamError(
                    "No.", service="Recall", status=400, code="invalid_client"
                ),
            ),
            "pair-refused",
        ),
    ],
    ids=["key", "pair"],
)
def test_what_a_look_found_an_admin_must_mend_is_no_users(
    seen: CheckResult, verdict: str
) -> None:
    found = rules.judge(seen, now=NOON)
    row = ana(token_state=TokenState.UNKNOWN, token_cause=found.cause)

    assert judge(facts(an_email(), row)).id == verdict


def test_what_is_wrong_with_an_app_is_not_why_a_host_never_connected() -> None:
    broken = a_zoom_app(VAULT, recall_app_id=None)
    hosts = {"hooks": [hook(zoom_user_id=OTHER)], "host_id": OTHER}

    unconnected = judge(facts(a_meeting(), hosts, app=broken))
    connected = judge(facts(a_meeting(), ana(), heard(hook()), app=broken))

    assert (unconnected.id, connected.id) == ("host-not-connected", "app-not-in-recall")


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_what_is_said_of_a_connection_is_what_its_page_says(case: Case) -> None:
    stands = case.facts.standing
    rules_of_state = {rule.id for rule in (*APPS, *GRANTS)}
    if stands is None or case.id not in rules_of_state:
        return

    verdict = judge(case.facts)

    assert verdict.who is stands.who
    assert verdict.step.startswith(stands.next_step)


@pytest.mark.parametrize(
    "outcome", [AttemptOutcome.EXPIRED, AttemptOutcome.WRONG_ACCOUNT]
)
def test_nobody_is_sent_to_a_link_that_is_closed(outcome: AttemptOutcome) -> None:
    revoked = invited(InvitationState.REVOKED)
    over = invited(InvitationState.OPENED, expires_at=ago(hours=6))

    found = [
        judge(facts(an_email(), tried(outcome) | closed)).id
        for closed in (revoked, over)
    ]

    assert found == ["invitation-revoked", "invitation-expired"]


SINCE = "5 hours ago (07:00 UTC)"
LEFT = {
    ErasureReason.REMOVED_IN_ZOOM: f"The user removed the app in Zoom {SINCE}",
    ErasureReason.STAFF_DISCONNECTED: (
        f"admin@example.com disconnected this user {SINCE}; Zoom may still list the "
        "app for them"
    ),
    ErasureReason.USER_DISCONNECTED: f"The user disconnected {SINCE}",
    ErasureReason.UNKNOWN: (
        f"The deletion of this user's data began {SINCE}; the reason was not recorded"
    ),
}


@pytest.mark.parametrize("reason", LEFT)
def test_it_says_why_a_user_left_as_it_was_recorded(reason: ErasureReason) -> None:
    staff = "admin@example.com"
    is_staff = reason is ErasureReason.STAFF_DISCONNECTED
    left = {"reason": reason, "asked_by": staff if is_staff else ""}
    pending = facts(an_email(), gone(**left))
    done = facts(an_email(), gone(done_at=ago(hours=4), **left))

    assert judge(pending).sentence == f"{LEFT[reason]}."
    assert judge(done).sentence == f"{LEFT[reason]}. Their data has been deleted."
    said_by = {line.source for line in of_gone(pending)}
    is_zooms = reason is ErasureReason.REMOVED_IN_ZOOM
    assert ("Zoom" in said_by) is is_zooms


def test_a_webhook_without_its_users_data_says_no_more_than_that() -> None:
    found = judge(facts(A_WEBHOOK, heard(hook(erased_at=ago(hours=1)))))

    assert found.sentence == (
        "The personal data of this webhook's user was deleted 60 minutes ago (11:00 "
        "UTC): they left "
        "or were disconnected."
    )


def test_a_sentence_has_its_instants_apart_for_the_page() -> None:
    verdict = judge(next(case.facts for case in CASES if case.id == "ready"))

    assert parts(verdict.text)[-2:] == [ago(hours=1), "."]
    assert verdict.sentence.endswith("60 minutes ago (11:00 UTC).")


def test_the_reasons_come_in_the_order_of_what_is_known() -> None:
    heard_lately = judge(facts(a_meeting(), ana(), own_hooks=[hook()]))
    long_silent = judge(
        facts(a_meeting(), ana(), own_hooks=[hook(received_at=ago(days=9))])
    )

    assert heard_lately.reasons[0].startswith("It was scheduled before they connected")
    assert long_silent.reasons[0].startswith("Zoom stopped sending webhooks")
    assert "9 days ago" in long_silent.reasons[0]
    assert all(each.endswith(".") for each in heard_lately.reasons)


def test_nothing_is_asserted_of_why_an_authorization_ended_but_what_was_reported() -> (
    None
):
    dead = {"token_state": TokenState.RECONNECT_NEEDED, "token_since": ago(hours=3)}

    unknown = judge(facts(an_email(), ana(**dead)))

    assert "removed" not in unknown.sentence
    assert "Zoom" not in unknown.sentence
    assert "3 hours ago (09:00 UTC)" in unknown.sentence
    assert len(unknown.reasons) == 3


def test_the_meetings_own_evidence_comes_before_the_hosts_state_which_is_said_too() -> (
    None
):
    dead = ana(
        token_state=TokenState.RECONNECT_NEEDED, token_reason="Zoom refused the token."
    )

    found = judge(facts(a_meeting(), dead, heard(hook(Outcome.DEAD))))

    assert found.id == "meeting-dead"
    assert found.also_plain == (
        "Also: Zoom refused the token. The user must act. Send the user a reconnect "
        "link."
    )


def test_two_who_show_one_number_are_named_also_where_recall_maps_it() -> None:
    one, other = (
        a_connection(APP, display_name=name, pmi=PMI, pmi_seen_at=ago(minutes=minutes))
        for name, minutes in (("Ana", 17), ("Ben", 2))
    )

    found = judge(
        facts(a_meeting(PMI), mapped(), claims=[one, other], connection=other)
    )

    assert found.id == "pmi-twice"
    assert "Ana (seen 17 minutes ago (11:43 UTC))" in found.sentence
    assert found.sentence.endswith(
        "Recall used that of Ben 30 minutes ago (11:30 UTC)."
    )


@pytest.mark.parametrize(
    ("seen_at", "over"),
    [
        (ago(minutes=61), {}),
        (ago(minutes=40), {"reconnected_at": ago(minutes=20)}),
        (ago(days=-3), {}),
    ],
    ids=["long ago", "before the user reconnected", "by a clock that was ahead"],
)
@pytest.mark.parametrize("outcome", ["delivered", "before"])
def test_a_mapping_that_was_seen_before_is_no_promise_for_now(
    seen_at: datetime, over: dict[str, Any], outcome: str
) -> None:
    sent_at = ago(minutes=90) if outcome == "delivered" else ago(days=40)
    found = judge(
        facts(
            a_meeting(),
            ana(**over),
            heard(hook(received_at=sent_at)),
            mapped(ago(minutes=89), seen_at=seen_at),
        )
    )

    assert (found.id, found.tone) == ("mapped-then", Tone.WAITING)
    assert "isn't known" in found.sentence


def test_a_deleted_meeting_is_so_whichever_of_its_webhooks_is_asked_about() -> None:
    made, deleted = hook(), hook(received_at=ago(minutes=5), event="meeting.deleted")

    asked = replace(A_WEBHOOK, number=91234567890)

    found = judge(facts(asked, ana(), heard(made, deleted), mapped()))

    assert found.id == "meeting-deleted"
    assert "5 minutes ago" in found.sentence


def test_of_the_newest_of_a_long_list_none_is_taken_for_missing() -> None:
    long = ana(mappings_trouble=meetings.ONLY_NEWEST)

    found = judge(facts(a_meeting(), long))

    assert found.id == "list-unread"
    assert "Only the newest" in found.sentence


@pytest.mark.parametrize(
    ("outcome", "began", "verdict"),
    [
        (AttemptOutcome.OPEN, ago(hours=1), "reconnecting"),
        (AttemptOutcome.DECLINED, ago(hours=1), "reconnect-failed"),
        (AttemptOutcome.ABANDONED, ago(hours=1), "reconnect-failed"),
        (AttemptOutcome.CONNECTED, ago(hours=1), "dead"),
        (AttemptOutcome.DECLINED, ago(days=9), "dead"),
    ],
    ids=["at Zoom", "declined", "never came back", "connected", "long before"],
)
def test_a_try_to_reconnect_counts_if_it_came_after_the_connection_failed(
    outcome: AttemptOutcome, began: datetime, verdict: str
) -> None:
    dead = ana(token_state=TokenState.RECONNECT_NEEDED, token_since=ago(hours=5))
    attempt = tried(outcome)["attempt"]
    attempt.created_at = began

    assert judge(facts(an_email(), dead, attempt=attempt)).id == verdict


@pytest.mark.parametrize("code", [outcomes.DENIED, outcomes.FATAL, "call_ended"])
@pytest.mark.parametrize("sub_code", sorted(outcomes.KNOWN))
def test_each_sub_code_of_a_bot_is_said_as_the_table_of_bots_says_it(
    sub_code: str, code: str
) -> None:
    seen = bot(code=code, sub_code=sub_code)
    said = seen["bot"].outcome

    found = judge(facts(a_meeting(), ana(), mapped(ago(minutes=89)), seen))

    assert found.id == ("bot-without-token" if said.lacks_token else "bot-refused")
    assert said.sentence in found.sentence
    assert (found.who, found.step) == (said.who, said.next_step)


def test_a_bot_without_a_token_is_the_connections_affair_where_that_is_broken() -> None:
    denied = bot(code=outcomes.DENIED, sub_code="zoom_host_not_present")
    blocked = bot(code=outcomes.FATAL, sub_code="zoom_requires_rtms")
    dead = ana(token_state=TokenState.RECONNECT_NEEDED)

    no_token = judge(facts(a_meeting(), dead, mapped(), denied))
    setting = judge(facts(a_meeting(), dead, mapped(), blocked))

    assert (no_token.id, setting.id) == ("dead", "bot-refused")
    assert "The user must act" in setting.also


def test_a_bot_of_a_meeting_that_nobody_is_known_to_host_still_counts() -> None:
    blocked = bot(code=outcomes.FATAL, sub_code="meeting_requires_sign_in")

    assert judge(facts(a_meeting(), blocked, app=None)).id == "bot-refused"
    recorded = facts(a_meeting(), bot("in_call_recording"), app=None)
    assert judge(recorded).id == "unknown-meeting"


@pytest.mark.parametrize("codes", [("in_call_not_recording",), ("call_ended",), ()])
def test_a_bot_of_which_nothing_is_known_yet_decides_nothing(
    codes: tuple[str, ...],
) -> None:
    assert judge(facts(a_meeting(), ana(), mapped(), bot(*codes))).id == "ready"
