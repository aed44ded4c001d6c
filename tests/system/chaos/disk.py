"""A small disk that can be full: a file system in memory, shrunk to what it holds."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOM = "4g"  # an upper bound; memory is taken only for what is written
_SPARE_BYTES = 64 * 1024


class Disk:
    """A folder on a file system of its own, where the machine lets us mount one.

    Attributes:
        can_be_full: Whether it was mounted; an ordinary folder otherwise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.can_be_full = _mount(folder, f"size={_ROOM},mode=0755", new=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no room for anything new while the block runs."""
        found = os.statvfs(self.folder)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        for spare in (1, 8, 64):  # what was written meanwhile must fit
            if _mount(self.folder, f"remount,size={used + spare * _SPARE_BYTES}"):
                break
        try:
            yield
        finally:
            _mount(self.folder, f"remount,size={_ROOM}")

    def close(self) -> None:
        """Unmount it; what is still open there lives on until closed."""
        if self.can_be_full:
            subprocess.run(["umount", "--lazy", self.folder], check=False)


def _mount(folder: Path, options: str, *, new: bool = False) -> bool:
    command = ["mount", "-o", options, "chaos", str(folder)]
    if new:
        command[1:1] = ["-t", "tmpfs"]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
