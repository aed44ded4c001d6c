"""What an admin has the hosted pages say, and which logos are taken."""

from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.errors import InvalidInputError, NotFoundError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.connect import page_designs
from dashboard.services.connect.page_designs import Texts
from dashboard.vault import Vault
from tests.makers import NOON, saved_app

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


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
    first = save(database, app_id, logo=PNG)
    kept = save(database, app_id)
    with database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        found = page_designs.logo(session, app, first)
        with pytest.raises(NotFoundError):
            page_designs.logo(session, app, "0" * 16)
    gone = save(database, app_id, removes_logo=True)

    assert (kept, found, gone) == (first, (PNG, "image/png"), "")
    assert len(first) == 16


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "image/jpeg"),
        (b"GIF89a" + bytes(9), "image/gif"),
        (b"GIF87a" + bytes(9), "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
    ids=["png", "jpeg", "gif89", "gif87", "webp"],
)
def test_an_image_is_known_by_its_first_bytes(image: bytes, expected: str) -> None:
    assert page_designs.image_type(image) == expected


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG is not allowed"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a PNG"),
        (b"<html>", "not a PNG"),
        (PNG + bytes(102_400), "larger than 100 KB"),
    ],
    ids=["svg", "wave", "html", "large"],
)
def test_another_file_is_refused(image: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        page_designs.image_type(image)
