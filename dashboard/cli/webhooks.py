"""`dashboard webhooks`: what came from Zoom, from the terminal."""

import click

from dashboard.cli import resend, webhook_log


@click.group("webhooks")
def group() -> None:
    """What came from Zoom: list, show, resend, prune."""


group.add_command(webhook_log.list_)
group.add_command(webhook_log.show)
group.add_command(webhook_log.prune)


group.add_command(resend.command)
