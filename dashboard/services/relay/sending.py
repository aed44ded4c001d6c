"""One claimed webhook to Recall and back: open, post untouched, judge."""

import json

from aiohttp import ClientSession

from dashboard.clients import delivery as wire
from dashboard.clients.delivery import Answer, Failure
from dashboard.clients.recall.api import REGIONS, webhook_url
from dashboard.errors import StorageError, VaultError
from dashboard.models.check import Finding
from dashboard.services.receiver import events
from dashboard.services.receiver.keyring import AppCredentials, SignedWith, signed_with
from dashboard.services.receiver.signatures import Headers, signing_secret
from dashboard.services.relay.answers import SIGNATURE_REFUSED, compare_challenge
from dashboard.services.relay.deliveries import Delivery, Result, conclude
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault


async def send(runtime: Runtime, session: ClientSession, each: Delivery) -> Result:
    """Post one webhook and judge the answer. Writes nothing."""
    started_at = runtime.clock.now()
    try:
        body, headers = _opened(runtime.vault, each)
    except VaultError:
        answer = Answer(failure=Failure.SEALED)
        return conclude(
            each, answer, sent=None, started_at=started_at, secrets=[], challenge=None
        )
    url = webhook_url(_base_url(runtime, each), each.recall_app_id)
    answer = await wire.post(session, url, body=body, headers=headers)
    # Mostly Recall says nothing in which a secret could be, and nothing of it.
    is_refused = answer.status in SIGNATURE_REFUSED
    says = answer.body or is_refused or each.event == events.URL_VALIDATION
    app = _credentials(runtime, each, is_refused=is_refused) if says else None
    stands = signed_with(app, headers, body) if app and is_refused else SignedWith.GIVEN
    return conclude(
        each,
        answer,
        sent=body,
        started_at=started_at,
        secrets=[one.secret for one in app.secrets] if app else (),
        headers_passed=wire.passed_on(headers),
        challenge=_challenge(each, headers, body, answer, app)
        if stands is not SignedWith.FORMER
        else None,
        signed_with=stands,
    )


def _opened(vault: Vault, each: Delivery) -> tuple[bytes, list[tuple[str, str]]]:
    body, headers = (
        vault.open(sealed, table="webhook_body", column=column, row=each.webhook_id)
        for column, sealed in (("body", each.body), ("headers", each.headers))
    )
    return body, [(name, value) for name, value in json.loads(headers)]


def _base_url(runtime: Runtime, each: Delivery) -> str:
    # An unknown region's host follows the others' pattern (docs/contracts/recall.md
    # 1.1).
    regional = REGIONS.get(each.region) or f"https://{each.region}.recall.ai"
    return runtime.settings.recall_url or regional


def _credentials(
    runtime: Runtime, each: Delivery, *, is_refused: bool
) -> AppCredentials | None:
    """Return the zoom app; as it is now where a change of its secrets may matter."""
    keyring = runtime.writer.keyring
    try:
        return (keyring.find_newer if is_refused else keyring.find)(each.zoom_app_id)
    except StorageError:
        return None


def _challenge(
    each: Delivery,
    headers: Headers,
    body: bytes,
    answer: Answer,
    app: AppCredentials | None,
) -> tuple[Finding, str] | None:
    """Compare Recall's answer with the one that the secret Zoom signed with makes."""
    if app is None or each.event != events.URL_VALIDATION:
        return None
    plain_token = events.parse(body).plain_token
    made_it = signing_secret(headers, body, app.secrets)
    if plain_token is None or made_it is None:
        return None
    return compare_challenge(answer, plain_token=plain_token, secret=made_it.secret)
