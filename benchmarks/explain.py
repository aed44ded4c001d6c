"""Server time of 20 questions to Explain at 50,000 connections and 1,000,000 webhooks.

`python -m benchmarks.explain`; each question is asked on the page, signed in as
support. Creating the data takes a minute or two.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from statistics import median
from time import perf_counter

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from pydantic import SecretStr

from benchmarks import explain_rows as rows
from benchmarks import report
from benchmarks.explain_rows import Town, fill
from benchmarks.sites import NOWHERE, BenchmarkError, Site, Sites, open_sites
from dashboard import logs, schema
from dashboard.app import create_app
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts

LIMIT_MS = 1000
_PERSON = ("support@example.com", SecretStr("correct horse battery"))
_AGAIN = 5

Question = Callable[[Town], str]


def main() -> None:
    """Build, ask, print; end with 1 when an answer took too long."""
    options = _options()
    logs.set_up()
    with open_sites() as sites:
        print(report.machine(sites, [options.database]))
        site = _site(sites, options.database)
        town = Town(
            connections=options.connections,
            webhooks=options.webhooks,
            until=Clock().now() - timedelta(minutes=5),
        )
        with site.runtime() as runtime:
            _fill(runtime, town)
            took = _ask(_browser(runtime), town)
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


def _site(sites: Sites, kind: str) -> Site:
    if kind == "sqlite":
        url = f"sqlite:///{sites.folder / 'explain.db'}"
    else:
        url = sites.new_postgresql("explain")
    database = Database(url)
    schema.upgrade(database)
    database.close()
    return Site(
        folder=sites.folder, database_url=url, key=sites.key, recall_url=NOWHERE
    )


def _fill(runtime: Runtime, town: Town) -> None:
    began = perf_counter()
    fill(runtime, town)
    address, password = _PERSON
    accounts.add(
        runtime.database,
        email=address,
        role=Role.SUPPORT,
        password=password,
        actor=audit.COMMAND_LINE,
        now=runtime.clock.now(),
    )
    print(
        f"{town.connections:,} connections and {town.webhooks:,} webhooks made in "
        f"{perf_counter() - began:.0f} s",
        file=sys.stderr,
    )


def _browser(runtime: Runtime) -> FlaskClient:
    app = create_app(runtime)
    app.config.update(WTF_CSRF_ENABLED=False)
    browser = app.test_client()
    address, password = _PERSON
    form = {"email": address, "password": password.get_secret_value()}
    answer = browser.post("/sign-in", data=form)
    if answer.status_code != 303:
        raise BenchmarkError(f"Signing in was answered {answer.status_code}.")
    return browser


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
