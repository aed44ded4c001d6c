"""Static files: named by their content, compressed once, cached for a year."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from flask import Flask, Response, abort, current_app, request

STATIC = Path(__file__).resolve().parent.parent / "static"

_KEY = "dashboard.assets"
_PREFIX = "/static/"
_YEAR = "public, max-age=31536000, immutable"
_COMPRESSIBLE = {".css", ".js", ".svg", ".txt", ".json"}
_VERSION_DIGITS = 12


class AssetMissingError(LookupError):
    """A template names a static file that does not exist."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One static file, held in memory.

    Attributes:
        body: The bytes of the file.
        zipped: The same, gzipped; None where that gains nothing.
        version: First hexadecimal digits of the SHA-256 of the body.
        media_type: With charset for text.
    """

    body: bytes
    zipped: bytes | None
    version: str
    media_type: str


class Assets:
    """The files under one folder, each read and compressed when first asked for.

    With `watch`, a file that changed on disk is read again (for development).
    """

    def __init__(self, folder: Path, *, watch: bool) -> None:
        self._folder = folder
        self._watch = watch
        self._held: dict[str, tuple[int, Asset]] = {}
        self._names = self._list()

    def find(self, name: str) -> Asset | None:
        """Return the file of this name (slashes, relative), or None."""
        held = self._held.get(name)
        if held is not None and not self._watch:
            return held[1]
        # Looked up, never joined: a name comes from the address and may be anything.
        if name not in (self._list() if self._watch else self._names):
            return None
        path = self._folder / name
        changed = path.stat().st_mtime_ns
        if held is not None and held[0] == changed:
            return held[1]
        asset = _read(path)
        self._held[name] = (changed, asset)
        return asset

    def _list(self) -> frozenset[str]:
        return frozenset(
            path.relative_to(self._folder).as_posix()
            for path in self._folder.rglob("*")
            if path.is_file()
        )


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = path.suffix in _COMPRESSIBLE
    return Asset(
        body=body,
        zipped=gzip.compress(body, 9, mtime=0) if is_text else None,
        version=hashlib.sha256(body).hexdigest()[:_VERSION_DIGITS],
        media_type=f"{guessed}; charset=utf-8" if is_text else guessed,
    )


def asset_url(filename: str) -> str:
    """Return the path of a static file with its version, as `/static/app.css?v=...`.

    Raises:
        AssetMissingError: there is no such file; a misspelt name must not go live.
    """
    assets: Assets = current_app.extensions[_KEY]
    asset = assets.find(filename)
    if asset is None:
        raise AssetMissingError(f"no static file {filename!r}")
    # Not `url_for`: error pages are drawn for requests whose host is nonsense, too.
    return f"{_PREFIX}{quote(filename)}?v={asset.version}"


def serve(filename: str) -> Response:
    """Answer one static file: for a year under its version, else to be revalidated."""
    assets: Assets = current_app.extensions[_KEY]
    asset = assets.find(filename)
    if asset is None:
        abort(404)
    takes_gzip = request.accept_encodings["gzip"] > 0
    body = asset.zipped if asset.zipped is not None and takes_gzip else asset.body
    response = Response(body, content_type=asset.media_type)
    if asset.zipped is not None:
        response.headers["Vary"] = "Accept-Encoding"
        if takes_gzip:
            response.headers["Content-Encoding"] = "gzip"
    is_named = request.args.get("v") == asset.version
    response.headers["Cache-Control"] = _YEAR if is_named else "no-cache"
    response.set_etag(f"{asset.version}{'-gzip' if takes_gzip else ''}")
    response.make_conditional(request)
    return response


def install(app: Flask, folder: Path = STATIC) -> None:
    """Serve `folder` at the endpoint `static`; make the app with static_folder=None.

    Templates get `asset_url`. In debug mode changed files are read again.
    """
    app.extensions[_KEY] = Assets(folder, watch=app.debug)
    app.add_url_rule(f"{_PREFIX}<path:filename>", "static", serve)
    app.jinja_env.globals["asset_url"] = asset_url
