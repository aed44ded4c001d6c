"""What the dashboard's pages say, read from their marks and times, not from sentences.

Each `Said` is one claim on one page: its tone, its word, as of when, and who must act.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch

from bs4 import Tag
from click import Command
from click.testing import CliRunner

from dashboard.cli import explain as explain_command
from dashboard.cli import zoom_app as zoom_app_command
from dashboard.services.runtime import Runtime
from tests.independent.browser import Browser, Page, words

_TONES = ("good", "waiting", "trouble", "off")
_WHO = re.compile(
    r"(?:(?P<a>the user|an admin|the host) must act)"
    r"|(?:action needed by (?P<b>the user|an admin|the host))",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One claim.

    Attributes:
        page: Where it stands.
        tone: Of its mark.
        word: Of its mark, or the id of a verdict.
        at: As of when it was seen; None if no time is given.
        who: Who must act: "the user", "an admin", "the host", or "".
        since: When the state began; None if no time is given.
        text: All that stands there.
    """

    page: str
    tone: str
    word: str
    at: datetime | None = None
    who: str = ""
    since: datetime | None = None
    text: str = ""

    @property
    def is_green(self) -> bool:
        return self.tone == "good"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The overview.

    Attributes:
        status: Of the app's card.
        items: What needs attention, as texts.
        counts: Connections by label, from the bar's legend.
    """

    status: Said
    items: list[str]
    counts: dict[str, int]


def overview(browser: Browser, app_id: str) -> Overview:
    page = browser.read("/")
    card = page.one(f"#app-{app_id}")
    counts = {}
    for each in card.select(".legend li"):
        label, _, number = words(each).rpartition(" ")
        counts[label.lower()] = int(number.replace(",", ""))
    return Overview(
        status=_said("overview", card.select_one(".state"), card),
        items=[words(each) for each in page.soup.select(".attention-item")],
        counts=counts,
    )


def connections(browser: Browser) -> dict[str, Said]:
    """Return what the list says of each connection, by its path."""
    found = {}
    for row in browser.read("/connections/").soup.select("tr[id^=connection-]"):
        path = str(row["id"]).replace("connection-", "/connections/", 1)
        found[path] = _said("list", row.select_one(".state"), row)
    return found


def connection(browser: Browser, path: str) -> tuple[Said, Page]:
    page = browser.read(path)
    card = page.soup.select_one("#state")
    return _said("connection", card and card.select_one(".state"), card), page


def exported(browser: Browser) -> dict[str, dict[str, Any]]:
    """Return what the export says of each connection, by its path."""
    rows = browser.json("/connections/?format=json")["connections"]
    return {f"/connections/{row['id']}": row for row in rows}


def erasures(browser: Browser) -> list[tuple[str, bool]]:
    """Return why each data deletion was begun, and if Recall is said to be done."""
    found = []
    for row in browser.read("/erasures/").soup.select("tbody tr"):
        in_recall = row.select_one("[data-label='In Recall'] .tone-good")
        found.append(
            (words(row.select_one("[data-label=Reason]")), in_recall is not None)
        )
    return found


def invitations(browser: Browser) -> dict[str, Said]:
    """Return how each of the newest links stands, by email."""
    found: dict[str, Said] = {}
    for row in browser.read("/connections/invitations/").soup.select("tbody tr"):
        email = words(row.select_one("th")).partition(" ")[0]
        found.setdefault(email, _said("invitations", row.select_one(".state"), row))
    return found


def clocks(browser: Browser, app_id: str) -> tuple[dict[str, Said], Page]:
    """Return both validation statuses of an app, and its page."""
    page = browser.read(f"/zoom-apps/{app_id}")
    found = {}
    for name in ("ours", "recalls"):
        tag = page.one(f"#{name}")
        found[name] = _said(f"zoom app {name}", tag.select_one(".state"), tag)
    return found, page


def explain(browser: Browser, form: Page, question: str) -> Said:
    """Return the verdict.

    Args:
        browser: Asks.
        form: Explain's page, which may be used many times.
        question: An email or a meeting number.
    """
    page = browser.ask(form, "/explain/", q=question)
    verdict = page.one("#answer .verdict")
    code = verdict.select_one("code")
    return Said(
        page=f"explain {question}",
        tone=_tone(verdict),
        word=words(code),
        who=_who(words(verdict)),
        text=words(page.one("#answer")),
    )


def show_command(runtime: Runtime, app_id: str) -> Any:
    """Run `zoom-app show`."""
    return _command(runtime, zoom_app_command.group, "show", app_id)


def explain_answer(runtime: Runtime, question: str) -> Any:
    """Run `explain`."""
    return _command(runtime, explain_command.command, question)


def _command(runtime: Runtime, command: Command, *words: str) -> Any:
    """Run a command with `--json`, at the runtime's own time."""

    @contextmanager
    def opened() -> Iterator[Runtime]:
        yield runtime

    with (
        patch.object(explain_command, "opened_services", opened),
        patch.object(zoom_app_command, "opened_services", opened),
    ):
        answer = CliRunner().invoke(command, [*words, "--json"])
    assert answer.exit_code == 0, f"{words}: {answer.output} {answer.exception}"
    return json.loads(answer.output)


def delivered(browser: Browser) -> list[int]:
    """Return the meetings whose first page of webhooks says *Delivered*."""
    page = browser.read("/webhooks/?event=meeting.created")
    found = []
    for row in page.soup.select("tr[id^=webhook-]"):
        text = words(row)
        number = re.search(r"\b\d{3} \d{4} \d{4}\b", text)
        if number and "Delivered" in text:
            found.append(int(number[0].replace(" ", "")))
    return found


def _said(page: str, mark: Tag | None, around: Tag | None) -> Said:
    text = words(around)
    if mark is None:
        return Said(page=page, tone="", word="", text=text)
    is_clock = around is not None and around.has_attr("data-state")
    time = (around if is_clock and around else mark).select_one("time[datetime]")
    at = datetime.fromisoformat(str(time["datetime"])) if time else None
    return Said(
        page=page,
        tone=_tone(mark),
        word=words(mark.select_one(".state-word")),
        at=at,
        since=_since(around),
        who=_who(text),
        text=text,
    )


def _since(around: Tag | None) -> datetime | None:
    for each in () if around is None else around.select("span.soft"):
        time = each.select_one("time[datetime]")
        if time is not None and words(each).startswith("Since "):
            return datetime.fromisoformat(str(time["datetime"]))
    return None


def _tone(tag: Tag) -> str:
    classes = tag.get("class") or []
    return next((each for each in _TONES if f"tone-{each}" in classes), "")


def _who(text: str) -> str:
    found = _WHO.search(text)
    return "" if found is None else (found["a"] or found["b"]).lower()
