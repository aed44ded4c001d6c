"""What a zoom app's page says became of its webhooks while delivery has a problem."""

import pytest

from dashboard.db import Database
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import Routing
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.status import traffic, zoom_app
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, a_zoom_app


def alarm(problem: Problem) -> Fact:
    return Fact(problem=problem, word="Down", tone="trouble", sentence="It is down.")


def kept(
    database: Database,
    vault: Vault,
    *,
    waiting: int = 0,
    failed: int = 0,
    problem: Problem = Problem.PAUSED,
    routing: Routing = Routing.RELAY,
) -> str:
    app = a_zoom_app(vault, routing=routing)
    outcomes = [Outcome.WAITING] * waiting + [Outcome.DEAD] * failed
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add_all([a_webhook(app, outcome=each) for each in outcomes])
    with database.reading() as session:
        day = traffic.last_day(session, app.id, now=NOON)
        return zoom_app._kept(session, app, day, alarm(problem), now=NOON)


@pytest.mark.parametrize(
    "problem", [Problem.PAUSED, Problem.RECALL_SECRET, Problem.GONE_FROM_RECALL]
)
@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0), "No webhook is waiting or failed."),
        ((2, 0), "2 queued, none failed."),
        ((0, 1), "1 webhook failed and must be resent once this is fixed."),
        ((3, 2), "2 webhooks failed and must be resent once this is fixed; 3 queued."),
    ],
)
def test_what_became_of_webhooks_is_said_from_their_counts(
    database: Database,
    vault: Vault,
    problem: Problem,
    counts: tuple[int, int],
    said: str,
) -> None:
    waiting, failed = counts

    found = kept(database, vault, waiting=waiting, failed=failed, problem=problem)

    assert found == said


def test_of_webhooks_that_do_not_come_here_nothing_is_said(
    database: Database, vault: Vault
) -> None:
    assert kept(database, vault, failed=1, routing=Routing.DIRECT) == ""
