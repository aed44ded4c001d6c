"""Facts, sightings and rows of a set-up; a test names only what it is about."""

from typing import Any
from uuid import UUID, uuid4

from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import Connection, MeetingMapping, SyncStatus
from dashboard.models.ids import new_id
from dashboard.models.watch import Milestone
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Services
from dashboard.services.setup import checklist
from dashboard.services.setup import facts as setup_facts
from dashboard.services.setup.rules import Facts
from dashboard.services.setup.steps import Key, SetUp, Tick
from dashboard.services.validation import evidence
from dashboard.services.validation.states import State, ValidationStatus
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_workspace, a_zoom_app


def a_status(state: State) -> ValidationStatus:
    return ValidationStatus(state=state, sentence=f"It is {state}.", since=NOON)


def an_app(vault: Vault, **over: Any) -> ZoomApp:
    """Return an app that stands as well as one can."""
    values: dict[str, Any] = {
        "verdict": Verdict.RIGHT,
        "checked_at": NOON,
        "recall_app_id": uuid4(),
        "recall_created_at": NOON,
    }
    return a_zoom_app(vault, **(values | over))


def a_working(app: ZoomApp, **over: Any) -> Connection:
    return a_connection(app, **{"sync_status": SyncStatus.COMPLETED, **over})


def a_sighting(app: ZoomApp, key: Key, person: Connection | None = None) -> Milestone:
    return checklist.made(
        app.id,
        key,
        at=NOON,
        proof=f"The proof of {key}",
        connection_id=person.id if person else None,
    )


def facts(app: ZoomApp, *sighted: Key, **over: Any) -> Facts:
    """Return facts in which these things were seen, the last three of `user`."""
    user: Connection | None = over.get("user")
    of_people = (Key.USER, Key.MAPPING, Key.SCOPES)
    values: dict[str, Any] = {
        "ours": a_status(State.VALID),
        "recalls": a_status(State.VALID),
        "people": {user.id: user} if user else {},
        "sighted": {
            key: a_sighting(app, key, user if key in of_people else None)
            for key in sighted
        },
    }
    return Facts(zoom_app=app, **(values | over))


def a_check(app: ZoomApp, source: Source, **over: Any) -> Check:
    values: dict[str, Any] = {
        "id": new_id(over.get("at", NOON)),
        "zoom_app_id": app.id,
        "source": source,
        "finding": Finding.GOOD,
        "detail": "It was right.",
        "at": NOON,
    }
    return Check(**(values | over))


def a_mapping(person: Connection, **over: Any) -> MeetingMapping:
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "connection_id": person.id,
        "meeting_id": 91234567890,
        "synced_at": NOON,
        "seen_at": NOON,
    }
    return MeetingMapping(**(values | over))


def everything_of(app: ZoomApp) -> list[Any]:
    """Return the rows that prove all nine ticks, but for the scopes."""
    person = a_working(app)
    return [
        a_check(app, Source.ZOOM_CHALLENGE, took_ms=3.0),
        a_check(app, Source.RECALL_PROBE),
        person,
        a_webhook(app, outcome="delivered", delivered_at=NOON),
        a_mapping(person),
        checklist.proved(app.id, app.kind, at=NOON, connection_id=person.id),
    ]


def save_everything(services: Services, **over: Any) -> UUID:
    """Store an app of which everything was seen, with its proofs; return its id."""
    app_id = save_app(services, **over)
    with services.database.writing() as session:
        for row in everything_of(session.get_one(ZoomApp, app_id)):
            session.add(row)
            session.flush()
        return app_id


def save_app(services: Services, **over: Any) -> UUID:
    """Store an app with its workspace; return its id."""
    workspace = a_workspace(services.vault)
    app = an_app(services.vault, workspace_id=workspace.id, **over)
    with services.database.writing() as session:
        session.add(workspace)
        session.flush()
        session.add(app)
        return app.id


def look(services: Services, app_id: UUID) -> SetUp:
    """Return the set-up as it is shown now."""
    with services.database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        seen = evidence.evidence(session, app_id)
        return checklist.set_up(session, app, seen, now=services.clock.now())


def kept(services: Services, app_id: UUID) -> dict[Key, Milestone]:
    with services.database.reading() as session:
        return setup_facts.stored(session, app_id)


def by_key(found: SetUp) -> dict[Key, Tick]:
    return {tick.key: tick for tick in found.ticks}
