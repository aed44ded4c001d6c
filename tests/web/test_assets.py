"""Static files: named by content, cached for ever, small, as listed."""

import gzip
import hashlib
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from dashboard.web import assets

ROOT = Path(__file__).resolve().parents[2]
STAFF_PAGE = [
    "vendor/tabler.min.css",
    "app.css",
    "parts.css",
    "theme.js",
    "app.js",
    "vendor/htmx.min.js",
    "live.js",
    "icons.svg",
    "favicon.svg",
]
HOSTED_PAGE = ["hosted.css", "favicon.svg", "icons.svg"]


def an_app(folder: Path, *, debug: bool = False) -> Flask:
    app = Flask("tests", static_folder=None)
    app.debug = debug
    assets.install(app, folder)
    return app


def url_of(app: Flask, name: str) -> str:
    with app.test_request_context():
        return assets.asset_url(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "app.css").write_text("body { color: red }" * 50)
    (tmp_path / "secret.txt").write_text("not for the world")
    return tmp_path / "static"


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    return an_app(folder).test_client()


def test_a_misspelt_name_is_refused_when_the_page_is_made(folder: Path) -> None:
    app = an_app(folder)

    with pytest.raises(assets.AssetMissingError, match=r"app\.csss"):
        url_of(app, "app.csss")


def test_the_address_changes_with_the_content(folder: Path) -> None:
    before = url_of(an_app(folder), "app.css")
    (folder / "app.css").write_text("body { color: blue }")

    after = url_of(an_app(folder), "app.css")

    assert before != after


def test_in_debug_mode_a_changed_file_is_read_again(folder: Path) -> None:
    app = an_app(folder, debug=True)
    before = url_of(app, "app.css")
    (folder / "app.css").write_text("body { color: blue }")

    after = url_of(app, "app.css")

    assert before != after


def test_a_file_under_its_version_is_kept_for_a_year(folder: Path) -> None:
    app = an_app(folder)

    response = app.test_client().get(url_of(app, "app.css"))

    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=000000000000"])
def test_a_file_under_another_version_is_not_kept(
    client: FlaskClient, query: str
) -> None:
    response = client.get(f"/static/app.css{query}")

    assert response.headers["Cache-Control"] == "no-cache"


def test_a_browser_that_takes_gzip_gets_it(client: FlaskClient, folder: Path) -> None:
    response = client.get("/static/app.css", headers={"Accept-Encoding": "gzip, br"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.data) == (folder / "app.css").read_bytes()


@pytest.mark.parametrize("accepts", ["", "identity", "gzip;q=0"])
def test_a_browser_that_refuses_gzip_gets_the_file_itself(
    client: FlaskClient, folder: Path, accepts: str
) -> None:
    response = client.get("/static/app.css", headers={"Accept-Encoding": accepts})

    assert "Content-Encoding" not in response.headers
    assert response.data == (folder / "app.css").read_bytes()


def test_caches_are_told_that_the_encoding_matters(client: FlaskClient) -> None:
    response = client.get("/static/app.css")

    assert response.headers["Vary"] == "Accept-Encoding"


def test_an_unchanged_file_is_not_sent_again(client: FlaskClient) -> None:
    etag = client.get("/static/app.css").headers["ETag"]

    response = client.get("/static/app.css", headers={"If-None-Match": etag})

    assert response.status_code == 304
    assert response.data == b""


def test_both_encodings_have_tags_of_their_own(client: FlaskClient) -> None:
    plain = client.get("/static/app.css", headers={"Accept-Encoding": ""})
    zipped = client.get("/static/app.css", headers={"Accept-Encoding": "gzip"})

    assert plain.headers["ETag"] != zipped.headers["ETag"]


@pytest.mark.parametrize(
    "path",
    ["missing.css", "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "."],
)
def test_nothing_outside_the_folder_is_served(client: FlaskClient, path: str) -> None:
    response = client.get(f"/static/{path}")

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("names", "limit_bytes"),
    [(STAFF_PAGE, 95_000), (HOSTED_PAGE, 10_000)],
    ids=["staff", "hosted"],
)
def test_a_first_visit_stays_in_its_budget(names: list[str], limit_bytes: int) -> None:
    sizes = [
        len(gzip.compress((assets.STATIC / name).read_bytes(), 9)) for name in names
    ]

    assert sum(sizes) <= limit_bytes


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in (assets.STATIC / "vendor" / "vendor.txt").read_text().splitlines()
        if not line.startswith("#")
    ],
)
def test_a_vendored_file_is_the_one_that_was_listed(line: str) -> None:
    _, _, path, digest = line.split()

    found = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()

    assert found == digest


def test_the_sprite_holds_no_style_and_no_script() -> None:
    sprite = BeautifulSoup((assets.STATIC / "icons.svg").read_text(), "html.parser")

    assert sprite.select("script, style, [style]") == []
    assert len(sprite.select("symbol[id^=i-]")) == len(sprite.select("symbol"))
