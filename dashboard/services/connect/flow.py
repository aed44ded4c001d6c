"""One connect attempt, from the button to the callback: begin and finish.

Sources: docs/contracts/zoom.md 2 and 3.5, docs/contracts/recall.md 3.5; checked
2026-11-25.
"""

import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services import throttle, urls
from dashboard.services.connect.attempts import LASTS, hashed, is_being_exchanged
from dashboard.services.connect.callbacks import Callback, Finished, Stop, claim
from dashboard.services.connect.exchange_at_recall import ExchangeAtRecall
from dashboard.services.connect.exchange_here import ExchangeHere
from dashboard.services.connections import check
from dashboard.services.invitations import invitations
from dashboard.services.invitations.references import References
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts

BEGINNINGS = 300
"""Attempts one address may begin in 15 minutes; an office may share one."""

INSTALLS = 20
"""Installations begun at Zoom that are noted of one address in 15 minutes."""

_WAITS, _WAIT_S = 100, 0.05
"""How often and how long a second callback waits for the outcome of the first."""

_SLUG = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A connect attempt under way; the browser is to go to `authorize_url`."""

    authorize_url: str
    attempt_id: UUID


def app_of_page(session: Session, slug: str) -> ZoomApp:
    """Return the zoom app of a hosted page.

    Raises:
        NotFoundError: There is no such page.
    """
    found = apps.find_by_slug(session, slug) if _SLUG.fullmatch(slug) else None
    if found is None:
        raise NotFoundError("connect page")
    return found


def is_ready(app: ZoomApp) -> bool:
    """Whether a code for this app could be made use of: Recall has the app."""
    return app.recall_app_id is not None


def is_hosted(app: ZoomApp) -> bool:
    """Whether users connect here, and not in the customer's own product."""
    return app.token_custody is not TokenCustody.OWN_SERVER


def only_ready(session: Session) -> ZoomApp | None:
    """Return the zoom app that can be connected, if there is exactly one."""
    query = select(ZoomApp).where(
        col(ZoomApp.recall_app_id).is_not(None),
        col(ZoomApp.retired_at).is_(None),
        col(ZoomApp.token_custody) != TokenCustody.OWN_SERVER,
    )
    ready = session.exec(query.limit(2)).all()
    return ready[0] if len(ready) == 1 else None


def begin(  # noqa: PLR0913 - the facts of one beginning, all named
    runtime: Runtime,
    slug: str,
    *,
    browser: str,
    address: str = "",
    invitation_id: UUID | None = None,
    carries: References | None = None,
) -> Begun:
    """Start a connect attempt bound to `browser`, the secret of its cookie; commits.

    Args:
        runtime: All of them.
        slug: Of the connect page.
        browser: What the cookie holds.
        address: Where the request came from; "" is not counted.
        invitation_id: The link made for one person that it begins from.
        carries: What the address of a plain link says of yours.

    Raises:
        NotFoundError: There is no such page, or no such link.
        ConflictError: The app is not ready or retired, the link is used or expired, or
            the address began too many connect attempts.
    """
    now = runtime.clock.now()
    state, verifier = secrets.token_urlsafe(32), SecretStr(secrets.token_urlsafe(48))
    attempt_id = uuid4()
    sealed = runtime.vault.seal_text(
        verifier, table="connect_attempt", column="code_verifier", row=attempt_id
    )
    with runtime.database.writing() as session:
        app = app_of_page(session, slug)
        if not is_hosted(app):
            raise ConflictError("Users of this app connect in another product.")
        if not is_ready(app):
            raise ConflictError("This zoom app is not in Recall yet.")
        if app.retired_at is not None:
            raise ConflictError("This link no longer works.")
        if address:
            subject = f"connect from {throttle.network(address)}"
            if throttle.is_spent(session, subject, limit=BEGINNINGS, now=now):
                raise ConflictError("Too many attempts. Wait 15 minutes and try again.")
            throttle.count(session, subject, now=now)
        if invitation_id is not None:
            invitation = invitations.get(session, invitation_id)
            if not invitations.is_usable(invitation, now=now):
                raise ConflictError("This link no longer works.")
            invitations.opened(session, invitation_id, now=now)
            carries = References(
                reference=invitation.user_ref,
                tags=invitation.tags,
                return_url=invitation.return_url,
            )
        carries = carries or References()
        session.add(
            ConnectAttempt(
                id=attempt_id,
                zoom_app_id=app.id,
                invitation_id=invitation_id,
                reference=carries.reference,
                tags=carries.tags,
                return_url=carries.return_url,
                state_hash=hashed(state),
                browser_hash=hashed(browser),
                code_verifier=sealed,
                created_at=now,
                expires_at=now + LASTS,
            )
        )
    zoom = hosts.of_cloud(runtime.zoom_oauth, app.zoom_cloud)
    authorize_url = zoom.authorize_url(
        client_id=app.client_id,
        redirect_uri=urls.redirect_url(runtime.hosted_url),
        state=state,
        code_challenge=_challenge(verifier),
    )
    return Begun(authorize_url=authorize_url, attempt_id=attempt_id)


def finish(  # noqa: PLR0913 - what a browser brought, all named
    runtime: Runtime,
    *,
    state: str | None,
    code: str | None,
    error: str | None,
    browser: str | None,
    address: str = "",
) -> Finished:
    """End the connect attempt that `state` names, whatever the rest says; commits.

    Raises nothing for what Zoom or Recall did: that is the connect attempt's outcome.
    """
    if not state:
        if error or not code:  # without a code nothing was installed
            return Finished(stop=Stop.UNKNOWN)
        return _begun_at_zoom(
            runtime.database, runtime.clock, browser=browser, address=address
        )
    callback = Callback(state=state, code=code, error=error, browser=browser)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        claimed = claim(session, runtime.vault, callback, now=now)
    if isinstance(claimed, Finished):
        if claimed.attempt_id is not None:
            _wait_for_exchange(runtime.database, runtime.clock, claimed.attempt_id)
        return claimed
    is_ours = claimed.app.token_custody is TokenCustody.DASHBOARD
    strategy = ExchangeHere if is_ours else ExchangeAtRecall
    connection_id = strategy(runtime, claimed).run()
    if connection_id is not None:
        # The outcome stands whatever this check says; the sweep checks again.
        with suppress(ConflictError, NotFoundError, UpstreamError):
            check.now(runtime, connection_id)
    return Finished(slug=claimed.app.slug, attempt_id=claimed.id)


def _wait_for_exchange(database: Database, clock: Clock, attempt_id: UUID) -> None:
    """Wait while another callback of the same browser exchanges the code."""
    for _ in range(_WAITS):
        with database.reading() as session:
            attempt = session.get(ConnectAttempt, attempt_id)
        if attempt is None or not is_being_exchanged(attempt, now=clock.now()):
            return
        time.sleep(_WAIT_S)


def _begun_at_zoom(
    database: Database, clock: Clock, *, browser: str | None, address: str
) -> Finished:
    """Note an installation begun at Zoom if it is known of which app; keep no code.

    Commits.

    Anybody can open this address: one address is noted a few times at most.
    """
    now, subject = clock.now(), f"begun at zoom from {throttle.network(address)}"
    with database.reading() as session:
        app = only_ready(session)
    if app is None:
        return Finished(stop=Stop.NO_STATE)
    with database.writing() as session:
        if not throttle.is_spent(session, subject, limit=INSTALLS, now=now):
            throttle.count(session, subject, now=now)
            session.add(
                ConnectAttempt(
                    zoom_app_id=app.id,
                    state_hash=hashed(secrets.token_urlsafe(32)),
                    browser_hash=hashed(browser or secrets.token_urlsafe(32)),
                    outcome=AttemptOutcome.BEGUN_AT_ZOOM,
                    detail="Added at Zoom, not from the connect page.",
                    created_at=now,
                    expires_at=now + LASTS,
                    ended_at=now,
                )
            )
    return Finished(slug=app.slug, stop=Stop.NO_STATE)


def _challenge(verifier: SecretStr) -> str:
    """Return the S256 challenge (RFC 7636 4.2); `plain` would show the verifier."""
    secret = verifier.get_secret_value()
    return str(create_s256_code_challenge(secret))  # type: ignore[no-untyped-call]  # Authlib's stubs leave it out
