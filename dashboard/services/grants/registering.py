"""Telling Recall where to ask for the tokens of a held grant.

Recall asks that address while our request is under way, so the grant is stored before;
here no code is spent, and everything may be repeated. Source: docs/contracts/recall.md
1.8, 3.5 and 5, checked 2026-11-25.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallCredential
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import urls
from dashboard.services.grants import grants
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import clear, delete
from dashboard.services.runtime import Runtime

_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a credential is to be made.

    Attributes:
        key: Of the address; known to nobody else yet.
    """

    recall: Recall
    oauth_app: UUID
    kind: Kind
    key: str
    token_url: SecretStr

    def create(self, turn: str = "") -> RecallCredential:
        """Ask for it; a repeat of the same turn finds its answer."""
        name = hashlib.sha256(f"{self.key}{turn}".encode()).hexdigest()
        return self.recall.create_held_credential(
            oauth_app=self.oauth_app, token_url=self.token_url, idempotency_key=name
        )

    def fits(self, credential: RecallCredential) -> bool:
        """Whether Recall asks at this address for it."""
        return credential.callback_key_hash == grants.hashed(self.key)


def register(runtime: Runtime, connection_id: UUID) -> UUID:
    """Have Recall ask here for the tokens of a held grant; commits.

    A credential that Recall has already with our address is kept and tried anew;
    any other makes way for one with a new address. For whoever holds the connection's
    lease.

    Returns:
        Recall's id of the credential.

    Raises:
        NotFoundError: The dashboard holds no grant of it.
        ConflictError: The zoom app is not in Recall, or the address is too long.
        UpstreamError: Recall refused or could not be asked; to be repeated.
    """
    with runtime.database.reading() as session:
        row = session.get_one(Connection, connection_id)
        grant = grants.get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, oauth_app = workspaces.recall_of(runtime, session, app)
    found = _found(recall, row.recall_credential_id)
    if found is not None and found.callback_key_hash == grant.key_hash:
        with suppress(UpstreamError):  # the look that follows says how it stands
            recall.validate(found.id)
        return found.id
    key = urls.new_key()
    url = SecretStr(urls.token_url(runtime.public_url, key))
    if found is not None:
        delete(recall, found.id)
    with runtime.database.writing() as session:
        grants.get(session, connection_id).key_hash = grants.hashed(key)
    place = _Place(
        recall=recall, oauth_app=oauth_app, kind=app.kind, key=key, token_url=url
    )
    made = _made(place)
    with runtime.database.writing() as session:
        row = session.get_one(Connection, connection_id)
        row.recall_credential_id = made.id
        session.add(row)
    return made.id


def _found(recall: Recall, credential_id: UUID | None) -> RecallCredential | None:
    if credential_id is None:
        return None
    try:
        return recall.get_credential(credential_id)
    except UpstreamError as error:
        if error.status != _NOT_FOUND:
            raise
        return None


def _made(place: _Place) -> RecallCredential:
    """Make the credential, past an older one of the same user and a lost answer."""
    try:
        made = _asked(place)
    except UpstreamError as error:
        if not clear(place.recall, place.oauth_app, place.kind, error):
            raise
        return place.create(turn="after a conflict")
    if place.fits(made):
        return made
    # Recall renewed an older credential and left its address as it was.
    delete(place.recall, made.id)
    return place.create(turn="after another's")


def _asked(place: _Place) -> RecallCredential:
    """Ask once, and once more after a lost answer; then look for what came of it."""
    try:
        return place.create()
    except UpstreamError as error:
        if not error.may_have_happened:
            raise
    try:
        return place.create()
    except UpstreamError as error:
        if not error.may_have_happened:
            raise
        there = place.recall.list_credentials(oauth_app=place.oauth_app)
        ours = [one for one in there if place.fits(one)]
        if not ours:
            raise
        return ours[0]
