"""The books: what Zoom was answered against what Recall got. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from dashboard.models.webhook import Outcome
from tests.system.chaos.ledger import Claim, Row, Try
from tests.system.chaos.load import Sent

Received = Mapping[str, Mapping[int, int]]
"""SHA-256 of a body -> how often each status answered it."""

_MUST_BE_0 = (
    "refused",
    "lost",
    "altered",
    "unknown",
    "stored_twice",
    "two_owners",
    "claims_fallen",
)
_VISIBLE = (Outcome.WAITING, Outcome.DEAD)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a run comes to, in events unless said otherwise.

    Attributes:
        sent: Different ones that Zoom posted.
        answered_200: Owed to Recall from then on.
        not_owed: Never answered 200.
        stored: Rows.
        stored_unasked: Of those not owed; forwarding them is right as well.
        delivered: Taken by Recall with the bytes of one of Zoom's posts.
        delivered_again: More than once.
        attempts: Rows.
        refused: Answered 3xx or 4xx though genuine: Zoom would never try again.
        lost: Answered 200 and neither at Recall nor visibly waiting or dead.
        altered: Bodies at Recall, or kept here, that nobody sent.
        unknown: Rows of what nobody sent.
        stored_twice: Rows beyond the first.
        two_owners: Attempts beyond the first of a claim, or by another than claimed.
        claims_fallen: Claim counters that did not grow.
    """

    sent: int
    answered_200: int
    not_owed: int
    stored: int
    stored_unasked: int
    delivered: int
    delivered_again: int
    waiting: int
    dead: int
    attempts: int
    refused: int
    lost: int
    altered: int
    unknown: int
    stored_twice: int
    two_owners: int
    claims_fallen: int

    @property
    def wrong(self) -> dict[str, int]:
        """What must be 0 and is not."""
        found = {name: int(getattr(self, name)) for name in _MUST_BE_0}
        return {name: number for name, number in found.items() if number}

    def table(self) -> str:
        """Return a line a figure."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return "\n".join(
            f"  {name.replace('_', ' '):<16}{number:>9,}"
            for name, number in named.items()
        )


def balance(
    sent: Sequence[Sent],
    *,
    rows: Sequence[Row],
    received: Received,
    claims: Sequence[Claim],
    tries: Sequence[Try],
) -> Balance:
    """Balance the books; `rows` must have been read before `received`."""
    numbers = {digest: one.number for one in sent for digest in one.digests}
    stored = Counter(numbers[row.digest] for row in rows if row.digest in numbers)
    taken: Counter[int] = Counter()
    for digest, statuses in received.items():
        if digest in numbers:
            taken[numbers[digest]] += sum(
                times for status, times in statuses.items() if 200 <= status < 300
            )
    delivered = {number for number, times in taken.items() if times}
    visible = {
        numbers[row.digest]
        for row in rows
        if row.outcome in _VISIBLE and row.digest in numbers
        if row.kept_digest == row.digest
    }
    owed = {one.number for one in sent if 200 in one.answers}
    outcomes = Counter(row.outcome for row in rows)
    return Balance(
        sent=len(sent),
        answered_200=len(owed),
        not_owed=len(sent) - len(owed),
        stored=len(rows),
        stored_unasked=len(stored.keys() - owed),
        delivered=len(delivered),
        delivered_again=sum(times > 1 for times in taken.values()),
        waiting=outcomes[Outcome.WAITING],
        dead=outcomes[Outcome.DEAD],
        attempts=len(tries),
        refused=sum(any(300 <= each < 500 for each in one.answers) for one in sent),
        lost=len(owed - delivered - visible),
        altered=_altered(rows, received, known=numbers.keys()),
        unknown=sum(row.digest not in numbers for row in rows),
        stored_twice=sum(times - 1 for times in stored.values()),
        two_owners=two_owners(claims, tries),
        claims_fallen=sum(claim.new <= claim.old for claim in claims),
    )


def two_owners(claims: Iterable[Claim], tries: Iterable[Try]) -> int:
    """Count attempts beyond the first of a claim, and those by another process.

    An attempt without a claim counts as well.
    """
    owners = {(claim.webhook_id, claim.new): claim.owner for claim in claims}
    seen: set[tuple[int, int]] = set()
    wrong = 0
    for each in tries:
        lease = (each.webhook_id, each.claim)
        wrong += lease in seen or owners.get(lease) != each.owner
        seen.add(lease)
    return wrong


def _altered(rows: Iterable[Row], received: Received, *, known: Iterable[str]) -> int:
    spoiled = sum(row.kept_digest not in (None, row.digest) for row in rows)
    return spoiled + len(received.keys() - set(known))
