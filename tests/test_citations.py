"""Every section of docs/contracts that a comment or a document cites exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "docs" / "contracts"
FOLDERS = ("dashboard", "tests", "benchmarks", "docs")
SUFFIXES = {".py", ".md", ".html", ".js", ".css", ".toml", ".sh"}

# A space, or a line break with the next line's indentation and comment sign.
_GAP = r"(?: |\n[ \t]*(?:# )?)"
_NUMBER = r"\d+(?:\.\d+)*(?![\w-])"
_FURTHER = rf"(?:,?(?:{_GAP}(?:and|or|to))?{_GAP}{_NUMBER})*"
_FILE = r"(?:\bcontracts/([\w-]+\.\w+)|(?<![\w/.-])((?:zoom|recall)\.md))\b`?"
_CITATION = re.compile(
    rf"{_FILE}((?:{_GAP}sections?)?{_GAP}{_NUMBER}{_FURTHER})?",
)
_HEADING = re.compile(r"^#+ (\d+(?:\.\d+)*) ", re.MULTILINE)


def cited(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, file and section of each citation; "" for a whole file."""
    for found in _CITATION.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        name = found[1] or found[2]
        for section in re.findall(_NUMBER, found[3] or "") or [""]:
            yield line, name, section


def missing(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and citation of each that leads nowhere."""
    for line, name, section in cited(text):
        path = CONTRACTS / name
        if not path.is_file():
            yield line, f"docs/contracts/{name} does not exist"
        elif section and section not in _HEADING.findall(path.read_text("utf-8")):
            yield line, f"docs/contracts/{name} has no section {section}"


def citing_files() -> list[Path]:
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    found = {path for path in below if path.suffix in SUFFIXES and path.is_file()}
    return sorted({*found, *ROOT.glob("*.md")} - {Path(__file__).resolve()})


def test_every_cited_section_exists() -> None:
    number, lost = 0, []
    for path in citing_files():
        text = path.read_text("utf-8")
        number += sum(1 for _ in cited(text))
        name = path.relative_to(ROOT)
        lost += [f"{name}:{line}: {why}" for line, why in missing(text)]

    assert not lost, "\n".join(lost)
    assert number > 200


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(docs/contracts/zoom.md 3.4)", ["zoom.md 3.4"]),
        ("(contracts/zoom.md 3.4: Zoom)", ["zoom.md 3.4"]),
        ("`contracts/zoom.md` 3.5.", ["zoom.md 3.5"]),
        ("# contracts/zoom.md section 8.", ["zoom.md 8"]),
        ("contracts/zoom.md 6, RECALL-PMI", ["zoom.md 6"]),
        ("contracts/zoom.md 5.5, 2026-11-23", ["zoom.md 5.5"]),
        ("(zoom.md 12)", ["zoom.md 12"]),
        ("contracts/recall.md 3.1 to 3.4", ["recall.md 3.1", "recall.md 3.4"]),
        ("contracts/recall.md as a server", ["recall.md "]),
        ("contracts/recall-openapi.json", ["recall-openapi.json "]),
        (
            "contracts/recall.md 1, 2.4 and 5.5, contracts/zoom.md 4",
            ["recall.md 1", "recall.md 2.4", "recall.md 5.5", "zoom.md 4"],
        ),
        ("contracts/zoom.md 3.7, recall.md 7.1", ["zoom.md 3.7", "recall.md 7.1"]),
        ('"""A thing (contracts/zoom.md\n    3.5, read)."""', ["zoom.md 3.5"]),
        (
            "    # See contracts/zoom.md 5.4\n    # and 5.6: 3 s.",
            ["zoom.md 5.4", "zoom.md 5.6"],
        ),
        ("docs/my-zoom.md 3 and zoom.mdx 4", []),
    ],
)
def test_forms_of_citations(text: str, found: list[str]) -> None:
    assert [f"{name} {section}" for _, name, section in cited(text)] == found


@pytest.mark.parametrize(
    "text",
    ["contracts/zoom.md 99.9", "contracts/recall.md 3,\n99", "contracts/no.md 1"],
)
def test_a_citation_that_leads_nowhere_is_found(text: str) -> None:
    assert len(list(missing(text))) == 1
