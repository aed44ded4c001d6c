"""`dashboard zoom-app`: add, show, create in Recall, manifest, rotate, addresses."""

import dataclasses
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from uuid import UUID

import click
from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from dashboard.cli.opening import SECRET_FILE, opened_services, read_secret
from dashboard.clients.recall import api
from dashboard.clients.recall.api import REGIONS
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomCloud,
)
from dashboard.services import audit
from dashboard.services import urls as addresses
from dashboard.services.connections import actions
from dashboard.services.grants import grants
from dashboard.services.marketplace import console, manifest
from dashboard.services.recall import workspaces
from dashboard.services.recall.workspaces import NewWorkspace
from dashboard.services.recall_apps import creation
from dashboard.services.rotation import rotations
from dashboard.services.runtime import Runtime
from dashboard.services.status import zoom_app
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import NewZoomApp, ZoomAppChanges

HERE_ONLY = 3
"""The exit status when the secrets are stored here and still queued for Recall."""


def _one_of(kind: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([member.value for member in kind])


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("zoom-app")
def group() -> None:
    """Zoom apps: add, list, show, create-in-recall, manifest, rotate."""


@group.command()
@click.option("--name", required=True)
@click.option("--environment", required=True, type=_one_of(Environment))
@click.option("--kind", required=True, type=_one_of(Kind))
@click.option(
    "--scope-style", default=ScopeStyle.GRANULAR.value, type=_one_of(ScopeStyle)
)
@click.option(
    "--joins-external",
    is_flag=True,
    help="Bots join meetings that other Zoom accounts host: two more scopes.",
)
@click.option("--routing", default=Routing.RELAY.value, type=_one_of(Routing))
@click.option(
    "--custody",
    default=TokenCustody.RECALL.value,
    show_default=True,
    type=_one_of(TokenCustody),
    help="Where the users' tokens are stored.",
)
@click.option(
    "--zoom-cloud",
    default=ZoomCloud.COMMERCIAL.value,
    show_default=True,
    type=_one_of(ZoomCloud),
    help="Which of Zoom's services the app is of.",
)
@click.option("--client-id", required=True)
@click.option("--client-secret-file", required=True, type=SECRET_FILE)
@click.option("--secret-token-file", required=True, type=SECRET_FILE)
@_JSON
def add(
    name: str,
    environment: str,
    kind: str,
    scope_style: str,
    joins_external: bool,  # noqa: FBT001 - click passes flags so
    routing: str,
    custody: str,
    zoom_cloud: str,
    client_id: str,
    client_secret_file: Path,
    secret_token_file: Path,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Verify credentials with Zoom and save them."""
    values = NewZoomApp(
        name=name,
        environment=Environment(environment),
        kind=Kind(kind),
        scope_style=ScopeStyle(scope_style),
        joins_external=joins_external,
        routing=Routing(routing),
        token_custody=TokenCustody(custody),
        zoom_cloud=ZoomCloud(zoom_cloud),
        client_id=client_id,
        client_secret=read_secret(client_secret_file),
        secret_token=read_secret(secret_token_file),
    )
    with opened_services() as runtime:
        entered = credential_checks.create(runtime, values, actor=audit.command_line())
        with runtime.database.reading() as session:
            slug = apps.get(session, entered.zoom_app_id).slug
        urls = {
            "id": str(entered.zoom_app_id),
            "webhook_url": addresses.webhook_url(
                runtime.public_url, entered.zoom_app_id
            ),
            "connect_url": addresses.connect_url(runtime.hosted_url, slug),
        }
    for label in entered.trimmed:
        click.echo(f"Removed white space around the {label}.", err=True)
    if (
        entered.pair_check is not None
        and entered.pair_check.verdict is not Verdict.RIGHT
    ):
        click.echo(
            f"Saved, but not verified with Zoom: {entered.pair_check.reason}", err=True
        )
    _print(urls, as_json=as_json)


@group.command("list")
@_JSON
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the zoom apps."""
    with opened_services() as runtime, runtime.database.reading() as session:
        rows = [
            {
                "id": str(one.id),
                "name": one.name,
                "environment": one.environment.value,
                "kind": one.kind.value,
                "client_id": one.client_id,
                "recall_app_id": str(one.recall_app_id) if one.recall_app_id else None,
            }
            for one in apps.list_all(session)
        ]
    if as_json:
        click.echo(json.dumps({"zoom_apps": rows}))
        return
    for row in rows:
        click.echo(f"{row['id']}\t{row['name']}\t{row['environment']}\t{row['kind']}")


@group.command()
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
@_JSON
def show(zoom_app_id: UUID, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show a zoom app, its setup and validation status; no secrets."""
    with opened_services() as runtime, runtime.database.reading() as session:
        report = zoom_app.report(
            session,
            zoom_app_id,
            settings=runtime.settings,
            public_url=runtime.public_url,
            now=runtime.clock.now(),
        )
    if as_json:
        _print(to_jsonable_python(report.as_dict()), as_json=True)
        return
    _print(to_jsonable_python(dataclasses.asdict(report.summary)), as_json=False)
    click.echo("")
    for line in report.lines():
        click.echo(line)


@group.command("manifest")
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
def print_manifest(zoom_app_id: UUID) -> None:
    """Print the Zoom app manifest to import in Zoom's console; no secrets."""
    with opened_services() as runtime, runtime.database.reading() as session:
        here = console.gather(
            session,
            zoom_app_id,
            settings=runtime.settings,
            public_url=runtime.public_url,
        )
    for problem in manifest.problems(here):
        if not problem.is_fatal:  # fatal ones end the command with their sentence
            click.echo(str(problem), err=True)
    click.echo(manifest.text(here), nl=False)


@group.command("create-in-recall")
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
@click.option("--region", required=True, type=click.Choice(list(REGIONS)))
@click.option("--api-key-file", required=True, type=SECRET_FILE)
@click.option("--adopt", type=click.UUID, help="Adopt this existing Recall app.")
@_JSON
def create_in_recall(
    zoom_app_id: UUID,
    region: str,
    api_key_file: Path,
    adopt: UUID | None,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Create the zoom app in Recall, and the workspace if it is new."""
    api_key = read_secret(api_key_file)
    with opened_services() as runtime:
        with runtime.database.reading() as session:
            apps.get(session, zoom_app_id)
        workspace_id = _workspace(
            runtime, NewWorkspace(name=region, region=region, api_key=api_key)
        )
        if adopt is not None:
            result = creation.adopt(runtime, zoom_app_id, workspace_id, adopt)
        else:
            result = creation.create_in_recall(runtime, zoom_app_id, workspace_id)
        if result.recall_app_id is None:
            offered = ", ".join(str(one.id) for one in result.offered)
            raise ConflictError(
                f"Recall already has an app with this client ID: {offered}. "
                "Adopt it with --adopt, or delete it there. Nothing was created."
            )
        host = addresses.recall_base_url(runtime.settings, region)
        made = {
            "recall_app_id": str(result.recall_app_id),
            "recall_webhook_url": api.webhook_url(host, result.recall_app_id),
        }
    _print(made, as_json=as_json)


@group.command("replace-token-addresses")
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
@click.option("--connection", type=click.UUID, help="Only this one, by its ID.")
def replace_token_addresses(zoom_app_id: UUID, connection: UUID | None) -> None:
    """End the addresses where Recall fetches tokens stored here, and make new ones."""
    with opened_services() as runtime:
        with runtime.database.reading() as session:
            apps.get(session, zoom_app_id)
            found = grants.connection_ids(session, zoom_app_id)
        wanted = [each for each in found if connection in (None, each)]
        if connection is not None and not wanted:
            raise NotFoundError("connection with tokens stored here")
        for each in wanted:
            actions.replace_key(runtime, each, actor=audit.command_line())
    click.echo(
        f"{len(wanted)} token addresses have ended. The dashboard registers new ones "
        "at Recall with the next health checks, which are due now."
    )


@group.command()
@click.argument("zoom_app_id", metavar="ID", type=click.UUID)
@click.option("--secret-token-file", type=SECRET_FILE)
@click.option("--client-secret-file", type=SECRET_FILE)
@_JSON
@click.pass_context
def rotate(
    context: click.Context,
    zoom_app_id: UUID,
    secret_token_file: Path | None,
    client_secret_file: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Store new secrets here, then send them to Recall.

    Exits with 0 when both have them, with 3 when they are only stored here: the worker
    sends them to Recall as soon as it can.
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
            runtime, zoom_app_id, changes, actor=audit.command_line()
        )
    for label in changed.saved.trimmed:
        click.echo(f"Removed white space around the {label}.", err=True)
    pair_check = changed.saved.pair_check
    if pair_check is not None and pair_check.verdict is not Verdict.RIGHT:
        click.echo(f"Saved, but not verified with Zoom: {pair_check.reason}", err=True)
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
            f"dashboard: Stored here. Not sent to Recall yet: {changed.why}",
            err=True,
        )
        context.exit(HERE_ONLY)


def _read(path: Path | None) -> SecretStr | None:
    return read_secret(path) if path is not None else None


def _workspace(runtime: Runtime, values: NewWorkspace) -> UUID:
    with runtime.database.reading() as session:
        there = workspaces.find_by_key(session, values.region, values.api_key)
        if there is not None:
            return there.id
    entered = workspaces.create(runtime, values, actor=audit.command_line())
    return entered.workspace_id


def _print(values: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values))
        return
    for name, value in values.items():
        click.echo(f"{name}: {value}")
