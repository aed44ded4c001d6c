"""Sends the messages of alerts: the queue's chore, and a test of one channel."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session

from dashboard.errors import SendError, VaultError
from dashboard.models.alert import (
    Alert,
    AlertChannel,
    AlertMessage,
    Occasion,
)
from dashboard.services import audit
from dashboard.services.alert_channels import channels, rules
from dashboard.services.alert_channels.channels import Words
from dashboard.services.alerts import rounds, wording
from dashboard.services.audit import Actor
from dashboard.services.outbox import queue
from dashboard.services.outbox.sender import Sender
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from dashboard.vault import Vault


def sender(runtime: Runtime, *, takes_over: bool = True) -> Sender:
    """Return the chore that sends what is due; one message of a channel at a time.

    Args:
        runtime: All of it.
        takes_over: As `Sender`.
    """
    return Sender(
        runtime.database,
        runtime.clock,
        model=AlertMessage,
        send=lambda message: _send(runtime, message),
        lane="channel_id",
        takes_over=takes_over,
    )


def test(runtime: Runtime, channel_id: UUID, *, actor: Actor) -> AlertChannel:
    """Send a real message through a channel, and store how that went; commits.

    Raises:
        NotFoundError: There is no such channel.
        SendError: It did not arrive; says why.
    """
    with runtime.database.reading() as session:
        channel = channels.get(session, channel_id)
    words = wording.of_test(
        channel,
        public_url=runtime.public_url,
        reference=str(uuid4()),
        now=runtime.clock.now(),
    )
    error = _tried(runtime.vault, runtime.settings, channel, words)
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        channels.note(session, channel_id, error, now=now)
        subject = f"{channel.name} ({channel.id})"
        audit.record(session, actor, "alert_channel.tested", subject=subject, now=now)
    if error is not None:
        raise error
    return channel


def _send(runtime: Runtime, message: AlertMessage) -> None:
    """Send a claimed message and store what came of it; commits."""
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        channel = session.get(AlertChannel, message.channel_id)
        words = _words(
            session, message, channel, public_url=runtime.public_url, now=now
        )
    until = None if channel is None else rules.quiet_until(channel, now)
    if channel is None or words is None or until is not None:
        with runtime.database.writing() as session:
            if until is not None and words is not None:
                queue.postpone(session, message, until=until)
            else:
                queue.drop(session, message, now=now)
        return
    error = _tried(runtime.vault, runtime.settings, channel, words)
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        if queue.store(session, message, error, now=now) is not None:
            channels.note(session, channel.id, error, now=now)


def _words(
    session: Session,
    message: AlertMessage,
    channel: AlertChannel | None,
    *,
    public_url: str,
    now: datetime,
) -> Words | None:
    """Return what a message says now; None when its matter is over."""
    if channel is None:
        return None
    if message.occasion is Occasion.DIGEST:
        still, over = rounds.digest_of(session, channel, now=now)
        return wording.of_digest(message, still, over, public_url=public_url)
    alert = session.get(Alert, message.alert_id)
    if alert is None:
        return None
    is_over = message.occasion is Occasion.RESOLVED
    if (alert.resolved_at is not None) is not is_over:
        return None
    return wording.of_alert(message, alert, public_url=public_url)


def _tried(
    vault: Vault, settings: Settings, channel: AlertChannel, words: Words
) -> SendError | None:
    try:
        channels.send(vault, settings, channel, words)
    except SendError as error:
        return error
    except VaultError:
        return SendError(
            "The channel's address can't be decrypted with this server's keys. An "
            "admin enters it again."
        )
    return None
