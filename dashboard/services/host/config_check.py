"""What is unsafe about these settings and this machine, each in one sentence.

`dashboard config check` and the settings page show it. Nothing here stops a start: demo
and trials need much of it.
"""

import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlmodel import Session

from dashboard.db import Database, engines
from dashboard.logs import Level
from dashboard.settings import (
    SecondFactor,
    Settings,
    public_url_doubt,
    public_url_trouble,
    secret_files,
)

_SKEW = timedelta(seconds=5)
_SHORTEST_TOKEN = 24


def unsafe(settings: Settings, database: Database, *, now: datetime) -> list[str]:
    """Return what is unsafe; empty when nothing was found.

    Raises:
        DatabaseUnavailableError: PostgreSQL can't be reached.
    """
    found = [
        *_of_settings(settings),
        *_of_hosted_url(settings.hosted_url),
        *_of_files(settings),
    ]
    if not database.is_sqlite:
        with database.reading() as session:
            found += _of_postgresql(session, now=now)
    return found


def _of_hosted_url(url: str | None) -> Iterator[str]:
    if url is None:
        return
    if trouble := public_url_trouble(url):
        yield f"DASHBOARD_HOSTED_URL can't be used: {trouble}."
    elif doubt := public_url_doubt(url):
        yield f"DASHBOARD_HOSTED_URL may not work: {doubt}."


def _of_settings(settings: Settings) -> Iterator[str]:
    url = settings.public_url
    if url is None:
        yield (
            "DASHBOARD_PUBLIC_URL is not set, so Zoom, Recall and users are given the "
            "address that this process listens on. Set it to the address they reach."
        )
    elif trouble := public_url_trouble(url):
        yield f"DASHBOARD_PUBLIC_URL can't be used: {trouble}."
    elif doubt := public_url_doubt(url):
        yield f"DASHBOARD_PUBLIC_URL may not work: {doubt}."
    if url and urlsplit(url).scheme != "https":
        yield (
            "The public URL is not https: passwords, session cookies and webhooks "
            "cross the network readable by anyone on the way."
        )
    elif url and not settings.trusted_proxies:
        yield (
            "The public URL is https and this server speaks http, so a proxy is in "
            "front, but DASHBOARD_TRUSTED_PROXIES is 0: all visitors look like one, "
            "and the wrong sign-ins of one hold up all. Set the number of proxies."
        )
    if settings.require_second_factor is SecondFactor.NONE:
        yield (
            "DASHBOARD_REQUIRE_SECOND_FACTOR is none: a stolen password is enough to "
            "see and change secrets."
        )
    if settings.allow_private_endpoints:
        yield (
            "DASHBOARD_ALLOW_PRIVATE_ENDPOINTS is true: an address entered here "
            "may have this server call machines of your own network."
        )
    token = settings.metrics_token
    if token is not None and len(token.get_secret_value()) < _SHORTEST_TOKEN:
        yield (
            f"DASHBOARD_METRICS_TOKEN is shorter than {_SHORTEST_TOKEN} characters and "
            "may be guessed."
        )
    if settings.log_level is Level.DEBUG:
        yield "DASHBOARD_LOG_LEVEL is debug: meant for a search, not for every day."


def _of_files(settings: Settings) -> Iterator[str]:
    folder = settings.instance
    if settings.encryption_keys is None and _is_sqlite(settings):
        yield (
            f"The encryption keys are generated in {folder}, beside the database: a "
            "copy of that folder opens every secret. Keep them elsewhere with "
            "DASHBOARD_ENCRYPTION_KEYS_FILE, and back them up apart."
        )
    if _is_open(folder):
        yield f"Others on this machine may open {folder}. Run: chmod 700 {folder}"
    files = [*secret_files(folder), *sorted(folder.glob("*"))]
    names = [str(each) for each in files if _is_open(each) and _has_text(each)]
    if names:
        yield (
            "Others on this machine may read what the dashboard keeps. Run: chmod 600 "
            f"{' '.join(names)}"
        )


def _is_sqlite(settings: Settings) -> bool:
    return settings.sqlalchemy_url.startswith("sqlite")


def _has_text(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _is_open(path: Path) -> bool:
    """Whether its group or others have any right; not if it can't be looked at."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


_SERVER = text(
    "SELECT clock_timestamp() AS now, "
    "current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int AS room, "
    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser, "
    "inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'"
    " OR inet_server_addr() IS NULL AS is_here, "
    "(SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS has_tls"
)


def _of_postgresql(session: Session, *, now: datetime) -> Iterator[str]:
    row = session.connection().execute(_SERVER).one()
    if row.is_superuser:
        yield (
            "The dashboard is a superuser of PostgreSQL, so a fault in it reaches "
            "every database there. Give it a role of its own (docs/postgresql.md)."
        )
    if not (row.is_here or row.has_tls):
        yield (
            "The connection to PostgreSQL is not encrypted. Add ?sslmode=verify-full "
            "to DASHBOARD_DATABASE_URL."
        )
    if row.room < engines.MOST_CONNECTIONS:
        yield (
            f"One process may open {engines.MOST_CONNECTIONS} connections and "
            f"PostgreSQL has room for {row.room}. Raise max_connections, or put a pool "
            "in front; with too few, pages and webhooks wait for one."
        )
    if (skew := abs(row.now - now)) > _SKEW:
        yield (
            "This machine's clock and PostgreSQL's differ by "
            f"{skew.total_seconds():.0f} s. Set both by NTP: work is shared by time."
        )
