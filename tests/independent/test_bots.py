"""Explain and the connection's page about bots that somebody else's software sent."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.services.bot_tests import listed
from tests.independent.browser import Page, words
from tests.independent.freedoms import Freedoms
from tests.independent.model import Model
from tests.independent.pair import IndependentWorld
from tests.independent.recall import Change, Recall
from tests.independent.stage import a_stage

PLAIN = replace(
    Freedoms(), latest_change_first=False, meeting_as_text=False, newest_first=True
)


@pytest.fixture(params=[Freedoms(), PLAIN], ids=["far", "plain"])
def model(
    request: pytest.FixtureRequest, sqlite: Database, tmp_path: Path
) -> Iterator[Model]:
    with a_stage(
        sqlite, tmp_path, lambda clock: IndependentWorld(clock, request.param, seed=1)
    ) as stage:
        yield Model(stage, seed=1)


def recall_of(model: Model) -> Recall:
    world = model.stage.world
    assert isinstance(world, IndependentWorld)
    return world.recall


def a_meeting(model: Model) -> int:
    """Let a connected user have a meeting that Recall has mapped."""
    model.meet()
    model.stage.pass_time(timedelta(minutes=4), step=timedelta(minutes=2))
    return next(iter(model.oracle.meetings))


def send(model: Model, number: int | None, *ends: tuple[str, str | None, str]) -> None:
    now = model.stage.true.now()
    steps = [("joining_call", None, ""), ("in_waiting_room", None, ""), *ends]
    recall_of(model).send_bot(
        number,
        *(
            Change(
                code=code,
                sub_code=sub_code,
                message=message or None,
                at=now - timedelta(minutes=len(steps) - place),
            )
            for place, (code, sub_code, message) in enumerate(steps)
        ),
    )
    others(model, 2)  # on more pages than one


def others(model: Model, number: int) -> None:
    at = model.stage.true.now() - timedelta(days=1)
    for _ in range(number):
        recall_of(model).send_bot(82_000_000_001, Change(code="done", at=at))


def asked(model: Model, number: int) -> Page:
    """Ask Explain about a meeting, then have it ask Recall."""
    browser, question = model.stage.sign_in(), str(number)
    page = browser.submit(browser.get("/explain/"), "/explain/", q=question)
    return browser.ask(page, "/explain/recall", q=question)


ENDS: dict[str, tuple[tuple[str, str | None, str], str, str]] = {
    "a host's setting": (
        ("recording_permission_denied", "zoom_local_recording_disabled", "Nope."),
        "bot-refused",
        "Recording to computer files is switched off for the host.",
    ),
    "sign-in": (
        ("fatal", "meeting_requires_sign_in", "Please authenticate to join"),
        "bot-refused",
        "Only people signed in to Zoom",
    ),
    "bots forbidden, in other words": (
        ("fatal", None, "AUTOMATED BOTS ARE NOT PERMITTED HERE (host policy)"),
        "bot-refused",
        "does not let automated bots join",
    ),
    "the user of the token away": (
        ("fatal", "zoom_obf_user_not_in_meeting", "OBF owner absent"),
        "bot-refused",
        "",
    ),
    "a code that nobody knows": (
        ("fatal", "zoom_moon_phase", "Try another day"),
        "bot-refused",
        "a code that is not known here (zoom_moon_phase)",
    ),
    "recorded": (("in_call_recording", None, ""), "bot-recorded", ""),
}


@pytest.mark.parametrize(("end", "verdict", "said"), ENDS.values(), ids=ENDS.keys())
def test_explain_says_what_came_of_it(
    model: Model, end: tuple[str, str | None, str], verdict: str, said: str
) -> None:
    number = a_meeting(model)
    send(model, number, ("in_call_not_recording", None, ""), end)

    page = asked(model, number)

    code = page.one("#answer .verdict code")
    assert words(code) == verdict
    assert said in words(page.one("#answer"))


def test_a_bot_that_waits_is_said_to_wait_whatever_the_order_of_its_steps(
    model: Model,
) -> None:
    number = a_meeting(model)
    send(model, number)

    page = asked(model, number)

    assert "The bot is in the waiting room." in words(page.one("#answer"))


def test_the_connection_lists_bots_of_its_meetings_alone(model: Model) -> None:
    number = a_meeting(model)
    send(model, number, ("in_call_recording", None, ""))
    send(model, None, ("fatal", "meeting_locked", ""))  # Recall forgot the meeting
    host = model.oracle.meetings[number]

    connection_id = UUID(host.path.rpartition("/")[2])
    found = listed.of_connection(model.stage.runtime, connection_id)

    assert [(bot.meeting_id, bot.is_test) for bot in found.bots] == [(number, False)]
    assert found.bots[0].verdict.state.word == "Recorded without asking"
    browser = model.stage.sign_in()
    page = browser.submit(browser.get(host.path), f"{host.path}/bots")
    assert words(page.one("tbody th")).replace(" ", "") == str(number)


def test_what_was_not_read_is_said_to_be_unread(model: Model) -> None:
    number = a_meeting(model)
    others(model, 6)
    send(model, number, ("in_call_recording", None, ""))
    others(model, 6)
    host = model.oracle.meetings[number]
    browser = model.stage.sign_in()

    page = browser.submit(browser.get(host.path), f"{host.path}/bots")

    assert "None of the 6 bots that were read" in page.text
    assert "Recall lists more bots than the 6 that were read." in page.text
