"""Every event that is logged is in docs/logs.md, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
LOGS = {"debug", "info", "warning", "error", "exception", "log"}
OUTAGES = {"Outage", "Outages", "_waiting"}

OF_THREADS = ("sweep", "bulk", "watch", "asked check", "own server", "zoom log")
MADE = {
    *(f"{name}.{end}" for name in ("serve", "web") for end in ("started", "stopped")),
    *(
        f"{name}.{end}"
        for name in ("worker", "heartbeat", "chore")
        for end in ("failed", "still_failing", "recovered")
    ),
    *("chore.waits", "chore.still_waits", "chore.goes_on"),
    *("worker.started", "worker.stopped"),
}
"""Put together where they are logged: by `_outage`, `Hello`, or a list of names."""


def in_code() -> Iterator[str]:
    for path in (ROOT / "dashboard").rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                number = 1 if name in LOGS else len(node.args)
                if name in LOGS | OUTAGES:
                    texts = [str(getattr(each, "value", "")) for each in node.args]
                    yield from filter(EVENT.fullmatch, texts[:number])


def in_document() -> set[str]:
    text = (ROOT / "docs" / "logs.md").read_text()
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)}


def test_the_document_has_every_event_and_no_other() -> None:
    logged = {*in_code(), *MADE}

    assert in_document() == logged


def test_it_names_what_the_background_threads_log() -> None:
    text = (ROOT / "docs" / "logs.md").read_text()
    named = re.compile(r'WorkerThreads(?:\[[^]]*\])?\(\s*"([^"]+)"')
    found = set()
    for path in (ROOT / "dashboard").rglob("*.py"):
        found |= set(named.findall(path.read_text()))

    assert found == set(OF_THREADS)
    assert all(f"`{name}.…`" in text for name in OF_THREADS)
