"""An empty Flask view on the dashboard's server and settings: the cost of Flask.

`python -m benchmarks.empty_flask --port 8100`; `GET /healthz` answers when it is ready.
"""

import argparse
import os

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from dashboard.serving import THREADS, die_with

_BACKLOG = 2048  # as in dashboard/serving.py, as is all that follows


def make_app() -> Flask:
    """Return an app that answers 200 to a POST wherever it goes."""
    app = Flask(__name__, static_folder=None)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post("/<path:_>")
    def empty(_: str) -> str:
        return ""

    return app


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    parent = os.getpid()

    def load() -> Flask:
        die_with(parent)
        return make_app()

    Granian(
        "benchmarks.empty_flask",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        backlog=_BACKLOG,
        backpressure=_BACKLOG,
        websockets=False,
        log_level=LogLevels.error,
    ).serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
