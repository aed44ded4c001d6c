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
from dashboard.services.staff.single_sign_on import CALLBACK_PATH
from dashboard.settings import Settings, instance_dir, load

_OIDC_CLIENT = "dashboard"
_PASSWORD_BYTES = 9


def run(
    *, host: str, port: int, zoom_port: int, recall_port: int, oidc_port: int
) -> None:
    """Start the simulators, play the story, then serve until stopped.

    Raises:
        DashboardError: It cannot start; one line for standard error.
    """
    listener = serving.reserve(host, port)
    world = Simulators(
        host=host, zoom_port=zoom_port, recall_port=recall_port, oidc_port=oidc_port
    )
    with closing(listener):
        serving.require_free(host, zoom_port, option="--zoom-port")
        serving.require_free(host, recall_port, option="--recall-port")
        serving.require_free(host, oidc_port, option="--oidc-port")
        _run(listener, world, host=host, port=port)


def _run(listener: socket.socket, world: Simulators, *, host: str, port: int) -> None:
    """Keep the port until the dashboard takes it: the story takes half a minute."""
    folder = instance_dir() / "demo"
    _empty(folder)
    folder.mkdir(mode=0o700, parents=True)
    url, client_secret = f"http://{host}:{port}", secrets.token_urlsafe(16)
    settings = load(
        instance=folder,
        public_url=url,
        database_url=f"sqlite:///{folder / 'dashboard.db'}",
        zoom_url=world.zoom_url,
        zoom_api_url=world.zoom_url,
        recall_url=world.recall_url,
        allow_private_endpoints=True,
        oidc_issuer=world.oidc_url,
        oidc_client_id=_OIDC_CLIENT,
        oidc_client_secret=client_secret,
        oidc_name="Sign in with the demo's identity provider",
        oidc_role_claim="groups",
        oidc_role_map="zoom-admins=admin,helpdesk=support",
    )
    with world:
        world.oidc(
            "clients",
            client_id=_OIDC_CLIENT,
            client_secret=client_secret,
            redirect_uris=[f"{url}{CALLBACK_PATH}"],
        )
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
    for role in Role:
        accounts.add(
            runtime.database,
            email=_email(role),
            role=role,
            password=password,
            actor=audit.COMMAND_LINE,
            now=now,
        )


def _email(role: Role) -> str:
    return f"{role}@example.com"


def _greeting(settings: Settings, world: Simulators, password: SecretStr) -> str:
    others = ", ".join(role for role in Role if role is not Role.ADMIN)
    # The password was made for this run of the demo, and opens nothing else.
    return f"""
Dashboard         {settings.public_url}
  sign in as      {_email(Role.ADMIN)}    (or {others}@example.com)
  password        {password.get_secret_value()}
Simulated Zoom    {world.zoom_url}/marketplace/
Simulated Recall  {world.recall_url}/
Simulated identity provider  {world.oidc_url}/

Try first: open Webhooks, then Ana's page at the simulated Zoom, create a meeting
there and watch it arrive, forwarded and mapped.
Or set up a third Zoom app: create one at {world.zoom_url}/marketplace/new
and enter its values at {settings.public_url}/zoom-apps/new
(API key of the simulated Recall, us-west-2: {world.spare_api_key}).

Stop with Ctrl-C. Until the next demo starts, its data stays in
{settings.instance}.
"""
