"""Erasures for staff: what has to go by when, and how far it is. Names nobody."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from dashboard.models.erasure import Erasure
from dashboard.models.zoom_app import ZoomApp

LISTED = 200
"""The newest; an older one that is under way is among them all the same."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An erasure as listed."""

    erasure: Erasure
    app: ZoomApp

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be deleted, as far as anything came."""
        return (
            self.erasure.here_done_at is not None
            and self.erasure.recall_done_at is not None
        )


def listed(session: Session) -> Sequence[Row]:
    """Return the erasures, those under way first, then the newest."""
    query = (
        select(Erasure, ZoomApp)
        .join(ZoomApp, col(ZoomApp.id) == col(Erasure.zoom_app_id))
        .order_by(
            col(Erasure.ended_at).is_not(None),
            col(Erasure.removed_at).desc(),
            col(Erasure.id),
        )
        .limit(LISTED)
    )
    return [Row(erasure=erasure, app=app) for erasure, app in session.exec(query)]
