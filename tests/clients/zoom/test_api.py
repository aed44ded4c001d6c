"""Zoom's API over real HTTP, and profiles in every odd form."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from dashboard.clients.zoom.api import ZoomApi, ZoomUser
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.vendors import (
    HOST,
    REDIRECT,
    VERIFIER,
    Stage,
    answering,
    http_to,
    refusal_of,
)

TOKEN = SecretStr("test-access-token-0001")
PMI = 5551234567


@pytest.fixture
def zoom(stage: Stage) -> Iterator[ZoomApi]:
    made = ZoomApi(f"{stage.sandbox.zoom_url}/")
    yield made
    made.close()


def a_token(stage: Stage, user_id: str) -> SecretStr:
    """Let Recall exchange a code; return the token it holds."""
    credential = stage.recall.create_credential(
        oauth_app=stage.app.id,
        code=stage.a_code(user_id),
        redirect_uri=REDIRECT,
        code_verifier=VERIFIER,
        idempotency_key=user_id,
    )
    return stage.recall.access_token(credential.id).token


@pytest.mark.parametrize("pmi_as", ["int", "string"])
def test_the_owner_of_a_token_is_told(stage: Stage, zoom: ZoomApi, pmi_as: str) -> None:
    stage.sandbox.zoom_world.switch(pmi_as=pmi_as)
    user_id = stage.a_user()
    stage.sandbox.zoom_world.change_pmi(user_id, PMI)

    user = zoom.me(a_token(stage, user_id))

    assert (user.id, user.email, user.pmi) == (user_id, "ana@example.com", PMI)
    assert user.display_name == "Ana Nowak"
    assert user.account_id


@pytest.mark.parametrize("code", [124, 201])
def test_an_expired_token_has_zooms_code(
    stage: Stage, zoom: ZoomApi, code: int
) -> None:
    stage.sandbox.zoom_world.switch(expired_token_code=code)
    token = a_token(stage, stage.a_user())
    stage.sandbox.clock.advance(3600)

    error = refusal_of(lambda: zoom.me(token))

    assert (error.status, error.code) == (401, str(code))
    assert (error.retryable, error.may_have_happened) == (False, False)
    assert error.detail == "Access token is expired."
    assert "has expired or was revoked" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    ("form", "detail"),
    [
        ("4711", "missing scopes: user:read:user"),
        ("201", "missing scopes: user:read:user"),
        ("4700_bare", "Invalid access token, does not contain scopes."),
    ],
)
def test_a_missing_scope_is_recognized_in_each_form(
    stage: Stage, zoom: ZoomApi, status: int, form: str, detail: str
) -> None:
    stage.sandbox.zoom_world.switch(
        missing_scope_status=status,
        missing_scope_form=form,
        withheld_scopes=["user:read:user"],
    )
    user_id = stage.a_user()
    token = a_token(stage, user_id)

    error = refusal_of(lambda: zoom.me(token))

    assert (error.status, error.code) == (status, "4711")
    assert error.detail == detail
    assert "lacks a scope" in str(error)


def test_a_join_token_of_an_own_meeting_is_given(stage: Stage, zoom: ZoomApi) -> None:
    user_id = stage.a_user()
    meeting = stage.sandbox.zoom_world.create_meeting(user_id)

    given = zoom.join_token(a_token(stage, user_id), meeting.id)

    assert given.token.get_secret_value()
    assert given.token.get_secret_value() not in repr(given)


def test_a_join_token_without_the_scope_is_refused_by_its_name(
    stage: Stage, zoom: ZoomApi
) -> None:
    scope = "meeting:read:local_recording_token"
    stage.sandbox.zoom_world.switch(withheld_scopes=[scope])
    user_id = stage.a_user()
    meeting = stage.sandbox.zoom_world.create_meeting(user_id)
    token = a_token(stage, user_id)

    error = refusal_of(lambda: zoom.join_token(token, meeting.id))

    assert (error.code, error.detail) == ("4711", f"missing scopes: {scope}")


def test_no_join_token_is_given_for_a_meeting_that_is_gone(
    stage: Stage, zoom: ZoomApi
) -> None:
    token = a_token(stage, stage.a_user())

    error = refusal_of(lambda: zoom.join_token(token, 91234567890))

    assert (error.status, error.code) == (404, "3001")


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 7}, []])
def test_an_answer_without_a_join_token_is_no_proof(body: object) -> None:
    zoom = ZoomApi(HOST, http=http_to(answering(200, body)))

    error = refusal_of(lambda: zoom.join_token(TOKEN, 1))

    assert error.status == 200


def test_a_missing_scope_under_its_older_number_is_the_same() -> None:
    body = {
        "code": 4700,
        "message": "Invalid access token, does not contain scopes:[a:b, c:d].",
    }
    zoom = ZoomApi(HOST, http=http_to(answering(400, body)))

    error = refusal_of(lambda: zoom.me(TOKEN))

    assert (error.code, error.detail) == ("4711", "missing scopes: a:b, c:d")


@pytest.mark.parametrize(
    ("limit", "wait_s", "says"),
    [("qps", 1, "again in 1 second"), ("daily", 3600, "again in 60 minutes")],
)
def test_both_limits_say_how_long_to_wait(
    stage: Stage, zoom: ZoomApi, limit: str, wait_s: float, says: str
) -> None:
    token = a_token(stage, stage.a_user())
    stage.sandbox.clock.set(None)
    stage.sandbox.clock.advance(48 * 3600)
    stage.sandbox.zoom_world.switch(rate_limit=limit)

    error = refusal_of(lambda: zoom.me(token))

    assert (error.status, error.retryable) == (429, True)
    assert error.retry_after_s == wait_s
    assert says in str(error)


def test_a_page_in_front_of_zoom_is_told_as_such(stage: Stage, zoom: ZoomApi) -> None:
    stage.sandbox.zoom_faults.set([Fault(kind=FaultKind.HTML_403)])

    error = refusal_of(lambda: zoom.me(TOKEN))

    assert "web page and HTTP status 403" in str(error)
    assert not error.retryable


def test_nonsense_is_not_taken_for_a_user(stage: Stage, zoom: ZoomApi) -> None:
    stage.sandbox.zoom_faults.set([Fault(kind=FaultKind.NONSENSE)])

    error = refusal_of(lambda: zoom.me(TOKEN))

    assert "another shape than the ZoomUser" in str(error)


def test_a_user_who_is_gone_is_told() -> None:
    body = {"code": 1001, "message": "User does not exist: me."}
    zoom = ZoomApi(HOST, http=http_to(answering(404, body)))

    error = refusal_of(lambda: zoom.me(TOKEN))

    assert (error.status, error.code) == (404, "1001")
    assert "does not have this" in str(error)


@pytest.mark.parametrize(
    ("sent", "pmi"),
    [
        (PMI, PMI),
        ("5551234567", PMI),
        ("555 123-4567", PMI),
        (0, None),
        ("", None),
        (None, None),
        (True, None),
        (5.5, None),
        (-5, None),
        ("\u0665\u0665", None),
        (10**18, None),
        ([5], None),
    ],
)
def test_a_pmi_is_a_number_or_none(sent: object, pmi: int | None) -> None:
    assert ZoomUser.model_validate({"id": "u", "pmi": sent}).pmi == pmi


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"display_name": "Ana N."}, "Ana N."),
        ({"first_name": "Ana", "last_name": "Nowak"}, "Ana Nowak"),
        ({"display_name": " ", "first_name": "Ana"}, "Ana"),
        ({"display_name": None, "first_name": 7, "last_name": "Nowak"}, "Nowak"),
        ({"display_name": ["Ana"]}, ""),
        ({"display_name": "A\x00na\n"}, "A na"),
        ({"display_name": "n" * 300}, "n" * 200),
        ({}, ""),
    ],
)
def test_a_name_is_made_of_what_there_is(sent: dict[str, object], name: str) -> None:
    assert ZoomUser.model_validate({"id": "u", **sent}).display_name == name


@pytest.mark.parametrize("odd", [None, 7, ["a"], "", "x" * 300, "\x00"])
def test_an_odd_email_or_account_is_as_good_as_none(odd: object) -> None:
    user = ZoomUser.model_validate({"id": "u", "email": odd, "account_id": odd})

    assert (user.email, user.account_id) == ("", None)


def test_an_email_is_kept_in_lower_case_however_zoom_spells_it() -> None:
    user = ZoomUser.model_validate({"id": "u", "email": " Ana.NOWAK@Example.COM "})

    assert user.email == "ana.nowak@example.com"


@pytest.mark.parametrize("odd", [None, 7, "", "x" * 65])
def test_a_user_without_a_proper_id_is_none(odd: object) -> None:
    with pytest.raises(ValidationError):
        ZoomUser.model_validate({"id": odd})
