"""Links made for one person, as staff make, list and revoke them."""

import base64
import io
import re

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.staff import Role
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage
from tests.fixtures.connect_pages import heading

LINK = r"https://dashboard\.example\.com/connect/[a-z0-9-]+/i/([A-Za-z0-9_-]{43})"


def links(stage: ConnectStage) -> list[Invitation]:
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(Invitation)))


def test_a_link_is_shown_once_and_then_only_its_state(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    form = BeautifulSoup(admin.get("/connections/invitations/new").text, "html5lib")
    batch = form.select("input[name=batch]")[0]["value"]
    filled = {
        "email": "Ana@Example.com",
        "user_ref": "u-1",
        "app": str(stage.app.id),
        "expires_days": "7",
        "batch": str(batch),
    }

    made = admin.post("/connections/invitations/", data=filled)
    again = admin.post("/connections/invitations/", data=filled)
    listed = admin.get("/connections/invitations/")

    [secret] = set(re.findall(LINK, made.text))
    assert heading(made) == "Link created"
    assert made.headers["Cache-Control"] == "no-store"
    assert again.status_code == 409
    assert "already sent" in again.text
    assert secret not in listed.text
    assert "ana@example.com" in listed.text
    [row] = links(stage)
    assert (row.made_by, (row.expires_at - row.created_at).days) == (
        "admin@example.com",
        7,
    )


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"email": "", "user_ref": ""}, "Enter an email or your user ID"),
        ({"email": "nobody"}, "This is not an email address."),
        ({"expires_days": "0"}, "A link is valid for 1 to 365 days."),
        ({"expires_days": "soon"}, "Not a valid integer value."),
    ],
    ids=["nobody", "no e-mail", "no days", "no number"],
)
def test_what_was_typed_stays_beside_what_is_wrong(
    admin: FlaskClient, stage: ConnectStage, over: dict[str, str], words: str
) -> None:
    filled = {"email": "", "user_ref": "u-77", "expires_days": "7"} | over

    answer = admin.post(
        "/connections/invitations/", data={"app": str(stage.app.id), **filled}
    )

    assert answer.status_code == 422
    assert words in answer.text
    assert filled["user_ref"] in answer.text
    assert links(stage) == []


def test_a_list_makes_all_its_links_or_none(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    asked = {"app": str(stage.app.id), "expires_days": "14"}
    wrong = "email,user_ref\nana@example.com,u-1\nnobody,u-2\n"
    right = wrong.replace("nobody", "=bo@example.com")

    refused = admin.post(
        "/connections/invitations/list", data=asked | {"people": wrong}
    )
    before = len(links(stage))
    made = admin.post(
        "/connections/invitations/list",
        data=asked | {"file": (io.BytesIO(right.encode()), "people.csv")},
    )

    assert refused.status_code == 422
    assert "Line 3: This is not an email address." in refused.text
    assert "nobody,u-2" in refused.text
    assert before == 0
    assert heading(made) == "2 links created"
    page = BeautifulSoup(made.text, "html5lib")
    address = str(page.select("a[download]")[0]["href"])
    table = base64.b64decode(address.partition("base64,")[2]).decode()
    assert len(re.findall(LINK, table)) == 2
    assert "'=bo@example.com" in table


def test_a_link_is_revoked(admin: FlaskClient, stage: ConnectStage) -> None:
    data = {"user_ref": "u-1", "app": str(stage.app.id), "expires_days": "14"}
    secret = re.findall(LINK, admin.post("/connections/invitations/", data=data).text)
    [row] = links(stage)

    admin.post(f"/connections/invitations/{row.id}/revoke")

    assert links(stage)[0].state is InvitationState.REVOKED
    opened = admin.get(f"/connect/{stage.app.slug}/i/{secret[0]}")
    assert heading(opened) == "This link was revoked"


def test_support_makes_reconnect_links_and_no_invitations(
    as_role: SignIn, stage: ConnectStage
) -> None:
    connection = stage.connect()
    support = as_role(Role.SUPPORT)

    page = support.get(f"/connections/{connection.id}")
    made = support.post(f"/connections/{connection.id}/reconnect-link")
    listed = support.get("/connections/invitations/?state=made")
    refused = support.post(
        "/connections/invitations/", data={"app": str(stage.app.id), "user_ref": "u"}
    )

    assert refused.status_code == 403
    assert "Create reconnect link" in page.text
    assert re.search(LINK, made.text)
    assert heading(made) == "Reconnect link"
    assert "/revoke" not in listed.text
    assert "Invite people" not in listed.text
    assert [row.zoom_user_id for row in links(stage)] == [stage.ana.id]


def test_attempts_are_listed_with_what_to_do(
    as_role: SignIn, stage: ConnectStage
) -> None:
    stage.connect()
    stage.begin()

    page = as_role(Role.SUPPORT).get("/connections/attempts/")

    assert "In progress" in page.text
    assert "View connection" in page.text
