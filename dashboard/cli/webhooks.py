"""`dashboard webhooks`: the webhook log from the terminal, redacted.

Reading takes no lock: it works while `dashboard serve` runs.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import click
from pydantic_core import to_jsonable_python

from dashboard.cli.opening import cell, opened_services
from dashboard.models.ids import new_id
from dashboard.models.webhook import Attempt, Mark, Outcome, Webhook
from dashboard.services import audit
from dashboard.services.facts import webhooks as facts
from dashboard.services.facts.acting import Fact
from dashboard.services.paging import Place
from dashboard.services.resends import collecting, resends
from dashboard.services.resends.collecting import Preview, preview
from dashboard.services.retention import pruning
from dashboard.services.retention.pruning import Pruned, count_due
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log import log, redaction
from dashboard.services.webhook_log.log import Request, Trace
from dashboard.services.webhook_log.search import WebhookFilter
from dashboard.services.webhook_log.story import event_at
from dashboard.services.zoom_apps import apps


@click.group("webhooks")
def group() -> None:
    """List, show, resend and prune the webhooks received from Zoom."""


_COLUMNS = ("id", "received_at", "zoom_app", "event", "outcome", "meeting_id", "user")
_LARGEST_ID = 2**63 - 1
_ID = click.IntRange(0, _LARGEST_ID)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_MARK = click.option(
    "--mark",
    type=click.Choice([one.value for one in Mark]),
    help="Only webhooks with this mark.",
)


class _Instant(click.ParamType[datetime]):
    """A time as 2026-11-23 or 2026-11-23T12:00; UTC unless it has an offset."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        try:
            at = datetime.fromisoformat(str(value))
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("must be a time like 2026-11-23T12:00", param, ctx)


@group.command("list")
@click.option("--zoom-app", "zoom_app_id", type=click.UUID, help="Zoom app ID.")
@click.option("--event", help="Event name, for example meeting.created.")
@click.option("--outcome", type=click.Choice([one.value for one in Outcome]))
@_MARK
@click.option("--meeting", "meeting_id", type=_ID, help="Meeting number.")
@click.option("--user", "zoom_user_id", help="Zoom user ID.")
@click.option("--since", type=_Instant(), help="Received at this time or later (UTC).")
@click.option("--until", type=_Instant(), help="Received before this time (UTC).")
@click.option(
    "--before", type=_ID, metavar="ID", help="Only webhooks older than this one."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_JSON
def list_(
    zoom_app_id: UUID | None,
    event: str | None,
    outcome: str | None,
    mark: str | None,
    meeting_id: int | None,
    zoom_user_id: str | None,
    since: datetime | None,
    until: datetime | None,
    before: int | None,
    limit: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """List webhooks, newest first. IDs are strings in JSON: they exceed 53 bits."""
    filters = WebhookFilter(
        zoom_app_id=zoom_app_id,
        event=event,
        outcome=None if outcome is None else Outcome(outcome),
        mark=None if mark is None else Mark(mark),
        meeting_id=meeting_id,
        zoom_user_id=zoom_user_id,
        since=since,
        until=until,
    )
    with opened_services() as runtime, runtime.database.reading() as session:
        page = log.page(
            session, filters=filters, place=Place(before=before, limit=limit)
        )
        state_of = facts.Reader(session, now=runtime.clock.now())
        rows = [
            _row(row.webhook, row.app_name, state_of(row.webhook)) for row in page.rows
        ]
    older = None if page.older_before is None else str(page.older_before)
    if as_json:
        click.echo(json.dumps({"webhooks": rows, "older_before": older}))
        return
    _table(_COLUMNS, rows)
    if older is not None:
        click.echo(f"For older webhooks: --before {older}", err=True)


@group.command()
@click.argument("webhook_id", metavar="ID", type=_ID)
@_JSON
def show(webhook_id: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show one webhook from Zoom's event to Recall's response, with a redacted body."""
    with opened_services() as runtime, runtime.database.reading() as session:
        trace = log.get(session, webhook_id)
        request = log.request(session, runtime.vault, webhook_id)
        name = log.app_names(session)[trace.webhook.zoom_app_id]
        state = facts.Reader(session, now=runtime.clock.now())(trace.webhook)
    found = _trace(trace, request, name, state)
    if as_json:
        click.echo(json.dumps(found))
        return
    body, is_cut = found.pop("body"), found.pop("body_is_cut")
    why_hidden = found.pop("body_hidden")
    for part, value in found.items():
        if isinstance(value, list):
            click.echo(f"\n{part}:")
            _table(tuple(value[0]) if value else (), value)
        elif isinstance(value, dict):
            click.echo(f"\n{part}:")
            for label, text in value.items():
                click.echo(f"  {label}: {cell(text)}")
    click.echo("\nbody, redacted:")
    lines = json.dumps(body, indent=2, ensure_ascii=False).split("\n")
    click.echo(why_hidden or "\n".join(map(cell, lines)))
    if is_cut:
        click.echo("Only the beginning is shown.")


@group.command()
@click.option(
    "--older-than",
    type=click.IntRange(1, 36_500),
    metavar="DAYS",
    help="Use this instead of DASHBOARD_WEBHOOK_RETENTION_DAYS.",
)
@click.option("--dry-run", is_flag=True, help="Only count; delete nothing.")
@_JSON
def prune(
    older_than: int | None,
    dry_run: bool,  # noqa: FBT001 - click passes flags so
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Delete finished webhooks that are older than the retention, in small batches."""
    with opened_services() as runtime:
        days = pruning.days_kept(runtime.settings, asked=older_than)
        now, database = runtime.clock.now(), runtime.database
        if dry_run:
            total = count_due(database, now=now, days=days)
        else:
            total = Pruned()
            for step in pruning.prune(database, now=now, days=days):
                total += step
            with database.writing() as session:
                subject = f"{total.webhooks} older than {days} d"
                audit.record(
                    session,
                    audit.command_line(),
                    "webhook.pruned",
                    subject=subject,
                    now=now,
                )
    values = {
        "days": days,
        "is_dry_run": dry_run,
        "webhooks": total.webhooks,
        "given_up": total.given_up,
    }
    if as_json:
        click.echo(json.dumps(values))
        return
    verb = "would be" if dry_run else "were"
    click.echo(
        f"Of the webhooks older than {days} days, {total.webhooks} {verb} deleted and "
        f"{total.given_up} still waiting {verb} given up."
    )


def _row(webhook: Webhook, app_name: str, state: Fact) -> dict[str, object]:
    return {
        "id": str(webhook.id),
        "received_at": _instant(webhook.received_at),
        "zoom_app": app_name,
        "zoom_app_id": str(webhook.zoom_app_id),
        "event": webhook.event,
        "outcome": webhook.outcome.value,
        "outcome_reason": webhook.outcome_reason,
        "state": state.state,
        "who": state.who.value,
        "since": _instant(state.since),
        "next_step": state.next_step,
        "marks": [one.value for one in webhook.marks],
        "meeting_id": webhook.meeting_id,
        "user": webhook.zoom_user_id,
        "arrivals": webhook.arrivals,
        "attempts": webhook.attempts,
        "delivered_at": _instant(webhook.delivered_at),
    }


def _trace(
    trace: Trace, request: Request, app_name: str, state: Fact
) -> dict[str, object]:
    webhook = trace.webhook
    received = sha256(request.body).hexdigest()
    shown = redaction.body(request.body)
    return {
        "webhook": _row(webhook, app_name, state),
        "arrival": {
            "event_at": _instant(event_at(webhook.event_ts)),
            "signed_at": _instant(datetime.fromtimestamp(webhook.sent_at_s, UTC)),
            "received_at": _instant(webhook.received_at),
            "answered_ms": webhook.answered_ms,
            "notes": " ".join(trace.oddities),
            "verdict": f"signed with the {webhook.verdict} secret token",
        },
        "repeats": [
            {
                "received_at": _instant(repeat.received_at),
                "signed_at": _instant(datetime.fromtimestamp(repeat.sent_at_s, UTC)),
            }
            for repeat in trace.repeats
        ],
        "attempts": [_attempt(attempt, webhook) for attempt in trace.attempts],
        "proof": {
            "received_sha256": webhook.body_sha256,
            "received_bytes": webhook.body_bytes,
            "stored_sha256": received,
            "is_unaltered": received == webhook.body_sha256,
        },
        "headers": [
            {"name": name, "value": value}
            for name, value in redaction.headers(request.headers)
        ],
        "body": json.loads(shown.text) if shown.is_readable else None,
        "body_is_cut": shown.is_cut,
        "body_hidden": shown.why_hidden,
    }


def _attempt(attempt: Attempt, webhook: Webhook) -> dict[str, object]:
    was_sent = bool(attempt.sent_sha256)
    return {
        "started_at": _instant(attempt.started_at),
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "verdict": attempt.verdict,
        "worker": attempt.worker,
        "is_resend": attempt.redelivery_id is not None,
        "sent_sha256": attempt.sent_sha256,
        "sent_bytes": attempt.sent_bytes,
        "is_identical": attempt.sent_sha256 == webhook.body_sha256
        if was_sent
        else None,
        "headers_passed": attempt.headers_passed,
        "answer": attempt.answer,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else str(to_jsonable_python(at))


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        click.echo("None.")
        return
    lines = [columns, *([cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


_OUTCOMES = click.Choice([Outcome.DEAD.value, Outcome.DELIVERED.value])
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@group.command()
@click.argument(
    "webhook_id", metavar="[ID]", required=False, type=click.IntRange(0, 2**63 - 1)
)
@click.option(
    "--outcome", type=_OUTCOMES, help="Only webhooks with this outcome (dead: failed)."
)
@click.option("--zoom-app", type=click.UUID, help="Only webhooks of this zoom app.")
@click.option("--event", help="Only this event, for example meeting.created.")
@_MARK
@click.option("--meeting", type=click.IntRange(0, 10**18 - 1), help="Meeting number.")
@click.option("--user", help="Zoom user ID.")
@click.option("--since", type=_TIME, help="Received at this time or later (UTC).")
@click.option("--until", type=_TIME, help="Received before this time (UTC).")
@click.option("--all", "is_all", is_flag=True, help="All webhooks in the log.")
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object; ask nothing."
)
def resend(
    webhook_id: int | None,
    outcome: str | None,
    zoom_app: UUID | None,
    event: str | None,
    mark: str | None,
    meeting: int | None,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    is_all: bool,  # noqa: FBT001 - click passes flags so
    yes: bool,  # noqa: FBT001 - as above
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Resend webhooks to Recall: one by ID, or all that match the options.

    Shows what would be sent first. The originals don't change and nothing is signed
    again.
    """
    filters = WebhookFilter(
        zoom_app_id=zoom_app,
        event=event,
        outcome=Outcome(outcome) if outcome else None,
        mark=Mark(mark) if mark else None,
        meeting_id=meeting,
        zoom_user_id=user,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
    )
    is_filtered = filters != WebhookFilter()
    if [webhook_id is not None, is_filtered, is_all].count(True) != 1:
        raise click.UsageError(
            "Choose one ID, or options such as --outcome dead, or --all."
        )
    with opened_services() as runtime:
        runtime.database.lock()  # on SQLite no other process may write; say so first
        if webhook_id is not None:
            _resend_one(runtime, webhook_id, as_json=as_json)
        else:
            _resend_many(runtime, filters, yes=yes, as_json=as_json)


def _resend_one(runtime: Runtime, webhook_id: int, *, as_json: bool) -> None:
    resend_id = resends.begin_one(
        runtime, webhook_id, resend_id=None, actor=audit.command_line()
    )
    if as_json:
        click.echo(json.dumps({"resend_id": str(resend_id), "expected": 1}))
        return
    click.echo(f"Webhook {webhook_id} is queued for delivery to Recall.")


def _resend_many(
    runtime: Runtime, filters: WebhookFilter, *, yes: bool, as_json: bool
) -> None:
    now = runtime.clock.now()
    resend_id = new_id(now)
    with runtime.database.reading() as session:
        if filters.zoom_app_id is not None:
            apps.get(session, filters.zoom_app_id)
        found = preview(session, filters=filters, now=now)
    if not as_json:
        _say(found, now)
    is_begun = bool(found.total) and (
        yes
        or (
            not as_json
            and click.confirm(f"Resend {collecting.counted(found)}?", err=True)
        )
    )
    if is_begun:
        resends.begin(runtime, resend_id, filters, actor=audit.command_line())
    if as_json:
        counts = {"total": found.total, **dataclasses.asdict(found)}
        made = str(resend_id) if is_begun else None
        click.echo(json.dumps({"resend_id": made, "preview": counts}))
    elif is_begun:
        when = "when the dashboard runs" if runtime.database.is_sqlite else "now"
        page = f"{runtime.public_url}/webhooks/resends/{resend_id}"
        click.echo(f"Sending starts {when}. Watch or cancel it at {page}")
    else:
        click.echo("Nothing was started.")


def _say(found: Preview, now: datetime) -> None:
    click.echo(
        f"{collecting.counted(found)}: {found.dead:,} failed, "
        f"{found.delivered:,} already delivered."
    )
    for number, why in collecting.left_out(found):
        click.echo(f"Left out: {number:,} {why}.")
    if warning := collecting.warning(found, now):
        click.echo(warning)
        click.echo(collecting.UNALTERED)
