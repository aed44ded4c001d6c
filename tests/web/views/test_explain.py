"""The page Explain: what is pasted goes in the body; no password comes back."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from werkzeug.test import TestResponse

from dashboard.models.connection import Connection, TokenState
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage
from tests.makers import FakeClock, a_connection, a_webhook, saved_app

HTMX = {"HX-Request": "true"}


@pytest.fixture
def ids(runtime: Runtime) -> dict[str, object]:
    """Ana, healthy, and a dead webhook about a meeting of hers."""
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
        ana = a_connection(app)
        hook = a_webhook(
            app,
            zoom_user_id=ana.zoom_user_id,
            outcome=Outcome.DEAD,
            outcome_reason="Recall will not take it (422).",
        )
        session.add_all([ana, hook])
        return {"ana": ana.id, "hook": hook.id}


def text_of(html: str, selector: str) -> str:
    found = BeautifulSoup(html, "html5lib").select_one(selector)
    return "" if found is None else found.text


def sentence(html: str) -> str:
    return text_of(html, ".verdict h2")


def test_support_reads_why_and_goes_on_from_there(
    as_role: SignIn, ids: dict[str, object]
) -> None:
    support = as_role(Role.SUPPORT)
    link = "https://example.zoom.us/j/91234567890?pwd=hunter2"

    empty = support.get("/explain/")
    page = support.post("/explain/", data={"q": f"Ana <ana@example.com>\n{link}"})
    part = support.post("/explain/", data={"q": link}, headers=HTMX)

    assert "What to paste" in empty.text
    assert sentence(page.text).startswith("We could not deliver the meeting.created")
    assert sentence(part.text) == sentence(page.text)
    assert "<html" in page.text
    assert "<html" not in part.text
    soup = BeautifulSoup(page.text, "html5lib")
    assert f"/webhooks/{ids['hook']}" in {a["href"] for a in soup.select(".verdict a")}
    assert "Recall will not take it (422)" in text_of(page.text, ".evidence")
    assert "hunter2" not in page.text
    assert "912 3456 7890 ana@example.com" in text_of(page.text, "textarea")


def test_an_address_explains_an_id_and_nothing_private(
    as_role: SignIn, ids: dict[str, object]
) -> None:
    support = as_role(Role.SUPPORT)

    def asked(text: object) -> str:
        return sentence(support.get("/explain/", query_string={"id": text}).text)

    assert asked(ids["ana"]).startswith("Ana Nowak is connected, and it worked when")
    assert asked(ids["hook"]).startswith("We could not deliver the meeting.created")
    assert asked("ana@example.com") == asked("91234567890") == ""


def test_what_was_not_understood_is_not_lost(as_role: SignIn) -> None:
    support = as_role(Role.SUPPORT)

    odd = support.post("/explain/", data={"q": "what is <wrong>"})
    long = support.post("/explain/", data={"q": "x" * 10_001})
    none = support.post("/explain/", data={"q": " "}, headers=HTMX)

    assert "what is <wrong>" in text_of(odd.text, "textarea")
    assert "not-understood" in odd.text
    assert (long.status_code, "at most 10,000" in long.text) == (422, True)
    assert (none.status_code, "Paste something first." in none.text) == (422, True)


def acts(html: str) -> list[str]:
    forms = BeautifulSoup(html, "html5lib").select(".verdict form")
    return [str(form["action"]) for form in forms]


@pytest.mark.usefixtures("ids")
def test_an_admin_invites_whom_the_answer_says_is_not_connected(
    as_role: SignIn,
) -> None:
    admin, support = as_role(Role.ADMIN), as_role(Role.SUPPORT)
    pasted = {"q": "zoe@example.com 933 3333 3333"}

    page = admin.post("/explain/", data=pasted)
    form = BeautifulSoup(page.text, "html5lib").select_one(".verdict form")
    assert form is not None
    values = {each["name"]: each["value"] for each in form.select("input[name]")}
    made = admin.post(str(form["action"]), data=values)

    assert sentence(page.text).startswith("zoe@example.com hasn't connected Zoom")
    assert made.status_code == 200
    assert "zoe@example.com" in made.text
    assert acts(support.post("/explain/", data=pasted).text) == []


@pytest.mark.parametrize(
    ("state", "act"),
    [
        (TokenState.RECONNECT_NEEDED, "/connections/{}/reconnect-link"),
        (TokenState.UNHEALTHY_IN_RECALL, "/connections/{}/check"),
    ],
)
def test_support_does_the_next_step_from_the_answer(
    runtime: Runtime,
    as_role: SignIn,
    ids: dict[str, object],
    state: TokenState,
    act: str,
) -> None:
    with runtime.database.writing() as session:
        session.get_one(Connection, ids["ana"]).token_state = state

    page = as_role(Role.SUPPORT).post("/explain/", data={"q": "ana@example.com"})

    assert acts(page.text) == [act.format(ids["ana"])]


def test_asking_starts_a_check_and_the_page_goes_on_to_its_answer(
    lite: ConnectStage, as_role: SignIn, clock: FakeClock
) -> None:
    row = lite.connect()
    clock.advance(days=2)
    lite.sandbox.clock.set(clock.now())
    support = as_role(Role.SUPPORT)
    pasted = {"q": "ana@example.com"}
    lite.sandbox.recall_faults.set([Fault(kind=FaultKind.SLOW, times=1, seconds=0.5)])

    first = support.post("/explain/", data=pasted, headers=HTMX)
    form = BeautifulSoup(first.text, "html5lib").select_one("form[hx-trigger]")
    assert form is not None
    then = support.post(str(form["hx-post"]), data=pasted, headers=HTMX)

    assert "Checking now. The answer appears here within 10 seconds." in words(first)
    assert "load" in str(form["hx-trigger"])
    assert acts(first.text) == []  # no button for what is under way
    assert "verdict healthy-then" in words(first)
    assert "healthy-then" not in words(then)
    assert "Checking now" not in words(then)
    assert lite.connection(row.id).token_checked_at == clock.now()


def test_a_check_that_takes_longer_is_asked_about_again(
    lite: ConnectStage, as_role: SignIn, clock: FakeClock
) -> None:
    row = lite.connect()
    clock.advance(days=2)
    with lite.runtime.database.writing() as session:  # another process checks it
        found = session.get_one(Connection, row.id)
        found.lease_until = clock.now() + timedelta(minutes=1)

    page = as_role(Role.SUPPORT).post("/explain/recall", data={"q": "ana@example.com"})

    assert "The check takes longer than usual." in words(page)
    triggers = BeautifulSoup(page.text, "html5lib").select("form[hx-trigger]")
    assert [each["hx-trigger"] for each in triggers] == ["load delay:3s"]


def test_an_answer_that_is_known_starts_no_check(
    lite: ConnectStage, as_role: SignIn, clock: FakeClock
) -> None:
    lite.connect()
    clock.advance(minutes=5)
    before = lite.sandbox.recall_world.rate_limiter.counts()

    page = as_role(Role.SUPPORT).post("/explain/", data={"q": "ana@example.com"})

    assert "Checking now" not in page.text
    assert lite.sandbox.recall_world.rate_limiter.counts() == before


def words(page: TestResponse) -> str:
    return " ".join(BeautifulSoup(page.text, "html5lib").get_text(" ").split())
