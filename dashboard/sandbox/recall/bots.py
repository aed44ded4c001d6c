"""Bots, as far as an end-to-end check needs them (docs/contracts/recall.md 3.9).

A bot's way is written when it is sent; each answer shows what has happened by then.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import credentials, django_rest
from dashboard.sandbox.recall.outgoing import UnreachableError, ZoomRefusedError
from dashboard.sandbox.recall.records import Bot, BotChange, Credential
from dashboard.sandbox.recall.requests import (
    FieldsError,
    RefusalError,
    current_workspace,
    current_world,
    not_found,
)
from dashboard.sandbox.recall.world import ENDED, FATAL, RecallWorld

blueprint = Blueprint("bots", __name__, url_prefix="/api/v1")
_MEETING = re.compile(r"https://[^/\s]*zoom[^/\s]*/(?:j|s|w|my)/(\d{9,12})")
_PASSWORD = re.compile(r"[?&]pwd=([^&\s#]+)")
_RECORDS_FOR_S = 20
_PAGE = 100
_AUTOMATED = "automated bots"


@blueprint.post("/bot/")
def create() -> ResponseReturnValue:
    """Send a bot to a meeting, now."""
    body, world = django_rest.checked_body("BotCreateRequest"), current_world()
    found = _MEETING.search(body["meeting_url"])
    if found is None:
        raise FieldsError({"meeting_url": ["Enter a valid meeting URL."]})
    if world.switches.bots_free == "none":
        detail = {"detail": "All ad-hoc bots are in use. Try again in 30 seconds."}
        raise RefusalError(HTTPStatus.INSUFFICIENT_STORAGE, detail, Retry_After=30)
    password = _PASSWORD.search(body["meeting_url"])
    bot = Bot(
        workspace=current_workspace(),
        id=str(uuid.uuid4()),
        link=body["meeting_url"],
        meeting_id=int(found[1]),
        meeting_password=password[1] if password else None,
        name=body.get("bot_name", "Meeting Notetaker"),
        changes=[],
    )
    bot.changes.extend(_way(world, bot))
    with world.lock:
        world.bots[bot.id] = bot
    return jsonify(bot.as_json(world.clock.now())), HTTPStatus.CREATED


@blueprint.get("/bot/")
def list_() -> ResponseReturnValue:
    """List bots, newest first, in pages with numbers and a count (1.4)."""
    world, link = current_world(), request.args.get("meeting_url")
    number = int(request.args.get("page", "1"))
    with world.lock:
        found = [
            bot.as_json(world.clock.now())
            for bot in reversed(world.bots.values())
            if bot.workspace is current_workspace()
            and link in (None, bot.link)
            and request.args.get("platform", "zoom") == "zoom"
        ]
    start, size = (number - 1) * _PAGE, len(found)
    before, after = number - 1, number + 1 if start + _PAGE < size else 0
    return jsonify(
        count=size,
        next=_at_page(after) if after else None,
        previous=_at_page(before) if before else None,
        results=found[start : start + _PAGE],
    )


def _at_page(number: int) -> str:
    return f"{request.base_url}?{urlencode({**request.args, 'page': number})}"


@blueprint.get("/bot/<bot_id>/")
def retrieve(bot_id: str) -> ResponseReturnValue:
    """Return one bot."""
    world = current_world()
    with world.lock:
        bot = world.bots.get(bot_id.lower())
        if bot is None or bot.workspace is not current_workspace():
            raise not_found()
        return jsonify(bot.as_json(world.clock.now()))


def _way(world: RecallWorld, bot: Bot) -> Iterator[BotChange]:
    """Write what will happen to a bot, second by second."""
    began = world.clock.now()

    def at(second: float, code: str, sub_code: str | None = None) -> BotChange:
        words = None
        if sub_code == _AUTOMATED:  # no sub code is documented for it
            words = "The host's account settings don't allow automated bots to join."
            sub_code = "zoom_internal_error_300"
        return BotChange(
            at=began + timedelta(seconds=second),
            code=code,
            sub_code=sub_code,
            message=words,
        )

    outcome = world.switches.bots
    yield at(0, "joining_call")
    if outcome in FATAL:
        yield at(1, "fatal", outcome)
        return
    if outcome == "waiting":
        yield at(1, "in_waiting_room")
        return
    if outcome in ENDED:
        yield at(1, "in_waiting_room")
        yield at(_RECORDS_FOR_S, "call_ended", outcome)
        yield at(_RECORDS_FOR_S + 1, "done")
        return
    yield at(1, "in_call_not_recording")
    if outcome == "records":
        outcome = "" if _join_token(world, bot) else "zoom_host_not_present"
    if outcome:
        yield at(2, "recording_permission_denied", outcome)
        yield at(2 + _RECORDS_FOR_S, "call_ended")
    else:
        yield at(2, "recording_permission_allowed")
        yield at(3, "in_call_recording")
        yield at(3 + _RECORDS_FOR_S, "call_ended")
    yield at(4 + _RECORDS_FOR_S, "done")


def _join_token(world: RecallWorld, bot: Bot) -> bool:
    """Fetch a join token with the credential that the meeting is mapped to."""
    for credential in _mapped(world, bot):
        try:
            token = credentials.fresh_token(world, credential)
            path = f"/meetings/{bot.meeting_id}/jointoken/local_recording"
            world.outgoing.get(path, token)
        except (credentials.GrantError, UnreachableError, ZoomRefusedError) as error:
            code = "zoom_join_token_fetch_using_zoom_oauth_failed"
            world.log_credential(credential, f"{code}: {error}")
        else:
            return True
    return False


def _mapped(world: RecallWorld, bot: Bot) -> list[Credential]:
    with world.lock:
        return [
            world.credentials[one.credential]
            for one in world.mappings.values()
            if one.meeting_id == bot.meeting_id and one.workspace is bot.workspace
        ]
