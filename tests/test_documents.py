"""What the documents say of the project is so: commands, files, links and rooms."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dashboard.cli import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
# A row of a table; `\|` is a stroke inside a cell.
_CELL = re.compile(r"(?<!\\)\|")


def below(group: click.Group) -> dict[str, set[str]]:
    """Return a group's commands, each with its own commands."""
    context = click.Context(group)
    names = group.list_commands(context)
    found = {name: group.get_command(context, name) for name in names}
    return {
        name: set(one.commands) if isinstance(one, click.Group) else set()
        for name, one in found.items()
    }


def commands_in_readme() -> dict[str, set[str]]:
    """Return each command of README's table and the subcommands it names."""
    section = (ROOT / "README.md").read_text().split("## Commands")[1]
    found: dict[str, set[str]] = {}
    for row in section.split("\n## ")[0].splitlines():
        if not row.startswith("| `"):
            continue
        for named in re.findall(r"`dashboard ([^`]+)`", _CELL.split(row)[1]):
            name, _, below = named.replace("\\|", "|").partition(" ")
            assert name not in found, f"{name} is there twice"
            found[name] = set(below.split("|")) if below else set()
    return found


def test_readme_names_every_command_and_subcommand_once() -> None:
    assert commands_in_readme() == below(cli)


def links(document: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http:", "https:", "#", "mailto:")):
            yield target.partition("#")[0]


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda each: str(each.relative_to(ROOT))
)
def test_each_link_leads_to_a_file(document: Path) -> None:
    missing = [to for to in links(document) if not (document.parent / to).exists()]

    assert missing == []


def test_every_document_is_listed_by_reader() -> None:
    listed = {(DOCS / to).resolve() for to in links(DOCS / "README.md")}
    unlisted = [
        each.name
        for each in [*DOCS.glob("*.md"), *(DOCS / "contracts").glob("*.md")]
        if each.name != "README.md" and each.resolve() not in listed
    ]

    assert unlisted == []


_PATH = re.compile(
    r"`((?:dashboard|tests|scripts|benchmarks|services|web|clients|db|models|templates)"
    r"/[\w./-]+)`"
)


def is_there(path: str) -> bool:
    return any((base / path).exists() for base in (ROOT, ROOT / "dashboard"))


@pytest.mark.parametrize(
    "document",
    [each for each in DOCUMENTS if each.name != "CHANGELOG.md"],
    ids=lambda each: str(each.relative_to(ROOT)),
)
def test_each_file_a_document_names_exists(document: Path) -> None:
    named = _PATH.findall(document.read_text())
    missing = [path for path in named if not is_there(path)]

    assert missing == []


def test_architecture_names_every_room_and_no_other() -> None:
    text = (DOCS / "architecture.md").read_text()
    rows = text.split("## Rooms of")[1].split("\n## ")[0].splitlines()
    named = {
        room
        for row in rows
        if row.startswith("| ") and not row.startswith(("| row", "| ---"))
        for room in re.findall(r"`(\w+)`", _CELL.split(row)[2])
    }
    services = ROOT / "dashboard" / "services"
    rooms = {
        each.stem
        for each in services.iterdir()
        if each.stem != "__init__" and (each.suffix == ".py" or each.is_dir())
        if not each.name.startswith(("__", "."))
    }

    assert named == rooms
