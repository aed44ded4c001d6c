"""`dashboard test-bot`: send one bot to a meeting and say whether it could record."""

import json
import time
from uuid import UUID

import click

from dashboard.cli.opening import opened_services
from dashboard.errors import ConflictError
from dashboard.models.bot_test import BotTest
from dashboard.services import audit
from dashboard.services.bot_tests import outcomes, runs

_PAUSE_S = 1.0


@click.command("test-bot")
@click.argument("zoom_app_id", type=click.UUID)
@click.option("--meeting", required=True, help="Number or link of a running meeting.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    zoom_app_id: UUID,
    meeting: str,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Send one bot to a meeting of a connected user, and wait for the result.

    Ends with 0 if the bot was allowed to record. Recall bills the bot's time.
    """
    with opened_services() as runtime:
        row = runs.begin(runtime, zoom_app_id, meeting, actor=audit.command_line())
        while row.ended_at is None:
            time.sleep(_PAUSE_S)
            runs.run_due(runtime)
            with runtime.database.reading() as session:
                row = runs.find(session, zoom_app_id, row.id)
    found = _report(row)
    if as_json:
        click.echo(json.dumps(found))
    else:
        words = (found["sentence"], found["next_step"])
        click.echo(" ".join(str(one) for one in words if one))
    if found["state"] != outcomes.State.RECORDED.value:
        raise ConflictError("The bot did not record without asking.")


def _report(row: BotTest) -> dict[str, object]:
    verdict = runs.verdict_of(row)
    return {
        "id": str(row.id),
        "meeting": row.meeting_id,
        "recall_bot_id": row.recall_bot_id and str(row.recall_bot_id),
        "state": verdict.state.value,
        "sub_code": verdict.sub_code,
        "who": verdict.who.value,
        "sentence": verdict.sentence,
        "next_step": verdict.next_step,
        "error": row.trouble,
        "steps": [
            {"code": one.code, "sub_code": one.sub_code, "at": one.at.isoformat()}
            for one in runs.steps_of(row)
        ],
    }
