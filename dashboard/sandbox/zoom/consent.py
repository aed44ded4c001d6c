"""The authorize step: what is asked, who may grant it, where the browser goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dashboard.sandbox.zoom import addresses
from dashboard.sandbox.zoom.records import Code, Kind, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.refusals import AuthorizeError, RefusedError
from dashboard.sandbox.zoom.state import State

_INVALID_REDIRECT = 4700
_INVALID_CLIENT = 4702
_UNSUPPORTED = 4705


@dataclass(frozen=True, kw_only=True)
class Question:
    """An authorize request that passed its checks.

    Attributes:
        state: Echoed as it came; None when there was none.
        scopes: Everything asked for.
        optional: Those of `scopes` the user may untick.
    """

    app: ZoomApp
    redirect_uri: str
    state: str | None
    scopes: list[str]
    optional: list[str]
    challenge: str | None
    method: str


def read(state: State, params: Mapping[str, str]) -> Question:
    """Check an authorize request (docs/contracts/zoom.md 2.1 and 2.4).

    Raises:
        AuthorizeError: 4702 for an unknown client, 4700 for a redirect URI that is
            not registered or not public, 4705 (a guess) for anything else.
    """
    client_id = params.get("client_id", "")
    app = state.apps.get(client_id)
    if app is None:
        message = f"Invalid client_id: {client_id}"
        raise AuthorizeError(_INVALID_CLIENT, message, f"{message} (4,702)")
    uri = params.get("redirect_uri", "")
    public = addresses.is_public(uri, allow_local=state.allow_local)
    if not public or not addresses.is_registered(app, uri):
        page = f"Invalid redirect: {uri} (4,700)"
        raise AuthorizeError(_INVALID_REDIRECT, "Invalid redirect url", page)
    if params.get("response_type") != "code":
        raise _unsupported("Unsupported response type")
    method = params.get("code_challenge_method") or "plain"
    if method not in {"S256", "plain"}:
        raise _unsupported("Unsupported code challenge method")
    scopes, optional = _asked(app, params)
    return Question(
        app=app,
        redirect_uri=uri,
        state=params.get("state"),
        scopes=scopes,
        optional=optional,
        challenge=params.get("code_challenge") or None,
        method=method,
    )


def obstacle(state: State, app: ZoomApp, user: ZoomUser) -> str | None:
    """Return why this user cannot authorise the app, or None.

    Source: docs/contracts/zoom.md 1.
    """
    if state.switches.pre_approval:
        return (
            "Your account's admin has to approve this app first. "
            "Request pre-approval and try again once it is granted."
        )
    if not app.published and user.account_id != app.account_id:
        return (
            "This app is not published. Only users of its developer's own Zoom "
            "account can add it."
        )
    if app.kind is Kind.ACCOUNT_LEVEL and not user.is_admin():
        return "Only an admin of the Zoom account can add this app."
    return None


def allow(
    state: State, question: Question, user_id: str, ticked: Sequence[str] | None = None
) -> str:
    """Make a code and return the URL to send the browser to.

    Args:
        state: The world's data.
        question: What was asked.
        user_id: Who allows it.
        ticked: Scopes left ticked; those that are not optional are granted anyway.
            None grants all.

    Raises:
        RefusedError: This user cannot authorise the app.
    """
    user = state.user(user_id)
    problem = obstacle(state, question.app, user)
    if problem is not None:
        raise RefusedError(problem)
    withheld = set(state.switches.withheld_scopes)
    if ticked is not None:
        withheld |= set(question.optional) - set(ticked)
    code = Code(
        client_id=question.app.client_id,
        user_id=user_id,
        redirect_uri=question.redirect_uri,
        scopes=[scope for scope in question.scopes if scope not in withheld],
        challenge=question.challenge,
        method=question.method,
        issued_at=state.now(),
    )
    state.codes[code.code] = code
    return _with_query(question.redirect_uri, code=code.code, state=question.state)


def decline(state: State, question: Question) -> str | None:
    """Return where "Decline" sends the browser; None if it stays with Zoom."""
    if state.switches.decline == "silence":
        return None
    return _with_query(
        question.redirect_uri, error="access_denied", state=question.state
    )


def install(state: State, client_id: str, user_id: str) -> str:
    """Add the app from the Marketplace: a code without state or PKCE.

    Returns:
        The redirect URL with the code (docs/contracts/zoom.md 2.3).

    Raises:
        RefusedError: There is no redirect URL, or this user cannot authorise it.
    """
    app = state.app(client_id)
    if app.redirect_url is None:
        raise RefusedError("The app has no OAuth Redirect URL yet.")
    question = Question(
        app=app,
        redirect_uri=app.redirect_url,
        state=None,
        scopes=app.scopes,
        optional=[],
        challenge=None,
        method="plain",
    )
    return allow(state, question, user_id)


def _asked(app: ZoomApp, params: Mapping[str, str]) -> tuple[list[str], list[str]]:
    wanted = params.get("scope", "").split()
    extra = params.get("optional_scope", "").split()
    if not wanted and not extra:
        return app.scopes, app.optional_scopes
    unknown = [scope for scope in (*wanted, *extra) if scope not in app.scopes]
    if unknown:
        raise _unsupported(f"Invalid scope: {' '.join(unknown)}")
    both = list(dict.fromkeys((*(wanted or app.scopes), *extra)))
    return both, list(dict.fromkeys((*extra, *app.optional_scopes)))


def _unsupported(message: str) -> AuthorizeError:
    return AuthorizeError(_UNSUPPORTED, message, f"{message} (4,705)")


def _with_query(url: str, **extra: str | None) -> str:
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in extra.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(pairs)))
