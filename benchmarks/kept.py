"""Databases that are kept from one run to the next, and a browser on one of them."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from flask.testing import FlaskClient
from pydantic import SecretStr

from benchmarks.sites import NOWHERE, BenchmarkError, Site, Sites, end_cleanly
from dashboard import schema
from dashboard.app import create_app
from dashboard.db import Database, revisions
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.settings import new_key, read_or_make_file

_PASSWORD = SecretStr("correct horse battery")


@contextmanager
def locked(cache: Path) -> Iterator[Sites]:
    """Open the folder's sites; a second run would stop PostgreSQL under the first."""
    end_cleanly()
    cache.mkdir(parents=True, exist_ok=True)
    key, _ = read_or_make_file(cache / "key", new_key())
    sites = Sites(folder=cache, key=key)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchmarkError(f"Another run uses {cache}.") from None
        try:
            yield sites
        finally:
            sites.close()


def site(
    sites: Sites,
    kind: str,
    name: str,
    fill: Callable[[Runtime], str],
    *,
    is_fresh: bool = False,
) -> tuple[Site, str]:
    """Return a site of this name and schema, filled once, and what `fill` returned.

    Args:
        sites: Locked.
        kind: "sqlite" or "postgresql".
        name: Of the data; those of the revision before are upgraded.
        fill: Fills an empty database and returns a line to remember.
        is_fresh: Whether to make them again.
    """
    newest = revisions.newest_revision()
    done = sites.folder / f"{kind}-{name}_{newest}.done"
    if is_fresh:
        done.unlink(missing_ok=True)
    elif not done.exists():
        _upgrade(sites, kind, name, newest)
    is_there = done.exists()
    name = f"{name}_{newest}"
    if kind == "sqlite":
        url = f"sqlite:///{sites.folder / name}.db"
        for end in () if is_there else ("", "-wal", "-shm"):
            (sites.folder / f"{name}.db{end}").unlink(missing_ok=True)
    else:
        url = sites.postgresql_url(name) if is_there else sites.new_postgresql(name)
    made = Site(
        folder=sites.folder, database_url=url, key=sites.key, recall_url=NOWHERE
    )
    if not is_there:
        _fill(made, fill, done)
    return made, done.read_text()


def _upgrade(sites: Sites, kind: str, name: str, newest: str) -> None:
    """Bring the newest database of a former revision to this one, if there is one."""
    begin = f"{kind}-{name}_"
    former = [
        revision
        for each in sites.folder.glob(f"{begin}*.done")
        if (revision := each.stem.removeprefix(begin)) < newest
    ]
    if not former:
        return
    old, new = f"{name}_{max(former)}", f"{name}_{newest}"
    if kind == "sqlite":
        for end in (".db", ".db-wal"):
            if (file := sites.folder / f"{old}{end}").exists():
                file.rename(sites.folder / f"{new}{end}")
        url = f"sqlite:///{sites.folder / new}.db"
    else:
        url = sites.rename_postgresql(old, new)
    database = Database(url)
    schema.upgrade(database)
    database.close()
    done = sites.folder / f"{kind}-{old}.done"
    done.rename(sites.folder / f"{kind}-{new}.done")


def _fill(made: Site, fill: Callable[[Runtime], str], done: Path) -> None:
    database = Database(made.database_url)
    schema.upgrade(database)
    database.close()
    with made.runtime() as runtime:
        remembered = fill(runtime)
        for role in (Role.ADMIN, Role.SUPPORT):
            accounts.add(
                runtime.database,
                email=f"{role}@example.com",
                role=role,
                password=_PASSWORD,
                actor=audit.COMMAND_LINE,
                now=runtime.clock.now(),
            )
    if made.database_url.startswith("postgresql"):
        # What autovacuum does in the course of a month.
        uri = made.database_url.replace("+psycopg", "")
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    done.write_text(remembered)


def browser(runtime: Runtime, role: Role = Role.ADMIN) -> FlaskClient:
    """Return a browser in which a person of that role is signed in."""
    app = create_app(runtime)
    app.config.update(WTF_CSRF_ENABLED=False)
    client = app.test_client()
    form = {
        "email": f"{role}@example.com",
        "password": _PASSWORD.get_secret_value(),
    }
    answer = client.post("/sign-in", data=form)
    if answer.status_code != 303:
        raise BenchmarkError(f"Signing in was answered {answer.status_code}.")
    return client
