"""`dashboard endpoint` and `dashboard destination`: who gets events and copies."""

import json
from collections.abc import Mapping
from uuid import UUID

import click
from pydantic import SecretStr

from dashboard.cli.opening import cell, opened_services
from dashboard.models.endpoint import EndpointKind
from dashboard.services import audit
from dashboard.services.endpoints import endpoints
from dashboard.services.events.kinds import KINDS

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ID = click.argument("endpoint_id", metavar="ENDPOINT_ID", type=click.UUID)


@click.group("endpoint")
def group() -> None:
    """Endpoints for events: add, list, test, rotate, remove."""


@click.group("destination")
def destinations() -> None:
    """Destinations for copies of Zoom's webhooks: add, list, remove."""


@group.command()
@click.option("--url", required=True, help="Where events are posted, https.")
@click.option(
    "--event",
    "events",
    required=True,
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="Which; may be given many times.",
)
@click.option(
    "--zoom-app",
    "zoom_apps",
    multiple=True,
    type=click.UUID,
    help="Only events of this zoom app; may be given many times.",
)
@_JSON
def add(
    url: str,
    events: tuple[str, ...],
    zoom_apps: tuple[UUID, ...],
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Add an endpoint; its signing secret is shown once."""
    with opened_services() as runtime:
        made = endpoints.add(
            runtime,
            SecretStr(url),
            events=events,
            zoom_apps=zoom_apps,
            actor=audit.command_line(),
        )
    _print({"id": str(made.id), "secret": made.secret.get_secret_value()}, as_json)


@destinations.command("add")
@click.argument("zoom_app_id", metavar="ZOOM_APP_ID", type=click.UUID)
@click.option("--url", required=True, help="Where copies are posted, https.")
@_JSON
def add_destination(
    zoom_app_id: UUID,
    url: str,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Send copies of a zoom app's webhooks to your own server as well."""
    with opened_services() as runtime:
        row = endpoints.add_destination(
            runtime, zoom_app_id, SecretStr(url), actor=audit.command_line()
        )
    _print({"id": str(row.id)}, as_json)


@group.command("list")
@_JSON
def list_endpoints(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the endpoints for events."""
    _list(EndpointKind.EVENTS, as_json=as_json)


@destinations.command("list")
@_JSON
def list_destinations(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the destinations for copies."""
    _list(EndpointKind.COPIES, as_json=as_json)


@group.command()
@_ID
@_JSON
def rotate(
    endpoint_id: UUID,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Make a new secret; for 24 hours the former one signs as well."""
    with opened_services() as runtime:
        made = endpoints.rotate(runtime, endpoint_id, actor=audit.command_line())
    _print({"id": str(made.id), "secret": made.secret.get_secret_value()}, as_json)


@group.command()
@_ID
def test(endpoint_id: UUID) -> None:
    """Send a signed test message now; fails with the reason."""
    with opened_services() as runtime:
        actor = audit.command_line()
        click.echo(endpoints.test_now(runtime, endpoint_id, actor=actor))


@group.command()
@_ID
def remove(endpoint_id: UUID) -> None:
    """Remove an endpoint with its queue and log."""
    _remove(endpoint_id)


@destinations.command("remove")
@_ID
def remove_destination(endpoint_id: UUID) -> None:
    """Remove a destination with its queue and log."""
    _remove(endpoint_id)


def _remove(endpoint_id: UUID) -> None:
    with opened_services() as runtime:
        endpoints.remove(
            runtime.database, runtime.clock, endpoint_id, actor=audit.command_line()
        )
    click.echo("Removed.")


def _list(kind: EndpointKind, *, as_json: bool) -> None:
    with opened_services() as runtime, runtime.database.reading() as session:
        found = [each for each in endpoints.listed(session) if each.row.kind is kind]
        rows = [
            {
                "id": str(each.row.id),
                "host": each.row.host,
                "zoom_app_id": None if each.app is None else str(each.app.id),
                "events": each.row.events.split(),
                "zoom_apps": each.row.zoom_apps.split(),
                "state": each.word,
                "waiting": each.waiting,
                "failed": each.failed,
            }
            for each in found
        ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for each in found:
        what = each.row.events or each.row.zoom_app_id
        click.echo(
            f"{each.row.id}  {cell(each.row.host)}  {each.word}  "
            f"{each.waiting} queued  {each.failed} failed  {cell(what)}"
        )


def _print(values: Mapping[str, str], as_json: bool) -> None:  # noqa: FBT001 - passed on
    if as_json:
        click.echo(json.dumps(values))
        return
    for name, value in values.items():
        click.echo(f"{name}: {value}")
