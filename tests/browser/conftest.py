"""A running demo, and a real Chromium to use it with."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect

from tests.fixtures.ports import free_ports

_STARTS_WITHIN_S = 180

expect.set_options(
    timeout=20_000
)  # how soon is for tests marked `prompt`, which say it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here, so that no other run starts a browser by mistake."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running demo: four servers of its own.

    Attributes:
        folder: Where its data stays, as it says.
        answered_at_once: Whether the sign-in page answered the first request after
            the address was printed.
    """

    url: str
    zoom_url: str
    recall_url: str
    password: str
    spare_api_key: str
    folder: str = ""
    oidc_url: str = ""
    answered_at_once: bool = False


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any],
) -> dict[str, Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.exit("Chromium is missing. On Debian: sudo apt-get install chromium", 1)
    return {
        **browser_type_launch_args,
        "executable_path": chromium,
        "args": [
            "--no-sandbox",  # root in a container has no other choice
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ],
    }


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run `dashboard demo` in a folder of its own until the session ends."""
    folder = tmp_path_factory.mktemp("demo")
    port, zoom_port, recall_port, oidc_port = free_ports(4)
    command = [
        *(sys.executable, "-m", "dashboard.cli", "demo", "--port", str(port)),
        *("--zoom-port", str(zoom_port), "--recall-port", str(recall_port)),
        *("--oidc-port", str(oidc_port)),
    ]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command,
            env={**_environment(), "DASHBOARD_INSTANCE_DIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        timer = threading.Timer(_STARTS_WITHIN_S, process.kill)
        timer.start()
        said = _read_greeting(process)
        timer.cancel()
        try:
            yield _understood(said, folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def _read_greeting(process: "subprocess.Popen[str]") -> str:
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if lines[-2:][0].startswith("Stop with Ctrl-C"):
            break  # one line after it
    return "".join(lines)


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{url}/sign-in").status_code == 200
    return False


def _understood(said: str, folder: Path) -> Demo:
    found = {
        name: re.search(pattern, said)
        for name, pattern in {
            "url": r"Dashboard\s+(\S+)",
            "folder": r"its data stays in\s+(\S+)\.\n",
            "zoom_url": r"Simulated Zoom\s+(\S+)/marketplace/",
            "recall_url": r"Simulated Recall\s+(\S+)/",
            "oidc_url": r"Simulated identity provider\s+(\S+)/",
            "password": r"password\s+(\S+)",
            "spare_api_key": r"API key of the simulated Recall, us-west-2: (\S+)\)",
        }.items()
    }
    missing = [name for name, match in found.items() if match is None]
    if missing:
        pytest.fail(f"The demo did not start: {said}{(folder / 'log').read_text()}")
    values = {name: match[1] for name, match in found.items() if match}
    return Demo(**values, answered_at_once=_answers(values["url"]))


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a child's environment
        if not name.startswith("DASHBOARD_")
    }
