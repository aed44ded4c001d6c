"""docs/statements.md has each statement about how Zoom and Recall behave.

What a page, message or command says of one app, user or request is no statement: it
derives from what was seen. Those that look like one are listed below.
"""

import ast
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from jinja2 import Environment

from tests.test_citations import missing

ROOT = Path(__file__).parents[1]
CODE = ROOT / "dashboard"
LEFT_OUT = {"sandbox", "demo", "migrations"}  # the simulators' own words

# A vendor as the subject of a verb in the present tense.
_SAYS = re.compile(
    r"\b(?:Zoom|Recall(?:\.ai)?)(?:'s [\w-]+(?: [\w-]+)?)? "
    r"(?:(?:also|only|never|always|then|itself|no longer|automatically) )?"
    r"(?:(?!(?:is|was|has|this|apps|accounts|users|webhooks|tokens|times)\b)[a-z]+s"
    r"|does not|do not|do|don't|doesn't|cannot|can|can't|must|need)\b"
)
_SENTENCE = re.compile(r"(?<=[.;:!?])\s+|\n")
_BLOCK = re.compile(r"</?(?!(?:b|i|code|a|span|em|strong|kbd|abbr)\b)[a-z][^>]*>")
_TAG = re.compile(r"<[^>]*>")

# What reports an answer, a set-up or a part of a page, by its form.
_REPORTS = re.compile(
    # an answer to a check of ours
    r"\b(?:Zoom|Recall)(?:'s (?:API|webhook URL|credential status|signature))? "
    r"(?:(?:no longer )?(?:accepts|rejects|refuses|knows|reports|says|gets|links|calls"
    r"|names|grants|redirects|disagrees|matches|signs with a different)"
    r"|does(?: not|n't) (?:know|allow|have|accept|let|show|say|respond)|can't be)\b"
    # how this app is routed
    r"|(?:posts|sends)(?: webhooks| all events)? ?(?:itself |directly |to it directly)?"
    r"(?:to Recall|here|only here|\.|$)|\bposts its webhooks to the URL of"
    # what lies with Zoom or Recall, not what they do
    r"|\bRecall's (?:list|log|webhook URL|dashboard|rate limits|own URL)\b"
    r"|\b(?:[Ii]n Zoom|this in Recall) \w+|\bthat Zoom (?:shows|accepts|sends)\b"
)
# The same, sentence by sentence.
SEEN = {
    "clients/zoom/oauth.py": ("What it means only Zoom knows",),
    "services/app_creation/creation.py": (
        "Zoom sends both events to this webhook URL.",
        "Zoom gives this app no token for this",
    ),
    "services/explain/rules_meetings.py": ("Recall used that of",),
    "services/facts/zoom_log.py": (
        "Zoom's log doesn't say why",
        "has an address that Zoom doesn't call",
    ),
    "services/marketplace/domain.py": ("Zoom can't see it either",),
    "services/marketplace/review.py": (
        "Recall.ai runs the meeting bots for us.",
        "What its bots record, and how long Recall.ai stores it",
        "Zoom sends the browser",  # steps of the test plan, and what fields are for
        "Where Zoom sends the browser back.",
        "/test-plan, for Zoom's release notes.",
        "It must name the Zoom data that is stored",
    ),
    "services/marketplace/subscription_rules.py": (
        "Zoom sends both events to this webhook URL.",
        "Zoom gives this app no token of its own",
        "Zoom does not send",
        "Zoom sends to",
    ),
    "services/metrics.py": ("Calls a minute that Recall takes of a workspace.",),
    "services/probes/public_url_findings.py": ("If Zoom's own requests arrive",),
    "services/relay/answers.py": ("Recall's URL redirects",),
    "services/rotation/progress.py": ("Zoom uses the new secret token",),
    "services/status/attention.py": ("Zoom's validation requests fail",),
    "services/token_states/rules.py": ("Recall's credential status is unhealthy.",),
    "services/zoom_apps/secret_changes.py": ("If Recall doesn't answer",),
    "templates/app_creation/made.html": ("What Zoom leaves out is named",),
    "templates/bot_tests/listed.html": (
        "Bots that Recall lists in this",
        "bots that Recall lists",
        "Recall lists more bots than the that were read",
        "Meetings are known as theirs while Recall maps them",
    ),
    "templates/connect/help.html": ("Zoom's events about meetings are deleted",),
    "templates/connect/link/end.html": ("Zoom shows us that it is yours.",),
    "templates/connections/partials/_list.html": ("Each user who connects Zoom",),
    "templates/connections/partials/_pmi.html": ("Recall maps the number to another",),
    "templates/domain/home.html": ("This address receives Zoom's events",),
    "templates/marketplace/delivery_log.html": ("Zoom's log shows none to this app's",),
    "templates/zoom_apps/partials/_webhooks.html": ("Why Recall needs these webhooks",),
    "templates/webhooks/partials/_request.html": (
        "Recall receives all of it.",
        "Recall receives the original.",
    ),
    "templates/workspaces/edit.html": ("If bots get no tokens because Recall doesn't",),
    "templates/zoom_apps/custody.html": ("The dashboard stores none of their tokens",),
    "templates/zoom_apps/edit.html": ("The previous one is accepted until Zoom uses",),
    "templates/zoom_apps/index.html": ("Each entry is one set of Zoom credentials.",),
    "templates/zoom_apps/partials/_events.html": (
        "the step is complete when Zoom's subscription",
    ),
    "templates/zoom_apps/partials/_gone.html": ("The webhook URL in Recall changes",),
    "templates/zoom_apps/partials/_rotation.html": (
        "The previous one is removed unless Zoom uses it again.",
    ),
    "templates/zoom_apps/partials/_seen.html": (
        "Zoom's validation request appears here",
    ),
}


class Statement(NamedTuple):
    text: str
    files: tuple[str, ...]
    sources: tuple[str, ...]
    checked: str


def statements() -> list[Statement]:
    found = []
    for row in (ROOT / "docs" / "statements.md").read_text().splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if row.startswith("|") and len(cells) == 4 and cells[1].startswith("`"):
            text, files, sources, checked = cells
            found.append(
                Statement(
                    text,
                    tuple(re.findall(r"`([^`]+)`", files)),
                    tuple(sources.split(", ")),
                    checked,
                )
            )
    return found


def read_by_people(path: Path) -> str:
    """Return a file's text as people read it, a line for each paragraph or string."""
    if path.suffix == ".html":
        return "\n".join(_of_template(path.read_text()))
    return "\n".join(_of_module(path.read_text()))


def _of_template(source: str) -> Iterator[str]:
    text, strings = [], []
    for _, kind, value in Environment(autoescape=True).lex(source):
        if kind == "data":
            text.append(value)
        elif kind == "string" and " " in value:
            strings.append(" ".join(value.strip("\"'").split()))
        elif kind == "block_begin":
            text.append("<p>")
    for part in _BLOCK.sub("\0", "".join(text)).split("\0"):
        yield " ".join(_TAG.sub("", part).split())
    yield from strings


def _of_module(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and " " in node.value.strip()
        ):
            yield node.value


@cache
def everything() -> dict[str, str]:
    paths = [*CODE.rglob("*.py"), *CODE.rglob("*.html")]
    return {
        str(path.relative_to(CODE)): read_by_people(path)
        for path in sorted(paths)
        if path.relative_to(CODE).parts[0] not in LEFT_OUT
    }


def unlisted(name: str, text: str) -> list[str]:
    """Return a file's sentences about a vendor that neither list has."""
    listed = [each.text for each in statements() if name in each.files]
    known = (*listed, *SEEN.get(name, ()))
    return [
        sentence
        for sentence in _SENTENCE.split(text)
        if _SAYS.search(sentence)
        and not _REPORTS.search(sentence)
        and not any(each in sentence or sentence in each for each in known)
    ]


def test_each_statement_is_said_where_the_table_says() -> None:
    said = everything()
    wrong = [
        f"{each.text!r} is not in {name}"
        for each in statements()
        for name in each.files
        if each.text not in said.get(name, "")
    ]

    assert not wrong, "\n".join(wrong)
    assert len(statements()) > 80


def test_each_statement_has_a_source_and_a_day() -> None:
    lost = [
        f"{each.text!r}: {why}"
        for each in statements()
        for source in each.sources
        for _, why in missing(f"contracts/{source}")
    ]

    assert not lost, "\n".join(lost)
    assert all(date.fromisoformat(each.checked) for each in statements())


def test_each_sentence_about_a_vendor_is_listed() -> None:
    new = [
        f"{name}: {sentence}"
        for name, text in everything().items()
        for sentence in unlisted(name, text)
    ]

    assert not new, (
        "Each needs a row in docs/statements.md, or an entry in SEEN if it reports "
        "what was seen of one app, user or request:\n" + "\n".join(new)
    )


def test_what_is_listed_as_seen_is_still_said() -> None:
    said = everything()
    old = [
        f"{name}: {text}"
        for name, texts in SEEN.items()
        for text in texts
        if text not in said.get(name, "")
    ]

    assert not old, "\n".join(old)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("<p>Zoom <b>sends</b> it twice.</p>", True),
        ('{{ text(hint="In Zoom it is so. Recall never asks again.") }}', True),
        ("<p>Zoom's review\n takes a week.</p>", True),
        ("<p>Zoom sent it at {{ at }}.</p>", False),
        ("<p>Zoom</p><p>sends</p>", False),
        ("{# Zoom sends it. #}", False),
    ],
)
def test_what_counts_as_a_sentence_about_a_vendor(
    source: str,
    *,
    is_found: bool,
) -> None:
    text = "\n".join(_of_template(source))

    assert bool(unlisted("a page", text)) is is_found
