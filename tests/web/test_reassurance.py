"""No page reassures about a connection that something else speaks against.

Every combination of what a row may say is drawn; a sentence that promises something is
allowed only where nothing that is known contradicts it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.connection import Connection, MeetingMapping, TokenState
from dashboard.models.ids import new_id
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.explain import rules
from dashboard.services.explain.verdicts import Tone
from dashboard.services.facts import connections as connection_facts
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.explain_facts import a_meeting, ana, facts, heard, hook
from tests.fixtures.explain_facts import mapped as mapped_fact
from tests.makers import NOON, a_connection, a_webhook, a_workspace, a_zoom_app

PMI = 5550312986
STATES = list(TokenState)
EXPIRES = (None, NOON - timedelta(hours=40), NOON + timedelta(minutes=40))
CHECKED = (
    None,
    NOON - timedelta(minutes=5),
    NOON - timedelta(hours=40),
    NOON + timedelta(days=30),
)
BLOCKS = ("", "Local recording is disabled.")
APPS: dict[str, dict[str, Any]] = {
    "fine": {},
    "retired": {"retired_at": NOON},
    "out of Recall": {"recall_app_id": None},
    "wrong pair": {"verdict": Verdict.WRONG},
    "switched off": {
        "verdict": Verdict.UNKNOWN,
        "is_switched_off": True,
    },
}
PROMISES = ("records without asking", "renews automatically")


@dataclass(frozen=True, kw_only=True)
class World:
    """What is so, and whether any of it speaks against a token for the next bot."""

    state: TokenState
    expires_at: datetime | None
    checked_at: datetime | None
    block: str = ""
    app: str = "fine"
    removed_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        return (
            self.state is TokenState.HEALTHY
            and self.checked_at == NOON - timedelta(minutes=5)
            and not self.block
            and self.app == "fine"
            and self.removed_at is None
            and (self.expires_at is None or self.expires_at > NOON)
        )

    def row(self, app: ZoomApp, **over: Any) -> Connection:
        values = {
            "token_state": self.state,
            "token_reason": "The token works at Zoom."
            if self.state is TokenState.HEALTHY
            else "It is as it is.",
            "token_expires_at": self.expires_at,
            "token_checked_at": self.checked_at,
            "recording_block": self.block,
            "deauthorized_at": self.removed_at,
            "recall_credential_id": uuid4(),
            "pmi": PMI,
        }
        return a_connection(app, **(values | over))


WORLDS = [
    World(
        state=state,
        expires_at=expires_at,
        checked_at=checked_at,
        block=block,
        app=app,
        removed_at=removed_at,
    )
    for state, expires_at, checked_at, block, app, removed_at in product(
        STATES, EXPIRES, CHECKED, BLOCKS, APPS, (None, NOON)
    )
]


def test_a_token_is_expected_only_where_nothing_speaks_against_it(
    runtime: Runtime,
) -> None:
    for world in WORLDS:
        app = a_zoom_app(
            runtime.vault, **({"recall_app_id": UUID(int=9)} | APPS[world.app])
        )

        found = connection_facts.standing(
            world.row(app),
            connection_facts.cause_of(app, None, is_gone=False),
            is_retired=app.retired_at is not None,
            now=NOON,
        )

        is_ahead = world.expires_at is not None and world.expires_at > NOON
        assert found.is_good is world.is_good, world
        assert found.is_renewed is (world.is_good and is_ahead), world


@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_explain_is_green_only_where_nothing_speaks_against_it(
    *, is_mapped: bool, outcome: Outcome
) -> None:
    for world in WORLDS:
        over = {
            "token_state": world.state,
            "token_expires_at": world.expires_at,
            "token_checked_at": world.checked_at,
            "recording_block": world.block,
        }
        parts = [ana(**over), heard(hook(outcome))]
        if is_mapped:
            parts.append(mapped_fact())

        verdict = rules.judge(facts(a_meeting(), *parts))

        promises = "next bot" in verdict.step or verdict.tone is Tone.GOOD
        is_good = replace(world, app="fine", removed_at=None).is_good
        assert is_good or not promises, (world, verdict)


class Pages:
    """A page of one connection, for any world."""

    def __init__(self, runtime: Runtime, http: FlaskClient) -> None:
        self._runtime = runtime
        self._http = http

    def texts(self, world: World, *, is_mapped: bool, outcome: Outcome) -> list[str]:
        """Return what the connection's page and the list say."""
        with self._runtime.database.writing() as session:
            workspace = a_workspace(self._runtime.vault, api_key_print=uuid4().hex[:8])
            session.add(workspace)
            session.flush()
            app = a_zoom_app(
                self._runtime.vault,
                client_id=uuid4().hex,
                slug=uuid4().hex,
                workspace_id=workspace.id,
                **({"recall_app_id": uuid4()} | APPS[world.app]),
            )
            session.add(app)
            session.flush()
            row = world.row(app, zoom_user_id=uuid4().hex[:20])
            session.add(row)
            session.add(a_webhook(app, outcome=outcome))
            session.flush()
            if is_mapped:
                session.add(
                    MeetingMapping(
                        id=new_id(NOON),
                        connection_id=row.id,
                        meeting_id=PMI,
                        synced_at=NOON,
                        seen_at=NOON,
                    )
                )
            row_id = row.id
        page = self._http.get(f"/connections/{row_id}")
        listed = self._http.get(f"/connections/?q={row.zoom_user_id}")
        assert (page.status_code, listed.status_code) == (200, 200)
        found = BeautifulSoup(listed.text, "html5lib").select_one(
            f"#connection-{row_id}"
        )
        assert found is not None
        live = BeautifulSoup(page.text, "html5lib").select_one(f"#connection-{row_id}")
        assert live is not None
        return [" ".join(each.text.split()) for each in (live, found)]


@pytest.fixture
def pages(runtime: Runtime, as_role: SignIn) -> Pages:
    return Pages(runtime, as_role(Role.SUPPORT))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("is_mapped", [True, False])
def test_a_page_promises_only_what_nothing_contradicts(
    pages: Pages, *, state: TokenState, is_mapped: bool
) -> None:
    some = [
        world
        for world in WORLDS
        if world.state is state
        and (bool(world.block) + (world.app != "fine") + bool(world.removed_at)) <= 1
        and (
            world.checked_at == CHECKED[1] or (not world.block and world.app == "fine")
        )
    ]
    for world, outcome in zip(some, list(Outcome) * len(some), strict=False):
        for text in pages.texts(world, is_mapped=is_mapped, outcome=outcome):
            said = [words for words in PROMISES if words in text]
            assert world.is_good or not said, (world, said, text)
            if state is TokenState.HEALTHY and world.checked_at != CHECKED[1]:
                assert "Last seen healthy" in text, (world, text)
                assert "works at Zoom" not in text, (world, text)
            elif world.app not in ("fine", "retired"):
                assert "works at Zoom" not in text, (world, text)
                assert "An admin must act." in text, (world, text)
            elif state is TokenState.HEALTHY and world.expires_at == EXPIRES[1]:
                assert "Worked until 2026-" in text, (world, text)
                assert "works at Zoom" not in text, (world, text)


def test_a_good_connection_is_told_so(pages: Pages) -> None:
    world = World(
        state=TokenState.HEALTHY, expires_at=EXPIRES[2], checked_at=CHECKED[1]
    )

    page, listed = pages.texts(world, is_mapped=True, outcome=Outcome.DELIVERED)

    assert "records without asking" in page
    assert "renews automatically" in page
    assert "Healthy" in listed
