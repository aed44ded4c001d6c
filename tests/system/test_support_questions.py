"""Twenty-four questions as support gets them, each prepared by acts at Zoom and Recall.

Asked on the page, signed in as support. The first fourteen, 22 and 23 are of one
calm day; the others each of a day on which something is broken for everybody. What is
expected is who must act, and the words that make the answer true.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.formatting import grouped
from tests.independent.browser import Browser, Page, words
from tests.independent.freedoms import Freedoms
from tests.independent.pair import IndependentWorld
from tests.independent.people import Admin, connect
from tests.independent.served import ServedStage, a_served_stage
from tests.independent.simulated import SimulatedWorld
from tests.independent.stage import SUPPORT, MakeWorld, a_stage
from tests.independent.world import Outage, PairAtZoom, World

WORLDS: dict[str, MakeWorld] = {
    "simulated": SimulatedWorld,
    "independent": lambda clock: IndependentWorld(clock, Freedoms.drawn(3), seed=3),
}
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PMI = 5551234567
BLAMES_THE_APP = "client secret|client id|either|an admin|update in recall"
"""What another user who gets a token rules out."""


@dataclass(kw_only=True)
class Case:
    """A dashboard that is set up, and its people."""

    stage: Any  # a Stage or a ServedStage
    admin: Admin
    support: Browser
    pair: PairAtZoom
    app_id: UUID
    users: dict[str, str] = field(default_factory=dict)

    @property
    def world(self) -> World:
        world: World = self.stage.world
        return world

    def user(self, name: str) -> str:
        """Return a person's ID at Zoom."""
        if name not in self.users:
            number = PMI + len(self.users)
            made = self.world.add_user(email(name), name.title(), "Nowak", number)
            self.users[name] = made
        return self.users[name]

    def connected(self, name: str) -> str:
        user = self.user(name)
        end = connect(self.stage, self.admin.connect_path(self.app_id), user)
        assert end.status == 200, end.text
        self.stage.run_due()
        return user

    def connection_page(self, name: str) -> Page:
        rows = self.admin.browser.get(f"/connections/?q={email(name)}")
        link = rows.one("tr[id^=connection-] a[href^='/connections/']")
        return self.admin.browser.get(str(link["href"]))

    def passes(self, amount: timedelta) -> None:
        self.stage.pass_time(amount, step=min(amount, 10 * MINUTE))
        if isinstance(self.stage, ServedStage):  # sessions end after an hour
            self.admin = replace(self.admin, browser=self.stage.sign_in())
            self.support = self.stage.sign_in(SUPPORT)

    def ask(self, question: object) -> str:
        """Ask as support; return the answer without its evidence.

        While the page says that it is checking, goes on as the page does by itself.
        """
        page = self.support.get("/explain/")
        found = self.support.submit(page, "/explain/", q=str(question))
        if "Checking now" in found.text:
            assert "answer appears here within" in found.text
            found = self.support.submit(found, "/explain/recall")
        answer = words(found.one(".verdict"))
        said = answer.partition(" Looked up")[0]
        sys.stdout.write(f"Q: {question}\nA: {said}\n")
        return answer


def email(name: str) -> str:
    return f"{name}@example.com"


SERVED = [pytest.param(f"serve, {name}", marks=pytest.mark.served) for name in WORLDS]


@pytest.fixture(params=[*WORLDS, *SERVED])
def case(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    migrated_sqlite: Path,
    real_heartbeats: None,  # noqa: ARG001 - the worker's own
) -> Iterator[Case]:
    """Give a dashboard: in this process, stepped, or `serve` with a worker that runs.

    The long way, `serve`, is for `make questions`.
    """
    name = request.param.removeprefix("serve, ")
    is_served = name != request.param
    with ExitStack() as stack:
        stage: Any
        if is_served:
            # Only beside PostgreSQL does the worker have a process of its own to kill.
            is_split = request.function is test_17_no_worker_runs
            database: Path | Database = migrated_sqlite
            if is_split:
                database = request.getfixturevalue("postgresql")
            served = a_served_stage(tmp_path, database, WORLDS[name])
            stage = stack.enter_context(served)
        else:
            sqlite: Database = request.getfixturevalue("sqlite")
            stage = stack.enter_context(a_stage(sqlite, tmp_path, WORLDS[name]))
        admin = Admin(stage=stage, browser=stage.sign_in())
        pair = stage.world.make_app(f"{stage.url}/oauth/zoom/callback")
        app_id = admin.set_up(pair)
        assert stage.world.press_validate(pair.client_id, admin.webhook_url(app_id))
        stage.run_due()
        yield Case(
            stage=stage,
            admin=admin,
            support=stage.sign_in(SUPPORT),
            pair=pair,
            app_id=app_id,
        )


def holds(answer: str, *patterns: str, never: str = "") -> None:
    """Check that an answer says each of these, and nothing of `never`."""
    for pattern in patterns:
        assert re.search(pattern, answer, re.IGNORECASE), (pattern, answer)
    if never:
        assert not re.search(never, answer, re.IGNORECASE), (never, answer)


def test_a_calm_day(case: Case) -> None:
    for name in ("ana", "ben", "carla", "dan", "emi"):
        case.connected(name)
    world, client_id = case.world, case.pair.client_id
    mapped = world.create_meeting(case.user("ana"))
    case.stage.run_due()
    case.passes(20 * MINUTE)
    bens = world.create_meeting(case.user("ben"))
    world.end_grant(client_id, case.user("ben"))
    world.remove_app(client_id, case.user("carla"))
    page = case.connection_page("dan")
    case.admin.browser.submit(page, "/disconnect")
    world.delete_credential(client_id, case.user("emi"))
    forgotten = world.create_meeting(case.user("ana"))
    case.stage.run_due()
    world.unmap(forgotten)
    world.change_pmi(case.user("ana"), PMI + 100)
    world.change_email(case.user("ana"), email("ana.lis"))
    case.passes(7 * HOUR)
    _leaves_for_zoom(case, "farid")

    questions: dict[str, Callable[[], None]] = {
        "1 a healthy user": lambda: holds(
            case.ask(email("ana.lis")),
            r"Ana Nowak is connected\. It worked",
            never="must act|press check|was the email",
        ),
        "2 a meeting that Recall knows": lambda: holds(
            case.ask(mapped),
            "Ana Nowak.* connection worked",
            never="must act|action needed|press check",
        ),
        "3 a meeting of nobody": lambda: holds(
            case.ask(91399988877), "913 9998 8877", "hasn't connected"
        ),
        "4 an email of nobody": lambda: holds(
            case.ask(email("zoe")), "zoe@example.com", "invite"
        ),
        "5 the same beside a meeting": lambda: holds(
            case.ask(f"{email('zoe')} 91399988877"), "zoe@example.com", "invite"
        ),
        "6 an authorization that ended": lambda: holds(
            case.ask(email("ben")),
            "Ben Nowak",
            "by the user: .*Send the user a reconnect link",
            # The second if only Recall's refusal was seen, not Zoom's own.
            "their authorization|bots get no token for them any more",
            never=BLAMES_THE_APP,
        ),
        "7 a meeting of that user": lambda: holds(
            case.ask(bens),
            "Ben Nowak",
            # The second until another user got a token after this one failed.
            "by the user: .*Send the user a reconnect link|press Check now to try",
            f"a bot in meeting {grouped(bens)} has to ask",
            never=BLAMES_THE_APP,
        ),
        "8 who removed the app": lambda: holds(
            case.ask(case.user("carla")), "removed the app", never="admin"
        ),
        "9 who was disconnected": lambda: holds(
            case.ask(case.user("dan")), "disconnected", never="removed the app"
        ),
        "10 a credential deleted in Recall": lambda: holds(
            case.ask(email("emi")), "reconnect", "Recall no longer has their credential"
        ),
        "11 a meeting that Recall forgot": lambda: holds(
            case.ask(forgotten),
            r"Recall received a webhook .* hadn't linked it to anyone",
            never=r"in order|Recall linked|Recall's list had",
        ),
        "12 a personal number": lambda: holds(case.ask(PMI + 100), "Ana Nowak"),
        "13 the one before": lambda: holds(case.ask(PMI), "Ana Nowak"),
        "22 an email that was hers": lambda: holds(
            case.ask(email("ana")),
            r"ana@example.com was the email of Ana Nowak until 7 h ago",
            r"It is ana.lis@example.com now\. Ana Nowak is connected\. It worked",
        ),
        "23 the same beside her meeting": lambda: holds(
            case.ask(f"{email('ana')} {mapped}"),
            "ana@example.com was the email of Ana Nowak",
            "Ana Nowak.* connection worked",
        ),
        "14 who is at Zoom now": lambda: holds(
            case.ask(email("farid")), "went to Zoom", "ask what they see"
        ),
    }
    wrong = {}
    for name, check in questions.items():
        try:
            check()
        except AssertionError as error:
            wrong[name] = str(error)[:1500]
    assert wrong == {}


def _leaves_for_zoom(case: Case, name: str) -> None:
    """Invite somebody, who opens the link and goes to Zoom."""
    browser = case.admin.browser
    made = browser.submit(
        browser.get("/connections/invitations/new"),
        "/connections/invitations/",
        email=email(name),
        app=str(case.app_id),
        expires_days="7",
    )
    found = re.search(r"/connect/[\w-]+/i/[\w-]+", str(made.soup))
    assert found is not None, made.text
    visitor = Browser(case.stage.url)
    visitor.send(visitor.get(found[0]), found[0])
    visitor.close()


def _told_now(case: Case, name: str = "ana") -> int:
    """Let a user make a meeting, and let two minutes pass."""
    meeting = case.world.create_meeting(case.user(name))
    case.passes(2 * MINUTE)
    return meeting


def test_15_recall_is_down(case: Case) -> None:
    case.connected("ana")
    case.world.begin(Outage.RECEIVER)
    meeting = _told_now(case)

    holds(case.ask(meeting), "503", "automatically", never="an admin")


def test_16_recall_has_another_secret(case: Case) -> None:
    case.connected("ana")
    case.world.change_webhook_secret_in_recall(case.pair.client_id)
    meeting = _told_now(case)

    holds(case.ask(meeting), "secret token", "by an admin", "Update in Recall")


def test_17_no_worker_runs(case: Case) -> None:
    case.connected("ana")
    case.stage.has_worker = False
    meeting = case.world.create_meeting(case.user("ana"))
    case.world.run_due()
    case.passes(30 * MINUTE)

    holds(case.ask(meeting), "worker", "by an operator", never="automatically")


def test_18_the_client_secret_was_regenerated(case: Case) -> None:
    case.connected("ana")
    case.world.regenerate_client_secret(case.pair.client_id)
    case.passes(25 * HOUR)

    holds(case.ask(email("ana")), "client secret", "admin", never="must reconnect")


def test_19_the_workspace_is_out_of_credit(case: Case) -> None:
    case.connected("ana")
    case.world.begin(Outage.RECALL_CREDIT)
    case.passes(7 * HOUR)

    holds(case.ask(email("ana")), "credit", "admin", never="nobody")


def test_20_zoom_signs_with_another_secret(case: Case) -> None:
    case.connected("ana")
    case.passes(HOUR)
    case.world.rotate_secret_token(case.pair.client_id)
    for _ in range(4):
        meeting = _told_now(case)
        case.passes(10 * MINUTE)

    holds(
        case.ask(f"{email('ana')} {meeting}"), "4 requests were rejected", "by an admin"
    )


def test_21_the_list_of_meetings_cannot_be_read(case: Case) -> None:
    case.connected("ana")
    case.world.begin(Outage.RECALL_MAPPINGS)
    meeting = _told_now(case)
    case.passes(7 * HOUR)

    holds(
        case.ask(meeting),
        "Recall received a webhook about meeting",
        r"could not be read \(503\)",
        never="maps it to no|isn't linked|no one|in order|linked it",
    )


def test_24_a_mapping_was_read_before_the_list_failed(case: Case) -> None:
    case.connected("ana")
    meeting = _told_now(case)
    case.stage.run_due()
    holds(case.ask(meeting), "Everything we can see is in order")
    case.world.begin(Outage.RECALL_MAPPINGS)
    case.passes(7 * HOUR)

    holds(
        case.ask(meeting),
        "Whether it still does isn't known",
        r"could not be read \(503\)",
        never="in order",
    )
