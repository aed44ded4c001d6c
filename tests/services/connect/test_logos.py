"""Which uploads become a logo, and what is left of them."""

import io
import struct
import zlib

import pytest
from PIL import Image

from dashboard.errors import InvalidInputError
from dashboard.services.connect import logos


def drawn(form: str, size: tuple[int, int] = (40, 20), **options: object) -> bytes:
    written = io.BytesIO()
    mode = "RGB" if form == "JPEG" else "RGBA"
    Image.new(mode, size, "red").save(written, form, **options)
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of few bytes that says it has this many pixels each way."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side + 1) * 8))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("WEBP", "image/webp"),
        ("GIF", "image/png"),
    ],
)
def test_an_image_is_encoded_again(form: str, media_type: str) -> None:
    logo = logos.read(drawn(form))

    with Image.open(io.BytesIO(logo.image)) as shown:
        assert (shown.get_format_mimetype(), shown.size) == (media_type, (40, 20))
        pixel = shown.convert("RGB").getpixel((20, 10))
    assert logo.media_type == media_type
    assert isinstance(pixel, tuple)
    assert pixel[0] > 240
    assert max(pixel[1:]) < 15
    assert len(logo.print) == 16


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_what_else_an_upload_holds_is_dropped(form: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    upload = drawn(form, exif=exif) + b"<script>alert(1)</script>"
    assert b"taken at home" in upload

    logo = logos.read(upload)

    assert b"taken at home" not in logo.image
    assert b"<script>" not in logo.image


def test_transparency_stays() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(written, "PNG")

    logo = logos.read(written.getvalue())

    with Image.open(io.BytesIO(logo.image)) as shown:
        assert shown.convert("RGBA").getpixel((0, 0)) == (255, 0, 0, 0)


def test_a_large_image_becomes_as_small_as_it_is_shown() -> None:
    logo = logos.read(drawn("PNG", (1600, 800)))

    with Image.open(io.BytesIO(logo.image)) as shown:
        assert shown.size == (480, 240)


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG is not allowed"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "not a PNG"),
        (b"<html>", "not a PNG"),
        (drawn("PNG") + bytes(102_400), "larger than 100 KB"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "damaged|not a PNG"),
        (drawn("PNG")[:-30], "damaged"),
        (drawn("JPEG", (400, 400))[:300], "damaged|not a PNG"),
        (bomb(2001), "2001 by 2001 pixels"),
        (bomb(65_000), "not a PNG"),
    ],
    ids=[
        *("svg", "wave", "html", "large", "magic alone", "cut png", "cut jpeg"),
        *("too many pixels", "far too many pixels"),
    ],
)
def test_another_file_is_refused(upload: bytes, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as refused:
        logos.read(upload)

    assert refused.value.field == "logo"
