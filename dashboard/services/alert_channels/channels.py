"""Channels: added, changed and removed; how each does; sending through one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients import mail, notify
from dashboard.errors import InvalidInputError, NotFoundError, SendError
from dashboard.formatting import masked_email
from dashboard.models.alert import AlertChannel, ChannelKind
from dashboard.pasted import trim_secret
from dashboard.services import audit
from dashboard.services.alert_channels import rules
from dashboard.services.alert_channels.rules import Rule
from dashboard.services.audit import Actor
from dashboard.services.staff import accounts
from dashboard.settings import Settings, sender_of
from dashboard.vault import Vault

KIND_LABELS = {
    ChannelKind.EMAIL: "Email",
    ChannelKind.SLACK: "Slack",
    ChannelKind.TEAMS: "Microsoft Teams",
    ChannelKind.DISCORD: "Discord",
    ChannelKind.PAGERDUTY: "PagerDuty",
    ChannelKind.WEBHOOK: "Webhook (JSON)",
    ChannelKind.OTHER: "Another service",
}

HINTS = {
    ChannelKind.EMAIL: "An email address: ops@example.com",
    ChannelKind.SLACK: "The address of an incoming webhook: "
    "https://hooks.slack.com/services/…",
    ChannelKind.TEAMS: "The address of a Teams workflow or an incoming webhook",
    ChannelKind.DISCORD: "The address of a webhook: https://discord.com/api/webhooks/…",
    ChannelKind.PAGERDUTY: "The integration key of a service (Events API v2)",
    ChannelKind.WEBHOOK: "https://host/path; gets JSON by POST",
    ChannelKind.OTHER: "An address in the words of apprise: ntfy://topic, tgram://…",
}
"""What is entered as the address of each kind."""

_SERVICES = {
    ChannelKind.SLACK: ("slack",),
    ChannelKind.TEAMS: ("teams", "workflows", "power automate"),
    ChannelKind.DISCORD: ("discord",),
    ChannelKind.PAGERDUTY: ("pager duty",),
}
_PAGERDUTY_KEY = re.compile(r"[A-Za-z0-9_-]{20,64}", re.ASCII)
_LONGEST_URL = 2000
_LONGEST_NAME = 100

FAILING_AFTER = timedelta(minutes=1)
"""A channel whose messages fail for so long needs someone."""

MOST = 50
"""Channels at most: each may be sending in a thread of its own."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """One message, before it is put into the form of its channel.

    Attributes:
        title: One line.
        lines: Paragraphs, of plain text.
        link: Where to go on; "" for nowhere.
        tone: "failure", "warning", "success" or "info".
        reference: Stays the same when the message is sent again.
        thread: Stays the same for all messages about one alert; "" for none.
        is_over: Whether it says that something is over.
        facts: What a webhook gets beside title and text.
    """

    title: str
    lines: Sequence[str]
    link: str = ""
    tone: str = "info"
    reference: str
    thread: str = ""
    is_over: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it as plain text, without the title."""
        return "\n\n".join([*self.lines, *([self.link] if self.link else [])])


def get(session: Session, channel_id: UUID) -> AlertChannel:
    """Return the channel.

    Raises:
        NotFoundError: There is none.
    """
    found = session.get(AlertChannel, channel_id)
    if found is None:
        raise NotFoundError("alert channel")
    return found


def list_all(session: Session) -> Sequence[AlertChannel]:
    """Return all channels, by name."""
    order = col(AlertChannel.name), col(AlertChannel.id)
    return session.exec(select(AlertChannel).order_by(*order)).all()


def failing(session: Session, *, now: datetime) -> Sequence[AlertChannel]:
    """Return the channels whose messages have not arrived for a while, by name."""
    since = col(AlertChannel.failing_since)
    query = select(AlertChannel).where(since <= now - FAILING_AFTER)
    return session.exec(query.order_by(col(AlertChannel.name))).all()


def is_failing(channel: AlertChannel, *, now: datetime) -> bool:
    """Whether it is one of those."""
    since = channel.failing_since
    return since is not None and since <= now - FAILING_AFTER


def add(  # noqa: PLR0913 - what a channel is, all named
    session: Session,
    vault: Vault,
    settings: Settings,
    *,
    kind: ChannelKind,
    name: str,
    url: SecretStr,
    rule: Rule | None = None,
    actor: Actor,
    now: datetime,
) -> AlertChannel:
    """Add a channel; the caller commits.

    Raises:
        InvalidInputError: The address is not one of this kind, or a value is wrong.
    """
    rule = rule or Rule()
    rules.require_valid(rule)
    url, shown = usable(kind, url, settings)
    if len(list_all(session)) >= MOST:
        raise InvalidInputError(f"There can be {MOST} channels. Remove one first.")
    channel_id = uuid4()
    channel = AlertChannel(
        id=channel_id,
        kind=kind,
        name=_name(name) or f"{KIND_LABELS[kind]}: {shown}"[:_LONGEST_NAME],
        url=_seal(vault, channel_id, url),
        shown=shown,
        created_at=now,
        created_by=actor.name,
    )
    rules.put(channel, rule)
    channel.digest_on = now.date().isoformat()
    session.add(channel)
    audit.record(
        session, actor, "alert_channel.added", subject=_subject(channel), now=now
    )
    return channel


def change(  # noqa: PLR0913 - what a form has, all named
    session: Session,
    vault: Vault,
    settings: Settings,
    channel_id: UUID,
    *,
    name: str,
    url: SecretStr | None,
    rule: Rule,
    actor: Actor,
    now: datetime,
) -> AlertChannel:
    """Change a channel; the caller commits. Without an address it keeps its own.

    Raises:
        NotFoundError: There is none.
        InvalidInputError: As `add`.
    """
    channel = get(session, channel_id)
    rules.require_valid(rule)
    if url is not None:
        url, channel.shown = usable(channel.kind, url, settings)
        channel.url = _seal(vault, channel.id, url)
        channel.failing_since, channel.trouble = None, ""
    channel.name = _name(name) or channel.name
    rules.put(channel, rule)
    session.add(channel)
    audit.record(
        session, actor, "alert_channel.changed", subject=_subject(channel), now=now
    )
    return channel


def remove(
    session: Session, channel_id: UUID, *, actor: Actor, now: datetime
) -> AlertChannel:
    """Delete a channel with its messages; the caller commits.

    Raises:
        NotFoundError: There is none.
    """
    channel = get(session, channel_id)
    session.delete(channel)
    audit.record(
        session, actor, "alert_channel.removed", subject=_subject(channel), now=now
    )
    return channel


def usable(
    kind: ChannelKind, url: SecretStr, settings: Settings
) -> tuple[SecretStr, str]:
    """Return the address as it is stored, and where it leads, fit to be shown.

    Raises:
        InvalidInputError: It is not an address of this kind. It shows nothing of it.
    """
    text = trim_secret(url).get_secret_value()
    if not text or len(text) > _LONGEST_URL or not text.isprintable():
        raise InvalidInputError(
            "The address is empty, too long, or has more than one line.", field="url"
        )
    try:
        return _usable(kind, text, settings)
    except InvalidInputError as error:
        raise InvalidInputError(str(error), field="url") from None


def _usable(kind: ChannelKind, text: str, settings: Settings) -> tuple[SecretStr, str]:
    if kind is ChannelKind.EMAIL:
        if settings.mail_server is None:
            raise InvalidInputError(
                "The dashboard can't send mail yet. An operator sets "
                "DASHBOARD_SMTP_URL and DASHBOARD_SMTP_FROM."
            )
        bare = text.removeprefix("mailto:").removeprefix("//")
        address = accounts.normal_email(bare)
        return SecretStr(address), masked_email(address)
    if kind is ChannelKind.WEBHOOK and text.lower().startswith(("http://", "https://")):
        address = notify.webhook_url(text).get_secret_value()
        return SecretStr(address), notify.require_usable(SecretStr(address))
    if kind is ChannelKind.PAGERDUTY and _PAGERDUTY_KEY.fullmatch(text):
        text = f"pagerduty://{text}@{text}/"
    shown = notify.require_usable(SecretStr(text))
    if not any(word in shown.lower() for word in _SERVICES.get(kind, ("",))):
        raise InvalidInputError(
            f"This is not an address of {KIND_LABELS[kind]}. {HINTS[kind]}."
        )
    return SecretStr(text), shown


def send(vault: Vault, settings: Settings, channel: AlertChannel, words: Words) -> None:
    """Send one message through a channel. Writes nothing.

    Raises:
        SendError: It was not taken; says why.
        VaultError: The address can't be decrypted.
    """
    url = vault.open_text(
        channel.url, table="alert_channel", column="url", row=channel.id
    )
    if channel.kind is ChannelKind.EMAIL:
        _send_mail(settings, url.get_secret_value(), words)
        return
    extras: dict[str, str] = {}
    if channel.kind is ChannelKind.WEBHOOK:
        extras = {
            f":{name}": value
            for name, value in {"id": words.reference, **words.facts}.items()
        }
    elif channel.kind is ChannelKind.PAGERDUTY and words.thread:
        extras = {"dedup": words.thread, "action": "map"}
    notify.send(
        url,
        title=words.title,
        body=words.text,
        tone=words.tone,
        is_private_allowed=settings.allow_private_endpoints,
        extras=extras,
    )


def _send_mail(settings: Settings, address: str, words: Words) -> None:
    server = settings.mail_server
    if server is None:
        raise SendError(
            "The dashboard can't send mail: DASHBOARD_SMTP_URL is not set any more."
        )
    sender = sender_of(settings.smtp_from)
    message = EmailMessage(policy=mail.POLICY)
    message["Subject"] = words.title
    message["From"] = sender
    message["To"] = Address(addr_spec=address)
    message["Message-ID"] = f"<{words.reference}@{sender.domain}>"
    if words.thread:
        message["References"] = f"<{words.thread}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{words.text}\n")
    mail.send(server, message)


def note(
    session: Session, channel_id: UUID, error: SendError | None, *, now: datetime
) -> None:
    """Store whether a message arrived; the caller commits."""
    channel = session.get(AlertChannel, channel_id, with_for_update=True)
    if channel is None:
        return
    if error is None:
        channel.failing_since, channel.trouble = None, ""
        channel.last_sent_at = now
    else:
        channel.failing_since = channel.failing_since or now
        channel.trouble = str(error)[:500]
    session.add(channel)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > _LONGEST_NAME:
        raise InvalidInputError(
            f"A name has at most {_LONGEST_NAME} characters.", field="name"
        )
    return name


def _subject(channel: AlertChannel) -> str:
    return f"{channel.name} ({channel.id})"


def _seal(vault: Vault, channel_id: UUID, url: SecretStr) -> bytes:
    return vault.seal_text(url, table="alert_channel", column="url", row=channel_id)
