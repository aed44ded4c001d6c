"""`dashboard explain`: the page Explain in a terminal.

It takes no lock, so it works while `dashboard serve` runs.
"""

import json
import sys
from collections.abc import Sequence

import click
from pydantic_core import to_jsonable_python

from dashboard.cli.opening import cell, opened_services
from dashboard.services import urls
from dashboard.services.explain import explain
from dashboard.services.explain.explain import Answer
from dashboard.services.explain.questions import LONGEST
from dashboard.services.explain.verdicts import Line, Target
from dashboard.services.runtime import Runtime

_PATHS = {
    Target.CONNECTION: "/connections/",
    Target.WEBHOOK: "/webhooks/",
    Target.ZOOM_APP: "/zoom-apps/",
    Target.WORKSPACES: "/workspaces/",
}


@click.command("explain")
@click.argument("text", nargs=-1, required=True)
@click.option("--ask", is_flag=True, help="Also ask Recall right now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    text: tuple[str, ...],
    ask: bool,  # noqa: FBT001 - click passes flags so
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Explain why a bot got no token, and who has to act.

    TEXT is an email, a Zoom ID, a PMI, a meeting number, a join link or a Recall
    credential ID. An email with a number asks about both. - reads standard input.
    """
    asked = " ".join(text)
    if asked == "-":
        asked = sys.stdin.read(LONGEST)
    with opened_services() as runtime:
        with runtime.database.reading() as session:
            now = runtime.clock.now()
            found = explain.explain(session, runtime.vault, asked, now=now)
        told: Sequence[Line] | None = None
        if ask:
            said = explain.ask_recall(
                runtime,
                meeting_id=found.asked.number,
                connection_id=found.connection_id,
            )
            told = said.lines
            if said.heard or said.bot:
                with runtime.database.reading() as session:
                    found = explain.explain(
                        session,
                        runtime.vault,
                        asked,
                        heard=said.heard,
                        bot=said.bot,
                        now=now,
                    )
    if as_json:
        click.echo(json.dumps(_object(found, told, runtime)))
    else:
        _say(found, told, runtime)


def _object(
    found: Answer, told: Sequence[Line] | None, runtime: Runtime
) -> dict[str, object]:
    verdict = found.verdict
    shown: dict[str, object] = {
        "asked": found.asked.shown,
        "not_understood": list(found.asked.unread),
        "verdict": verdict.id,
        "sentence": verdict.sentence,
        "who": verdict.who.words,
        "next_step": verdict.step,
        "also": verdict.also_plain,
        "possible_reasons": list(verdict.reasons),
        "link": _link(verdict.target, found.target_id, runtime),
        "evidence": [_line(line, runtime) for line in found.lines],
    }
    if told is not None:
        shown["recall"] = [_line(line, runtime) for line in told]
    return shown


def _line(line: Line, runtime: Runtime) -> dict[str, object]:
    return {
        "at": None if line.at is None else to_jsonable_python(line.at),
        "source": line.source,
        "words": line.words,
        "link": _link(line.target, line.target_id, runtime),
    }


def _say(found: Answer, told: Sequence[Line] | None, runtime: Runtime) -> None:
    verdict = found.verdict
    click.echo(f"{cell(verdict.sentence)} [{verdict.id}]")
    if verdict.also:
        click.echo(cell(verdict.also_plain))
    click.echo(f"{verdict.label} {verdict.step}".strip())
    for number, reason in enumerate(verdict.reasons, start=1):
        click.echo(f"{number}. {cell(reason)}")
    link = _link(verdict.target, found.target_id, runtime)
    if link is not None:
        click.echo(link)
    if found.asked.unread:
        unread = ", ".join(map(cell, found.asked.unread))
        click.echo(f"Not understood, and not looked up: {unread}.")
    for title, lines in (("Evidence", found.lines), ("Recall, right now", told or ())):
        if lines:
            click.echo(f"\n{title}")
        for line in lines:
            at = "-" if line.at is None else f"{line.at:%Y-%m-%d %H:%M:%S}Z"
            click.echo(f"{at:<20}  {line.source:<9}  {cell(line.words)}")


def _link(target: Target, its_id: str, runtime: Runtime) -> str | None:
    if target is Target.WORKSPACES:
        return f"{runtime.public_url}{_PATHS[target]}"
    if not its_id:
        return None
    if target is Target.CONNECT_LINK:
        return urls.connect_url(runtime.hosted_url, its_id)
    return f"{runtime.public_url}{_PATHS[target]}{its_id}"
