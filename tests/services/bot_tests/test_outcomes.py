"""What the steps of a bot mean, a row for each of Recall's codes."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.services.bot_tests import outcomes
from dashboard.services.bot_tests.outcomes import State, Step
from dashboard.services.facts.acting import Who
from tests.makers import NOON

JOINED = ("joining_call", "in_call_not_recording")


def steps(*codes: str | tuple[str, str]) -> Sequence[Step]:
    pairs = [(each, None) if isinstance(each, str) else each for each in codes]
    return [
        Step(code=code, sub_code=sub_code, at=NOON + timedelta(seconds=number))
        for number, (code, sub_code) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("codes", "state", "is_over"),
    [
        ((), State.JOINING, False),
        (("joining_call",), State.JOINING, False),
        (("joining_call", "in_waiting_room"), State.WAITING, False),
        (("in_waiting_room", "in_call_not_recording"), State.IN_CALL, False),
        ((*JOINED, "recording_permission_allowed"), State.RECORDED, False),
        ((*JOINED, "in_call_recording"), State.RECORDED, True),
        ((*JOINED, "in_call_recording", "call_ended", "done"), State.RECORDED, True),
        ((*JOINED, "call_ended"), State.ENDED, True),
        (("joining_call", "fatal"), State.FAILED, True),
        ((*JOINED, "recording_permission_denied", "done"), State.DENIED, True),
        (("something_new",), State.JOINING, False),
    ],
)
def test_a_bots_way_has_a_state(
    codes: Sequence[str],
    state: State,
    is_over: bool,  # noqa: FBT001 - of the table
) -> None:
    way = steps(*codes)

    assert outcomes.judge(way).state is state
    assert outcomes.is_over(way) is is_over


def test_the_proof_says_how_soon_it_was_allowed() -> None:
    found = outcomes.judge(steps(*JOINED, "recording_permission_allowed"))

    assert found.sentence == (
        "The bot was allowed to record 1 s after it joined, without asking the host."
    )
    assert (found.who, found.next_step) == (Who.NOBODY, "")


@pytest.mark.parametrize("sub_code", sorted(outcomes.KNOWN))
@pytest.mark.parametrize("code", [outcomes.DENIED, outcomes.FATAL, "call_ended"])
def test_each_sub_code_says_what_is_wrong_and_who_must_act(
    code: str, sub_code: str
) -> None:
    found = outcomes.judge(steps("joining_call", (code, sub_code)))

    assert found.sub_code == sub_code
    assert found.sentence.endswith(".")
    assert found.next_step.endswith((".", ")"))
    assert found.who in {Who.HOST, Who.ADMIN}
    assert "not known here" not in found.sentence


@pytest.mark.parametrize("sub_code", ["zoom_something_new", ""])
def test_an_unknown_sub_code_is_shown_as_it_came(sub_code: str) -> None:
    found = outcomes.judge(steps((outcomes.DENIED, sub_code)))

    assert "not known here" in found.sentence
    assert sub_code in found.sentence
    assert found.who is Who.ADMIN


def test_how_a_bot_left_is_no_refusal_once_it_recorded() -> None:
    way = steps(*JOINED, "in_call_recording", ("call_ended", "bot_kicked_from_call"))

    assert outcomes.judge(way).state is State.RECORDED
    assert not outcomes.judge(way).is_refusal


@pytest.mark.parametrize(
    ("code", "sub_code", "message", "name"),
    [
        ("fatal", "", "Automated bots aren't allowed.", "automated_bots_not_allowed"),
        ("fatal", "new", "No automated bots here", "automated_bots_not_allowed"),
        ("fatal", "meeting_full", "Automated bots.", "meeting_full"),
        ("call_ended", "", "Automated bots.", None),
        ("fatal", "new", "Something else.", "new"),
        ("fatal", "", "", None),
    ],
)
def test_words_count_where_no_known_code_does(
    code: str, sub_code: str, message: str, name: str | None
) -> None:
    assert outcomes.named(code, sub_code, message) == name


def test_a_refusal_outweighs_what_came_before() -> None:
    way = steps(*JOINED, ("recording_permission_denied", "zoom_host_not_present"))

    assert outcomes.judge([*way, *steps("call_ended")]).state is State.DENIED


def test_the_document_has_each_code_as_it_is_said() -> None:
    text = (Path(__file__).parents[3] / "docs/test-bot.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))

    assert set(rows) == outcomes.KNOWN
    for sub_code, row in rows.items():
        said = outcomes.judge(steps((outcomes.DENIED, sub_code)))
        assert row == f"{said.sentence} | {said.who.value} | {said.next_step}"
