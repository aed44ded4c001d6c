"""Where webhooks are delivered to: a Node server that answers after a wait."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.stage import StageError, answers, free_port, process

_SCRIPT = Path(__file__).parent / "express" / "upstream.js"
_NO_NODE = "node is missing. On Debian: apt-get install nodejs npm"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """It is there at `url`."""

    url: str

    def answered(self) -> int:
        """How many POSTs it has answered."""
        return int(httpx2.get(f"{self.url}/count", timeout=10).text)


@contextmanager
def upstream(folder: Path, *, delay_ms: int) -> Iterator[Upstream]:
    """Run it until the block ends.

    Raises:
        StageError: There is no node.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(
        [node(), str(_SCRIPT), str(port), str(delay_ms)],
        lambda: answers(f"{url}/count"),
        log=folder / f"upstream-{port}.log",
    ):
        yield Upstream(url=url)


def node() -> str:
    """Return where node is.

    Raises:
        StageError: Nowhere.
    """
    found = shutil.which("node")
    if found is None:
        raise StageError(_NO_NODE)
    return found
