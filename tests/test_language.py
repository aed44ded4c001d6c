"""Plain English where people read: no word that we avoid comes back.

The words are those that readers had to translate. A word that is right in one place
(a name of Zoom's, a column of a table) is listed with that place.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from jinja2 import Environment

from dashboard.cli import cli

ROOT = Path(__file__).parents[1]

AVOIDED = {
    r"rightly": "correctly, valid",
    r"anew": "again",
    r"mend(?:s|ed|ing)?": "fix",
    r"troubles?": "problem, error",
    r"thrice": "three times",
    r"trips?": "connect attempt",
    r"hasten(?:s|ed)?": "make due",
    r"ow(?:e|es|ed)": "queue, send",
    r"bring in|brings in|brought in": "import",
    r"run out|runs out|ran out": "expire",
    r"taken back|take back": "revoked",
    r"by itself|by themselves|by and by": "automatically",
    r"stands? still|stood still": "paused",
    r"it is news": "new",
    r"of whom|of which": "whose, that",
    r"one too many": "duplicate",
    r"gone from": "deleted in",
    r"the line": "live connection",
    r"whom|whoever": "a noun",
    r"nobody|somebody": "a role",
    r"a look|looks at|looked at|next look|each look": "check",
    r"e-mails?": "email",
    r"told": "said, shown",
}
_AVOIDED = {
    name: re.compile(rf"(?<![\w-])(?:{name})(?![\w-])", re.IGNORECASE)
    for name in AVOIDED
}


def visible(template: str) -> str:
    """Return what of a template people read: text, readable attributes, sentences."""
    text, sentences = [], []
    for _, kind, value in Environment(autoescape=True).lex(template):
        if kind == "data":
            text.append(value)
        elif kind == "string" and " " in value:
            sentences.append(value)
        else:
            text.append(" ")
    html = re.sub(
        r'(?:title|aria-label|placeholder|alt)="([^"]*)"', r">\1<", "".join(text)
    )
    return "\n".join([re.sub(r"<[^>]*>", " ", html), *sentences])


def templates() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "dashboard").rglob("*.html")):
        yield str(path.relative_to(ROOT)), visible(path.read_text())


def strings_of_modules() -> Iterator[tuple[str, str]]:
    """Yield the text of modules of words, and of everything a view or service says."""
    for path in sorted((ROOT / "dashboard").rglob("*.py")):
        if "migrations" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        docs = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        found = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and " " in node.value.strip()
        ]
        yield str(path.relative_to(ROOT)), "\n".join(found)


def help_texts() -> Iterator[tuple[str, str]]:
    """Yield the help of each command as the terminal shows it."""

    def walk(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
        context = click.Context(command, info_name=name)
        yield name, command.get_help(context)
        if isinstance(command, click.Group):
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                assert found is not None
                yield from walk(found, f"{name} {each}")

    yield from walk(cli, "dashboard")


def documents() -> Iterator[tuple[str, str]]:
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        yield str(path.relative_to(ROOT)), path.read_text()


def scripts() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "dashboard" / "static").glob("*.js")):
        code = re.sub(
            r"/\*.*?\*/|^\s*//.*?$",
            " ",
            path.read_text(),
            flags=re.DOTALL | re.MULTILINE,
        )
        yield str(path.relative_to(ROOT)), code


SOURCES = {
    "templates": templates,
    "strings": strings_of_modules,
    "help": help_texts,
    "documents": documents,
    "scripts": scripts,
}


@pytest.mark.parametrize("source", SOURCES)
def test_no_avoided_word_is_read_by_people(source: str) -> None:
    found = [
        f"{where}: {match.group()!r} in {_around(text, match)!r} ({AVOIDED[name]})"
        for where, text in SOURCES[source]()
        for name, pattern in _AVOIDED.items()
        for match in pattern.finditer(text)
        if not _is_allowed(where, match.group())
    ]

    assert not found, f"{len(found)}\n" + "\n".join(found)


def _around(text: str, match: re.Match[str]) -> str:
    part = text[max(match.start() - 40, 0) : match.end() + 40]
    return " ".join(part.split())


# Where a word is right after all: values that are stored or compared, and English
# that means something else.
ALLOWED = {
    ("dashboard/services/staff/accounts.py", "nobody"),  # hashed, never shown
    ("dashboard/services/staff/accounts.py", "e-mail"),  # the throttle's key
    ("docs/explain.md", "nobody"),  # who must act, as the code names it
    ("docs/facts.md", "nobody"),
    ("docs/token-states.md", "nobody"),
    ("docs/front-end.md", "trouble"),  # a tone's name in the style sheet
    ("docs/configuration.md", "the line"),
    ("docs/contracts/recall.md", "of which"),
    ("docs/contracts/zoom.md", "looks at"),
}


def _is_allowed(where: str, word: str) -> bool:
    return (where, word.lower()) in ALLOWED
