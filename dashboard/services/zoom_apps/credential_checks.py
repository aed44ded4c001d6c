"""Saving a client ID and secret: Zoom verifies them first.

Credentials that Zoom rejects are not saved. If Zoom can't be reached they are saved as
unverified (docs/decisions/0006-wrong-pairs-are-not-saved.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, update

from dashboard.clients.http.error_words import APP_DISABLED
from dashboard.clients.zoom.oauth import REFUSALS_OF_THE_APP, refusal_words
from dashboard.errors import InvalidInputError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, TokenCustody, ZoomApp, ZoomCloud
from dashboard.services import audit, urls
from dashboard.services.audit import Actor
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, custody, hosts, secret_changes
from dashboard.services.zoom_apps.apps import NewZoomApp, PairCheck, ZoomAppChanges
from dashboard.services.zoom_apps.secret_changes import NewSecrets

TRIED_AGAIN_AFTER = timedelta(minutes=5)
"""How soon a pair that Zoom refused is tried again."""


class WrongCredentialsError(InvalidInputError):
    """Zoom rejected the client ID and client secret."""


@dataclass(frozen=True, kw_only=True)
class SavedZoomApp:
    """A zoom app as saved.

    Attributes:
        pair_check: What Zoom said of the pair; None when the pair was not touched.
        trimmed: Labels of values that had white space around them.
        has_new_secrets: Whether Recall, if it has the app, must be told.
    """

    zoom_app_id: UUID
    pair_check: PairCheck | None
    trimmed: Sequence[str] = ()
    has_new_secrets: bool = True


def create(runtime: Runtime, values: NewZoomApp, *, actor: Actor) -> SavedZoomApp:
    """Verify credentials with Zoom and save them as a zoom app; commits.

    Raises:
        InvalidInputError: A value cannot be taken.
        WrongCredentialsError: Zoom refuses the pair.
        ConflictError: The client ID is here already.
    """
    values, trimmed = apps.tidy(values)
    custody.require_possible(runtime.public_url, values.token_custody)
    with runtime.database.reading() as session:
        apps.require_new(session, values.client_id)
    pair_check = ask_zoom(
        runtime, values.client_id, values.client_secret, values.zoom_cloud
    )
    _require_not_wrong(pair_check, values.environment)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        made = apps.create(
            session, runtime.vault, values=values, now=now, pair_check=pair_check
        )
        subject = _words(made)
        if made.succeeds_id is not None:
            subject += f": to replace {made.succeeds_id}"
        audit.record(session, actor, "zoom_app.created", subject=subject, now=now)
    return SavedZoomApp(zoom_app_id=made.id, pair_check=pair_check, trimmed=trimmed)


def change(
    runtime: Runtime, zoom_app_id: UUID, changes: ZoomAppChanges, *, actor: Actor
) -> SavedZoomApp:
    """Change a zoom app; commits. A new client secret or service is checked first.

    New secrets are stored with the `SecretChange` that queues them for Recall, so that
    a crash loses neither half. `rotations.change` does both.

    Raises:
        InvalidInputError: A value cannot be taken.
        WrongCredentialsError: Zoom refuses the pair.
        NotFoundError: There is no such zoom app.
    """
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        client_id, environment = zoom_app.client_id, zoom_app.environment
        cloud = changes.zoom_cloud or zoom_app.zoom_cloud
        is_elsewhere = cloud is not zoom_app.zoom_cloud
        stored = apps.client_secret(runtime.vault, zoom_app)
    changes, trimmed = apps.tidy_changes(changes, client_id)
    pair_check = None
    if changes.client_secret is not None or is_elsewhere:
        secret = changes.client_secret or stored
        pair_check = ask_zoom(runtime, client_id, secret, cloud)
        if is_elsewhere:
            _require_known_there(pair_check, cloud)
        _require_not_wrong(pair_check, environment)
    vault = runtime.vault
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        zoom_app = apps.lock(session, zoom_app_id)
        entry = _entry(changes, apps.secret_token(vault, zoom_app))
        changed = apps.change(
            session,
            vault,
            zoom_app_id,
            changes=changes,
            now=now,
            pair_check=pair_check,
            is_in_use=secret_changes.is_in_use(session, vault, zoom_app),
        )
        if entry is not None:
            secret_changes.begin(session, changed, entry, asked_by=actor.name, now=now)
        what = _what_changed(changes, is_elsewhere=is_elsewhere)
        subject = _words(changed) + what
        audit.record(session, actor, "zoom_app.changed", subject=subject, now=now)
    return SavedZoomApp(
        zoom_app_id=zoom_app_id,
        pair_check=pair_check,
        trimmed=trimmed,
        has_new_secrets=entry is not None,
    )


def check_again(runtime: Runtime, zoom_app_id: UUID) -> PairCheck:
    """Ask Zoom about the stored pair again and keep the answer; commits.

    Not being able to ask leaves an earlier answer as it was: evidence does not fade
    because Zoom is down. Neither does an answer about a secret replaced meanwhile
    count.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        client_id, set_at = zoom_app.client_id, zoom_app.client_secret_set_at
        environment, cloud = zoom_app.environment, zoom_app.zoom_cloud
        secret = apps.client_secret(runtime.vault, zoom_app)
    pair_check = ask_zoom(runtime, client_id, secret, cloud)
    if pair_check.verdict is Verdict.WRONG:
        pair_check = PairCheck(
            verdict=pair_check.verdict,
            reason=wrong_pair_advice(environment),
            at=pair_check.at,
        )
    store_pair_check(runtime, zoom_app_id, pair_check, of_secret_set_at=set_at)
    return pair_check


def ask_again(runtime: Runtime, zoom_app_id: UUID, *, within: timedelta) -> None:
    """As `check_again`, unless Zoom answered so lately, or refused the pair; commits.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    since = runtime.clock.now() - within
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        is_known = is_accepted(zoom_app, since=since)
    if not is_known and zoom_app.verdict is not Verdict.WRONG:
        check_again(runtime, zoom_app_id)


def is_accepted(zoom_app: ZoomApp, *, since: datetime) -> bool:
    """Whether Zoom accepted an app's pair, at that instant or later."""
    checked_at = zoom_app.checked_at
    is_right = zoom_app.verdict is Verdict.RIGHT
    return is_right and checked_at is not None and checked_at >= since


def store_pair_check(
    runtime: Runtime,
    zoom_app_id: UUID,
    pair_check: PairCheck,
    *,
    of_secret_set_at: datetime,
) -> None:
    """Store what Zoom said of the stored credentials, unless it says less; commits.

    Args:
        runtime: All of them.
        zoom_app_id: Whose pair.
        pair_check: What Zoom said.
        of_secret_set_at: When the client secret that was asked about had been entered.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    with runtime.database.writing() as session:
        zoom_app = apps.get(session, zoom_app_id)
        is_news = (
            pair_check.verdict is not Verdict.UNKNOWN
            or pair_check.is_refusal
            or zoom_app.verdict is Verdict.UNKNOWN
        )
        if is_news and zoom_app.client_secret_set_at == of_secret_set_at:
            is_off = pair_check.is_switched_off
            if (zoom_app.verdict, zoom_app.is_switched_off) != (
                pair_check.verdict,
                is_off,
            ):
                zoom_app.verdict_since = pair_check.at
            if pair_check.verdict is Verdict.WRONG and not zoom_app.pair_doubted_at:
                zoom_app.pair_doubted_at = pair_check.at
                soon = runtime.clock.now() + TRIED_AGAIN_AFTER
                zoom_app.pair_due_at = min(zoom_app.pair_due_at or soon, soon)
            is_ours = zoom_app.token_custody is TokenCustody.DASHBOARD
            if pair_check.verdict is Verdict.RIGHT and is_ours:
                trust(session, zoom_app, now=runtime.clock.now())
            zoom_app.verdict = pair_check.verdict
            zoom_app.verdict_reason = pair_check.reason[:300]
            zoom_app.is_switched_off = is_off
            zoom_app.checked_at = pair_check.at
            session.add(zoom_app)


def doubt(session: Session, zoom_app_id: UUID, *, now: datetime) -> None:
    """Record that an app's pair was reported as wrong; Zoom is asked at once.

    Until it works again, the checks of the app's users stop. The caller commits.
    """
    session.exec(
        update(ZoomApp)
        .where(col(ZoomApp.id) == zoom_app_id, col(ZoomApp.pair_doubted_at).is_(None))
        .values(pair_doubted_at=now, pair_due_at=now)
        .execution_options(synchronize_session=False)
    )


def ask_at_once(session: Session, zoom_app_id: UUID, *, now: datetime) -> None:
    """Have Zoom asked about an app that it is said to have switched off.

    The caller commits.
    """
    session.exec(
        update(ZoomApp)
        .where(col(ZoomApp.id) == zoom_app_id, col(ZoomApp.is_switched_off).is_(False))
        .values(pair_due_at=now)
        .execution_options(synchronize_session=False)
    )


def trust(session: Session, zoom_app: ZoomApp, *, now: datetime) -> None:
    """Record that an app's pair works; its users' checks are due if they had stopped.

    Recall has not tried since what it calls unhealthy: that may be the pair's fault.
    The caller commits.
    """
    if zoom_app.pair_doubted_at is None:
        return
    zoom_app.pair_doubted_at = None
    session.add(zoom_app)
    session.exec(
        update(Connection)
        .where(
            col(Connection.zoom_app_id) == zoom_app.id,
            col(Connection.token_state) == TokenState.UNHEALTHY_IN_RECALL,
        )
        .values(recall_tried_at=None)
        .execution_options(synchronize_session=False)
    )
    session.exec(
        update(Connection)
        .where(col(Connection.zoom_app_id) == zoom_app.id, col(Connection.due_at) > now)
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )


def trust_given(session: Session, zoom_app_id: UUID, *, now: datetime) -> None:
    """Record that Recall was given the pair stored here; the caller commits.

    If Zoom accepted it since it was doubted, the app is right in both places: whoever
    gets no token now has an authorization that ended.
    """
    zoom_app = apps.get(session, zoom_app_id)
    doubted_at, checked_at = zoom_app.pair_doubted_at, zoom_app.checked_at
    if doubted_at is None or checked_at is None or zoom_app.verdict is Verdict.WRONG:
        return
    if zoom_app.verdict is Verdict.RIGHT and checked_at >= doubted_at:
        trust(session, zoom_app, now=now)


def ask_zoom(
    runtime: Runtime,
    client_id: str,
    client_secret: SecretStr,
    cloud: ZoomCloud = ZoomCloud.COMMERCIAL,
) -> PairCheck:
    """Ask Zoom to verify the two (docs/contracts/zoom.md 3.4).

    Never raises: "Zoom is down" is UNKNOWN, never WRONG.
    """
    answer = hosts.of_cloud(runtime.zoom_oauth, cloud).check_pair(
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=urls.redirect_url(runtime.hosted_url),
    )
    return PairCheck(
        verdict=Verdict(answer.verdict.value),
        reason=answer.reason,
        at=runtime.clock.now(),
        is_refusal=answer.is_refusal,
        is_switched_off=answer.is_switched_off,
    )


def refusal_of_the_app(error: UpstreamError, *, at: datetime) -> PairCheck | None:
    """Return what a failed request for a token says of the app; None: nothing.

    Not for `invalid_client`, which is about the pair.
    """
    if error.code not in REFUSALS_OF_THE_APP:
        return None
    return PairCheck(
        verdict=Verdict.UNKNOWN,
        reason=refusal_words(error),
        at=at,
        is_refusal=True,
        is_switched_off=error.code == APP_DISABLED,
    )


def wrong_pair_advice(environment: Environment) -> str:
    """Return what to compare in Zoom's console after `invalid_client`.

    Zoom does not say which of the two is wrong (docs/contracts/zoom.md 3.3).
    """
    other = (
        Environment.PRODUCTION
        if environment is Environment.DEVELOPMENT
        else Environment.DEVELOPMENT
    )
    return (
        "Zoom rejected this client ID and client secret. Compare both with Basic "
        f"Information > App Credentials, tab {environment.value.capitalize()}. "
        f"Mixing a {environment.value} client ID with a {other.value} client secret "
        "causes this error."
    )


def _require_known_there(pair_check: PairCheck, cloud: ZoomCloud) -> None:
    if pair_check.verdict is Verdict.WRONG:
        is_gov = cloud is ZoomCloud.GOVERNMENT
        raise WrongCredentialsError(
            f"{'Zoom for Government' if is_gov else 'Zoom'} does not know this client "
            "ID with this client secret. Nothing was changed: choose the service whose "
            "Marketplace the app is in.",
            field="cloud",
        )


def _require_not_wrong(pair_check: PairCheck, environment: Environment) -> None:
    if pair_check.verdict is Verdict.WRONG:
        raise WrongCredentialsError(
            wrong_pair_advice(environment), field="client_secret"
        )


def _entry(changes: ZoomAppChanges, secret_token: SecretStr) -> NewSecrets | None:
    """Return which secrets were typed, the secret token if it is another; or None."""
    if changes.client_secret is None and changes.secret_token is None:
        return None
    return NewSecrets(
        has_client_secret=changes.client_secret is not None,
        has_secret_token=changes.secret_token not in (None, secret_token),
    )


def _what_changed(changes: ZoomAppChanges, *, is_elsewhere: bool) -> str:
    new = [
        label
        for label, value in (
            ("client secret", changes.client_secret),
            ("secret token", changes.secret_token),
        )
        if value is not None
    ]
    said = f": new {' and '.join(new)}" if new else ""
    if is_elsewhere and changes.zoom_cloud is not None:
        said += f"; Zoom service: {changes.zoom_cloud.value}"
    return said


def _words(zoom_app: ZoomApp) -> str:
    return f"{zoom_app.name} ({zoom_app.environment.value}) {zoom_app.id}"
