"""Where a server listens: options that several commands have."""

import click

PORT_NUMBER = click.IntRange(1, 65535)
HOST = click.option("--host", default="127.0.0.1", show_default=True)
PORT = click.option("--port", default=8000, show_default=True, type=PORT_NUMBER)
