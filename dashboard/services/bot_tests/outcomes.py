"""What the steps of a bot mean: recorded or not, why not, and who must act. Pure.

Recall's codes and sub codes: docs/contracts/recall.md 3.9, checked 2026-11-30. A code
that is not known here is shown as it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.services.facts.acting import Who

DENIED, FATAL = "recording_permission_denied", "fatal"
ALLOWED, RECORDING = "recording_permission_allowed", "in_call_recording"
_WAITING, _IN_CALL = "in_waiting_room", "in_call_not_recording"
_CALL_ENDED = "call_ended"
_ENDED = {_CALL_ENDED, "done", FATAL}
_REFUSALS = {DENIED, FATAL}


class State(StrEnum):
    """How far a bot is."""

    NOT_SENT = "not_sent"
    JOINING = "joining"
    WAITING = "waiting"
    IN_CALL = "in_call"
    RECORDED = "recorded"  # it was allowed to record, whatever came later
    DENIED = "denied"
    FAILED = "failed"
    ENDED = "ended"  # without a word about recording

    @property
    def word(self) -> str:
        """The state in words."""
        return _WORDS[self]

    @property
    def tone(self) -> str:
        """The status tone: "good", "waiting" or "trouble"."""
        if self is State.RECORDED:
            return "good"
        is_over = self in {State.NOT_SENT, State.DENIED, State.FAILED, State.ENDED}
        return "trouble" if is_over else "waiting"


_WORDS = {
    State.NOT_SENT: "No bot was sent",
    State.JOINING: "Joining",
    State.WAITING: "In the waiting room",
    State.IN_CALL: "In the meeting",
    State.RECORDED: "Recorded without asking",
    State.DENIED: "Not allowed to record",
    State.FAILED: "Did not get in",
    State.ENDED: "Left without recording",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a bot, in Recall's codes."""

    code: str
    sub_code: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a bot.

    Attributes:
        sentence: What was seen.
        next_step: What to do; "" when there is nothing to do.
        sub_code: Recall's, if there is one.
        lacks_token: Whether the bot had no join token, or none that works: then the
            connection says more.
    """

    state: State
    sentence: str
    who: Who = Who.NOBODY
    next_step: str = ""
    sub_code: str = ""
    lacks_token: bool = False

    @property
    def is_refusal(self) -> bool:
        """Whether something keeps the bot from recording, and Recall says what."""
        refused = {State.DENIED, State.FAILED, State.WAITING}
        return self.state in refused or self.sub_code != ""


@dataclass(frozen=True, kw_only=True)
class _Reason:
    sentence: str
    who: Who
    next_step: str
    lacks_token: bool = False


_CONNECTION = (
    "Open the connection: its meetings must be mapped and its join token work. Then "
    "send the bot again."
)
_REASONS: dict[str, _Reason] = {
    "zoom_local_recording_disabled": _Reason(
        sentence="Recording to computer files is switched off for the host.",
        who=Who.HOST,
        next_step="The host, or their Zoom admin, switches on Settings > Recording > "
        "Record to computer files.",
    ),
    "zoom_local_recording_request_disabled": _Reason(
        sentence="Participants may not ask for permission to record, and the bot had "
        "no join token.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "zoom_local_recording_request_disabled_by_host": _Reason(
        sentence="The host switched off requests to record in this meeting, and the "
        "bot had no join token.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "zoom_local_recording_request_denied_by_host": _Reason(
        sentence="The bot had to ask, and the host declined: no join token was used.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "zoom_local_recording_denied": _Reason(
        sentence="Zoom did not let the bot record.",
        who=Who.HOST,
        next_step="The host checks Settings > Recording in Zoom: internal and external "
        "participants may be allowed to record.",
    ),
    "zoom_host_not_present": _Reason(
        sentence="The bot had to ask the host, who was not in the meeting: no join "
        "token was used.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "zoom_bot_in_waiting_room": _Reason(
        sentence="The bot stayed in the waiting room.",
        who=Who.HOST,
        next_step="The host admits the bot, or the bot gets the host's ZAK "
        "(zoom.zak_url).",
    ),
    "zoom_local_recording_grant_not_supported": _Reason(
        sentence="The host's Zoom client can't give permission to record.",
        who=Who.HOST,
        next_step="The host updates Zoom, or joins from a computer.",
    ),
    "zoom_sdk_key_blocked_by_host_admin": _Reason(
        sentence="The Zoom admin of the host's account blocks the bot's app.",
        who=Who.HOST,
        next_step="The host's Zoom admin allows the app in the Marketplace: Manage > "
        "Permissions.",
    ),
    "zoom_sdk_app_not_published": _Reason(
        sentence="The bot's Meeting SDK app is not published, so it joins meetings of "
        "its own account only.",
        who=Who.ADMIN,
        next_step="Publish the Meeting SDK app in Zoom, or ask Recall to use theirs.",
    ),
    "zoom_invalid_signature": _Reason(
        sentence="Zoom did not accept the bot's Meeting SDK credentials.",
        who=Who.ADMIN,
        next_step="Check the Meeting SDK credentials in Recall's dashboard.",
    ),
    "zoom_invalid_join_token": _Reason(
        sentence="Zoom did not accept the join token.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "zoom_sdk_credentials_missing": _Reason(
        sentence="Recall has no Meeting SDK credentials for this bot.",
        who=Who.ADMIN,
        next_step="Enter them in Recall's dashboard, or ask Recall to use theirs.",
    ),
    "zoom_obf_user_not_in_meeting": _Reason(
        sentence="The bot joins on behalf of a user who was not in the meeting.",
        who=Who.HOST,
        next_step="Send the bot after that user has joined.",
    ),
    "zoom_requires_rtms": _Reason(
        sentence="The host's account allows real-time media streams only, and no bots.",
        who=Who.HOST,
        next_step="The host's Zoom admin allows bots, or RTMS is used instead.",
    ),
    "meeting_requires_sign_in": _Reason(
        sentence="Only people signed in to Zoom may join this meeting, and the bot "
        "was not.",
        who=Who.HOST,
        next_step="The host switches off Require authentication to join, or the bot "
        "gets the host's ZAK (zoom.zak_url).",
    ),
    "automated_bots_not_allowed": _Reason(
        sentence="The host's account does not let automated bots join.",
        who=Who.HOST,
        next_step="Ask the host's Zoom admin to let bots join.",
    ),
    "meeting_requires_registration": _Reason(
        sentence="Participants of this meeting must register, and the bot did not.",
        who=Who.HOST,
        next_step="The host registers the bot, and it is sent to the link for that "
        "registration.",
    ),
    "zoom_registration_required": _Reason(
        sentence="Participants of this meeting must register, and the bot did not.",
        who=Who.HOST,
        next_step="The host registers the bot, and it is sent to the link for that "
        "registration.",
    ),
    "zoom_email_blocked_by_admin": _Reason(
        sentence="The host's Zoom admin does not let the account join that the bot "
        "signs in with.",
        who=Who.HOST,
        next_step="The host's Zoom admin allows that account.",
    ),
    "zoom_captcha_required": _Reason(
        sentence="Zoom asked the bot to solve a captcha.",
        who=Who.HOST,
        next_step="The host's Zoom admin lets guests join without one.",
    ),
    "zoom_web_disallowed": _Reason(
        sentence="The host does not let anyone join from a browser, and the bot joins "
        "like one.",
        who=Who.HOST,
        next_step="The host switches off end-to-end encryption, or lets people join "
        "from a browser.",
    ),
    "zoom_meeting_not_accessible": _Reason(
        sentence="Zoom did not let the bot into the meeting.",
        who=Who.HOST,
        next_step="The host checks who may join, under Settings > Meeting > Security "
        "in Zoom.",
    ),
    "zoom_meeting_host_inactive": _Reason(
        sentence="Zoom has disabled or restricted the host.",
        who=Who.HOST,
        next_step="The host asks their Zoom admin.",
    ),
    "zoom_another_meeting_in_progress": _Reason(
        sentence="The host was in another meeting.",
        who=Who.HOST,
        next_step="The host ends it, then the bot is sent again.",
    ),
    "meeting_locked": _Reason(
        sentence="The meeting was locked.",
        who=Who.HOST,
        next_step="The host unlocks it, then the bot is sent again.",
    ),
    "meeting_full": _Reason(
        sentence="The meeting was full.",
        who=Who.HOST,
        next_step="The host makes room, then the bot is sent again.",
    ),
    "meeting_not_started": _Reason(
        sentence="The meeting had not started.",
        who=Who.HOST,
        next_step="Send the bot after the host has started it.",
    ),
    "timeout_exceeded_waiting_room": _Reason(
        sentence="The bot stayed in the waiting room until its time was up.",
        who=Who.HOST,
        next_step="The host admits the bot, or the bot gets the host's ZAK "
        "(zoom.zak_url).",
    ),
    "call_ended_by_platform_waiting_room_timeout": _Reason(
        sentence="The bot stayed in the waiting room until Zoom removed it.",
        who=Who.HOST,
        next_step="The host admits the bot, or the bot gets the host's ZAK "
        "(zoom.zak_url).",
    ),
    "bot_kicked_from_waiting_room": _Reason(
        sentence="The host removed the bot from the waiting room.",
        who=Who.HOST,
        next_step="Ask the host, then send the bot again.",
    ),
    "bot_kicked_from_call": _Reason(
        sentence="The host removed the bot from the meeting.",
        who=Who.HOST,
        next_step="Ask the host, then send the bot again.",
    ),
    "timeout_exceeded_noone_joined": _Reason(
        sentence="The bot left because the meeting stayed empty.",
        who=Who.HOST,
        next_step="Send the bot when the meeting takes place.",
    ),
    "meeting_not_found": _Reason(
        sentence="Zoom knows no meeting at the link that the bot was sent to.",
        who=Who.ADMIN,
        next_step="Send the bot to the meeting's present link.",
    ),
    "meeting_link_invalid": _Reason(
        sentence="Zoom knows no meeting at the link that the bot was sent to.",
        who=Who.ADMIN,
        next_step="Send the bot to the meeting's present link.",
    ),
    "meeting_link_expired": _Reason(
        sentence="The link that the bot was sent to has expired.",
        who=Who.ADMIN,
        next_step="Send the bot to the meeting's present link.",
    ),
    "meeting_password_incorrect": _Reason(
        sentence="The passcode in the link that the bot was sent to is wrong.",
        who=Who.ADMIN,
        next_step="Send the bot to the meeting's present link, with its passcode.",
    ),
    "meeting_ended": _Reason(
        sentence="The meeting had ended when the bot came.",
        who=Who.ADMIN,
        next_step="Send the bot earlier.",
    ),
    "zoom_invalid_webinar_invite": _Reason(
        sentence="Zoom did not accept the link to the webinar.",
        who=Who.ADMIN,
        next_step="Send the bot to the link of a registered panelist or attendee.",
    ),
    "zoom_email_required": _Reason(
        sentence="Participants must give an email, and the bot gave none.",
        who=Who.ADMIN,
        next_step="Give the bot one (zoom.user_email).",
    ),
    "zoom_account_blocked": _Reason(
        sentence="Zoom has blocked the account that the bot signs in with.",
        who=Who.ADMIN,
        next_step="Give the bot the ZAK of another Zoom user.",
    ),
    "zoom_error_multiple_device_join": _Reason(
        sentence="Someone joined with the account that the bot signs in with.",
        who=Who.ADMIN,
        next_step="Give each bot the ZAK of another Zoom user.",
    ),
    "zoom_sdk_update_required": _Reason(
        sentence="A newer Meeting SDK than the bot's is required.",
        who=Who.ADMIN,
        next_step="Ask Recall.",
    ),
    "bot_errored": _Reason(
        sentence="The bot had an error at Recall.",
        who=Who.ADMIN,
        next_step="Send the bot again. If it happens again, ask Recall.",
    ),
    "failed_to_launch_in_time": _Reason(
        sentence="Recall could not start the bot in time.",
        who=Who.ADMIN,
        next_step="Send the bot again. If it happens again, ask Recall.",
    ),
    "zoom_internal_error": _Reason(
        sentence="Zoom had an error of its own.",
        who=Who.ADMIN,
        next_step="Send the bot again. If it happens again, ask Recall.",
    ),
    "zoom_join_timeout": _Reason(
        sentence="Zoom did not answer the bot in time.",
        who=Who.ADMIN,
        next_step="Send the bot again. If it happens again, ask Recall.",
    ),
    "zoom_connection_failed": _Reason(
        sentence="Zoom did not answer the bot.",
        who=Who.ADMIN,
        next_step="Send the bot again. If it happens again, ask Recall.",
    ),
    "timeout_exceeded_in_call_not_recording": _Reason(
        sentence="The bot left because it was not allowed to record.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
    "timeout_exceeded_recording_permission_denied": _Reason(
        sentence="The bot left because it was not allowed to record.",
        who=Who.ADMIN,
        next_step=_CONNECTION,
        lacks_token=True,
    ),
}
KNOWN = frozenset(_REASONS)
"""The sub codes that have a sentence here."""

_BY_WORDS = {"automated bot": "automated_bots_not_allowed"}
"""What only Recall's message names: no sub code of its own is documented for it."""


def named(code: str, sub_code: str, message: str) -> str | None:
    """Return the sub code of a step, or what its message alone says. Pure."""
    if sub_code in KNOWN or code not in _REFUSALS:
        return sub_code or None
    words = message.lower()
    found = (name for part, name in _BY_WORDS.items() if part in words)
    return next(found, sub_code or None)


def is_over(steps: Sequence[Step]) -> bool:
    """Whether nothing more is to come that matters: recorded, refused or gone."""
    codes = {step.code for step in steps}
    return bool(codes & (_ENDED | {DENIED, RECORDING}))


def not_sent(why: str) -> Verdict:
    """Return that Recall sent no bot, as far as is known, and its reason."""
    return Verdict(state=State.NOT_SENT, sentence=why)


def judge(steps: Sequence[Step]) -> Verdict:
    """Return what came of a bot until now."""
    by_code = {step.code: step for step in steps}
    is_recorded = RECORDING in by_code or ALLOWED in by_code
    refused = by_code.get(DENIED) or by_code.get(FATAL)
    if refused is None and not is_recorded:
        ended = by_code.get(_CALL_ENDED)
        refused = ended if ended is not None and ended.sub_code in KNOWN else None
    if refused is not None:
        return _refused(refused)
    if is_recorded:
        return Verdict(state=State.RECORDED, sentence=_recorded(by_code))
    if _ENDED & set(by_code):
        return Verdict(
            state=State.ENDED,
            sentence="The bot left, and Recall does not say whether it could record.",
            who=Who.HOST,
            next_step="Start the meeting, then send the bot again.",
        )
    if by_code and steps[-1].code == _WAITING:
        return Verdict(
            state=State.WAITING,
            sentence="The bot is in the waiting room.",
            who=Who.HOST,
            next_step="Admit the bot. With the host's ZAK it would skip the waiting "
            "room.",
        )
    if _IN_CALL in by_code:
        return Verdict(
            state=State.IN_CALL,
            sentence="The bot is in the meeting, not recording yet.",
        )
    return Verdict(state=State.JOINING, sentence="The bot is on its way.")


def _recorded(by_code: dict[str, Step]) -> str:
    joined, allowed = by_code.get(_IN_CALL), by_code.get(ALLOWED)
    took = ""
    if joined is not None and allowed is not None:
        seconds = max(0, round((allowed.at - joined.at).total_seconds()))
        took = f" {seconds} s after it joined"
    return f"The bot was allowed to record{took}, without asking the host."


def _refused(step: Step) -> Verdict:
    state = _STATES.get(step.code, State.ENDED)
    reason = _REASONS.get(step.sub_code or "")
    if reason is None:
        named = f" ({step.sub_code})" if step.sub_code else ""
        return Verdict(
            state=state,
            sentence=f"Recall says why in a code that is not known here{named}.",
            who=Who.ADMIN,
            next_step="Look the code up in Recall's documentation, or ask Recall.",
            sub_code=step.sub_code or "",
        )
    return Verdict(
        state=state,
        sentence=reason.sentence,
        who=reason.who,
        next_step=reason.next_step,
        sub_code=step.sub_code or "",
        lacks_token=reason.lacks_token,
    )


_STATES = {DENIED: State.DENIED, FATAL: State.FAILED}
