"""`dashboard alert-channel`: add, list, test and remove the places alerts go to."""

import json
from pathlib import Path
from uuid import UUID

import click
from pydantic_core import to_jsonable_python

from dashboard.cli.opening import SECRET_FILE, cell, opened_services, read_secret
from dashboard.models.alert import AlertChannel, AlertKind, ChannelKind, Pace
from dashboard.services import audit
from dashboard.services.alert_channels import channels, rules
from dashboard.services.alert_channels.rules import Rule
from dashboard.services.alerts import sending

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_KINDS = click.Choice([kind.value for kind in ChannelKind])
_ALERTS = click.Choice([kind.value for kind in AlertKind])


@click.group("alert-channel")
def group() -> None:
    """Alert channels: add, list, test, remove."""


@group.command()
@click.option("--kind", required=True, type=_KINDS, help="What it leads to.")
@click.option(
    "--url-file",
    required=True,
    type=SECRET_FILE,
    help="File with the address: an email address, the URL of a chat's webhook, a "
    "PagerDuty key, or an address in the words of apprise; - reads standard input.",
)
@click.option("--name", default="", help="What staff see; made from the kind if empty.")
@click.option(
    "--about",
    multiple=True,
    type=_ALERTS,
    help="Kinds of alerts; more than one may be given. All if left out.",
)
@click.option(
    "--zoom-app",
    "zoom_apps",
    multiple=True,
    type=click.UUID,
    help="Alerts of these zoom apps only; more than one may be given.",
)
@click.option(
    "--severity",
    default=rules.WARNING,
    show_default=True,
    type=click.Choice(list(rules.SEVERITIES)),
    help="From which severity on.",
)
@click.option(
    "--lasts",
    default=1,
    show_default=True,
    type=click.IntRange(0, rules.LONGEST_LASTS),
    help="How many minutes a problem must last.",
)
@click.option("--quiet", default="", help="Quiet hours, like 22:00-07:00.")
@click.option("--time-zone", default="UTC", show_default=True)
@click.option("--daily", default="", help="One digest a day at this time, like 08:00.")
@_JSON
def add(
    kind: str,
    url_file: Path,
    name: str,
    about: tuple[str, ...],
    zoom_apps: tuple[UUID, ...],
    severity: str,
    lasts: int,
    quiet: str,
    time_zone: str,
    daily: str,
    as_json: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Add a channel. Its address is stored encrypted and never shown again."""
    rule = Rule(
        kinds=[AlertKind(each) for each in dict.fromkeys(about)],
        zoom_apps=list(dict.fromkeys(zoom_apps)),
        severity=severity,
        lasts_minutes=lasts,
        quiet=rules.parse_quiet(quiet),
        time_zone=time_zone,
        pace=Pace.DAILY if daily else Pace.AT_ONCE,
        daily_at=rules.minutes_of(daily) if daily else Rule().daily_at,
    )
    url = read_secret(url_file)
    with opened_services() as runtime, runtime.database.writing() as session:
        channel = channels.add(
            session,
            runtime.vault,
            runtime.settings,
            kind=ChannelKind(kind),
            name=name,
            url=url,
            rule=rule,
            actor=audit.command_line(),
            now=runtime.clock.now(),
        )
    if as_json:
        click.echo(json.dumps(_as_dict(channel)))
    else:
        click.echo(f"{channel.id}\t{cell(channel.name)}\t{cell(channel.shown)}")


@group.command("list")
@_JSON
def list_(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """List the channels."""
    with opened_services() as runtime, runtime.database.reading() as session:
        found = [_as_dict(each) for each in channels.list_all(session)]
    if as_json:
        click.echo(json.dumps({"channels": found}))
        return
    for each in found:
        shown = ("id", "kind", "name", "address", "trouble")
        click.echo("\t".join(cell(each[name]) for name in shown))


@group.command()
@click.argument("channel_id", metavar="ID", type=click.UUID)
def test(channel_id: UUID) -> None:
    """Send a real message through a channel; fails with the reason."""
    with opened_services() as runtime:
        channel = sending.test(runtime, channel_id, actor=audit.command_line())
    click.echo(f"Sent to {cell(channel.shown)}.")


@group.command()
@click.argument("channel_id", metavar="ID", type=click.UUID)
def remove(channel_id: UUID) -> None:
    """Delete a channel and its messages."""
    with opened_services() as runtime, runtime.database.writing() as session:
        channel = channels.remove(
            session, channel_id, actor=audit.command_line(), now=runtime.clock.now()
        )
    click.echo(f"Removed {cell(channel.name)}.")


def _as_dict(channel: AlertChannel) -> dict[str, object]:
    rule = rules.of(channel)
    found: dict[str, object] = to_jsonable_python(
        {
            "id": channel.id,
            "kind": channel.kind,
            "name": channel.name,
            "address": channel.shown,
            "about": rule.kinds,
            "zoom_apps": rule.zoom_apps,
            "severity": rule.severity,
            "lasts_minutes": rule.lasts_minutes,
            "quiet": rules.quiet_words(rule.quiet),
            "time_zone": rule.time_zone,
            "pace": rule.pace,
            "daily_at": rules.clock_words(rule.daily_at),
            "failing_since": channel.failing_since,
            "trouble": channel.trouble,
            "last_sent_at": channel.last_sent_at,
        }
    )
    return found
