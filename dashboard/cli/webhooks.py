"""`dashboard webhooks`: what came from Zoom, from the terminal."""

import click

from dashboard.cli import webhook_log
from dashboard.cli.opening import opened_services
from dashboard.services import audit, forwarding


@click.group("webhooks")
def group() -> None:
    """What came from Zoom: list, show, resend, prune."""


group.add_command(webhook_log.list_)
group.add_command(webhook_log.show)
group.add_command(webhook_log.prune)


@group.command()
@click.argument("webhook_id", metavar="ID", type=click.IntRange(0, 2**63 - 1))
def resend(webhook_id: int) -> None:
    """Owe a dead or delivered webhook to Recall once more; the original is kept."""
    with opened_services() as services:
        now = services.clock.now()
        with services.database.writing() as session:
            forwarding.resend(session, webhook_id, now=now)
            audit.record(
                session,
                audit.COMMAND_LINE,
                "webhook.resent",
                subject=str(webhook_id),
                now=now,
            )
    click.echo(f"Webhook {webhook_id} will be sent to Recall again.")
