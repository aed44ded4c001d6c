"""The admin's form about the hosted pages, and those pages with it."""

import io
from pathlib import Path

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from tests.fixtures.connect import ConnectStage

PNG = (Path(__file__).parents[3] / "docs" / "connection.png").read_bytes()
TYPED = {
    "organisation": "Acme <b>&",
    "intro": "We write the minutes.\n\n<script>alert(1)</script>",
    "contact": "it@acme.example",
}


def test_what_is_saved_is_on_every_hosted_page_escaped(
    admin: FlaskClient, stranger: FlaskClient, stage: ConnectStage
) -> None:
    saved = admin.post(
        f"/zoom-apps/{stage.app.id}/page",
        data=TYPED | {"logo": (io.BytesIO(PNG), "logo.png")},
    )
    shown = stranger.get(f"/connect/{stage.app.slug}")
    ended = stranger.get(f"/connect/{stage.app.slug}/mine")

    assert saved.status_code == 303
    for page in (shown, ended):
        assert "Acme &lt;b&gt;&amp;" in page.text
        assert "it@acme.example" in page.text
    assert "&lt;script&gt;alert(1)" in shown.text
    [logo] = BeautifulSoup(shown.text, "html5lib").select("img")
    image = stranger.get(str(logo["src"]))
    assert image.data.startswith(b"\x89PNG")
    assert image.data != PNG  # encoded again
    assert image.headers["Content-Type"] == "image/png"
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in image.headers["Cache-Control"]
    assert "sandbox" in image.headers["Content-Security-Policy"]
    assert stranger.get(f"/connect/{stage.app.slug}/logo/0000").status_code == 404


def test_a_preview_saves_nothing(
    admin: FlaskClient, stranger: FlaskClient, stage: ConnectStage
) -> None:
    where = f"/zoom-apps/{stage.app.id}/page/preview"

    whole = admin.post(where, data=TYPED)
    part = admin.post(where, data=TYPED, headers={"HX-Request": "true"})

    assert "We write the minutes." in whole.text
    assert part.text.lstrip().startswith('<section class="card"')
    assert "We write the minutes." in part.text
    assert "We write" not in stranger.get(f"/connect/{stage.app.slug}").text


def test_a_file_that_is_no_logo_loses_nothing_typed(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    svg = io.BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")

    answer = admin.post(
        f"/zoom-apps/{stage.app.id}/page", data=TYPED | {"logo": (svg, "logo.png")}
    )

    assert answer.status_code == 422
    assert "SVG is not allowed" in answer.text
    assert "We write the minutes." in answer.text
