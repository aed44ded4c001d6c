"""Memory of the processes with a backlog of webhooks.

`python -m benchmarks.memory`: the largest proportional set size of each process and its
children while webhooks are received and, if there is an upstream, delivered.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from benchmarks import load, report
from benchmarks.delivering import HIGHEST_RATE
from benchmarks.load import Requests, fill_backlog
from benchmarks.processes import Running, dashboard
from benchmarks.sites import NOWHERE, BenchmarkError, Site, Sites, open_sites
from benchmarks.upstream import upstream

_COMMANDS = {"sqlite": ["serve"], "postgresql": ["web", "worker"]}
_UPSTREAMS: dict[str, int | None] = {"of 50 ms": 50, "down": None}
_LIMIT_MIB = 250
_CLIENTS = 16
_LOOK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class MemoryUse:
    """The largest memory of each process with its children, in MiB.

    Attributes:
        together: The largest sum at one time.
        started: The sum when they had just become ready.
    """

    each: Sequence[float]
    together: float
    started: float


def main() -> None:
    """Measure, print, clean up."""
    options = _options()
    found: dict[tuple[str, str], list[MemoryUse]] = defaultdict(list)
    with open_sites(options.folder) as sites:
        print(f"{report.machine(sites, options.databases)}")
        full = {kind: sites.site(kind, in_recall=True) for kind in options.databases}
        for site in full.values():
            fill_backlog(site, options.backlog)
        more = load.write(
            sites.folder / "requests", HIGHEST_RATE * options.seconds, first=10**9
        )
        for _ in range(options.repeats):
            for kind, site in full.items():
                for name, delay_ms in _UPSTREAMS.items():
                    taken = _measure(sites, kind, site, delay_ms, more, options.seconds)
                    found[kind, name].append(taken)
    print(_table(options.backlog, found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=15, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--databases", nargs="+", choices=list(_COMMANDS), default=list(_COMMANDS)
    )
    parser.add_argument("--folder", type=Path, help="on the disk to be measured")
    return parser.parse_args()


def _measure(  # noqa: PLR0913, PLR0917 - one row of the table
    sites: Sites,
    kind: str,
    full: Site,
    delay_ms: int | None,
    more: Requests,
    seconds: int,
) -> MemoryUse:
    with ExitStack() as stack:
        url = NOWHERE
        if delay_ms is not None:
            url = stack.enter_context(upstream(sites.folder, delay_ms=delay_ms)).url
        site = sites.copy(full, recall_url=url)
        running = [
            stack.enter_context(dashboard(site, command)) for command in _COMMANDS[kind]
        ]
        started = _now(running)
        with _watched(running) as seen:
            load.run(running[0].port, more, clients=_CLIENTS, seconds=seconds)
    return MemoryUse(
        each=[max(one) for one in zip(*seen, strict=True)],
        together=max(map(sum, seen)),
        started=sum(started),
    )


@contextmanager
def _watched(running: Sequence[Running]) -> Iterator[list[list[float]]]:
    """Look again and again until the block ends."""
    seen, stop = [_now(running)], Event()

    def look() -> None:
        while not stop.wait(_LOOK_S):
            seen.append(_now(running))

    thread = Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _now(running: Sequence[Running]) -> list[float]:
    """Return the memory of each process with its children, in MiB."""
    found = dict.fromkeys((each.pid for each in running), 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The command is in brackets and may hold spaces: look behind it.
            group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            if group in found:
                found[group] += _pss_mib(folder)
    return list(found.values())


def _pss_mib(folder: Path) -> float:
    for line in (folder / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _table(backlog: int, found: dict[tuple[str, str], list[MemoryUse]]) -> str:
    rows = []
    for (kind, name), runs in found.items():
        parts = [
            f"{command} {max(run.each[number] for run in runs):.0f}"
            for number, command in enumerate(_COMMANDS[kind])
        ]
        largest = max(run.together for run in runs)
        rows.append(
            [
                f"{kind}, upstream {name}",
                report.middle(run.started for run in runs),
                ", ".join(parts),
                f"{largest:.0f}",
                f"{largest / _LIMIT_MIB:.2f} x",
            ]
        )
    heads = [f"backlog of {backlog:,}", "at start MiB", "largest of each MiB"]
    return report.table([*heads, "largest together MiB", f"of {_LIMIT_MIB} MiB"], rows)


if __name__ == "__main__":
    try:
        main()
    except BenchmarkError as error:
        sys.exit(str(error))
