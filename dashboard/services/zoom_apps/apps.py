"""Zoom apps: validating, creating, changing and finding them, opening their secrets."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.check import Finding, Source
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomApp,
    ZoomCloud,
)
from dashboard.pasted import require_whole, trim, trim_secret
from dashboard.services.receiver.signatures import NamedSecret
from dashboard.services.relay import circuit
from dashboard.services.validation import evidence, schedule
from dashboard.services.zoom_apps import succession
from dashboard.vault import Vault, fingerprint

_NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class NewZoomApp:
    """What a person enters about one set of Zoom credentials, before `tidy`.

    Attributes:
        joins_external: Whether bots join meetings that other Zoom accounts host.
        workspace_id: Where its Recall app is to be made, when that is known already.
        succeeds_id: The zoom app that it is to replace.
    """

    name: str
    environment: Environment
    kind: Kind
    client_id: str
    client_secret: SecretStr
    secret_token: SecretStr
    scope_style: ScopeStyle = ScopeStyle.GRANULAR
    joins_external: bool = False
    routing: Routing = Routing.RELAY
    token_custody: TokenCustody = TokenCustody.RECALL
    zoom_cloud: ZoomCloud = ZoomCloud.COMMERCIAL
    workspace_id: UUID | None = None
    succeeds_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ZoomAppChanges:
    """What a person changes; None keeps a value as it is."""

    name: str
    routing: Routing
    joins_external: bool | None = None
    zoom_cloud: ZoomCloud | None = None
    client_secret: SecretStr | None = None
    secret_token: SecretStr | None = None


def tidy(values: NewZoomApp) -> tuple[NewZoomApp, list[str]]:
    """Remove white space pasted around the values.

    Returns:
        The values, and the labels of those that had some ("client secret").

    Raises:
        InvalidInputError: A value is missing, too long, broken, or another's.
    """
    tidied = replace(
        values,
        name=trim(values.name),
        client_id=trim(values.client_id),
        client_secret=trim_secret(values.client_secret),
        secret_token=trim_secret(values.secret_token),
    )
    pairs = {
        "client ID": (values.client_id, tidied.client_id),
        "client secret": (values.client_secret, tidied.client_secret),
        "secret token": (values.secret_token, tidied.secret_token),
    }
    _require_name(tidied.name)
    require_whole(tidied.client_id, label="client ID", field="client_id")
    _require_secrets(tidied.client_id, tidied.client_secret, tidied.secret_token)
    return tidied, [label for label, (was, is_) in pairs.items() if was != is_]


def tidy_changes(
    changes: ZoomAppChanges, client_id: str
) -> tuple[ZoomAppChanges, list[str]]:
    """Remove white space pasted around the changed values; as `tidy`.

    Raises:
        InvalidInputError: A value is missing, too long, broken, or another's.
    """
    tidied = replace(
        changes,
        name=trim(changes.name),
        client_secret=changes.client_secret and trim_secret(changes.client_secret),
        secret_token=changes.secret_token and trim_secret(changes.secret_token),
    )
    _require_name(tidied.name)
    _require_secrets(client_id, tidied.client_secret, tidied.secret_token)
    pairs = {
        "client secret": (changes.client_secret, tidied.client_secret),
        "secret token": (changes.secret_token, tidied.secret_token),
    }
    return tidied, [label for label, (was, is_) in pairs.items() if was != is_]


def _require_name(name: str) -> None:
    if not name:
        raise InvalidInputError("Enter a name that staff will recognize.", field="name")
    if len(name) > _NAME_LENGTH:
        raise InvalidInputError(
            f"Use at most {_NAME_LENGTH} characters for the name.", field="name"
        )


def _require_secrets(
    client_id: str, client: SecretStr | None, token: SecretStr | None
) -> None:
    if client is not None:
        text = client.get_secret_value()
        require_whole(text, label="client secret", field="client_secret")
        if text == client_id:
            raise InvalidInputError(
                "This is the client ID. Copy the client secret below it.",
                field="client_secret",
            )
    if token is None:
        return
    text = token.get_secret_value()
    require_whole(text, label="secret token", field="secret_token")
    if text == client_id or token == client:
        raise InvalidInputError(
            "This is one of the app credentials. Copy Secret Token from Features > "
            "Access.",
            field="secret_token",
        )


_SLUG_WORDS = 40
_SLUG_BYTES = 6


@dataclass(frozen=True, kw_only=True)
class PairCheck:
    """What Zoom said of the client ID and secret, and when; stored with the app.

    Attributes:
        is_refusal: Whether Zoom refused the app, though not for a wrong pair: it
            replaces an earlier verdict.
        is_switched_off: Whether it did because the app is switched off there.
    """

    verdict: Verdict = Verdict.UNKNOWN
    reason: str = ""
    at: datetime | None = None
    is_refusal: bool = False
    is_switched_off: bool = False


def create(
    session: Session,
    vault: Vault,
    *,
    values: NewZoomApp,
    now: datetime,
    pair_check: PairCheck | None = None,
) -> ZoomApp:
    """Add a zoom app with its secrets sealed; the caller commits.

    Zoom is not asked here: `credential_checks.create` does.

    Raises:
        InvalidInputError: As `tidy`.
        ConflictError: The client ID exists, or the zoom app that it replaces already
            has a successor.
    """
    values, _ = tidy(values)
    require_new(session, values.client_id)
    if values.succeeds_id is not None:
        succession.require_free(session, values.succeeds_id)
    pair_check = pair_check or PairCheck()
    zoom_app_id = uuid4()
    zoom_app = ZoomApp(
        id=zoom_app_id,
        name=values.name,
        environment=values.environment,
        kind=values.kind,
        scope_style=values.scope_style,
        joins_external=values.joins_external,
        routing=values.routing,
        token_custody=values.token_custody,
        zoom_cloud=values.zoom_cloud,
        client_id=values.client_id,
        client_secret=_seal(vault, zoom_app_id, "client_secret", values.client_secret),
        client_secret_print=fingerprint(values.client_secret),
        client_secret_length=len(values.client_secret),
        client_secret_set_at=now,
        secret_token=_seal(vault, zoom_app_id, "secret_token", values.secret_token),
        secret_token_print=fingerprint(values.secret_token),
        secret_token_length=len(values.secret_token),
        secret_token_set_at=now,
        verdict=pair_check.verdict,
        verdict_reason=pair_check.reason[:300],
        is_switched_off=pair_check.is_switched_off,
        checked_at=pair_check.at,
        slug=_slug(values.name),
        workspace_id=values.workspace_id,
        succeeds_id=values.succeeds_id,
        created_at=now,
    )
    session.add(zoom_app)
    try:
        session.flush()
    except IntegrityError:  # created by someone else since `require_new`
        raise _here_already() from None
    return zoom_app


def change(  # noqa: PLR0913 - the parts of one act, all named
    session: Session,
    vault: Vault,
    zoom_app_id: UUID,
    *,
    changes: ZoomAppChanges,
    now: datetime,
    pair_check: PairCheck | None = None,
    is_in_use: bool = True,
) -> ZoomApp:
    """Change a zoom app; the caller commits.

    A replaced secret token is accepted until `rotations.run_due` has seen Zoom use the
    new one: Zoom documents no grace period (docs/contracts/zoom.md 10.16).

    Args:
        session: Writing.
        vault: Seals the new secrets.
        zoom_app_id: Which.
        changes: Tidied by `tidy_changes`.
        now: When they are entered.
        pair_check: What Zoom said of the pair, if the secret or the service is new.
        is_in_use: Whether Zoom may be signing with the secret token stored so far: else
            the one before is what goes on being accepted.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    zoom_app = get(session, zoom_app_id)
    _note_new_way(session, zoom_app, changes, now=now)
    zoom_app.name = changes.name
    zoom_app.routing = changes.routing
    if changes.joins_external is not None:
        zoom_app.joins_external = changes.joins_external
    if changes.client_secret is not None:
        pair_check = pair_check or PairCheck()
        zoom_app.client_secret = _seal(
            vault, zoom_app_id, "client_secret", changes.client_secret
        )
        zoom_app.client_secret_print = fingerprint(changes.client_secret)
        zoom_app.client_secret_length = len(changes.client_secret)
        zoom_app.client_secret_set_at = now
    if changes.zoom_cloud is not None:
        zoom_app.zoom_cloud = changes.zoom_cloud
    if pair_check is not None:
        zoom_app.verdict_since = pair_check.at
        zoom_app.pair_due_at = pair_check.at  # Recall's copy is tried too
        zoom_app.verdict = pair_check.verdict
        zoom_app.verdict_reason = pair_check.reason[:300]
        zoom_app.is_switched_off = pair_check.is_switched_off
        zoom_app.checked_at = pair_check.at
    if changes.secret_token is not None:
        _replace_secret_token(
            vault, zoom_app, changes.secret_token, now, is_in_use=is_in_use
        )
        circuit.probe_now(session, zoom_app_id=zoom_app_id, now=now)
    zoom_app.version += 1
    session.add(zoom_app)
    session.flush()
    schedule.make_due(session, zoom_app_id, now=now)
    return zoom_app


def _note_new_way(
    session: Session, zoom_app: ZoomApp, changes: ZoomAppChanges, *, now: datetime
) -> None:
    """Record that what was seen of Zoom's way here is of the time before a change."""
    is_elsewhere = changes.zoom_cloud not in (None, zoom_app.zoom_cloud)
    if changes.routing is not Routing.RELAY:
        return
    if zoom_app.routing is Routing.DIRECT:
        why = "before, Zoom sent webhooks directly to Recall."
    elif is_elsewhere:
        why = "before, the app was in another Zoom service."
    else:
        return
    evidence.record(
        session,
        zoom_app_id=zoom_app.id,
        source=Source.ZOOM_EVENT,
        finding=Finding.NOT_SEEN,
        detail=f"{why} The next event, or Validate in Zoom, shows that Zoom has this "
        "app's webhook URL.",
        at=now,
    )


def get(session: Session, zoom_app_id: UUID) -> ZoomApp:
    """Return the zoom app.

    Raises:
        NotFoundError: There is none.
    """
    zoom_app = session.get(ZoomApp, zoom_app_id)
    if zoom_app is None:
        raise NotFoundError("zoom app")
    return zoom_app


def full_name(zoom_app: ZoomApp) -> str:
    """Name a zoom app for the audit log: name, environment and id."""
    return f"{zoom_app.name} ({zoom_app.environment.value}) {zoom_app.id}"


def lock(session: Session, zoom_app_id: UUID) -> ZoomApp:
    """Return the zoom app for a change that depends on what it is now.

    Raises:
        NotFoundError: There is none.
    """
    zoom_app = session.get(ZoomApp, zoom_app_id, with_for_update=True)
    if zoom_app is None:
        raise NotFoundError("zoom app")
    return zoom_app


def find_by_slug(session: Session, slug: str) -> ZoomApp | None:
    """Return the zoom app of a hosted connect page, or None."""
    return session.exec(select(ZoomApp).where(col(ZoomApp.slug) == slug)).first()


def list_all(session: Session) -> Sequence[ZoomApp]:
    """Return every zoom app, by name; the retired ones last."""
    is_retired = col(ZoomApp.retired_at).is_not(None)
    return session.exec(select(ZoomApp).order_by(is_retired, col(ZoomApp.name))).all()


def find_by_client_id(session: Session, client_id: str) -> ZoomApp | None:
    """Return the zoom app with this client ID, or None."""
    query = select(ZoomApp).where(col(ZoomApp.client_id) == client_id)
    return session.exec(query).first()


def client_secret(vault: Vault, zoom_app: ZoomApp) -> SecretStr:
    """Open the client secret."""
    return _open(vault, zoom_app.id, "client_secret", zoom_app.client_secret)


def secret_token(vault: Vault, zoom_app: ZoomApp) -> SecretStr:
    """Open the secret token in use."""
    return _open(vault, zoom_app.id, "secret_token", zoom_app.secret_token)


def secret_tokens(vault: Vault, zoom_app: ZoomApp) -> list[NamedSecret]:
    """Open every secret token Zoom may sign with: "current", then "previous"."""
    found = [NamedSecret(name="current", secret=secret_token(vault, zoom_app))]
    if zoom_app.previous_secret_token is not None:
        previous = _open(
            vault, zoom_app.id, "previous_secret_token", zoom_app.previous_secret_token
        )
        found.append(NamedSecret(name="previous", secret=previous))
    return found


def require_new(session: Session, client_id: str) -> None:
    """Reject a client ID that already exists.

    Raises:
        ConflictError: It exists; nothing was stored.
    """
    if find_by_client_id(session, client_id) is not None:
        raise _here_already()


def _here_already() -> ConflictError:
    return ConflictError(
        "A zoom app with this client ID already exists. Development and production "
        "have different client IDs."
    )


def _replace_secret_token(
    vault: Vault, zoom_app: ZoomApp, new: SecretStr, now: datetime, *, is_in_use: bool
) -> None:
    old, *former = (each.secret for each in secret_tokens(vault, zoom_app))
    # One typed by mistake must not push out the one that Zoom signs with. If that is
    # what is typed now, both go on being accepted.
    if old != new and (is_in_use or new in former or not former):
        zoom_app.previous_secret_token = _seal(
            vault, zoom_app.id, "previous_secret_token", old
        )
    zoom_app.secret_token = _seal(vault, zoom_app.id, "secret_token", new)
    zoom_app.secret_token_print = fingerprint(new)
    zoom_app.secret_token_length = len(new)
    zoom_app.secret_token_set_at = now


def _slug(name: str) -> str:
    # The random end keeps one organisation's page from being found by its name.
    words = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_SLUG_WORDS].strip("-")
    return f"{words or 'zoom'}-{secrets.token_hex(_SLUG_BYTES)}"


def _seal(vault: Vault, zoom_app_id: UUID, column: str, value: SecretStr) -> bytes:
    return vault.seal_text(value, table="zoom_app", column=column, row=zoom_app_id)


def _open(vault: Vault, zoom_app_id: UUID, column: str, sealed: bytes) -> SecretStr:
    return vault.open_text(sealed, table="zoom_app", column=column, row=zoom_app_id)
