"""The OpenAPI document, and a page of it that needs no script."""

from flask import Blueprint, Response, json, make_response, render_template, request

from dashboard.services.api_tokens.tokens import SCOPE_WORDS
from dashboard.web.access import public, signed_in
from dashboard.web.api import document
from dashboard.web.context import runtime

bp = Blueprint("api_docs", __name__, url_prefix="/api/v1")


@bp.get("/openapi.json")
@public
def openapi() -> Response:
    """Give the document; it holds nothing of this installation but its address."""
    text = json.dumps(document.document(runtime().public_url))
    response = make_response(text)
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


@bp.get("/docs")
@signed_in()
def show() -> str:
    """Show the document to people."""
    made = document.document(runtime().public_url)
    return render_template(
        "api_docs/show.html",
        info=made["info"],
        operations=list(document.operations(made)),
        schemas=made["components"]["schemas"],
        scopes=SCOPE_WORDS,
    )
