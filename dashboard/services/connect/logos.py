"""Logos of hosted pages: decoded, bounded and encoded again before they are stored.

What is served is Pillow's own output: nothing else that an upload holds (metadata,
comments, further frames, bytes after its end) comes along.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass, field

from PIL import Image, ImageOps, UnidentifiedImageError

from dashboard import transactions
from dashboard.errors import InvalidInputError

LARGEST_BYTES = 100 * 1024

_MOST_PIXELS = 4_000_000
"""An upload of 100 KB can unpack to gigabytes."""

_SHOWN_AT_MOST = (480, 480)
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
_KNOWN = (*_TYPES, "GIF")  # no SVG: it may hold scripts
_PRINT_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class Logo:
    """An image as it is served.

    Attributes:
        print: Names it in its address.
    """

    image: bytes = field(repr=False)
    media_type: str
    print: str


def read(upload: bytes) -> Logo:
    """Decode an upload and encode it again, at most 480 pixels wide and high. Pure.

    A GIF becomes a PNG of its first frame.

    Raises:
        InvalidInputError: It is too large, broken, or no image of a known sort.
    """
    transactions.require_none("decoding a logo")
    if len(upload) > LARGEST_BYTES:
        raise InvalidInputError("The logo is larger than 100 KB.", field="logo")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(upload), formats=_KNOWN) as opened:
                return _encoded(opened)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise InvalidInputError(
            "The logo is not a PNG, JPEG, GIF or WebP image. SVG is not allowed, "
            "because it can contain scripts.",
            field="logo",
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise InvalidInputError(
            "The logo can't be read: the file is damaged.", field="logo"
        ) from None


def _encoded(opened: Image.Image) -> Logo:
    width, height = opened.size
    if width * height > _MOST_PIXELS:
        raise InvalidInputError(
            f"The logo has {width} by {height} pixels. At most 4 million are allowed.",
            field="logo",
        )
    form = opened.format if opened.format in _TYPES else "PNG"
    has_alpha = form != "JPEG" and opened.has_transparency_data
    image = ImageOps.exif_transpose(opened.convert("RGBA" if has_alpha else "RGB"))
    image.thumbnail(_SHOWN_AT_MOST)
    written = io.BytesIO()
    plain = Image.new(image.mode, image.size)
    plain.paste(image)  # without its metadata
    options = {"optimize": True} if form == "PNG" else {"quality": 90}
    plain.save(written, form, **options)
    data = written.getvalue()
    return Logo(
        image=data,
        media_type=_TYPES[str(form)],
        print=hashlib.sha256(data).hexdigest()[:_PRINT_LENGTH],
    )
