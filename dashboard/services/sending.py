"""One claimed webhook to Recall and back: open, post untouched, judge."""

import json
from collections.abc import Sequence

from aiohttp import ClientSession
from pydantic import SecretStr

from dashboard.clients import delivery as wire
from dashboard.clients.delivery import Answer, Failure
from dashboard.clients.recall import REGIONS, webhook_url
from dashboard.errors import StorageError, VaultError
from dashboard.models.check import Finding
from dashboard.services import events
from dashboard.services.bundle import Services
from dashboard.services.deliveries import Delivery, Result, conclude
from dashboard.services.recall_answers import compare_challenge
from dashboard.services.signatures import NamedSecret
from dashboard.vault import Vault


async def send(services: Services, session: ClientSession, each: Delivery) -> Result:
    """Post one webhook and judge the answer. Writes nothing."""
    started_at = services.clock.now()
    try:
        body, headers = _opened(services.vault, each)
    except VaultError:
        answer = Answer(failure=Failure.SEALED)
        return conclude(
            each, answer, sent=None, started_at=started_at, secrets=[], challenge=None
        )
    url = webhook_url(_base_url(services, each), each.recall_app_id)
    answer = await wire.post(session, url, body=body, headers=headers)
    # Mostly Recall says nothing in which a secret could be, and nothing of it.
    says = answer.body or each.event == events.CHALLENGE
    named = _secrets(services, each) if says else ()
    return conclude(
        each,
        answer,
        sent=body,
        started_at=started_at,
        secrets=[one.secret for one in named],
        headers_passed=wire.passed_on(headers),
        challenge=_challenge(each, body, answer, named),
    )


def _opened(vault: Vault, each: Delivery) -> tuple[bytes, list[tuple[str, str]]]:
    body, headers = (
        vault.open(sealed, table="webhook_body", column=column, row=each.webhook_id)
        for column, sealed in (("body", each.body), ("headers", each.headers))
    )
    return body, [(name, value) for name, value in json.loads(headers)]


def _base_url(services: Services, each: Delivery) -> str:
    # An unknown region's host follows the others' pattern (contracts/recall.md 1.1).
    regional = REGIONS.get(each.region) or f"https://{each.region}.recall.ai"
    return services.settings.recall_url or regional


def _secrets(services: Services, each: Delivery) -> Sequence[NamedSecret]:
    try:
        app = services.intake.keyring.find(each.zoom_app_id)
    except StorageError:
        return ()
    return app.secrets if app is not None else ()


def _challenge(
    each: Delivery, body: bytes, answer: Answer, secrets: Sequence[NamedSecret]
) -> tuple[Finding, str] | None:
    """Compare Recall's answer with the one that the secret Zoom signed with makes."""
    plain_token = (
        events.parse(body).plain_token if each.event == events.CHALLENGE else None
    )
    secret = _named(secrets, each.verdict)
    if plain_token is None or secret is None:
        return None
    return compare_challenge(answer, plain_token=plain_token, secret=secret)


def _named(secrets: Sequence[NamedSecret], name: str) -> SecretStr | None:
    return next((one.secret for one in secrets if one.name == name), None)
