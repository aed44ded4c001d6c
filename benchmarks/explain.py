"""Server time of 20 questions to Explain at 50,000 connections and 1,000,000 webhooks.

`python -m benchmarks.explain`; each question is asked on the page, signed in as
support. Creating the data takes a few minutes; it is kept and reused.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from benchmarks import explain_rows as rows
from benchmarks import kept, report
from benchmarks.explain_rows import Town
from benchmarks.sites import BenchmarkError
from dashboard import logs
from dashboard.models.staff import Role

LIMIT_MS = 1000
_AGAIN = 5

Question = Callable[[Town], str]


def main() -> None:
    """Build, ask, print; end with 1 when an answer took too long."""
    options = _options()
    logs.set_up()
    with kept.locked(options.cache) as sites:
        print(report.machine(sites, [options.database]))
        site, town = rows.kept_town(
            sites, options.database, options.connections, options.webhooks
        )
        with site.runtime() as runtime:
            took = _ask(kept.browser(runtime, Role.SUPPORT), town)
    print(_table(took))
    slowest = max(took, key=lambda name: took[name][1])
    _, worst, _ = took[slowest]
    print(f"\nSlowest: {worst:.1f} ms, {slowest}.")
    sys.exit(worst >= LIMIT_MS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--database", choices=["sqlite", "postgresql"], default="sqlite"
    )
    parser.add_argument("--cache", type=Path, default=rows.CACHE, help="where it stays")
    parser.add_argument("--connections", type=int, default=50_000)
    parser.add_argument("--webhooks", type=int, default=1_000_000)
    return parser.parse_args()


def _questions() -> Mapping[str, Question]:
    """Return what support asks; each town has an answer to it, whatever its size."""

    def stranger(town: Town) -> str:
        return str(rows.meeting_id(town.meeting_of(town.users - 1)))

    def invitation(town: Town) -> str:
        return (
            "Person is inviting you to a scheduled Zoom meeting.\nJoin Zoom Meeting\n"
            f"https://example.zoom.us/j/{rows.meeting_id(town.dead_meeting())}"
            "?pwd=abc\n\nPasscode: 123456"
        )

    return {
        "email of a connected user": lambda _: rows.email(10),
        "name and email, copied from an email": lambda _: f"A B <{rows.email(11)}>",
        "email, authorization ended": lambda _: rows.email(1),
        "email, missing scopes": lambda _: rows.email(2),
        "email, not known right now": lambda _: rows.email(4),
        "email of an invited user": lambda _: "invited000004@example.com",
        "email of a user who declined": lambda _: "invited000002@example.com",
        "email of a user who never came back": lambda _: "invited000001@example.com",
        "unknown email": lambda _: "nobody@example.com",
        "your own ID of an invited user": lambda _: "crm-000005",
        "Zoom user id": lambda _: rows.user_id(20),
        "Zoom account id of half of them": lambda _: "AbCdEfGhIjKlMnOp000000",
        "email within a connected account": lambda _: "member000123@example.com",
        "join link of a mapped meeting": lambda _: (
            f"https://example.zoom.us/j/{rows.meeting_id(1000)}?pwd=abc"
        ),
        "whole invitation, its webhook dead": invitation,
        "meeting number, host not connected": stranger,
        "email and another user's meeting": lambda town: (
            f"{rows.email(10)} {stranger(town)}"
        ),
        "PMI of two": lambda _: str(rows.pmi(0)),
        "PMI of before": lambda _: str(9_550_000_007),
        "Recall credential id": lambda _: str(rows.credential_id(30)),
    }


def _ask(browser: FlaskClient, town: Town) -> dict[str, tuple[str, float, float]]:
    """Ask each once and then again; return verdict, longest and median in ms."""
    questions = {name: question(town) for name, question in _questions().items()}
    browser.get("/explain/")
    browser.post("/explain/", data={"q": "warm up the templates"})
    took = {}
    for name, text in questions.items():
        times = []
        for _ in range(1 + _AGAIN):
            began = perf_counter()
            answer = browser.post("/explain/", data={"q": text})
            times.append((perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise BenchmarkError(f"{name} was answered {answer.status_code}.")
        codes = BeautifulSoup(answer.text, "html.parser").select(".verdict code")
        took[name] = (codes[-1].text, max(times), median(times))
    return took


def _table(took: Mapping[str, tuple[str, float, float]]) -> str:
    heads = ["question", "verdict", "longest ms", "median ms"]
    lines = [
        [name, verdict, f"{longest:.1f}", f"{middle:.1f}"]
        for name, (verdict, longest, middle) in took.items()
    ]
    return report.table(heads, lines)


if __name__ == "__main__":
    main()
