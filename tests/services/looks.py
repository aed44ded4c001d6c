"""What a look at a connection may bring home."""

from datetime import timedelta
from uuid import uuid4

from pydantic import SecretStr

from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    RecallCredential,
)
from dashboard.clients.zoom.api import ZoomUser
from dashboard.errors import UpstreamError
from tests.makers import NOON

ANA = ZoomUser(id="zUsEr0001AAAAAAAAAAAAA")


def a_credential(
    status: CredentialStatus = CredentialStatus.HEALTHY,
) -> RecallCredential:
    return RecallCredential(id=uuid4(), oauth_app=uuid4(), status=status)


def a_token(**left: float) -> AccessToken:
    token = SecretStr("test-access-token-0001")
    return AccessToken(token=token, expires_at=NOON + timedelta(**left))


def recall(
    status: int | None, detail: str = "", *, retryable: bool = False
) -> UpstreamError:
    return UpstreamError(
        "Recall refused.",
        service="Recall",
        status=status,
        detail=detail,
        retryable=retryable,
    )


def zoom(
    status: int | None, code: str = "", *, retryable: bool = False
) -> UpstreamError:
    return UpstreamError(
        "Zoom refused.", service="Zoom", status=status, code=code, retryable=retryable
    )


UNHEALTHY = a_credential(CredentialStatus.UNHEALTHY)
