"""Token storage of a zoom app: who stores the tokens, and what changing it means.

Zoom allows one active authorization per user and app (docs/contracts/zoom.md 3.5,
checked 2026-11-25), so only one system can store the tokens: exchanging a new consent
ends the other's authorization. A change affects no connection until its user
reconnects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services import audit, urls
from dashboard.services.audit import Actor
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

NAMES: Mapping[TokenCustody, str] = {
    TokenCustody.RECALL: "Recall",
    TokenCustody.DASHBOARD: "the dashboard",
    TokenCustody.OWN_SERVER: "your own server",
}


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What changing a zoom app's custody would come to.

    Attributes:
        to: Who would keep the tokens of those who consent from then on.
        other: The third storage.
        staying: Connections that others keep: their grants end one by one, as
            their users consent again.
        moved: Connections that `to` keeps already.
    """

    app: ZoomApp
    to: TokenCustody
    other: TokenCustody
    staying: int
    moved: int


def outlook(
    session: Session, zoom_app_id: UUID, to: TokenCustody | None = None
) -> Outlook:
    """Return what a change would come to, by default to the first of the others.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    query = (
        select(Connection.token_custody, func.count())
        .where(col(Connection.zoom_app_id) == zoom_app_id)
        .group_by(col(Connection.token_custody))
    )
    counts = {TokenCustody(one[0]): int(one[1]) for one in session.exec(query).all()}
    others = [one for one in TokenCustody if one is not app.token_custody]
    to = to if to in others else others[0]
    return Outlook(
        app=app,
        to=to,
        other=next(one for one in others if one is not to),
        staying=sum(counts.values()) - counts.get(to, 0),
        moved=counts.get(to, 0),
    )


def change(
    runtime: Runtime,
    zoom_app_id: UUID,
    to: TokenCustody,
    *,
    is_understood: bool,
    actor: Actor,
) -> None:
    """Let `to` keep the tokens of whoever consents from now on; commits.

    Args:
        runtime: All of them.
        zoom_app_id: Which.
        to: Who.
        is_understood: The person was told that users have to consent again.
        actor: For the audit log.

    Raises:
        NotFoundError: There is no such zoom app.
        InvalidInputError: Users are connected and nobody said so; nothing was changed.
        ConflictError: Recall could not ask here, or `to` keeps them already.
    """
    require_possible(runtime.public_url, to)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.lock(session, zoom_app_id)
        if app.token_custody is to:
            raise ConflictError(f"Tokens are already stored in {NAMES[to]}.")
        if outlook(session, zoom_app_id).staying and not is_understood:
            raise InvalidInputError(
                "Confirm this first: users will need to reconnect. Nothing was "
                "changed.",
                field="is_understood",
            )
        app.token_custody = to
        app.version += 1
        session.add(app)
        subject = f"{apps.full_name(app)}: tokens kept by {NAMES[to]}"
        audit.record(session, actor, "zoom_app.custody", subject=subject, now=now)


def require_possible(public_url: str, to: TokenCustody) -> None:
    """Check that Recall could be told where to ask.

    Raises:
        ConflictError: The address would be longer than Recall takes.
    """
    if to is TokenCustody.DASHBOARD:
        urls.token_url(public_url, urls.new_key())
