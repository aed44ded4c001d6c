"""The simulators on real ports, in threads of this process."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from wsgiref.types import WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.faults import Faults
from dashboard.sandbox.oidc import ProviderWorld, create_provider
from dashboard.sandbox.recall import RecallWorld, create_recall
from dashboard.sandbox.recall.credentials import run_due_syncs
from dashboard.sandbox.zoom import ZoomWorld, create_zoom

_TICK_S = 0.2
_POLL_S = 0.05  # how often a server checks whether to stop
# Enough that one endpoint which takes three seconds does not delay the others.
_SENDERS = 4


@dataclass(frozen=True, kw_only=True)
class RunningSandbox:
    """The simulators while they run; they share one clock.

    Attributes:
        zoom_url: Without a trailing slash, like `recall_url` and `oidc_url`.
        oidc_url: Of the identity provider; it is the issuer too.
        zoom_faults: Played before the simulated Zoom gets a request.
    """

    zoom_url: str
    recall_url: str
    oidc_url: str
    zoom_world: ZoomWorld
    recall_world: RecallWorld
    oidc_world: ProviderWorld
    clock: SimClock
    zoom_faults: Faults
    recall_faults: Faults
    oidc_faults: Faults
    _servers: list[BaseWSGIServer]
    _threads: list[threading.Thread]
    _stopping: threading.Event

    def reset(self) -> None:
        """Delete all data, faults and switches, and go back to real time."""
        self.zoom_faults.set([])
        self.recall_faults.set([])
        self.oidc_faults.set([])
        self.clock.set(None)
        self.zoom_world.reset()
        self.recall_world.reset()
        self.oidc_world.reset()

    def sync_meetings(self) -> int:
        """Advance Recall's meeting syncs by one step; return how many there were."""
        return run_due_syncs(self.recall_world)

    def close(self) -> None:
        """Stop all; returns when all threads have ended."""
        self._stopping.set()
        self.zoom_world.state.wake_sender.set()
        for server in self._servers:
            server.shutdown()
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.server_close()
        self.zoom_world.close()


def start(
    *,
    host: str = "127.0.0.1",
    zoom_port: int = 0,
    recall_port: int = 0,
    oidc_port: int = 0,
    allow_local: bool = False,
) -> RunningSandbox:
    """Start the simulators and return once they are reachable.

    Args:
        host: Address to listen on.
        zoom_port: 0 for a free one.
        recall_port: 0 for a free one.
        oidc_port: 0 for a free one.
        allow_local: Whether to accept http, localhost and IP addresses, which the
            real services refuse.

    Raises:
        OSError: A port is in use.
    """
    clock, stopping = SimClock(), threading.Event()
    zoom_world = ZoomWorld(clock, allow_local=allow_local)
    zoom = create_zoom(zoom_world)
    zoom_server = _listen(host, zoom_port, zoom)
    zoom_url = f"http://{host}:{zoom_server.port}"
    recall_world = RecallWorld(clock, zoom_url=zoom_url, allow_local=allow_local)
    recall = create_recall(recall_world)
    oidc_world = ProviderWorld(clock)
    provider = create_provider(oidc_world)
    servers = [zoom_server]
    try:
        servers.append(_listen(host, recall_port, recall))
        servers.append(_listen(host, oidc_port, provider))
    except OSError:
        for server in servers:
            server.server_close()
        raise
    _, recall_url, oidc_url = (f"http://{host}:{server.port}" for server in servers)
    oidc_world.issuer = oidc_url

    def send() -> None:
        while not stopping.is_set():
            zoom_world.state.wake_sender.wait(_TICK_S)
            zoom_world.state.wake_sender.clear()
            zoom_world.deliver_due()

    def sync() -> None:
        while not stopping.wait(_TICK_S):
            run_due_syncs(recall_world)

    work: list[Callable[[], None]] = [
        partial(server.serve_forever, _POLL_S) for server in servers
    ]
    threads = [
        threading.Thread(target=target, daemon=True)
        for target in (*work, sync, *[send] * _SENDERS)
    ]
    for thread in threads:
        thread.start()
    return RunningSandbox(
        zoom_url=zoom_url,
        recall_url=recall_url,
        oidc_url=oidc_url,
        zoom_world=zoom_world,
        recall_world=recall_world,
        oidc_world=oidc_world,
        clock=clock,
        zoom_faults=_faults(zoom),
        recall_faults=_faults(recall),
        oidc_faults=_faults(provider),
        _servers=servers,
        _threads=threads,
        _stopping=stopping,
    )


class _Handler(WSGIRequestHandler):
    """HTTP/1.1 without log; a connection broken by a fault is closed at once."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def connection_dropped(
        self,
        error: BaseException,  # noqa: ARG002 - Werkzeug's signature
        environ: WSGIEnvironment | None = None,  # noqa: ARG002 - the same
    ) -> None:
        """Close instead of waiting for the next request."""
        self.close_connection = True


def _listen(host: str, port: int, app: WSGIApplication) -> BaseWSGIServer:
    # Bound here: Werkzeug ends the process when a port is in use.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
        return make_server(
            host,
            port,
            app,
            threaded=True,
            request_handler=_Handler,
            fd=listening.fileno(),
        )


def _faults(app: Flask) -> Faults:
    faults: Faults = app.extensions["sandbox_faults"]
    return faults
