"""Who must act on what, and how: one table for every problem of everything.

What decides a state names a `Problem`; who must act about it, the next step and where
it is done are read here and decided nowhere else.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Who(StrEnum):
    """Who must act before bots can record without asking."""

    NOBODY = "nobody"
    YOU = "you"  # the reader: the support role can do it
    USER = "user"
    ADMIN = "admin"
    HOST = "host"
    OPERATOR = "operator"  # of the server: never on a connection alone

    @property
    def words(self) -> str:
        """Return the same within a sentence."""
        match self:
            case Who.NOBODY | Who.YOU:
                return self.value
            case Who.ADMIN | Who.OPERATOR:
                return f"an {self.value}"
            case Who.USER | Who.HOST:
                return f"the {self.value}"


class Act(StrEnum):
    """Where the next step is done; a page knows its address and its words."""

    CHECK = "check"
    RECONNECT = "reconnect"
    ZOOM_APP = "zoom_app"
    WORKSPACES = "workspaces"
    EDIT_APP = "edit_app"
    VERIFY = "verify"
    UPDATE_IN_RECALL = "update_in_recall"
    CREATE_IN_RECALL = "create_in_recall"
    TEST = "test"
    SEE_URL = "see_url"
    SEE_REFUSED = "see_refused"
    SEE_FAILED = "see_failed"
    SEE_WAITING = "see_waiting"
    SEE_AHEAD = "see_ahead"
    SEE_CONNECTIONS = "see_connections"
    SEE_ATTEMPTS = "see_attempts"
    SEE_ERASURES = "see_erasures"
    SEE_ENDPOINTS = "see_endpoints"
    OWN_SERVER = "own_server"
    SETTINGS = "settings"
    SET_PUBLIC_URL = "set_public_url"
    SEE_CHANNELS = "see_channels"
    NONE = ""


class Problem(StrEnum):
    """Everything that can be wrong, or wait for someone, with anything."""

    NONE = ""
    # of a connection
    UNSURE = "unsure"
    UNHEALTHY = "unhealthy"
    STILL_UNHEALTHY = "still_unhealthy"
    INVALID = "invalid"
    MISSING_SCOPES = "missing_scopes"
    HOST_SETTING = "host_setting"
    USER_INACTIVE = "user_inactive"
    OTHER_USER = "other_user"
    NO_TOKEN = "no_token"  # noqa: S105 - no password
    NO_ANSWER = "no_answer"
    OWN_SERVER = "own_server"
    OWN_SERVER_STRANGERS = "own_server_strangers"
    AUTHORIZE_ELSEWHERE = "authorize_elsewhere"
    # of a workspace
    KEY_REFUSED = "key_refused"
    KEY_UNCHECKED = "key_unchecked"
    KEY_OUTDATED = "key_outdated"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED = "not_allowed"
    # of a zoom app
    PAIR_REFUSED = "pair_refused"
    APP_DISABLED = "app_disabled"
    PAIR_DOUBTED = "pair_doubted"
    PAIR_DIFFERS = "pair_differs"
    PAIR_UNCHECKED = "pair_unchecked"
    PAIR_OUTDATED = "pair_outdated"
    NOT_IN_RECALL = "not_in_recall"
    GONE_FROM_RECALL = "gone_from_recall"
    ZOOM_DISABLED = "zoom_disabled"
    ZOOM_SECRET = "zoom_secret"  # noqa: S105 - no password
    UNREACHABLE = "unreachable"
    VALIDATION_FAILS = "validation_fails"
    NEVER_VALIDATED = "never_validated"
    VALIDATION_AWAITED = "validation_awaited"
    VALIDATION_OVERDUE = "validation_overdue"
    RECALL_SECRET = "recall_secret"  # noqa: S105 - no password
    RECALL_ANSWERS_WRONG = "recall_answers_wrong"
    RECALL_DISAGREES = "recall_disagrees"
    RECALL_UNTESTED = "recall_untested"
    NOT_PROVEN = "not_proven"
    SILENT = "silent"
    ALL_REJECTED = "all_rejected"
    NO_WORKER = "no_worker"
    # of delivery
    PAUSED = "paused"
    RECALL_DOWN = "recall_down"
    WEBHOOK_FAILED = "webhook_failed"
    WEBHOOK_REJECTED = "webhook_rejected"
    WEBHOOK_QUEUED = "webhook_queued"
    WEBHOOK_WAITS_FOR_APP = "webhook_waits_for_app"
    NOT_FORWARDED = "not_forwarded"
    ANSWERED_IN_FRONT = "answered_in_front"
    ZOOM_GOT_NO_ANSWER = "zoom_got_no_answer"
    ANSWERED_HERE = "answered_here"
    ZOOM_GOT_RECALLS = "zoom_got_recalls"
    # of the installation
    UNCHECKABLE = "uncheckable"
    LOST_ATTEMPTS = "lost_attempts"
    SECRETS_UNSENT = "secrets_unsent"
    DELETION_LATE = "deletion_late"
    ENDPOINT_PAUSED = "endpoint_paused"
    RESTORED = "restored"
    CLOCK_WRONG = "clock_wrong"
    PROXY_NOT_TRUSTED = "proxy_not_trusted"
    AUDIT_BROKEN = "audit_broken"
    AUDIT_STREAM = "audit_stream"
    SECRETS_OLD = "secrets_old"
    CALLS_UNVERIFIED = "calls_unverified"
    CALLS_UNSIGNED = "calls_unsigned"
    CALL_REJECTED = "call_rejected"
    PUBLIC_URL = "public_url"
    REFUSED_MANY = "refused_many"
    HEALTHY_SHARE = "healthy_share"
    CHANNEL_FAILS = "channel_fails"
    DISK_FULL = "disk_full"
    KEYS_WRONG = "keys_wrong"
    # of a question to Explain
    NOT_UNDERSTOOD = "not_understood"
    NO_NUMBER = "no_number"
    EMAIL_NOT_CONNECTED = "email_not_connected"
    UNKNOWN_MEETING = "unknown_meeting"
    EMAIL_UNKNOWN = "email_unknown"
    UNKNOWN = "unknown"
    ACCOUNT_OF_USERS = "account_of_users"
    MEETING_DELETED = "meeting_deleted"
    PMI_TWICE = "pmi_twice"
    OTHER_HOST = "other_host"
    FORMER_PMI = "former_pmi"
    LEFT = "left"
    OTHER_ACCOUNT = "other_account"
    WRONG_ACCOUNT = "wrong_account"
    DECLINED = "declined"
    OTHERS_CAME_BACK = "others_came_back"
    REDIRECT_DOUBTED = "redirect_doubted"
    CAME_TOO_LATE = "came_too_late"
    OTHER_BROWSER = "other_browser"
    ATTEMPT_REFUSED = "attempt_refused"
    AT_ZOOM = "at_zoom"
    DISCONNECTED = "disconnected"
    INVITE_AGAIN = "invite_again"
    INVITATION_OPENED = "invitation_opened"
    INVITED = "invited"
    HOST_NOT_CONNECTED = "host_not_connected"
    HEALTHY_THEN = "healthy_then"
    SYNC_FAILED = "sync_failed"
    SYNCING = "syncing"
    LIST_UNREAD = "list_unread"
    SYNC = "sync"
    NOT_MAPPED = "not_mapped"
    NO_EVENTS = "no_events"
    PMI_NOT_MAPPED = "pmi_not_mapped"
    MEETING_UNHEARD = "meeting_unheard"
    NEVER_HEARD_OF = "never_heard_of"
    NEXT_BOT = "next_bot"
    CHECK_THE_BOT = "check_the_bot"
    NOTHING_TO_DO = "nothing_to_do"
    DEAF = "deaf"
    PASTE_A_MEETING = "paste_a_meeting"
    APP_FINE = "app_fine"
    HOST_UNNAMED = "host_unnamed"


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Who must act about a problem, and how.

    Attributes:
        next_step: As a sentence; "" when all is well.
        act: Where it is done.
    """

    who: Who
    next_step: str = ""
    act: Act = Act.NONE


_WAITS = "No action needed. We'll check again automatically."
_LINK = "Send the user a reconnect link."
_VALIDATE = (
    "In Zoom, check that the event subscription is enabled, then press Validate."
)

_REMEDIES = {
    Problem.NONE: Remedy(who=Who.NOBODY, act=Act.CHECK),
    Problem.UNSURE: Remedy(who=Who.NOBODY, next_step=_WAITS, act=Act.CHECK),
    Problem.UNHEALTHY: Remedy(
        who=Who.YOU,
        next_step="Press Check now to have Recall try again: the answer shows who "
        "must act.",
        act=Act.CHECK,
    ),
    Problem.STILL_UNHEALTHY: Remedy(
        who=Who.USER,
        next_step=f"Recall tried it again and it still fails. {_LINK}",
        act=Act.RECONNECT,
    ),
    Problem.INVALID: Remedy(who=Who.USER, next_step=_LINK, act=Act.RECONNECT),
    Problem.MISSING_SCOPES: Remedy(
        who=Who.USER,
        next_step="Check that the scope is added in Zoom Marketplace, then send the "
        "user a reconnect link.",
        act=Act.RECONNECT,
    ),
    Problem.HOST_SETTING: Remedy(
        who=Who.HOST,
        next_step="Ask the host, or the admin of their Zoom account, to let "
        "participants record locally.",
        act=Act.CHECK,
    ),
    Problem.USER_INACTIVE: Remedy(
        who=Who.HOST,
        next_step="Ask the admin of the user's Zoom account to activate the user. A "
        "user who left the account can't be reached any more: disconnect them.",
        act=Act.CHECK,
    ),
    Problem.OTHER_USER: Remedy(
        who=Who.ADMIN,
        next_step="Disconnect this user and send a new invitation. If it happens "
        "again, ask Recall whose credential it is.",
        act=Act.CHECK,
    ),
    Problem.NO_TOKEN: Remedy(
        who=Who.YOU,
        next_step="Press Check now on another connection of the app. If that one "
        "works, send this user a reconnect link; if not, an admin must press Update in "
        "Recall.",
        act=Act.CHECK,
    ),
    Problem.NO_ANSWER: Remedy(
        who=Who.ADMIN,
        next_step="Read Zoom's answer; the Zoom app's page may show more.",
        act=Act.ZOOM_APP,
    ),
    Problem.OWN_SERVER: Remedy(
        who=Who.ADMIN,
        next_step="Fix on your token server what the reason says, then press Check "
        "now.",
        act=Act.CHECK,
    ),
    Problem.OWN_SERVER_STRANGERS: Remedy(
        who=Who.ADMIN,
        next_step="Have your token server answer 404 for a user it doesn't know. It is "
        "asked again daily, and by Test token server on a connection's page.",
        act=Act.OWN_SERVER,
    ),
    Problem.AUTHORIZE_ELSEWHERE: Remedy(
        who=Who.USER,
        next_step="They need to authorize the app again in your own product. Then "
        "press Check now.",
        act=Act.CHECK,
    ),
    Problem.KEY_REFUSED: Remedy(
        who=Who.ADMIN,
        next_step="Enter a valid API key in the workspace.",
        act=Act.WORKSPACES,
    ),
    Problem.KEY_UNCHECKED: Remedy(who=Who.NOBODY, next_step=_WAITS, act=Act.WORKSPACES),
    Problem.KEY_OUTDATED: Remedy(who=Who.NOBODY, next_step=_WAITS, act=Act.WORKSPACES),
    Problem.NO_CREDIT: Remedy(
        who=Who.ADMIN,
        next_step="Add credit to the workspace in Recall.",
        act=Act.WORKSPACES,
    ),
    Problem.NOT_ALLOWED: Remedy(
        who=Who.ADMIN,
        next_step="Check the workspace's API key.",
        act=Act.WORKSPACES,
    ),
    Problem.PAIR_REFUSED: Remedy(
        who=Who.ADMIN,
        next_step="Fix the Zoom app's client secret here and in Recall.",
        act=Act.EDIT_APP,
    ),
    Problem.APP_DISABLED: Remedy(
        who=Who.ADMIN,
        next_step="Activate the app in Zoom's Marketplace, then press Verify again.",
        act=Act.VERIFY,
    ),
    Problem.PAIR_DOUBTED: Remedy(
        who=Who.NOBODY,
        next_step="No action needed yet. Zoom is asked about the pair now.",
        act=Act.VERIFY,
    ),
    Problem.PAIR_DIFFERS: Remedy(
        who=Who.ADMIN, next_step="Press Update in Recall.", act=Act.UPDATE_IN_RECALL
    ),
    Problem.PAIR_UNCHECKED: Remedy(
        who=Who.ADMIN, next_step="Press Verify again.", act=Act.VERIFY
    ),
    Problem.PAIR_OUTDATED: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. Zoom is asked again automatically; Verify again "
        "asks now.",
        act=Act.VERIFY,
    ),
    Problem.NOT_IN_RECALL: Remedy(
        who=Who.ADMIN,
        next_step="Create the Zoom app in Recall, or adopt the existing one.",
        act=Act.CREATE_IN_RECALL,
    ),
    Problem.GONE_FROM_RECALL: Remedy(
        who=Who.ADMIN,
        next_step="Create it again in Recall, or adopt an existing app.",
        act=Act.CREATE_IN_RECALL,
    ),
    Problem.ZOOM_DISABLED: Remedy(
        who=Who.ADMIN,
        next_step="First fix what made the validation fail. Then re-enable the event "
        "subscription in Zoom, press Validate, then Save.",
        act=Act.SEE_URL,
    ),
    Problem.ZOOM_SECRET: Remedy(
        who=Who.ADMIN,
        next_step="Edit the credentials: copy Secret Token from Zoom, Features, "
        "Access, same environment.",
        act=Act.EDIT_APP,
    ),
    Problem.UNREACHABLE: Remedy(
        who=Who.ADMIN,
        next_step="Make the webhook URL reachable again. Zoom would see the same "
        "error, and drops events it can't deliver.",
        act=Act.SEE_URL,
    ),
    Problem.VALIDATION_FAILS: Remedy(
        who=Who.ADMIN,
        next_step="Fix what the validation found, then press Validate in Zoom. After "
        "6 failures in a row, Zoom stops sending.",
        act=Act.SEE_URL,
    ),
    Problem.NEVER_VALIDATED: Remedy(
        who=Who.ADMIN,
        next_step="Paste the webhook URL in Zoom, then press Validate.",
        act=Act.SEE_URL,
    ),
    Problem.VALIDATION_AWAITED: Remedy(
        who=Who.ADMIN, next_step="Press Validate in Zoom.", act=Act.SEE_URL
    ),
    Problem.VALIDATION_OVERDUE: Remedy(
        who=Who.ADMIN, next_step=_VALIDATE, act=Act.SEE_URL
    ),
    Problem.RECALL_SECRET: Remedy(
        who=Who.ADMIN, next_step="Press Update in Recall.", act=Act.UPDATE_IN_RECALL
    ),
    Problem.RECALL_ANSWERS_WRONG: Remedy(
        who=Who.ADMIN,
        next_step="Press Test now once Recall is back.",
        act=Act.TEST,
    ),
    Problem.RECALL_DISAGREES: Remedy(
        who=Who.ADMIN, next_step="Press Test now.", act=Act.TEST
    ),
    Problem.RECALL_UNTESTED: Remedy(
        who=Who.ADMIN, next_step="Press Test now.", act=Act.TEST
    ),
    Problem.NOT_PROVEN: Remedy(
        who=Who.NOBODY,
        next_step="No action needed yet. Our own tests run now; Validate in Zoom "
        "proves it at once.",
        act=Act.SEE_URL,
    ),
    Problem.SILENT: Remedy(
        who=Who.ADMIN,
        next_step="In Zoom, check that the event subscription is still enabled. If "
        "not, re-enable it, press Validate, then Save.",
        act=Act.SEE_URL,
    ),
    Problem.ALL_REJECTED: Remedy(
        who=Who.ADMIN,
        next_step="Each rejected request says what to fix.",
        act=Act.SEE_REFUSED,
    ),
    Problem.NO_WORKER: Remedy(
        who=Who.OPERATOR, next_step="Start the background worker."
    ),
    Problem.PAUSED: Remedy(
        who=Who.ADMIN,
        next_step="Fix what Recall says. Delivery resumes when a test succeeds.",
        act=Act.ZOOM_APP,
    ),
    Problem.RECALL_DOWN: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. Delivery resumes when a test succeeds.",
        act=Act.SEE_WAITING,
    ),
    Problem.WEBHOOK_FAILED: Remedy(
        who=Who.ADMIN,
        next_step="Resend what failed. Until then Recall doesn't know about it.",
        act=Act.SEE_FAILED,
    ),
    Problem.WEBHOOK_REJECTED: Remedy(
        who=Who.ADMIN,
        next_step="See Recall's response. If it is rejected again, it has failed.",
        act=Act.SEE_WAITING,
    ),
    Problem.WEBHOOK_QUEUED: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. It will be sent automatically.",
        act=Act.SEE_WAITING,
    ),
    Problem.WEBHOOK_WAITS_FOR_APP: Remedy(
        who=Who.ADMIN,
        next_step="Create the Zoom app in Recall. It will be sent right after.",
        act=Act.CREATE_IN_RECALL,
    ),
    Problem.NOT_FORWARDED: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. If Zoom posts only here, an admin sets the "
        "routing to relay.",
        act=Act.ZOOM_APP,
    ),
    Problem.ANSWERED_IN_FRONT: Remedy(
        who=Who.OPERATOR,
        next_step="Look at that time in the log of the proxy or firewall in front of "
        "the dashboard, and let Zoom's requests through.",
    ),
    Problem.ZOOM_GOT_NO_ANSWER: Remedy(
        who=Who.OPERATOR,
        next_step="Check that the public URL can be reached from outside: DNS, "
        "firewall, certificate.",
    ),
    Problem.ANSWERED_HERE: Remedy(
        who=Who.OPERATOR,
        next_step="Compare the rejected requests and the logs of the dashboard and of "
        "the proxy at that time.",
        act=Act.SEE_REFUSED,
    ),
    Problem.ZOOM_GOT_RECALLS: Remedy(
        who=Who.ADMIN,
        next_step="If Recall rejects what Zoom sends, save the secret token again "
        "here, then press Update in Recall.",
        act=Act.UPDATE_IN_RECALL,
    ),
    Problem.UNCHECKABLE: Remedy(
        who=Who.ADMIN,
        next_step="Open them: each connection says what to fix.",
        act=Act.SEE_CONNECTIONS,
    ),
    Problem.LOST_ATTEMPTS: Remedy(
        who=Who.ADMIN,
        next_step="Compare the redirect URL in Zoom with the Zoom app's here, "
        "including the trailing slash.",
        act=Act.SEE_ATTEMPTS,
    ),
    Problem.SECRETS_UNSENT: Remedy(
        who=Who.ADMIN,
        next_step="Open the app: it shows the reason and the next attempt.",
        act=Act.ZOOM_APP,
    ),
    Problem.DELETION_LATE: Remedy(
        who=Who.ADMIN,
        next_step="Open the data deletions: each says what is left to do.",
        act=Act.SEE_ERASURES,
    ),
    Problem.ENDPOINT_PAUSED: Remedy(
        who=Who.ADMIN,
        next_step="Fix your server, then press Resume on the endpoint's page: what "
        "waits is sent.",
        act=Act.SEE_ENDPOINTS,
    ),
    Problem.RESTORED: Remedy(
        who=Who.OPERATOR,
        next_step="Compare the secrets with Zoom, and delete again what was deleted.",
    ),
    Problem.CLOCK_WRONG: Remedy(
        who=Who.OPERATOR, next_step="Set the clock of this server (NTP)."
    ),
    Problem.PROXY_NOT_TRUSTED: Remedy(
        who=Who.OPERATOR,
        next_step="Set DASHBOARD_TRUSTED_PROXIES to the number of proxies in front, "
        "and restart.",
    ),
    Problem.AUDIT_BROKEN: Remedy(
        who=Who.OPERATOR,
        next_step="Run `dashboard audit verify`, and compare the log with a backup "
        "and the stream.",
    ),
    Problem.AUDIT_STREAM: Remedy(
        who=Who.OPERATOR,
        next_step="Make the place that DASHBOARD_AUDIT_STREAM names writable again.",
    ),
    Problem.SECRETS_OLD: Remedy(
        who=Who.ADMIN,
        next_step="Replace them, one after the other. Settings lists them with their "
        "ages.",
        act=Act.SETTINGS,
    ),
    Problem.CALLS_UNVERIFIED: Remedy(
        who=Who.ADMIN,
        next_step="Create a verification secret in Recall and save it in the "
        "workspace.",
        act=Act.WORKSPACES,
    ),
    Problem.CALLS_UNSIGNED: Remedy(
        who=Who.ADMIN,
        next_step="Turn on the signature requirement in the workspace.",
        act=Act.WORKSPACES,
    ),
    Problem.CALL_REJECTED: Remedy(
        who=Who.ADMIN,
        next_step="Check that the verification secret exists in Recall.",
        act=Act.WORKSPACES,
    ),
    Problem.PUBLIC_URL: Remedy(
        who=Who.OPERATOR,
        next_step="Set DASHBOARD_PUBLIC_URL to a public HTTPS host name.",
        act=Act.SET_PUBLIC_URL,
    ),
    Problem.REFUSED_MANY: Remedy(
        who=Who.ADMIN,
        next_step="Each rejected request says what to fix. Requests of strangers need "
        "no action.",
        act=Act.SEE_REFUSED,
    ),
    Problem.HEALTHY_SHARE: Remedy(
        who=Who.ADMIN,
        next_step="Open them: each connection says what to fix.",
        act=Act.SEE_CONNECTIONS,
    ),
    Problem.CHANNEL_FAILS: Remedy(
        who=Who.ADMIN,
        next_step="Fix what it says, then press Send a test on the channel's page.",
        act=Act.SEE_CHANNELS,
    ),
    Problem.DISK_FULL: Remedy(
        who=Who.OPERATOR,
        next_step="Free space there, or lower DASHBOARD_WEBHOOK_RETENTION_DAYS.",
    ),
    Problem.KEYS_WRONG: Remedy(
        who=Who.OPERATOR,
        next_step="Put the former key back into DASHBOARD_ENCRYPTION_KEYS, behind a "
        "comma, and restart.",
    ),
    Problem.NOT_UNDERSTOOD: Remedy(
        who=Who.YOU,
        next_step="Paste one of them.",
    ),
    Problem.NO_NUMBER: Remedy(
        who=Who.YOU,
        next_step="Paste the meeting number shown in Zoom, or the host's email.",
    ),
    Problem.EMAIL_NOT_CONNECTED: Remedy(
        who=Who.YOU,
        next_step="Invite them. If they say that they have connected, ask with which "
        "Zoom account.",
    ),
    Problem.UNKNOWN_MEETING: Remedy(
        who=Who.YOU,
        next_step="Ask who scheduled it, and paste their email with the number.",
    ),
    Problem.EMAIL_UNKNOWN: Remedy(
        who=Who.YOU,
        next_step="Check the spelling. If it's correct, invite them.",
    ),
    Problem.UNKNOWN: Remedy(
        who=Who.YOU,
        next_step="Check the spelling. If it's correct, this person hasn't connected.",
    ),
    Problem.ACCOUNT_OF_USERS: Remedy(
        who=Who.YOU,
        next_step="Paste one user's email or a meeting number.",
    ),
    Problem.MEETING_DELETED: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. If the meeting takes place, ask for its new "
        "number.",
    ),
    Problem.OTHER_HOST: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings: Recall reads the meetings again. If it stays "
        "so, look the host up by that ID.",
    ),
    Problem.PMI_TWICE: Remedy(
        who=Who.YOU,
        next_step="Press Check now on each of them to see whose PMI has changed.",
    ),
    Problem.FORMER_PMI: Remedy(
        who=Who.USER,
        next_step="Ask the user for the link with their current PMI.",
    ),
    Problem.LEFT: Remedy(
        who=Who.USER,
        next_step="They need to connect again if they want bots to record.",
    ),
    Problem.OTHER_ACCOUNT: Remedy(
        who=Who.USER,
        next_step="They need to connect again while signed in to Zoom with the "
        "account that created the meeting. Only its creator's connection "
        "counts.",
    ),
    Problem.WRONG_ACCOUNT: Remedy(
        who=Who.USER,
        next_step="They need to sign out of Zoom and open the invitation again with "
        "the right account.",
    ),
    Problem.DECLINED: Remedy(
        who=Who.USER,
        next_step="Explain what is read and why. Send the user a new invitation.",
    ),
    Problem.OTHERS_CAME_BACK: Remedy(
        who=Who.YOU,
        next_step="Ask the user what Zoom showed.",
    ),
    Problem.REDIRECT_DOUBTED: Remedy(
        who=Who.ADMIN,
        next_step="Compare the redirect URL in Zoom with the Zoom app's here, "
        "including the trailing slash. Then ask the user to try again.",
    ),
    Problem.CAME_TOO_LATE: Remedy(
        who=Who.USER,
        next_step="They need to open the link again and approve within 10 minutes.",
    ),
    Problem.OTHER_BROWSER: Remedy(
        who=Who.USER,
        next_step="They need to open the link again and stay in one browser that "
        "allows cookies.",
    ),
    Problem.ATTEMPT_REFUSED: Remedy(
        who=Who.ADMIN,
        next_step="See the response below. Once the problem is fixed, the user can "
        "open the link again.",
    ),
    Problem.AT_ZOOM: Remedy(
        who=Who.USER,
        next_step="Ask what they see. If it is Invalid redirect (4,700), an admin "
        "must fix the redirect URL.",
    ),
    Problem.DISCONNECTED: Remedy(
        who=Who.USER,
        next_step="Send the user a new invitation.",
    ),
    Problem.INVITE_AGAIN: Remedy(
        who=Who.YOU,
        next_step="Send the user a new invitation.",
    ),
    Problem.INVITATION_OPENED: Remedy(
        who=Who.USER,
        next_step="They need to press Connect again and finish at Zoom.",
    ),
    Problem.INVITED: Remedy(
        who=Who.USER,
        next_step="They need to open the invitation and press Connect. Send it again "
        "if it was lost.",
    ),
    Problem.HOST_NOT_CONNECTED: Remedy(
        who=Who.USER,
        next_step="Send them the connect link. They need to use the Zoom account that"
        " creates the meetings.",
    ),
    Problem.HEALTHY_THEN: Remedy(
        who=Who.YOU,
        next_step="Press Check now, then ask again.",
    ),
    Problem.SYNC_FAILED: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings. If it fails again, Recall's log of the "
        "credential says why.",
    ),
    Problem.SYNCING: Remedy(
        who=Who.NOBODY,
        next_step="Wait a few minutes, then ask again.",
    ),
    Problem.LIST_UNREAD: Remedy(
        who=Who.YOU,
        next_step="Ask Recall below, or press Check now on the connection.",
    ),
    Problem.SYNC: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings: Recall reads the meetings again.",
    ),
    Problem.NOT_MAPPED: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings. If it stays unmapped, Recall's log of the "
        "credential says why.",
    ),
    Problem.NO_EVENTS: Remedy(
        who=Who.ADMIN,
        next_step="Fix the Zoom app's webhooks, then press Sync meetings.",
    ),
    Problem.PMI_NOT_MAPPED: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings: Recall reads the PMI again.",
    ),
    Problem.MEETING_UNHEARD: Remedy(
        who=Who.ADMIN,
        next_step="Fix the Zoom app's webhooks. Then press Sync meetings on the "
        "connection.",
    ),
    Problem.NEVER_HEARD_OF: Remedy(
        who=Who.YOU,
        next_step="Press Sync meetings, then ask Recall below.",
    ),
    Problem.NEXT_BOT: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. The next bot should get a token.",
    ),
    Problem.CHECK_THE_BOT: Remedy(
        who=Who.YOU,
        next_step="If the bot still asked, check in this order: does the host's Zoom "
        "let participants record, was the host in the meeting, did the bot "
        "wait in the waiting room, did someone press Deny? In another "
        "account's meeting it also needs a ZAK or OBF token, required since"
        " 2 March 2026.",
    ),
    Problem.NOTHING_TO_DO: Remedy(
        who=Who.NOBODY,
        next_step="No action needed.",
    ),
    Problem.DEAF: Remedy(
        who=Who.ADMIN,
        next_step="Fix the Zoom app's webhooks.",
    ),
    Problem.PASTE_A_MEETING: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. To find out about one meeting, paste its number.",
    ),
    Problem.APP_FINE: Remedy(
        who=Who.NOBODY,
        next_step="No action needed. Paste a user or a meeting.",
    ),
    Problem.HOST_UNNAMED: Remedy(
        who=Who.YOU,
        next_step="Paste the host's email with the number.",
    ),
}


def remedy(problem: Problem) -> Remedy:
    """Return who must act about a problem, the next step, and where it is done."""
    return _REMEDIES[problem]


@dataclass(frozen=True, kw_only=True)
class Fact:
    """How one thing stands: a part of a zoom app, a workspace, a webhook.

    Attributes:
        word: Its state, as a chip has it: "Valid", "Delivery paused".
        tone: "good", "waiting", "trouble" or "off".
        sentence: What is so, without the name of what it is about.
        reason: What that stands on and what follows from it; may be empty.
        since: When this state began; None where that is not known.
        proof: What was answered then; "" where that is not stored.
        proof_at: When it was last seen.
        valid_until: Until when the proof holds, for what expires.
        next_check: When it is checked next, where that is planned.
        step: The next step, if it names something that a problem's does not.
    """

    problem: Problem = Problem.NONE
    word: str
    tone: str
    sentence: str
    reason: str = ""
    since: datetime | None = None
    proof: str = ""
    proof_at: datetime | None = None
    valid_until: datetime | None = None
    next_check: datetime | None = None
    step: str = ""

    @property
    def state(self) -> str:
        """The state as a word for programs: a problem's, or "ok"."""
        return self.problem.value or "ok"

    @property
    def who(self) -> Who:
        """Who must act."""
        return remedy(self.problem).who

    @property
    def next_step(self) -> str:
        """What they should do, as a sentence; "" when all is well."""
        return self.step or remedy(self.problem).next_step

    @property
    def act(self) -> Act:
        """Where that is done."""
        return remedy(self.problem).act

    def as_dict(self) -> dict[str, object]:
        """Return all of it for JSON, instants as they are."""
        return {
            "state": self.state,
            "word": self.word,
            "tone": self.tone,
            "sentence": self.sentence,
            "reason": self.reason,
            "since": self.since,
            "proof": self.proof,
            "proof_at": self.proof_at,
            "valid_until": self.valid_until,
            "who": self.who.value,
            "next_step": self.next_step,
            "next_check": self.next_check,
        }
