"""`dashboard api-token`: tokens for the customer's own software."""

import json
from uuid import UUID

import click

from dashboard.cli.opening import opened_services
from dashboard.models.api_token import ApiToken
from dashboard.services import audit
from dashboard.services.api_tokens import tokens
from dashboard.services.api_tokens.tokens import LASTS_DAYS, LONGEST_DAYS, Scope

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("api-token")
def group() -> None:
    """API tokens for your own software: add, list, revoke."""


@group.command()
@click.option("--name", required=True, help="What uses it.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do. Repeatable.",
)
@click.option("--zoom-app", type=click.UUID, help="The only zoom app it sees.")
@click.option(
    "--expires-days",
    default=LASTS_DAYS,
    show_default=True,
    type=click.IntRange(1, LONGEST_DAYS),
    help="How many days it is valid.",
)
@_JSON
def add(
    name: str,
    scopes: tuple[str, ...],
    zoom_app: UUID | None,
    expires_days: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Create a token and print it once; only its hash is stored."""
    with opened_services() as runtime, runtime.database.writing() as session:
        made = tokens.make(
            session,
            name=name,
            scopes=scopes,
            days=expires_days,
            zoom_app_id=zoom_app,
            actor=audit.command_line(),
            now=runtime.clock.now(),
        )
        token_id = str(made.row.id)
    if as_json:
        click.echo(json.dumps({"token": made.token, "id": token_id}))
    else:
        click.echo(made.token)


@group.command("list")
@_JSON
def list_all(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the tokens, newest first; none is shown in full."""
    with opened_services() as runtime:
        now = runtime.clock.now()
        with runtime.database.reading() as session:
            found = [
                (row, tokens.is_valid(row, now=now)) for row in tokens.list_all(session)
            ]
    if as_json:
        rows = [_plain(row, is_valid=is_valid) for row, is_valid in found]
        click.echo(json.dumps({"tokens": rows}))
        return
    for row, is_valid in found:
        state = "valid" if is_valid else "revoked" if row.revoked_at else "expired"
        click.echo(f"{row.id}  {row.name}  {row.scopes}  …{row.hint}  {state}")


@group.command()
@click.argument("token_id", metavar="ID", type=click.UUID)
def revoke(token_id: UUID) -> None:
    """End a token: the next call with it is refused."""
    with opened_services() as runtime, runtime.database.writing() as session:
        row = tokens.revoke(
            session, token_id, actor=audit.command_line(), now=runtime.clock.now()
        )
        name = row.name
    click.echo(f"Revoked {name}.")


def _plain(row: ApiToken, *, is_valid: bool) -> dict[str, object]:
    return {
        "id": str(row.id),
        "name": row.name,
        "scopes": row.scopes.split(),
        "zoom_app_id": row.zoom_app_id and str(row.zoom_app_id),
        "is_valid": is_valid,
        "expires_at": row.expires_at.isoformat(timespec="seconds"),
        "last_used_at": row.last_used_at
        and row.last_used_at.isoformat(timespec="seconds"),
    }
