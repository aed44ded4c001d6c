"""The words of a message: what is wrong, since when, who does what, where to go on."""

from collections.abc import Sequence
from datetime import datetime

from dashboard.formatting import duration_words
from dashboard.models.alert import Alert, AlertChannel, AlertMessage, Occasion
from dashboard.services.alert_channels import rules
from dashboard.services.alert_channels.channels import Words
from dashboard.services.facts.acting import Problem, Who, remedy

_TONES = {"trouble": "failure", "waiting": "warning"}
_SHOWN = 20


def of_alert(message: AlertMessage, alert: Alert, *, public_url: str) -> Words:
    """Return the words of a message about one alert."""
    is_over = message.occasion is Occasion.RESOLVED
    lines = _over(alert) if is_over else _open(alert, message.occasion)
    return Words(
        title=f"{_before(message.occasion)}{alert.sentence}",
        lines=lines,
        link=alert_url(public_url, alert.id),
        tone="success" if is_over else _TONES.get(alert.tone, "warning"),
        reference=f"alert-message-{message.id}",
        thread=f"alert-{alert.id}",
        is_over=is_over,
        facts={
            "occasion": message.occasion.value,
            "alert": str(alert.id),
            "kind": alert.kind.value,
            "problem": alert.problem,
            "severity": rules.severity_of(alert),
            "zoom_app": "" if alert.zoom_app_id is None else str(alert.zoom_app_id),
            "opened_at": _instant(alert.opened_at),
            "resolved_at": _instant(alert.resolved_at),
        },
    )


def of_digest(
    message: AlertMessage,
    still: Sequence[Alert],
    over: Sequence[Alert],
    *,
    public_url: str,
) -> Words:
    """Return the words of a day's digest."""
    number = len(still)
    opening = "1 problem is open" if number == 1 else f"{number:,} problems are open"
    lines = [f"- {each.sentence} {_step(each)}".strip() for each in still[:_SHOWN]]
    if number > _SHOWN:
        lines.append(f"and {number - _SHOWN:,} more")
    if over:
        lines.append("Resolved in the last 24 hours:")
        lines += [f"- {each.sentence} {each.resolution}" for each in over[:_SHOWN]]
    return Words(
        title=f"{opening}." if number else "No problem is open any more.",
        lines=lines,
        link=f"{public_url}/alerts/",
        tone="warning" if number else "success",
        reference=f"alert-message-{message.id}",
        facts={"occasion": message.occasion.value, "open": str(number)},
    )


def of_test(
    channel: AlertChannel, *, public_url: str, reference: str, now: datetime
) -> Words:
    """Return the words of a test."""
    return Words(
        title="Test of this alert channel",
        lines=[
            f"Alerts of the dashboard arrive here: channel {channel.name}.",
            f"Sent at {_moment(now)}. Nothing is wrong.",
        ],
        link=f"{public_url}/alerts/",
        reference=f"alert-test-{reference}",
        facts={"occasion": "test"},
    )


def alert_url(public_url: str, alert_id: int) -> str:
    """Return where one alert is shown."""
    return f"{public_url}/alerts/{alert_id}"


def _before(occasion: Occasion) -> str:
    match occasion:
        case Occasion.RESOLVED:
            return "Resolved: "
        case Occasion.REMINDED:
            return "Still open: "
        case _:
            return ""


def _open(alert: Alert, occasion: Occasion) -> list[str]:
    lines = [alert.sentence]
    if alert.detail:
        lines.append(alert.detail)
    lines.append(f"Next step: {_step(alert)}")
    since = f"Seen since {_moment(alert.opened_at)}."
    if alert.flaps:
        times = "once" if alert.flaps == 1 else f"{alert.flaps} times"
        since += f" It was over for a short time and came back {times}."
    if occasion is Occasion.REMINDED:
        since += " To get no more reminders, acknowledge it on its page."
    return [*lines, since]


def _over(alert: Alert) -> list[str]:
    lasted = (alert.cleared_at or alert.seen_at) - alert.opened_at
    words = duration_words(max(lasted.total_seconds(), 1))
    return [alert.resolution, f"It lasted {words}. No action needed."]


def _step(alert: Alert) -> str:
    """Return who does what, as a sentence."""
    found = remedy(Problem(alert.problem))
    who = "" if found.who is Who.NOBODY else f" ({found.who.value})"
    return f"{found.next_step}{who}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _instant(at: datetime | None) -> str:
    return "" if at is None else at.isoformat(timespec="seconds")
