"""What a look may see, case by case; docs/token-states.md holds the same for people."""

from datetime import timedelta

from dashboard.clients.recall.replies import CredentialStatus
from dashboard.errors import UpstreamError
from dashboard.models.zoom_app import Kind, ScopeStyle
from dashboard.services.token_states.findings import Finding, Seen
from dashboard.services.token_states.rules import judge
from dashboard.services.token_states.scopes import lacking
from tests.makers import NOON
from tests.services.looks import ANA, UNHEALTHY, a_credential, a_token, recall, zoom

LACKING = UpstreamError(
    "This Zoom token lacks a scope.",
    service="Zoom",
    status=400,
    code="4711",
    detail="missing scopes: user:read:user, user:read:user:admin",
)
HERE, TOKEN = a_credential(), a_token(minutes=50)
WORKS = Seen(credential=HERE, token=TOKEN, user=ANA)
BLOCKED = "works-but-blocked"
GRANTED_TOO_LITTLE = "granted-too-little"
HALF = "meeting:read:list_meetings user:read:user"


def forbidden(code: str | None) -> UpstreamError:
    return UpstreamError("Recall refused.", service="Recall", status=403, code=code)


def asked(token: UpstreamError, *, is_held: bool = False) -> Seen:
    return Seen(credential=HERE, token=token, is_held=is_held)


def heard(user: UpstreamError, *, token: timedelta = timedelta(minutes=50)) -> Seen:
    left = a_token(seconds=token.total_seconds())
    return Seen(credential=HERE, token=left, user=user)


CASES: dict[str, Seen] = {
    "works": WORKS,
    "works-unasked": Seen(is_brief=True, token=TOKEN, user=ANA),
    BLOCKED: WORKS,
    "account-may-not-read": Seen(
        kind=Kind.ACCOUNT_LEVEL, credential=HERE, token=TOKEN, user=LACKING
    ),
    "no-credential": Seen(),
    "gone": Seen(credential=recall(404)),
    "gone-meanwhile": asked(recall(404)),
    "invalid-grant": asked(recall(400, "invalid_grant")),
    "invalid-token": asked(recall(400, "Zoom said: Invalid Token!")),
    "invalid-grant-held": asked(zoom(400, "invalid_grant"), is_held=True),
    "refused": heard(zoom(401, "124")),
    "user-gone": heard(zoom(404, "1001")),
    "lacks-scope": heard(LACKING),
    GRANTED_TOO_LITTLE: WORKS,
    "marked": Seen(credential=UNHEALTHY, token=recall(400, "unhealthy")),
    "marked-though-it-works": Seen(credential=UNHEALTHY, token=TOKEN, user=ANA),
    "not-renewed": Seen(credential=HERE, token=a_token(seconds=299), user=ANA),
    "ended": heard(zoom(401, "124"), token=timedelta(seconds=-1)),
    "invalid-client": asked(recall(400, "Invalid Client")),
    "invalid-client-held": asked(zoom(400, "invalid_client"), is_held=True),
    "api-key": Seen(credential=recall(401)),
    "no-credit": Seen(credential=recall(402)),
    "not-allowed": Seen(credential=forbidden("permission_denied")),
    "no-token": asked(recall(400, "no idea")),
    "zoom-says-no": heard(zoom(400, "300")),
    "too-often": Seen(credential=recall(429, retryable=True)),
    "recall-down": asked(recall(503, retryable=True)),
    "firewall": Seen(credential=forbidden(None)),
    "zoom-too-often": heard(zoom(429, retryable=True)),
    "zoom-down": heard(zoom(None, retryable=True)),
}

ODD: dict[str, Seen] = {
    "Recall says something new of the status": Seen(
        credential=a_credential(CredentialStatus.UNKNOWN), token=TOKEN, user=ANA
    ),
    "exactly five minutes left": Seen(
        credential=HERE, token=a_token(minutes=5), user=ANA
    ),
}


def found(case: str) -> Finding:
    """Judge a case as a look does."""
    finding = judge(CASES[case], now=NOON)
    if case != GRANTED_TOO_LITTLE:
        return finding
    lacks = lacking(HALF, Kind.USER_LEVEL, ScopeStyle.GRANULAR)
    assert lacks is not None
    return lacks
