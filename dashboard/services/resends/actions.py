"""What staff do about resends, each act audited in the transaction that does it."""

from dashboard.errors import ConflictError
from dashboard.models.ids import new_id, time_of
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.resends import collecting, resends
from dashboard.services.resends.previews import Preview, preview
from dashboard.services.resends.queries import to_query
from dashboard.services.resends.resends import Progress
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.log import WebhookFilter

_CANCELLED_AT_ONCE = 2000


def begin(
    runtime: Runtime, resend_id: int, filters: WebhookFilter, *, actor: Actor
) -> Preview | None:
    """Begin a resend of what matched when its preview was made.

    Returns:
        What it will send; None when this form began it before.

    Raises:
        ConflictError: There is nothing to send, or the preview is too old.
        InvalidInputError: The filter cannot be kept.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        if resends.find(session, resend_id) is not None:
            return None
        found = preview(session, filters=filters, now=time_of(resend_id))
    if not found.total:
        raise ConflictError("Nothing that may be sent matches, so nothing was begun.")
    with runtime.database.writing() as session:
        is_new = resends.begin(
            session,
            resend_id=resend_id,
            filters=filters,
            expected=found.total,
            asked_by=actor.name,
            now=now,
        )
        if not is_new:
            return None
        which = to_query(filters) or "everything"
        subject = f"{resend_id}: {found.total:,} webhooks, {which}"
        audit.record(session, actor, "resend.begun", subject=subject, now=now)
    return found


def begin_one(
    runtime: Runtime, webhook_id: int, *, resend_id: int | None, actor: Actor
) -> int:
    """Begin the resend of one webhook.

    Args:
        runtime: The bundle.
        webhook_id: Which one.
        resend_id: Of the form; None for one that cannot be sent twice.
        actor: Who asks.

    Returns:
        The resend's id.

    Raises:
        NotFoundError: There is no such webhook.
        ConflictError: It waits already, was only kept, or the page is too old.
    """
    now = runtime.clock.now()
    resend_id = new_id(now) if resend_id is None else resend_id
    with runtime.database.writing() as session:
        if resends.begin_one(
            session, webhook_id, resend_id=resend_id, asked_by=actor.name, now=now
        ):
            audit.record(
                session, actor, "webhook.resent", subject=str(webhook_id), now=now
            )
    return resend_id


def cancel(runtime: Runtime, resend_id: int, *, actor: Actor) -> Progress:
    """Call a resend off: nothing of it is sent from now on, what was sent stays sent.

    What waits is called off in batches; were this process to die, the worker goes on.

    Raises:
        NotFoundError: There is none.
        ConflictError: It has ended.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        resends.cancel(session, resend_id, now=now)
        collecting.cancel_waiting(session, now=now, limit=_CANCELLED_AT_ONCE)
        audit.record(
            session, actor, "resend.cancelled", subject=str(resend_id), now=now
        )
    swept = _CANCELLED_AT_ONCE
    while swept == _CANCELLED_AT_ONCE:
        with runtime.database.writing() as session:
            swept = collecting.cancel_waiting(
                session, now=now, limit=_CANCELLED_AT_ONCE
            )
    with runtime.database.reading() as session:
        return resends.progress(session, resend_id)
