"""The page that builds a Connect button, and the allowed return addresses."""

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.services.audit.changes import unpacked
from tests.fixtures.connect import ConnectStage

ORIGIN = "https://app.example.com"


def test_the_button_is_html_without_scripts_and_what_it_carries_is_escaped(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    where = f"/zoom-apps/{stage.app.id}/button"
    admin.post(where, data={"origins": ORIGIN})

    shown = admin.get(
        where,
        query_string={
            "words": 'Go "<b>',
            "user_ref": 'u"1&x=2',
            "tags": "vip eu",
            "return_url": f"{ORIGIN}/done",
        },
    )

    snippet = BeautifulSoup(shown.text, "html5lib").select("pre")[0].get_text()
    [link] = BeautifulSoup(snippet, "html5lib").select("a")
    assert shown.status_code == 200
    assert str(link["href"]) == (
        f"https://dashboard.example.com/connect/{stage.app.slug}"
        "?reference=u%221%26x%3D2&tag=eu&tag=vip"
        "&return_url=https%3A%2F%2Fapp.example.com%2Fdone"
    )
    assert link.get_text() == 'Go "<b>'
    assert link.find_all() == []


def test_a_return_address_that_is_not_allowed_is_said_at_its_field(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    shown = admin.get(
        f"/zoom-apps/{stage.app.id}/button",
        query_string={"return_url": "https://other.example/x"},
    )

    assert shown.status_code == 422
    assert "https://other.example is not on the list" in shown.text


def test_the_list_is_audited_with_what_changed_and_nothing_typed_is_lost(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    where = f"/zoom-apps/{stage.app.id}/button"

    admin.post(where, data={"origins": f"{ORIGIN}\nhttp://localhost:3000/"})
    wrong = admin.post(where, data={"origins": f"{ORIGIN}\nhttp://plain.example"})

    with stage.runtime.database.reading() as session:
        query = select(AuditEntry).where(
            col(AuditEntry.act) == "zoom_app.return_changed"
        )
        [entry] = session.exec(query).all()
    assert unpacked(entry.changes) == {
        "origins of the way back": ("none", f"{ORIGIN}\nhttp://localhost:3000")
    }
    assert wrong.status_code == 422
    assert "http://plain.example is not an origin" in wrong.text
    assert "http://plain.example</textarea>" in wrong.text
