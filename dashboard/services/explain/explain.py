"""Explain: one pasted text, one sentence on what is the matter, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.services.explain import evidence
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.gathering import gather
from dashboard.services.explain.questions import Asked, Kind, read
from dashboard.services.explain.rules import judge
from dashboard.services.explain.verdicts import Line, Target, Verdict
from dashboard.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is the matter, and what that stands on.

    Attributes:
        asked: What the text was taken for; holds no password.
        target_id: Of what the verdict's next step is done in: a slug of a connect
            link, an id otherwise; "" when there is none.
        connection_id: Whose credential may be asked about at Recall.
    """

    asked: Asked
    verdict: Verdict
    target_id: str
    lines: Sequence[Line]
    connection_id: UUID | None

    @property
    def may_ask_recall(self) -> bool:
        """Whether Recall can be asked for more: who a meeting is mapped to, a log."""
        return self.asked.number is not None or self.connection_id is not None


def explain(session: Session, vault: Vault, text: str, *, now: datetime) -> Answer:
    """Explain what somebody pasted. Reads the database only; asks nobody.

    Args:
        session: Reading.
        vault: Opens whom an erasure under way is about.
        text: As pasted, any length.
        now: Aware.
    """
    return answer(session, vault, read(text), now=now)


def answer(session: Session, vault: Vault, asked: Asked, *, now: datetime) -> Answer:
    """Explain what was asked; as `explain`, of what is known to be an id."""
    facts = gather(session, vault, asked, now=now)
    verdict = judge(facts)
    connection = facts.connection
    return Answer(
        asked=facts.asked,
        verdict=verdict,
        target_id=_target_id(facts, verdict.target),
        lines=evidence.lines(facts),
        connection_id=None if connection is None else connection.id,
    )


def by_id(text: str) -> Asked | None:
    """Read an id that may stand in an address: of a connection or of a webhook.

    None for anything else: an e-mail or a meeting is private, and addresses are logged.
    """
    asked = read(text)
    return asked if asked.kind in (Kind.UUID, Kind.WEBHOOK) else None


def _target_id(facts: Facts, target: Target) -> str:
    match target:
        case Target.CONNECTION:
            row = facts.connection or next(iter(facts.claims), None)
            return "" if row is None else str(row.id)
        case Target.CONNECT_LINK:
            return "" if facts.app is None else facts.app.slug
        case Target.ZOOM_APP:
            return "" if facts.app is None else str(facts.app.id)
        case Target.WEBHOOK:
            hook = facts.stuck or next(iter(facts.hooks), None)
            return "" if hook is None else str(hook.id)
        case Target.WORKSPACES | Target.NONE:
            return ""
