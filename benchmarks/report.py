"""The machine's data, and tables for README.md."""

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.sites import Sites


def machine(stage: Sites, kinds: Iterable[str] = ()) -> str:
    """Return one line that names the machine and the versions of what is measured."""
    words = [
        f"{os.cpu_count()} cores of {_processor()}",
        f"Linux {platform.release()}",
        f"{_filesystem(stage.folder)} under the database",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    if "postgresql" in kinds:
        version = stage.postgresql.psql("SHOW server_version").split()
        words.append(f"PostgreSQL {next(x for x in version if x[0].isdigit())}")
    words.append(f"fsync {_fsync_ms(stage.folder):.2f} ms")
    return f"{', '.join(words)}; load before: {os.getloadavg()[0]:.1f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its columns aligned for a terminal as well."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    padded = [
        "| " + " | ".join(map(_cell, line, widths, range(len(line)))) + " |"
        for line in lines
    ]
    rule = [f"{'-' * (w + 1)}{':' if i else '-'}" for i, w in enumerate(widths)]
    return "\n".join([padded[0], "|" + "|".join(rule) + "|", *padded[1:]])


def middle(values: Iterable[float], digits: int = 0) -> str:
    """Return the median, with thousands marked."""
    return f"{median(values):,.{digits}f}"


def ratio(values: Iterable[float], of: Iterable[float]) -> str:
    """Return the median of the ratios within each run, as "1.25 x"."""
    pairs = zip(values, of, strict=True)
    return f"{median(one / other for one, other in pairs if other):.2f} x"


def _cell(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column else text.ljust(width)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync_ms(folder: Path) -> float:
    """Return the median time in which 16 KB are safely on the disk."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(bytes(16 * 1024))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _filesystem(folder: Path) -> str:
    found = subprocess.run(
        ["df", "--output=fstype", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()[-1] if found.stdout else "unknown file system"
