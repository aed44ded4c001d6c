"""`dashboard zoom-app rotate`: new secrets here, then in Recall."""

import json
from pathlib import Path
from uuid import UUID

import click
from pydantic import SecretStr

from dashboard.cli.opening import SECRET_FILE, opened_services, read_secret
from dashboard.errors import InvalidInputError
from dashboard.models.workspace import Verdict
from dashboard.services import audit
from dashboard.services.rotation import rotations
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps.credentials import ZoomAppChanges

HERE_ONLY = 3
"""The status when the secrets are stored here, and Recall is owed them still."""


@click.command()
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
@click.option("--secret-token-file", type=SECRET_FILE)
@click.option("--client-secret-file", type=SECRET_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def rotate(
    context: click.Context,
    zoom_app_id: UUID,
    secret_token_file: Path | None,
    client_secret_file: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Store new secrets here, then give them to Recall.

    Ends with 0 when both have them, with 3 when they are stored here only: the worker
    gives them to Recall as soon as it can.
    """
    if secret_token_file is None and client_secret_file is None:
        raise InvalidInputError(
            "Nothing to rotate: give --secret-token-file, --client-secret-file or both."
        )
    with opened_services() as runtime:
        with runtime.database.reading() as session:
            zoom_app = apps.get(session, zoom_app_id)
        changes = ZoomAppChanges(
            name=zoom_app.name,
            routing=zoom_app.routing,
            client_secret=_read(client_secret_file),
            secret_token=_read(secret_token_file),
        )
        changed = rotations.change(
            runtime, zoom_app_id, changes, actor=audit.COMMAND_LINE
        )
    for label in changed.saved.trimmed:
        click.echo(f"White space around the {label} was removed.", err=True)
    pair_check = changed.saved.pair_check
    if pair_check is not None and pair_check.verdict is not Verdict.RIGHT:
        click.echo(f"Saved, but not checked at Zoom: {pair_check.reason}", err=True)
    found = {
        "id": str(zoom_app_id),
        "stored": True,
        "in_recall": changed.is_in_recall,
        "recall_error": changed.why,
    }
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo("Stored here" + (" and in Recall." if changed.is_in_recall else "."))
    if changed.is_pending:
        click.echo(
            f"dashboard: Stored here. Recall has not got it yet: {changed.why}",
            err=True,
        )
        context.exit(HERE_ONLY)


def _read(path: Path | None) -> SecretStr | None:
    return read_secret(path) if path is not None else None
