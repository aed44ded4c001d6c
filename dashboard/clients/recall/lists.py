"""Recall's lists without ids: its logs and which meetings it answers for.

Source: docs/contracts/recall.md 3.6 and 3.7, checked 2026-11-25.
"""

from datetime import datetime
from itertools import islice
from uuid import UUID

from dashboard.clients.recall.calls import RecallCalls
from dashboard.clients.recall.operations import Operation
from dashboard.clients.recall.replies import (
    CredentialStatus,
    Mapping,
    Page,
    RecallCredential,
    RecallLog,
    Stretch,
)

_CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
_APP_LOGS = "/api/v2/zoom-oauth-app-logs/"
_CREDENTIAL_LOGS = "/api/v2/zoom-oauth-credential-logs/"
_MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"


class RecallLists:
    """What `Recall` reads that cannot be changed there."""

    _calls: RecallCalls

    def check_key(self) -> None:
        """Make a harmless call: return if Recall takes the key, raise otherwise."""
        # The one list without secrets or people in it.
        self._calls.get(Operation.LOGS_APPS, _APP_LOGS, Page[RecallLog])

    def app_logs(self, oauth_app: UUID) -> list[RecallLog]:
        """Return the first page of an app's log, newest first."""
        params = {"oauth_app": str(oauth_app)}
        found = self._calls.get(Operation.LOGS_APPS, _APP_LOGS, Page[RecallLog], params)
        return found.results

    def credential_logs(self, credential: UUID) -> list[RecallLog]:
        """Return the first page of a credential's log, newest first."""
        params = {"credential": str(credential)}
        found = self._calls.get(
            Operation.LOGS_CREDENTIALS, _CREDENTIAL_LOGS, Page[RecallLog], params
        )
        return found.results

    def mappings(
        self,
        *,
        credential: UUID | None = None,
        meeting_id: int | None = None,
        limit: int = 100,
    ) -> list[Mapping]:
        """Return which credential answers for which meeting, newest first."""
        filters = {
            "credential": None if credential is None else str(credential),
            "meeting_id": None if meeting_id is None else str(meeting_id),
        }
        found = (
            one
            for one in self._calls.each(
                Operation.LOGS_MAPPINGS, _MAPPINGS, Page[Mapping], filters
            )
            if credential in (None, one.credential)
            and meeting_id in (None, one.meeting_id)
        )
        return list(islice(found, limit))

    def mappings_synced(
        self, *, after: datetime, before: datetime | None = None, pages: int = 10
    ) -> Stretch[Mapping]:
        """Return what was mapped in a stretch of time, of all credentials at once.

        Args:
            after: Aware; what was mapped at that instant is among it.
            before: Aware, likewise; None is now.
            pages: How many are read at most; each is a request.
        """
        filters = {
            "synced_at_after": after.isoformat(),
            "synced_at_before": None if before is None else before.isoformat(),
        }
        found: list[Mapping] = []
        page: Page[Mapping] | None = None
        for page in self._calls.pages(
            Operation.LOGS_MAPPINGS, _MAPPINGS, Page[Mapping], filters, most=pages
        ):
            fitting = [one for one in page.results if one.synced_at >= after]
            found += fitting
            if len(fitting) < len(page.results):
                # The filter was ignored: what follows is older still (1.4).
                return Stretch(results=found, is_whole=True)
        return Stretch(results=found, is_whole=page is None or page.next is None)

    def unhealthy_credentials(self, oauth_app: UUID) -> Stretch[RecallCredential]:
        """Return an app's credentials that Recall calls unhealthy; 20 pages at most."""
        filters = {"oauth_app": str(oauth_app), "status": CredentialStatus.UNHEALTHY}
        found: list[RecallCredential] = []
        page: Page[RecallCredential] | None = None
        for page in self._calls.pages(
            Operation.CREDENTIALS_LIST, _CREDENTIALS, Page[RecallCredential], filters
        ):
            found += page.results
        # Checked again here: a filter that the vendor does not know is ignored.
        unhealthy = [
            one
            for one in found
            if one.oauth_app == oauth_app and one.status is CredentialStatus.UNHEALTHY
        ]
        is_whole = page is None or page.next is None
        return Stretch(results=unhealthy, is_whole=is_whole)
