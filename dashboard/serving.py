"""Runs the app on Granian: one process takes requests, however many threads it has.

With several processes the kernel spreads connections blindly, so that a slow page in
one delays the webhooks behind it; to scale, run `dashboard web` on more ports or hosts.
"""

import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from multiprocessing import util as multiprocessing_util
from multiprocessing.synchronize import Event
from typing import Any, cast

import click
import httpx2
import structlog
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from dashboard import logs
from dashboard.app import (
    bare_headers,
    build_runtime,
    chores,
    create_app,
    web_chores,
)
from dashboard.clients.http import tls
from dashboard.db import Database, revisions
from dashboard.errors import SettingsError
from dashboard.services.alerts.stand_in import StandIn
from dashboard.services.grants.token_calls import TokenCalls
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings, public_url_trouble
from dashboard.web.hooks.rsgi import WebhookEndpoint
from dashboard.web.live import watcher
from dashboard.web.rsgi import RsgiApp, WsgiAdapter
from dashboard.web.token_endpoint import TokenEndpoint
from dashboard.worker import Worker, run_chores

THREADS = 256
_BACKLOG = 2048
_HEADERS_WITHIN_S = 10
"""From the connection, or the answer before, to the end of a request's headers."""

_STOPS_WITHIN_S = 15
_OPEN_FILES = 16_384
_FEW_FILES = 4096
_PAUSE_S = 0.1
_PACKAGE = "zoom-recall-dashboard"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_log = structlog.get_logger()


Upgrade = Callable[[Database], object]
"""Brings the tables of a SQLite database to this version, after a copy."""


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    upgrade: Upgrade | None = None,
    greeting: str | None = None,
) -> None:
    """Take requests until stopped.

    Args:
        settings: What the operator decided.
        host: Where to listen.
        port: Likewise.
        upgrade: For the one process that does everything: the worker runs in it, and
            tables on SQLite are upgraded first. None: the web alone.
        greeting: Printed once, as soon as the sign-in page answers.

    Raises:
        DashboardError: It cannot start; one line for standard error.
    """
    require_free(host, port)
    place = prepare(settings, upgrade)
    listens_on = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    name = "web" if upgrade is None else "serve"
    address = settings.public_url or listens_on
    _check_authorities(settings)
    trouble = public_url_trouble(address)
    if trouble:
        _log.warning("settings.public_url_refused_by_zoom", url=address, why=trouble)
    server = Granian(
        "dashboard",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        workers=1,
        loop=Loops.uvloop,
        backlog=_BACKLOG,
        backpressure=_BACKLOG,
        websockets=False,
        # Told to expect HTTP/2 as well, it waits for the first byte for ever: as many
        # silent connections as the backpressure takes would shut out everybody.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_WITHIN_S * 1000),
        log_level=LogLevels.error,
        log_dictconfig=logs.SERVER,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOPS_WITHIN_S,
        process_name=None,
    )
    server.serve(
        target_loader=partial(
            _load,
            settings,
            listens_on,
            os.getpid(),
            with_worker=upgrade is not None,
            hello=Hello(
                event=f"{name}.started",
                facts={
                    "address": listens_on,
                    "public_url": address,
                    "database": place,
                    "version": version(_PACKAGE),
                },
                greeting=greeting,
                was_said=_shared_flag(),
            ),
        ),
        wrap_loader=False,
    )
    _log.info(f"{name}.stopped", address=listens_on, version=version(_PACKAGE))


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What is said once, as soon as the sign-in page answers.

    Attributes:
        event: Logged with `facts`.
        greeting: Printed.
        was_said: By an earlier process than the one that serves now; None where
            processes cannot share it.
    """

    event: str
    facts: Mapping[str, str]
    greeting: str | None
    was_said: Event | None


def require_free(host: str, port: int, *, option: str = "--port") -> None:
    """Refuse an address that cannot be listened on, before anything is begun.

    Raises:
        SettingsError: As `reserve`.
    """
    reserve(host, port, option=option).close()


def reserve(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Listen at an address, so that no other program does; the caller closes it.

    Raises:
        SettingsError: Another program listens there, or it is not this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        number = error.errno or 0  # the resolver's own numbers are below 0
        why = os.strerror(number) if number > 0 else error.strerror
        raise SettingsError(
            f"Port {port} of {host} can't be used ({why}): stop "
            f"the program that listens there, or choose another port with {option}."
        ) from None


def work(settings: Settings) -> None:
    """Run one of many workers on PostgreSQL until a signal stops it."""
    place = prepare(settings, None)
    _check_authorities(settings)
    runtime = build_runtime(settings, listens_on="http://127.0.0.1:8000")
    worker = Worker(runtime, chores=chores(runtime))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker.start()
    _log.info(
        "worker.started",
        public_url=settings.public_url,
        database=place,
        version=version(_PACKAGE),
    )
    stop.wait()
    worker.stop()
    runtime.close()
    _log.info("worker.stopped", version=version(_PACKAGE))


def prepare(settings: Settings, upgrade: Upgrade | None) -> str:
    """Make sure that the tables and the keys are right, before anything listens.

    Returns:
        Kind and place of the database, fit for the log.

    Raises:
        SettingsError: SQLite, but web and worker are to run apart.
        SchemaError: Old tables, and this command does not upgrade them.
        VaultError: The key is missing or wrong.
    """
    database = Database(settings.sqlalchemy_url, logs_outages=False)
    try:
        if not database.is_sqlite:
            revisions.require_newest(database)
        elif upgrade is None:
            raise SettingsError(
                "On SQLite one process must do all the writing: use `dashboard serve`,"
                " or set DASHBOARD_DATABASE_URL to a PostgreSQL database."
            )
        else:
            database.lock()
            upgrade(database)
    finally:
        database.close()
    build_runtime(settings, listens_on="http://127.0.0.1").close()
    return database.place


def begin_web_chores(runtime: Runtime) -> Callable[[], None]:
    """Begin what each web process does beside its requests; return what ends it."""
    stopping = threading.Event()
    thread = threading.Thread(
        target=run_chores,
        args=(web_chores(runtime), stopping),
        name="web chores",
        daemon=True,
    )
    thread.start()

    def end() -> None:
        stopping.set()
        thread.join(_STOPS_WITHIN_S)

    return end


def _load(
    settings: Settings,
    listens_on: str,
    parent: int,
    *,
    with_worker: bool,
    hello: Hello,
) -> Callable[..., Any]:
    die_with(parent)
    logs.set_up(level=settings.log_level, form=settings.log_format)
    allow_many_connections()
    runtime = build_runtime(settings, listens_on=listens_on)
    closing: list[Callable[[], None]] = [runtime.close]
    if with_worker:
        worker = Worker(runtime, chores=chores(runtime))
        worker.start()
        closing.insert(0, worker.stop)
    else:
        closing.insert(0, begin_web_chores(runtime))
    stand_in = StandIn(runtime)
    stand_in.start()
    closing.insert(0, stand_in.close)

    def close() -> None:
        for step in closing:
            step()

    multiprocessing_util.Finalize(None, close, exitpriority=10)
    app = create_app(runtime)
    always, proxies = bare_headers(runtime), settings.trusted_proxies
    hooks = WebhookEndpoint(runtime, trusted_proxies=proxies, always=always)
    tokens = TokenEndpoint(TokenCalls(runtime), trusted_proxies=proxies, always=always)
    pages = WsgiAdapter(
        app.wsgi_app,
        threads=THREADS,
        largest_body=app.config["MAX_CONTENT_LENGTH"],
        always=always,
    )
    gc.freeze()  # what is there now stays: no collection need look at it again
    # Granian asks an object for `__rsgi__`, whatever its types say of functions.
    close_live = watcher.watcher_of(app).close
    application = RsgiApp(hooks, tokens, pages, always=always, on_stop=close_live)
    if hello.was_said is None or not hello.was_said.is_set():  # a second process
        threading.Thread(target=_greet, args=(hello,), daemon=True).start()
    return cast("Callable[..., Any]", application)


def _check_authorities(settings: Settings) -> None:
    """Log that no https call can succeed, before the first one fails."""
    uses_https = settings.zoom_url.startswith("https") or settings.recall_url is None
    missing = tls.missing_authorities() if uses_https else None
    if missing:
        _log.warning("tls.no_authorities", why=missing)


def _shared_flag() -> Event | None:
    try:
        return multiprocessing.Event()
    except (ImportError, OSError):  # no /dev/shm, as in some containers
        return None


def _greet(hello: Hello) -> None:
    """Say that it started as soon as the sign-in page answers."""
    with httpx2.Client(
        base_url=hello.facts["address"], trust_env=False, timeout=5
    ) as http:
        while True:
            with suppress(httpx2.RequestError):
                if http.get("/sign-in").is_success:
                    break
            time.sleep(_PAUSE_S)
    if hello.was_said is not None:
        hello.was_said.set()
    _log.info(hello.event, **hello.facts)
    if hello.greeting:
        click.echo(hello.greeting)


def allow_many_connections() -> None:
    """Raise the usual limit of 1,024 open files: each open page is one, as is a sender.

    As far as the system lets this process; never lowers it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        _log.warning(
            "server.few_open_files",
            limit=soft,
            why="Each open page and each sender takes one, and beyond the limit Zoom's "
            f"webhooks are not answered. Raise it to {_OPEN_FILES} (ulimit -n, "
            "LimitNOFILE=).",
        )


def die_with(parent: int) -> None:
    """End this process at once when its parent ends, killed or not.

    A killed supervisor must not leave a process behind that keeps port and database.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
