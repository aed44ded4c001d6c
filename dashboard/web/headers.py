"""Security headers on every answer: of the pages, and of what is in front of Flask.

Source: docs/contracts/zoom.md 7 (what Zoom's reviewers look at), checked 2026-11-23.
"""

from collections.abc import Sequence

from flask import Flask, Response

Lines = Sequence[tuple[str, str]]
"""Names in lower case, and values."""

_HSTS = "max-age=31536000"
_BARE = (
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)


def bare(public_url: str, *, with_subdomains: bool = False) -> Lines:
    """Return the headers of answers that are no page: to Zoom, Recall and strangers."""
    return (*_BARE, *strict_transport(public_url, with_subdomains=with_subdomains))


def strict_transport(public_url: str, *, with_subdomains: bool) -> Lines:
    """Return the header that keeps browsers on HTTPS; nothing without HTTPS."""
    if not public_url.startswith("https://"):
        return ()
    value = f"{_HSTS}; includeSubDomains" if with_subdomains else _HSTS
    return (("strict-transport-security", value),)


def install(
    app: Flask,
    *,
    public_url: str,
    zoom_urls: Sequence[str],
    image_hosts: Sequence[str] = (),
    with_subdomains: bool = False,
) -> None:
    """Add the headers; `Cache-Control` and CSP that a view set itself are kept."""
    policy = "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            " ".join(["img-src 'self' data:", *image_hosts]),
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            # The connect page's form is answered by a redirect to Zoom, and browsers
            # hold redirects of a form against this list too.
            f"form-action 'self' {' '.join(zoom_urls)}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
    transport = strict_transport(public_url, with_subdomains=with_subdomains)

    def add(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), microphone=()")
        # Pages show people and states; the static files set their own.
        headers.setdefault("Cache-Control", "no-store")
        for name, value in transport:
            headers.setdefault(name, value)
        return response

    app.after_request(add)
