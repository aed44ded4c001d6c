"""`dashboard demo`: the product against the simulators, with a story already in it.

The story goes through the product's own endpoints and services, over HTTP and in
simulated time; no row is inserted by hand. It is played again at each start, because
the simulators store nothing.
"""

import secrets
import shutil
import socket
from contextlib import closing
from pathlib import Path

import click
from pydantic import SecretStr

from dashboard import logs, schema, serving
from dashboard.app import build_runtime
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.demo.simulators import Simulators
from dashboard.demo.story import play
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.settings import Settings, instance_dir, load

_ADMIN = "admin@example.com"
_SUPPORT = "support@example.com"
_PASSWORD_BYTES = 9


def run(*, host: str, port: int, zoom_port: int, recall_port: int) -> None:
    """Start the simulators, play the story, then serve until stopped.

    Raises:
        DashboardError: It cannot start; one line for standard error.
    """
    listener = serving.reserve(host, port)
    with closing(listener):
        _run(
            listener, host=host, port=port, zoom_port=zoom_port, recall_port=recall_port
        )


def _run(
    listener: socket.socket, *, host: str, port: int, zoom_port: int, recall_port: int
) -> None:
    """Keep the port until the dashboard takes it: the story takes half a minute."""
    serving.require_free(host, zoom_port, option="--zoom-port")
    serving.require_free(host, recall_port, option="--recall-port")
    folder = instance_dir() / "demo"
    _empty(folder)
    folder.mkdir(mode=0o700, parents=True)
    world = Simulators(host=host, zoom_port=zoom_port, recall_port=recall_port)
    settings = load(
        instance=folder,
        public_url=f"http://{host}:{port}",
        database_url=f"sqlite:///{folder / 'dashboard.db'}",
        zoom_url=world.zoom_url,
        zoom_api_url=world.zoom_url,
        recall_url=world.recall_url,
        allow_private_endpoints=True,
    )
    with world:
        password = SecretStr(secrets.token_urlsafe(_PASSWORD_BYTES))
        click.echo("Playing two days of activity. This takes about half a minute ...")
        # Errors in the story are intended.
        logs.set_up(level=logs.Level.ERROR)
        _prepare(settings, world, password, listener)
        logs.set_up(level=settings.log_level, form=settings.log_format)
        listener.close()
        serving.serve(
            settings,
            host=host,
            port=port,
            upgrade=schema.upgrade_with_backup,
            greeting=_greeting(settings, world, password),
        )


def _empty(folder: Path) -> None:
    if not folder.is_dir():
        return
    database = Database(f"sqlite:///{folder / 'dashboard.db'}")
    database.lock()  # refuses while another demo runs here
    database.close()
    shutil.rmtree(folder)


def _prepare(
    settings: Settings,
    world: Simulators,
    password: SecretStr,
    listener: socket.socket,
) -> None:
    database = Database(settings.sqlalchemy_url)
    schema.upgrade(database)
    database.close()
    runtime = build_runtime(settings, listens_on=str(settings.public_url))
    try:
        _add_staff(runtime, password)
        play(runtime, world, listener)
    finally:
        runtime.clock.set(None)
        runtime.close()


def _add_staff(runtime: Runtime, password: SecretStr) -> None:
    now = Clock().now()
    for email, role in ((_ADMIN, Role.ADMIN), (_SUPPORT, Role.SUPPORT)):
        accounts.add(
            runtime.database,
            email=email,
            role=role,
            password=password,
            actor=audit.COMMAND_LINE,
            now=now,
        )


def _greeting(settings: Settings, world: Simulators, password: SecretStr) -> str:
    # The password was made for this run of the demo, and opens nothing else.
    return f"""
Dashboard         {settings.public_url}
  sign in as      {_ADMIN}    (or {_SUPPORT})
  password        {password.get_secret_value()}
Simulated Zoom    {world.zoom_url}/marketplace/
Simulated Recall  {world.recall_url}/

Try first: open Webhooks, then Ana's page at the simulated Zoom, create a meeting
there and watch it arrive, forwarded and mapped.
Or set up a third Zoom app: create one at {world.zoom_url}/marketplace/new
and enter its values at {settings.public_url}/zoom-apps/new
(API key of the simulated Recall, us-west-2: {world.spare_api_key}).

Stop with Ctrl-C. Until the next demo starts, its data stays in
{settings.instance}.
"""
