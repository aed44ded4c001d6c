"""A shell of one installation; its commands run here, or as processes of their own."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from dashboard.cli import main
from dashboard.sandbox.serving import RunningSandbox

Done = subprocess.CompletedProcess[str]


class Terminal:
    """A shell of one installation, pointed at the simulators."""

    def __init__(self, folder: Path, sandbox: RunningSandbox) -> None:
        self.folder = folder
        self._settings = {
            "DASHBOARD_INSTANCE_DIR": str(folder),
            "DASHBOARD_PUBLIC_URL": "https://dashboard.example.com",
            "DASHBOARD_ZOOM_URL": sandbox.zoom_url,
            "DASHBOARD_ZOOM_API_URL": sandbox.zoom_url,
            "DASHBOARD_RECALL_URL": sandbox.recall_url,
        }

    def run(self, *words: str, **settings: str) -> Done:
        """Run a command in this process: to start one takes a second each time."""
        unset = [name for name in os.environ if name.startswith("DASHBOARD_")]  # noqa: TID251 - what a child would inherit
        environment: Mapping[str, str | None] = {
            **dict.fromkeys(unset),
            **self._settings,
            **settings,
        }
        status: object = 0
        with _logs_as_before(), CliRunner().isolation(env=environment) as streams:
            try:
                main(words)
            except SystemExit as ended:
                status = ended.code
            out, err = (stream.getvalue().decode() for stream in streams[:2])
        return Done(words, int(str(status)), out, err)

    def run_apart(self, *words: str, **settings: str) -> Done:
        """Run a command as a process of its own."""
        names = [name for name in os.environ if not name.startswith("DASHBOARD_")]  # noqa: TID251 - what a child inherits
        inherited = {name: os.environ[name] for name in names}  # noqa: TID251 - as above
        return subprocess.run(
            [sys.executable, "-m", "dashboard.cli", *words],
            env={**inherited, **self._settings, **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def terminal(tmp_path: Path, sandbox: RunningSandbox) -> Terminal:
    sandbox.clock.set(None)
    return Terminal(tmp_path, sandbox)


@contextmanager
def _logs_as_before() -> Iterator[None]:
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**config)
