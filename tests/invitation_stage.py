"""Links made for one person, in tests: make one, go through it, see how it stands."""

from dashboard.models.connection import ConnectAttempt, Connection
from dashboard.models.invitation import Invitation
from dashboard.sandbox.zoom.records import ZoomUser
from dashboard.services import audit
from dashboard.services.connect import flow
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Made, Wanted
from tests.connect_stage import BROWSER, ConnectStage


def bo_of(stage: ConnectStage) -> ZoomUser:
    """Give another user of the same Zoom account."""
    return stage.sandbox.zoom_world.add_user(email="bo@example.org")


def invite(stage: ConnectStage, email: str = "", user_ref: str = "u-1") -> Made:
    now = stage.services.clock.now()
    with stage.services.database.writing() as session:
        [made] = invitations.make(
            session,
            stage.app,
            [Wanted(email=email, user_ref=user_ref)],
            actor=audit.COMMAND_LINE,
            now=now,
        )
    return made


def reconnect_link(stage: ConnectStage, connection: Connection) -> Made:
    now = stage.services.clock.now()
    with stage.services.database.writing() as session:
        return invitations.reconnect_link(
            session, connection, actor=audit.COMMAND_LINE, now=now
        )


def go(
    stage: ConnectStage, made: Made, user: ZoomUser, browser: str = BROWSER
) -> ConnectAttempt:
    """Begin from the link, allow as this Zoom user, come back; return the trip."""
    begun = flow.begin(
        stage.services,
        stage.app.slug,
        browser=browser,
        invitation_id=made.invitation.id,
    )
    stage.finish(browser=browser, **stage.allow(begun, user))
    return stage.attempt(begun.attempt_id)


def now_of(stage: ConnectStage, made: Made) -> Invitation:
    with stage.services.database.reading() as session:
        return session.get_one(Invitation, made.invitation.id)
