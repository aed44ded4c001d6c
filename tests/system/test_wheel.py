"""The wheel of `make release` holds all that a server needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_PAGE = """
import dashboard
from dashboard.app import build_runtime, create_app
from dashboard.settings import load
runtime = build_runtime(load(), listens_on="http://127.0.0.1:8000")
page = create_app(runtime).test_client().get("/sign-in")
runtime.close()
assert page.status_code == 200, page.status
print(dashboard.__file__)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "flit_core.wheel", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def run(unpacked: Path, folder: Path, *words: str) -> str:
    """Run Python in an empty folder with the wheel's files before all others."""
    names = [name for name in os.environ if not name.startswith("DASHBOARD_")]  # noqa: TID251 - what a child inherits
    environment = {name: os.environ[name] for name in names}  # noqa: TID251 - as above
    done = subprocess.run(
        [sys.executable, "-P", *words],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_migrates_and_serves_from_an_empty_folder(
    unpacked: Path, tmp_path: Path
) -> None:
    said = run(unpacked, tmp_path, "-m", "dashboard.cli", "db", "upgrade")
    place = run(unpacked, tmp_path, "-c", _PAGE)

    assert said.startswith("Tables are at revision ")
    assert (tmp_path / "instance" / "dashboard.db").exists()
    assert Path(place.splitlines()[-1]).is_relative_to(unpacked)


def test_it_holds_every_file_that_is_not_code(unpacked: Path) -> None:
    own = ROOT / "dashboard"
    wanted = {
        each.relative_to(own)
        for folder in ("templates", "static", "sandbox", "migrations")
        for each in (own / folder).rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }

    missing = {each for each in wanted if not (unpacked / "dashboard" / each).exists()}

    assert len(wanted) > 250
    assert missing == set()
