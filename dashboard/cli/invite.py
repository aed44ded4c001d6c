"""`dashboard invite`: links made for one person each, one or a list of them."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import click

from dashboard.cli.opening import opened_services
from dashboard.errors import InvalidInputError
from dashboard.services import audit
from dashboard.services.invitations import csv_import, invitations
from dashboard.services.invitations.invitations import LASTS_DAYS, LONGEST_DAYS, Wanted
from dashboard.services.user_mail import mails
from dashboard.services.zoom_apps import apps
from dashboard.web import exports

_LARGEST_LIST_BYTES = 1_000_000


@click.command("invite")
@click.argument("zoom_app_id", metavar="ZOOM_APP_ID", type=click.UUID)
@click.option(
    "--email",
    default="",
    help="Only the Zoom account with this email can use the link.",
)
@click.option(
    "--user-ref",
    "--reference",
    "user_ref",
    default="",
    help="Your own ID for the user.",
)
@click.option("--tag", "tags", multiple=True, help="A word of yours. Repeatable.")
@click.option(
    "--return-url",
    default="",
    help="Where a button leads after connecting; its origin must be allowed.",
)
@click.option(
    "--expires-days",
    default=LASTS_DAYS,
    show_default=True,
    type=click.IntRange(1, LONGEST_DAYS),
    help="How many days the link is valid.",
)
@click.option(
    "--csv",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="CSV list with the columns email, user_ref and tags; - reads standard input.",
)
@click.option("--send", "sends", is_flag=True, help="Send each link by email.")
@click.option(
    "--remind-days",
    default=0,
    type=click.IntRange(0, mails.LONGEST_REMINDER_DAYS),
    help="With --send: remind once after so many days who has not opened the link.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    zoom_app_id: UUID,
    email: str,
    user_ref: str,
    tags: tuple[str, ...],
    return_url: str,
    expires_days: int,
    list_file: Path | None,
    sends: bool,  # noqa: FBT001 - click passes flags so
    remind_days: int,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Create a connect link for one person, or for each line of a list.

    The links are printed once; only their hashes are stored. One link is printed as
    text, a list as CSV.
    """
    if list_file is not None and (email or user_ref or tags):
        raise click.UsageError("Use either --csv, or --email, --user-ref and --tag.")
    people = (
        [csv_import.one(email, user_ref, " ".join(tags))]
        if list_file is None
        else _read(list_file)
    )
    with opened_services() as runtime:
        with runtime.database.writing() as session:
            app = apps.get(session, zoom_app_id)
            made = invitations.make(
                session,
                app,
                [replace(one, return_url=return_url) for one in people],
                days=expires_days,
                actor=audit.command_line(),
                now=runtime.clock.now(),
            )
            if sends:
                mails.require_server(runtime.settings)
                mails.write(
                    session,
                    runtime.vault,
                    made,
                    remind_days=remind_days,
                    now=runtime.clock.now(),
                )
        rows = csv_import.link_rows(made, app, hosted_url=runtime.hosted_url)
    if as_json:
        click.echo(json.dumps({"invitations": rows}))
    elif list_file is None:
        click.echo(rows[0]["link"])
    else:
        for line in exports.csv_lines(csv_import.COLUMNS, rows):
            click.echo(line, nl=False)


def _read(path: Path) -> list[Wanted]:
    """Read a list; each wrong line is said on standard error and nothing is made.

    Raises:
        InvalidInputError: Some line is wrong, or the file is too large or no text.
    """
    with click.open_file(str(path), "rb") as file:
        raw = file.read(_LARGEST_LIST_BYTES + 1)
    if len(raw) > _LARGEST_LIST_BYTES:
        raise InvalidInputError(f"{path} is too large. Split it.")
    try:
        found = csv_import.parse(csv_import.decode(raw, errors="strict"))
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is neither UTF-8 nor UTF-16.") from None
    if found.errors:
        for error in found.errors[: csv_import.MOST_ERRORS]:
            click.echo(str(error), err=True)
        number = len(found.errors)
        lines = "1 line is" if number == 1 else f"{number:,} lines are"
        raise InvalidInputError(f"{lines} wrong in {path}. No links were created.")
    return list(found.wanted)
