"""The dashboard on a socket of its own, so that the simulated Zoom can reach it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask
from werkzeug.serving import make_server

from dashboard.app import create_app
from dashboard.services.runtime import Services


@contextmanager
def served(services: Services) -> Iterator[tuple[Services, Flask]]:
    """Serve an app; give the services with its address as public URL, and the app."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    services = replace(services, public_url=f"http://127.0.0.1:{server.port}")
    app = create_app(services)
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    server.app = app
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield services, app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
