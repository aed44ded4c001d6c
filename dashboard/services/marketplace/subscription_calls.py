"""One talk with Zoom about one subscription; holds no transaction.

Zoom challenges the webhook URL while it is asked to make or move a subscription; the
receiver answers that by itself, in this process too.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from pydantic import SecretStr

from dashboard.clients.zoom.subscriptions import (
    MOST_AT_ONCE,
    Subscriber,
    ZoomSubscription,
    ZoomSubscriptions,
)
from dashboard.errors import UpstreamError
from dashboard.services.marketplace.subscription_jobs import Job
from dashboard.services.marketplace.subscription_states import BY_API, Found

_LOOKED_AT = 5  # the newest: they are the ones that lack it
_NOT_FOUND, _NO_SUCH_METHOD = 404, 405
_NO_SUCH_SUBSCRIPTION = "1601"


class SubscriptionSync:
    """What is asked of Zoom, one thing after another.

    Every method raises UpstreamError; `subscription_id` is right even then.

    Attributes:
        subscription_id: Of the subscription that is ours; None while there is none.
    """

    def __init__(self, zoom: ZoomSubscriptions, job: Job, token: SecretStr) -> None:
        self._zoom = zoom
        self._job = job
        self._token = token
        self.subscription_id = job.subscription_id

    def read(self) -> Found:
        """Ask what Zoom has for those who connected last."""
        seen: dict[str, ZoomSubscription] = {}
        joined: Counter[str] = Counter()
        who = self._job.subscribers[:_LOOKED_AT]
        for subscriber in who:
            scope = self._job.wanted.scope
            for one in self._zoom.find(self._token, scope, subscriber):
                seen[one.id] = one
                joined[one.id] += 1
        kept = self._ours(list(seen.values()))
        if kept is not None and kept.source == BY_API:
            self.subscription_id = kept.id
        return Found(
            kept=kept,
            joined=0 if kept is None else joined[kept.id],
            asked=len(who),
            others=[one for one in seen.values() if one != kept],
        )

    def create(self) -> Found:
        """Make it unless there is one; one that is on record is joined again first."""
        found = self.read()
        if found.kept is not None:
            return found
        if self.subscription_id is None or not self._join(self.subscription_id):
            self._make(settle=self._made_meanwhile)
            self._join(str(self.subscription_id))
        return self.read()

    def fix(self) -> Found:
        """Make it what it should be; without one there is nothing to mend."""
        found = self.read()
        kept = found.kept
        if kept is None:
            return found if self.subscription_id is None else self.create()
        if kept.source != BY_API:
            return found
        wanted = self._job.wanted
        if kept.scope and kept.scope != wanted.scope:
            self._replace(kept)
        elif kept.url != wanted.url or set(kept.events) != set(wanted.events):
            self._change(kept)
        self._join(str(self.subscription_id))
        for other in found.others:
            if other.url == wanted.url and other.source == BY_API:
                self._zoom.delete(self._token, other.id)
        return self.read()

    def _ours(self, seen: Sequence[ZoomSubscription]) -> ZoomSubscription | None:
        """Return the one on record, else one with our URL, made by API if possible."""
        same = [one for one in seen if one.url == self._job.wanted.url]
        ours = [one for one in seen if one.id == self.subscription_id]
        by_api = [one for one in same if one.source == BY_API]
        return next(iter([*ours, *by_api, *same]), None)

    def _make(self, *, settle: Callable[[], str | None]) -> None:
        first = next(self._batches())
        try:
            made = self._zoom.create(self._token, self._job.wanted, first)
        except UpstreamError as error:
            there = settle() if error.may_have_happened else None
            if there is None:
                raise
            made = there
        self.subscription_id = made

    def _made_meanwhile(self) -> str | None:
        kept = self.read().kept
        return kept.id if kept is not None and kept.source == BY_API else None

    def _change(self, kept: ZoomSubscription) -> None:
        try:
            self._zoom.update(self._token, kept.id, self._job.wanted)
        except UpstreamError as error:
            lacks_it = error.status in {_NOT_FOUND, _NO_SUCH_METHOD}
            if not lacks_it or error.code in {"1701", _NO_SUCH_SUBSCRIPTION}:
                raise
            self._replace(kept)

    def _replace(self, kept: ZoomSubscription) -> None:
        """Make another, then delete this one: better an event twice than not at all."""

        def settle() -> str | None:
            others = self.read().others
            wanted = self._job.wanted
            fitting = (
                one.id
                for one in others
                if one.source == BY_API and one.url == wanted.url
                if set(one.events) == set(wanted.events)
            )
            return next(fitting, None)

        self._make(settle=settle)
        self._zoom.delete(self._token, kept.id)

    def _join(self, subscription_id: str) -> bool:
        """Have all who connected join it; tell whether Zoom has it at all."""
        try:
            for batch in self._batches():
                self._zoom.subscribe(self._token, subscription_id, batch)
        except UpstreamError as error:
            if error.code != _NO_SUCH_SUBSCRIPTION:
                raise
            return False
        return True

    def _batches(self) -> Iterator[Sequence[Subscriber]]:
        """Yield who connected, at most ten of one account at a time."""

        def account(one: Subscriber) -> str:
            return one.account_id

        for _, ones in groupby(sorted(self._job.subscribers, key=account), account):
            yield from _cut(list(ones))


def _cut(ones: Sequence[Subscriber]) -> Iterator[Sequence[Subscriber]]:
    for start in range(0, len(ones), MOST_AT_ONCE):
        yield ones[start : start + MOST_AT_ONCE]
