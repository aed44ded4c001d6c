"""Ending a grant at Zoom that is kept here.

Source: docs/contracts/zoom.md 3.6, checked 2026-11-25.

Where Recall keeps the grant, nobody here can: the user removes the app at Zoom.
"""

from dashboard.errors import GrantLostError, NotFoundError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.grants import refreshing
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

_AT_LEAST_S = 30
# Dead already; or nobody can use it, as nobody can revoke it: the pair is wrong.
_OF_NO_USE = {"invalid_grant", "invalid_client"}


def revoke(runtime: Runtime, row: Connection, app: ZoomApp) -> None:
    """End the connection's grant at Zoom if it is kept here; commits.

    One that is dead already is no error, nor is a pair that Zoom refuses: nobody can
    renew the grant with it either. A refresh under way ends what it gets by itself once
    the connection is deleted.

    Raises:
        UpstreamError: Zoom refused for another reason, or could not be asked.
    """
    if row.token_custody is TokenCustody.RECALL:
        return
    try:
        token = refreshing.live_token(runtime, row.id, at_least_s=_AT_LEAST_S)
        runtime.zoom_grants.revoke(
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            access_token=token,
        )
    except (GrantLostError, NotFoundError):
        return
    except UpstreamError as error:
        # A pair known to be wrong may not have been tried again just now.
        is_of_no_use = error.code in _OF_NO_USE or app.verdict is Verdict.WRONG
        if not is_of_no_use:
            raise
