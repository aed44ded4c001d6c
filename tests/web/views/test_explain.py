"""The page Explain: what is pasted goes in the body; no password comes back."""

import pytest
from bs4 import BeautifulSoup

from dashboard.models.connection import Connection, TokenState
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import a_connection, a_webhook, saved_app

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
    assert sentence(page.text).startswith("Ana Nowak is connected, but Recall never")
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

    assert asked(ids["ana"]).startswith(
        "Ana Nowak is connected and the token worked at"
    )
    assert asked(ids["hook"]).startswith("Recall never received meeting.created")
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
