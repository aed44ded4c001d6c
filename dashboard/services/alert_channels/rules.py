"""What a channel says, and when; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.errors import InvalidInputError
from dashboard.models.alert import Alert, AlertChannel, AlertKind, Pace

ERROR, WARNING = "error", "warning"
SEVERITIES = {
    WARNING: "Everything that needs attention",
    ERROR: "Errors only",
}
"""From which severity on, in words."""

_SEVERITY = {"trouble": ERROR, "waiting": WARNING}

KIND_WORDS = {
    AlertKind.VALIDATION: "Validation fails, is overdue, or was switched off",
    AlertKind.SECRETS: "Secrets differ between Zoom, Recall and here",
    AlertKind.DELIVERY: "Deliveries are paused or failed",
    AlertKind.BACKLOG: "Webhooks wait too long",
    AlertKind.REFUSED: "Rejected requests pile up",
    AlertKind.SILENCE: "Zoom's events have stopped",
    AlertKind.CREDENTIALS: "Credentials or an API key are wrong",
    AlertKind.CONNECTIONS: "Connections that need someone",
    AlertKind.HEALTH: "The share of healthy connections falls",
    AlertKind.DELETION: "A data deletion is near its deadline",
    AlertKind.WORKER: "No background worker runs",
    AlertKind.SERVER: "Disk, database, keys, clock and audit log",
    AlertKind.CHANNEL: "Another channel stopped working",
}

LONGEST_LASTS = 24 * 60
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a channel says, and when; the defaults suit one channel for everything.

    Attributes:
        kinds: None of them means all.
        zoom_apps: Likewise. What is of no zoom app is said in any case.
        severity: From which one on.
        lasts_minutes: How long a problem must last before it is said.
        quiet: Beginning and end of the quiet hours, in minutes after midnight.
        time_zone: Of the quiet hours and the digest.
        pace: At once, or once a day.
        daily_at: When the digest is sent, in minutes after midnight.
    """

    kinds: Sequence[AlertKind] = ()
    zoom_apps: Sequence[UUID] = ()
    severity: str = WARNING
    lasts_minutes: int = 1
    quiet: tuple[int, int] | None = None
    time_zone: str = "UTC"
    pace: Pace = Pace.AT_ONCE
    daily_at: int = 8 * 60


def require_valid(rule: Rule) -> None:
    """Refuse a rule that can't be followed.

    Raises:
        InvalidInputError: Names the value.
    """
    if rule.severity not in SEVERITIES:
        raise InvalidInputError("Choose a severity.", field="severity")
    if not 0 <= rule.lasts_minutes <= LONGEST_LASTS:
        raise InvalidInputError(
            f"A problem lasts 0 to {LONGEST_LASTS:,} minutes before it is said.",
            field="lasts_minutes",
        )
    if rule.quiet is not None and rule.quiet[0] == rule.quiet[1]:
        raise InvalidInputError(
            "Quiet hours begin and end at different times.", field="quiet_to"
        )
    try:
        ZoneInfo(rule.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            "This is not a time zone. One is like Europe/Berlin, or UTC.",
            field="time_zone",
        ) from None


def of(channel: AlertChannel) -> Rule:
    """Return the rule of a channel."""
    quiet = None
    if channel.quiet_from is not None and channel.quiet_to is not None:
        quiet = channel.quiet_from, channel.quiet_to
    return Rule(
        kinds=[AlertKind(kind) for kind in channel.kinds.split()],
        zoom_apps=[UUID(each) for each in channel.zoom_app_ids.split()],
        severity=channel.severity,
        lasts_minutes=channel.lasts_minutes,
        quiet=quiet,
        time_zone=channel.time_zone,
        pace=channel.pace,
        daily_at=channel.daily_at,
    )


def put(channel: AlertChannel, rule: Rule) -> None:
    """Write a rule into a channel's row."""
    channel.kinds = " ".join(kind.value for kind in rule.kinds)
    channel.zoom_app_ids = " ".join(str(each) for each in rule.zoom_apps)
    channel.severity, channel.lasts_minutes = rule.severity, rule.lasts_minutes
    channel.quiet_from, channel.quiet_to = rule.quiet or (None, None)
    channel.time_zone, channel.pace = rule.time_zone, rule.pace
    channel.daily_at = rule.daily_at


def severity_of(alert: Alert) -> str:
    """Return how bad an alert is now."""
    return _SEVERITY.get(alert.tone, WARNING)


def covers(channel: AlertChannel, alert: Alert) -> bool:
    """Whether a channel says an alert at all."""
    if alert.kind is AlertKind.CHANNEL and alert.subject == str(channel.id):
        return False  # it can't say that it doesn't arrive
    rule = of(channel)
    return (
        (not rule.kinds or alert.kind in rule.kinds)
        and (
            not rule.zoom_apps
            or alert.zoom_app_id is None
            or alert.zoom_app_id in rule.zoom_apps
        )
        and (rule.severity == WARNING or severity_of(alert) == ERROR)
    )


def quiet_until(channel: AlertChannel, now: datetime) -> datetime | None:
    """Return when the quiet hours end that `now` lies in; None outside of them."""
    rule = of(channel)
    if rule.quiet is None:
        return None
    local = now.astimezone(ZoneInfo(rule.time_zone))
    begins, ends = rule.quiet
    minute = local.hour * 60 + local.minute
    is_over_midnight = begins > ends
    if is_over_midnight:
        is_quiet = minute >= begins or minute < ends
    else:
        is_quiet = begins <= minute < ends
    if not is_quiet:
        return None
    day = local.date() + timedelta(
        days=1 if is_over_midnight and minute >= begins else 0
    )
    return _at(day, ends, local.tzinfo).astimezone(now.tzinfo)


def digest_day(channel: AlertChannel, now: datetime) -> str:
    """Return the local day whose digest is due and not written yet; "" for none."""
    if channel.pace is not Pace.DAILY:
        return ""
    local = now.astimezone(ZoneInfo(channel.time_zone))
    day = local.date().isoformat()
    is_due = local.hour * 60 + local.minute >= channel.daily_at
    return day if is_due and day > channel.digest_on else ""


def _at(day: date, minute: int, zone: tzinfo | None) -> datetime:
    return datetime.combine(day, time(minute // 60 % 24, minute % 60), tzinfo=zone)


def clock_words(minute: int) -> str:
    """Return minutes after midnight as "07:30"."""
    return f"{minute // 60:02}:{minute % 60:02}"


def minutes_of(text: str, *, field: str | None = None) -> int:
    """Return "07:30" as minutes after midnight.

    Raises:
        InvalidInputError: It is no time of the day.
    """
    try:
        parsed = time.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInputError(
            "A time of the day is like 07:30.", field=field
        ) from None
    return parsed.hour * 60 + parsed.minute


def parse_quiet(text: str) -> tuple[int, int] | None:
    """Return quiet hours like "22:00-07:00"; None of "".

    Raises:
        InvalidInputError: They are written otherwise.
    """
    if not text.strip():
        return None
    begins, dash, ends = text.partition("-")
    if not dash:
        raise InvalidInputError("Quiet hours are like 22:00-07:00.")
    return minutes_of(begins), minutes_of(ends)


def quiet_words(quiet: tuple[int, int] | None) -> str:
    """Return quiet hours as they are written; "" for none."""
    return "" if quiet is None else "-".join(clock_words(each) for each in quiet)
