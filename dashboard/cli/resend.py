"""`dashboard webhooks resend`: one webhook, or many by the log's filter."""

import dataclasses
import json
from datetime import UTC, datetime
from uuid import UUID

import click

from dashboard.cli.opening import opened_services
from dashboard.models.ids import new_id
from dashboard.models.webhook import Outcome
from dashboard.services import audit
from dashboard.services.resends import actions, previews
from dashboard.services.resends.previews import Preview, preview
from dashboard.services.runtime import Runtime
from dashboard.services.webhook_log.log import WebhookFilter
from dashboard.services.zoom_apps import apps

_OUTCOMES = click.Choice([Outcome.DEAD.value, Outcome.DELIVERED.value])
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command("resend")
@click.argument(
    "webhook_id", metavar="[ID]", required=False, type=click.IntRange(0, 2**63 - 1)
)
@click.option("--outcome", type=_OUTCOMES, help="Only those that ended so.")
@click.option("--zoom-app", type=click.UUID, help="Only those of this zoom app's id.")
@click.option("--event", help="Only this event, e.g. meeting.created.")
@click.option("--meeting", type=click.IntRange(0, 10**18 - 1), help="Meeting number.")
@click.option("--user", help="Zoom user id.")
@click.option("--since", type=_TIME, help="Received then or later, UTC.")
@click.option("--until", type=_TIME, help="Received before, UTC.")
@click.option("--all", "is_all", is_flag=True, help="Everything in the log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; asks nothing.")
def command(
    webhook_id: int | None,
    outcome: str | None,
    zoom_app: UUID | None,
    event: str | None,
    meeting: int | None,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    is_all: bool,  # noqa: FBT001 - click passes flags so
    yes: bool,  # noqa: FBT001 - as above
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Owe webhooks to Recall once more: one by ID, or what the options match.

    What would be sent is said first. The originals stay as they are and nothing is
    signed anew.
    """
    filters = WebhookFilter(
        zoom_app_id=zoom_app,
        event=event,
        outcome=Outcome(outcome) if outcome else None,
        meeting_id=meeting,
        zoom_user_id=user,
        since=since.replace(tzinfo=UTC) if since else None,
        until=until.replace(tzinfo=UTC) if until else None,
    )
    is_filtered = filters != WebhookFilter()
    if [webhook_id is not None, is_filtered, is_all].count(True) != 1:
        raise click.UsageError(
            "Say which: one ID, or options such as --outcome dead, or --all."
        )
    with opened_services() as runtime:
        runtime.database.lock()  # on SQLite nobody else may write; say so first
        if webhook_id is not None:
            _resend_one(runtime, webhook_id, as_json=as_json)
        else:
            _resend_many(runtime, filters, yes=yes, as_json=as_json)


def _resend_one(runtime: Runtime, webhook_id: int, *, as_json: bool) -> None:
    resend_id = actions.begin_one(
        runtime, webhook_id, resend_id=None, actor=audit.COMMAND_LINE
    )
    if as_json:
        click.echo(json.dumps({"resend_id": str(resend_id), "expected": 1}))
        return
    click.echo(f"Webhook {webhook_id} will be sent to Recall again.")


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
            and click.confirm(f"Resend {previews.counted(found)}?", err=True)
        )
    )
    if is_begun:
        actions.begin(runtime, resend_id, filters, actor=audit.COMMAND_LINE)
    if as_json:
        counts = {"total": found.total, **dataclasses.asdict(found)}
        made = str(resend_id) if is_begun else None
        click.echo(json.dumps({"resend_id": made, "preview": counts}))
    elif is_begun:
        when = "when the dashboard runs" if runtime.database.is_sqlite else "now"
        page = f"{runtime.public_url}/webhooks/resends/{resend_id}"
        click.echo(f"They are sent {when}. Watch or cancel it at {page}")
    else:
        click.echo("Nothing was begun.")


def _say(found: Preview, now: datetime) -> None:
    click.echo(
        f"{previews.counted(found)}: {found.dead:,} dead, "
        f"{found.delivered:,} delivered before."
    )
    for number, why in previews.left_out(found):
        click.echo(f"Left out: {number:,} {why}.")
    if warning := previews.warning(found, now):
        click.echo(warning)
        click.echo(previews.UNALTERED)
