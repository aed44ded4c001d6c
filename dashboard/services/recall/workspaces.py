"""Workspaces: Recall regions with their API keys, checked by a read-only request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, select, update

from dashboard.clients.recall.api import REGION_LABELS, REGIONS, Recall
from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.pasted import require_whole, trim, trim_secret
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall import callback_signatures
from dashboard.services.recall.callback_signatures import Signing
from dashboard.services.relay import circuit
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault, fingerprint

__all__ = [
    "REGION_LABELS",
    "Entered",
    "KeyAnswer",
    "NewWorkspace",
    "api_key",
    "change",
    "check_again",
    "check_key",
    "client",
    "create",
    "doubt",
    "find_by_key",
    "get",
    "list_all",
]

_NAME_LENGTH = 80
_ASKED_EVERY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class NewWorkspace:
    """What a person enters: a name for staff, Recall's region and an API key."""

    name: str
    region: str
    api_key: SecretStr


@dataclass(frozen=True, kw_only=True)
class KeyAnswer:
    """Recall's verdict on a key; `reason` is a sentence or two.

    Attributes:
        needs_someone: Whether the key is valid but can't be used.
    """

    verdict: Verdict
    reason: str
    needs_someone: bool = False


@dataclass(frozen=True, kw_only=True)
class Entered:
    """A saved workspace; `trimmed` names values that had spaces around them."""

    workspace_id: UUID
    answer: KeyAnswer
    trimmed: Sequence[str] = ()


def create(runtime: Runtime, values: NewWorkspace, *, actor: Actor) -> Entered:
    """Check the key at Recall and save the workspace; commits.

    Raises:
        InvalidInputError: A value is invalid, or Recall rejects the key.
        ConflictError: Another workspace has the same key and region.
    """
    values, trimmed = _tidy(values)
    with runtime.database.reading() as session:
        _require_new(session, values.region, values.api_key)
    answer = check_key(runtime, values.region, values.api_key)
    _require_not_wrong(answer)
    now, vault = runtime.clock.now(), runtime.vault
    workspace_id = uuid4()
    with runtime.database.writing() as session:
        _require_new(session, values.region, values.api_key)
        workspace = Workspace(
            id=workspace_id,
            name=values.name,
            region=values.region,
            api_key=_seal(vault, workspace_id, values.api_key),
            api_key_print=fingerprint(values.api_key),
            api_key_length=len(values.api_key),
            api_key_set_at=now,
            verdict=answer.verdict,
            verdict_reason=answer.reason[:300],
            checked_at=now,
            verdict_since=now,
            key_due_at=now + _ASKED_EVERY,
            created_at=now,
        )
        session.add(workspace)
        audit.record(
            session, actor, "workspace.created", subject=_words(workspace), now=now
        )
    return Entered(workspace_id=workspace_id, answer=answer, trimmed=trimmed)


def change(  # noqa: PLR0913 - what a form has, all named
    runtime: Runtime,
    workspace_id: UUID,
    *,
    name: str,
    api_key: SecretStr | None,
    actor: Actor,
    signing: Signing | None = None,
) -> Entered:
    """Rename a workspace and, when a key is given, check and replace it; commits.

    The region can't be changed: everything in Recall belongs to one region.

    Raises:
        InvalidInputError: As `create`, or `signing` is invalid.
        ConflictError: The new key is another workspace's.
        NotFoundError: There is no such workspace.
    """
    with runtime.database.reading() as session:
        region = get(session, workspace_id).region
    given = api_key or SecretStr("unchanged")
    values, trimmed = _tidy(NewWorkspace(name=name, region=region, api_key=given))
    if signing is not None:
        signing, was_trimmed = callback_signatures.tidy(signing)
        trimmed += ["verification secret"] if was_trimmed else []
    answer = KeyAnswer(verdict=Verdict.UNKNOWN, reason="")
    if api_key is not None:
        with runtime.database.reading() as session:
            _require_new(session, region, values.api_key, but=workspace_id)
        answer = check_key(runtime, region, values.api_key)
        _require_not_wrong(answer)
    now, vault = runtime.clock.now(), runtime.vault
    with runtime.database.writing() as session:
        workspace = get(session, workspace_id)
        workspace.name = values.name
        if api_key is not None:
            workspace.api_key = _seal(vault, workspace_id, values.api_key)
            workspace.api_key_print = fingerprint(values.api_key)
            workspace.api_key_length = len(values.api_key)
            workspace.api_key_set_at = now
            workspace.key_due_at = now + _ASKED_EVERY
            _note(workspace, answer, now)
            circuit.probe_now(session, workspace_id=workspace_id, now=now)
        if signing is not None:
            callback_signatures.put(vault, workspace, signing, now=now)
        session.add(workspace)
        audit.record(
            session, actor, "workspace.changed", subject=_words(workspace), now=now
        )
    return Entered(workspace_id=workspace_id, answer=answer, trimmed=trimmed)


def check_again(runtime: Runtime, workspace_id: UUID) -> KeyAnswer:
    """Check the stored key at Recall again and store the answer; commits.

    If Recall can't be asked, an earlier answer stays.

    Raises:
        NotFoundError: There is no such workspace.
    """
    with runtime.database.reading() as session:
        workspace = get(session, workspace_id)
        region, seen_at = workspace.region, workspace.api_key_set_at
        key = api_key(runtime.vault, workspace)
    answer = check_key(runtime, region, key)
    with runtime.database.writing() as session:
        workspace = get(session, workspace_id)
        is_news = answer.verdict is not Verdict.UNKNOWN or workspace.checked_at is None
        if is_news and workspace.api_key_set_at == seen_at:
            _note(workspace, answer, runtime.clock.now())
            session.add(workspace)
    return answer


def check_key(runtime: Runtime, region: str, key: SecretStr) -> KeyAnswer:
    """Ask Recall whether it accepts this key in this region, by a small list request.

    Never raises: no answer is a verdict of its own. Keys work in one region only; other
    regions answer 401 (docs/contracts/recall.md 1.1).
    """
    try:
        runtime.recall(region, key).check_key()
    except UpstreamError as error:
        if error.own_status == HTTPStatus.UNAUTHORIZED:
            return KeyAnswer(
                verdict=Verdict.WRONG,
                reason=f"Recall rejected this API key in {region}. Keys work in one "
                "region only: check the region in your Recall dashboard URL and copy "
                "the key again.",
            )
        if error.own_status == HTTPStatus.PAYMENT_REQUIRED:
            return KeyAnswer(
                verdict=Verdict.RIGHT,
                reason="Recall accepted the key, but the workspace is out of credit. "
                "Add credit in Recall's dashboard.",
                needs_someone=True,
            )
        return KeyAnswer(
            verdict=Verdict.UNKNOWN, reason=f"The key couldn't be checked: {error}"
        )
    return KeyAnswer(verdict=Verdict.RIGHT, reason="Recall accepted the key.")


def doubt(session: Session, workspace_id: UUID, *, now: datetime) -> None:
    """Record that something contradicts what is known of a key: it is tried at once.

    The caller commits.
    """
    session.exec(
        update(Workspace)
        .where(col(Workspace.id) == workspace_id)
        .values(key_due_at=now)
        .execution_options(synchronize_session=False)
    )


def get(session: Session, workspace_id: UUID) -> Workspace:
    """Return the workspace.

    Raises:
        NotFoundError: There is none.
    """
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFoundError("workspace")
    return workspace


def find_by_key(session: Session, region: str, key: SecretStr) -> Workspace | None:
    """Return the workspace with this key in this region, or None."""
    query = select(Workspace).where(
        col(Workspace.region) == region,
        col(Workspace.api_key_print) == fingerprint(key),
    )
    return session.exec(query).first()


def list_all(session: Session) -> Sequence[Workspace]:
    """Return every workspace, by name."""
    return session.exec(select(Workspace).order_by(col(Workspace.name))).all()


def api_key(vault: Vault, workspace: Workspace) -> SecretStr:
    """Open the API key."""
    return vault.open_text(
        workspace.api_key, table="workspace", column="api_key", row=workspace.id
    )


def client(runtime: Runtime, workspace: Workspace) -> Recall:
    """Return a client with the workspace's key; connections are shared."""
    return runtime.recall(workspace.region, api_key(runtime.vault, workspace))


def _tidy(values: NewWorkspace) -> tuple[NewWorkspace, list[str]]:
    tidied = replace(
        values, name=trim(values.name), api_key=trim_secret(values.api_key)
    )
    if not tidied.name:
        raise InvalidInputError("Enter a name that staff will recognize.", field="name")
    if len(tidied.name) > _NAME_LENGTH:
        raise InvalidInputError(
            f"The name can have at most {_NAME_LENGTH} characters.", field="name"
        )
    if tidied.region not in REGIONS:
        raise InvalidInputError("Recall has no such region.", field="region")
    key = tidied.api_key.get_secret_value()
    require_whole(key, label="API key", field="api_key")
    return tidied, ["API key"] if values.api_key != tidied.api_key else []


def _require_new(
    session: Session, region: str, key: SecretStr, *, but: UUID | None = None
) -> None:
    there = find_by_key(session, region, key)
    if there is not None and there.id != but:
        raise ConflictError(
            f"The workspace {there.name} already uses this API key in {region}."
        )


def _require_not_wrong(answer: KeyAnswer) -> None:
    if answer.verdict is Verdict.WRONG:
        raise InvalidInputError(answer.reason, field="api_key")


def _note(workspace: Workspace, answer: KeyAnswer, now: datetime) -> None:
    if workspace.verdict is not answer.verdict:
        workspace.verdict_since = now
    workspace.verdict = answer.verdict
    workspace.verdict_reason = answer.reason[:300]
    workspace.checked_at = now


def _words(workspace: Workspace) -> str:
    return f"{workspace.name} ({workspace.region}), key {workspace.api_key_print}"


def _seal(vault: Vault, workspace_id: UUID, value: SecretStr) -> bytes:
    return vault.seal_text(value, table="workspace", column="api_key", row=workspace_id)


def recall_of(runtime: Runtime, session: Session, app: ZoomApp) -> tuple[Recall, UUID]:
    """Return the client of the app's workspace and the app's ID in Recall.

    Raises:
        ConflictError: The app is not in Recall yet.
    """
    if app.workspace_id is None or app.recall_app_id is None:
        raise ConflictError(f"{app.name} is not in Recall yet.")
    workspace = session.get_one(Workspace, app.workspace_id)
    key = api_key(runtime.vault, workspace)
    return runtime.recall(workspace.region, key), app.recall_app_id
