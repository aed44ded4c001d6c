"""Node servers: the upstream that gets the webhooks, and the Express receiver."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.processes import answers, free_port, process
from benchmarks.sites import SECRET_TOKEN, BenchmarkError

_FOLDER = Path(__file__).parent / "express"
_MISSING = "{} is missing. On Debian: apt-get install nodejs npm"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """It is there at `url`."""

    url: str

    def answered(self) -> int:
        """How many POSTs it has answered."""
        return int(self._count()[0])

    def last_s(self) -> float:
        """When it last answered one, in seconds since the epoch."""
        return int(self._count()[1]) / 1000

    def _count(self) -> list[str]:
        return httpx2.get(f"{self.url}/count", timeout=30).text.split()


@contextmanager
def upstream(folder: Path, *, delay_ms: int) -> Iterator[Upstream]:
    """Run Recall's stand-in, which answers 200 after a wait, until the block ends.

    Raises:
        StageError: There is no node.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(
        [found("node"), str(_FOLDER / "upstream.js"), str(port), str(delay_ms)],
        lambda: answers(f"{url}/count"),
        log=folder / f"upstream-{port}.log",
    ):
        yield Upstream(url=url)


def install_express(folder: Path) -> str:
    """Install the receiver into a folder that goes away; return Express's version.

    Raises:
        StageError: There is no npm, or it could not install.
    """
    for name in ("package.json", "receiver.js"):
        shutil.copy(_FOLDER / name, folder / name)
    done = subprocess.run(
        [found("npm"), "install", "--no-package-lock", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"npm could not install Express: {done.stderr[-500:]}")
    version: str = json.loads((folder / "package.json").read_text())["dependencies"][
        "express"
    ]
    return version


@contextmanager
def express(folder: Path, to: Upstream) -> Iterator[int]:
    """Run the receiver installed in `folder`; give its port."""
    port = free_port()
    environment = {**os.environ, "SECRET_TOKEN": SECRET_TOKEN.get_secret_value()}  # noqa: TID251 - a child's environment
    environment["NODE_ENV"] = "production"
    with process(
        [found("node"), str(folder / "receiver.js"), str(port), to.url],
        lambda: answers(f"http://127.0.0.1:{port}/healthz"),
        log=folder / "express.log",
        environment=environment,
    ):
        yield port


def found(program: str) -> str:
    """Return where node or npm is.

    Raises:
        StageError: Nowhere.
    """
    path = shutil.which(program)
    if path is None:
        raise BenchmarkError(_MISSING.format(program))
    return path
