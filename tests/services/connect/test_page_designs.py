"""What an admin has the hosted pages say, and which logos are taken."""

from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.connect import page_designs
from dashboard.services.connect.logos import Logo
from dashboard.services.connect.page_designs import Texts
from dashboard.vault import Vault
from tests.makers import NOON, saved_app

LOGO = Logo(image=b"an image", media_type="image/png", print="0123456789abcdef")


@pytest.fixture
def app_id(database: Database, vault: Vault) -> UUID:
    with database.writing() as session:
        return saved_app(session, vault)


def save(database: Database, app_id: UUID, **over: object) -> str:
    with database.writing() as session:
        row = page_designs.save(
            session,
            session.get_one(ZoomApp, app_id),
            Texts(organisation=" Acme ", intro="One\r\n\r\n\r\nTwo\nlines"),
            actor=audit.COMMAND_LINE,
            now=NOON,
            **over,  # type: ignore[arg-type]
        )
        return row.logo_print


def test_texts_are_kept_and_parted_into_paragraphs(
    database: Database, app_id: UUID
) -> None:
    save(database, app_id)

    with database.reading() as session:
        design = page_designs.shown(page_designs.find(session, app_id))

    assert (design.organisation, design.paragraphs) == ("Acme", ("One", "Two lines"))


def test_a_logo_stays_until_it_is_replaced_or_removed(
    database: Database, app_id: UUID
) -> None:
    first = save(database, app_id, logo=LOGO)
    kept = save(database, app_id)
    with database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        found = page_designs.logo(session, app, first)
        with pytest.raises(NotFoundError):
            page_designs.logo(session, app, "0" * 16)
    gone = save(database, app_id, removes_logo=True)

    assert (kept, found, gone) == (first, (b"an image", "image/png"), "")
    assert len(first) == 16
