"""The one module that speaks HX-*: page or fragment, and how to leave a page."""

from http import HTTPStatus

from flask import Response, make_response, redirect, render_template, request


def wants_fragment() -> bool:
    """Whether to answer with a fragment instead of the whole page.

    A history restore and a boosted link ask for the full page although htmx sends
    them. (`HX-Request-Type` is not used: it tells where the answer goes, which may
    change with a template.)
    """
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def page_or_fragment(
    page: str, partial: str, *, status: int = 200, **context: object
) -> Response:
    """Render the page, or for htmx its partial alone, from one set of values.

    Args:
        page: Template of the whole page; it includes the partial.
        partial: Template of the region, with exactly one root or table rows.
        status: 200, or 422 for a form with errors.
        context: What both templates need.
    """
    template = partial if wants_fragment() else page
    response = make_response(render_template(template, **context), status)
    response.vary.add("HX-Request")
    return response


def fragment(partial: str, *, status: int = 200, **context: object) -> Response:
    """Render a partial for htmx; ask `wants_fragment()` first where a form may post."""
    response = make_response(render_template(partial, **context), status)
    response.vary.add("HX-Request")
    return response


def go_to(url: str) -> Response:
    """Leave for another page after a write: 303, or for htmx 204 and `HX-Redirect`.

    `url` is the application's own (from `url_for`); it is not checked here.
    """
    if wants_fragment():
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.headers["HX-Redirect"] = url
    else:
        response = make_response(redirect(url, code=HTTPStatus.SEE_OTHER))
    response.vary.add("HX-Request")
    return response
