"""Every cause of refusal on the page: the word, the sentence, who mends it, a link."""

from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from werkzeug.test import Client

from dashboard.models.staff import Role
from dashboard.services.paging import Place
from dashboard.services.receiver import refusals
from dashboard.services.runtime import Runtime
from tests.conftest import HTTPS, SignIn
from tests.fixtures.hooks import HooksClient
from tests.fixtures.refusals import CASES, SECRETS, Case, Stage, a_stage
from tests.makers import saved_app


@pytest.fixture
def stage(app: Flask, runtime: Runtime) -> Stage:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
    clock: Any = runtime.clock
    door = HooksClient(
        client=Client(app),
        database=runtime.database,
        vault=runtime.vault,
        clock=clock,
        writer=runtime.writer,
        app_id=app_id,
    )
    return a_stage(door)


def row(as_role: SignIn, stage: Stage) -> Tag:
    stage.door.writer.flush()
    answer = as_role(Role.SUPPORT).get(f"{HTTPS}/webhooks/refused")
    assert answer.status_code == 200
    assert not any(secret in answer.text for secret in SECRETS)
    (found,) = BeautifulSoup(answer.text, "html5lib").select("[id^=refusal-]")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.value)
def test_a_cause_is_shown_with_who_mends_it(
    as_role: SignIn, stage: Stage, case: Case
) -> None:
    case.send(stage)

    shown = row(as_role, stage)

    told = shown.select_one("th")
    assert told is not None
    badge = told.select_one(".tag")
    assert badge is not None
    assert badge.text.strip() == refusals.cause_words(case.cause)
    assert (case.seen in told.text, case.fix in told.text) == (True, True), told.text
    named = [str(link["href"]) for link in told.select("a")]
    wanted = [f"/zoom-apps/{getattr(stage, case.names)}"] if case.names else []
    assert named == wanted


def test_a_refusal_of_a_newer_version_is_shown_with_its_own_word(
    as_role: SignIn, stage: Stage
) -> None:
    CASES[0].send(stage)
    stage.door.writer.flush()
    with stage.door.database.writing() as session:
        refusal = refusals.page(session, place=Place()).rows[0]
        refusal.cause, refusal.detail = "not_known_here", "One sentence."
        session.add(refusal)

    shown = row(as_role, stage)

    assert "Not known here" in shown.text
    assert "One sentence." in shown.text
