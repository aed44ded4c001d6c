import json

import pytest
from pydantic import SecretStr

from dashboard.clients.delivery import Answer, Failure
from dashboard.models.check import Finding
from dashboard.services.receiver.signatures import answer_challenge
from dashboard.services.relay import answers
from dashboard.services.relay.answers import Next, Signal, SignedTest
from tests.makers import SECRET_TOKEN


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_delivered(status: int) -> None:
    assert answers.classify(Answer(status=status)).next is Next.DELIVERED


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 599])
def test_what_time_mends_is_tried_again_on_the_schedule(status: int) -> None:
    classification = answers.classify(Answer(status=status))

    assert classification.next is Next.RETRY
    assert str(status) in classification.sentence


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 402, 403, 404])
def test_what_a_person_mends_waits_and_says_who(status: int) -> None:
    classification = answers.classify(Answer(status=status))

    assert classification.next is Next.WAIT
    assert str(status) in classification.sentence
    assert "n admin" in classification.sentence


@pytest.mark.parametrize(
    "answer",
    [
        Answer(
            status=403,
            headers={"content-type": "text/html; charset=utf-8"},
            body=b"Request blocked.",
        ),
        Answer(status=403, body=b"\n<!DOCTYPE HTML><HTML>"),
    ],
)
def test_the_firewalls_page_is_no_refusal_of_the_secret(answer: Answer) -> None:
    classification = answers.classify(answer)

    assert classification.next is Next.RETRY
    assert (classification.workspace, classification.zoom_app) == (
        Signal.DOWN,
        Signal.NONE,
    )
    assert "firewall" in classification.sentence


OTHER_REFUSALS = [400, 405, 410, 413, 415, 422, 451]


def judged(answer: Answer) -> SignedTest:
    return answers.judge_test(answer, plain_token="plain", secret=SECRET_TOKEN)


def refused(status: int, test_answer: Answer | None) -> answers.Classification:
    return answers.classify(
        Answer(status=status, body=b"{}"),
        tested=None if test_answer is None else judged(test_answer),
    )


@pytest.mark.parametrize("status", OTHER_REFUSALS)
def test_a_refusal_that_was_not_tested_is_never_final(status: int) -> None:
    classification = refused(status, None)

    assert classification.next is Next.WAIT
    assert classification.zoom_app is Signal.NONE


@pytest.mark.parametrize("status", [*OTHER_REFUSALS, 401, 403, 404])
@pytest.mark.parametrize("body", [None, b"", b'{"any":"thing"}', b"ok"])
def test_what_recall_refuses_while_it_passes_our_test_is_refused_alone(
    status: int, body: bytes | None
) -> None:
    passed = Answer(status=200, body=right_answer() if body is None else body)

    classification = refused(status, passed)

    assert classification.next is Next.REFUSED
    assert classification.zoom_app is Signal.FINE
    assert f"({status}), but passed our signed test" in classification.sentence


@pytest.mark.parametrize("status", [*OTHER_REFUSALS, 401, 403, 404])
@pytest.mark.parametrize("test_status", [400, 401, 403, 404, 405, 410, 413, 422])
def test_what_recall_refuses_with_our_test_pauses_the_queue_and_says_who_acts(
    status: int, test_status: int
) -> None:
    classification = refused(status, Answer(status=test_status, body=b"{}"))

    assert classification.next is Next.WAIT
    assert classification.zoom_app is Signal.STOP
    assert "n admin" in classification.sentence


@pytest.mark.parametrize("test_status", [400, 422])
def test_a_test_that_may_have_failed_by_its_signature_says_that_it_may(
    test_status: int,
) -> None:
    seen = judged(Answer(status=test_status, body=b'{"detail":"Invalid signature"}'))
    classification = refused(400, Answer(status=test_status))

    assert (seen.is_passed, seen.finding) == (False, Finding.SECRET_MISMATCH)
    assert "Recall may have a different secret token" in seen.detail
    assert "Recall may have a different secret token" in classification.sentence


def test_a_test_that_was_answered_with_another_token_is_not_passed() -> None:
    wrong = Answer(status=200, body=right_answer(SecretStr("test-other")))

    assert not judged(wrong).is_passed
    assert refused(400, wrong).zoom_app is Signal.STOP


@pytest.mark.parametrize(
    "answer",
    [
        Answer(failure=Failure.TIMEOUT),
        Answer(status=500),
        Answer(status=429),
        Answer(status=402),
        Answer(status=302),
        Answer(status=200, body=b"<html>Log in"),
    ],
)
def test_while_the_test_gets_no_answer_nothing_is_said_about_the_webhook(
    answer: Answer,
) -> None:
    classification = refused(400, answer)

    assert classification.next is Next.RETRY
    assert classification.zoom_app is Signal.NONE
    assert classification.workspace in {Signal.DOWN, Signal.STOP}
    assert not judged(answer).is_passed


HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("status", [200, 201, 202, 400, 404])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (HTML, b"<!DOCTYPE html><h1>Welcome, please log in</h1>"),
        ({}, b"<!DOCTYPE html><h1>Welcome, please log in</h1>"),
        ({"content-type": "application/json"}, b"<html><body>Log in"),
        ({"content-type": "application/xhtml+xml"}, b"<?xml version='1.0'?><html/>"),
        ({}, b"\xef\xbb\xbf \n<!-- portal --><html>"),
        ({}, "<html>Anmelden".encode("utf-16")),
        (HTML, b"Please log in to this network first."),
        (HTML, b"\x1f\x8b\x08\x00packed"),
        ({}, b"loading... <html><head>"),
        ({"content-type": "text/xml"}, b"<Error><Code>AccessDenied</Code></Error>"),
    ],
)
def test_a_page_is_no_answer_of_recalls_whatever_its_status(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    classification = answers.classify(Answer(status=status, headers=headers, body=body))

    assert classification.next is Next.RETRY
    assert (classification.workspace, classification.zoom_app) == (
        Signal.DOWN,
        Signal.NONE,
    )
    assert f"A web page answered instead of Recall ({status})" in (
        classification.sentence
    )


@pytest.mark.parametrize("headers", [HTML, {}, {"content-type": "application/json"}])
@pytest.mark.parametrize(
    "body",
    [b"", b"  \n", b"ok", b"OK\n", b"{}", b"[]", b'{"error":"<html>"}', b'"<b>"', b"1"],
)
def test_a_success_of_any_other_form_is_delivered(
    headers: dict[str, str], body: bytes
) -> None:
    answer = Answer(status=200, headers=headers, body=body)

    assert answers.classify(answer).next is Next.DELIVERED


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_is_tried_again_and_said_in_words(failure: Failure) -> None:
    classification = answers.classify(Answer(status=200, failure=failure))

    assert classification.next is (
        Next.WAIT if failure is Failure.SEALED else Next.RETRY
    )
    assert len(classification.sentence) > 20


@pytest.mark.parametrize(
    ("headers", "retry_after_s"),
    [
        ({"retry-after": "17"}, 17),
        (
            {
                "retry-after": "Mon, 23 Nov 2026 12:01:00 GMT",
                "date": "Mon, 23 Nov 2026 12:00:00 GMT",
            },
            60,
        ),
        ({"retry-after": "99999999"}, 3600),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_as_seconds_or_date_but_capped(
    status: int, headers: dict[str, str], retry_after_s: float | None
) -> None:
    assert answers.classify(Answer(status=status, headers=headers)).retry_after_s == (
        retry_after_s
    )


@pytest.mark.parametrize(
    ("body", "hidden"),
    [
        (b'{"webhook_secret": "test-echo-1"}', "test-echo-1"),
        (b'{"a":{"access_token":"test-echo-2","b":1}}', "test-echo-2"),
        (b'{"client_secret":"test-\\"echo-3', "echo-3"),
        (b"Authorization: Token test-echo-4", "test-echo-4"),
        (b"<p>eyJhbGciOi.eyJpc3MiOiJ6.c2ln</p>", "eyJpc3MiOiJ6"),
        (b"whsec_dGVzdA==", "dGVzdA"),
        (b"it was test-secret-token-0001!", "test-secret-token-0001"),
    ],
)
def test_what_recall_echoes_of_secrets_is_not_kept(body: bytes, hidden: str) -> None:
    shown = answers.shown(body, [SECRET_TOKEN])

    assert hidden not in shown
    assert "(removed)" in shown


def test_an_answer_is_kept_as_text_of_2048_characters_for_any_database() -> None:
    shown = answers.shown(b'{"detail":"no\0"}\n\xff' + b"x" * 5000)

    assert shown.startswith('{"detail":"no "}\n\ufffdxxx')
    assert len(shown) == 2048


def right_answer(secret: SecretStr = SECRET_TOKEN) -> bytes:
    return json.dumps(answer_challenge("plain", secret)).encode()


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        pytest.param(
            Answer(status=200, body=right_answer()), Finding.GOOD, id="right token"
        ),
        pytest.param(
            Answer(status=200, body=right_answer(SecretStr("test-other"))),
            Finding.SECRET_MISMATCH,
            id="token of another secret",
        ),
        pytest.param(Answer(status=401), Finding.SECRET_MISMATCH, id="401"),
        pytest.param(Answer(status=403), Finding.SECRET_MISMATCH, id="403"),
        pytest.param(Answer(status=400), Finding.SECRET_MISMATCH, id="400"),
        pytest.param(Answer(status=422), Finding.SECRET_MISMATCH, id="422"),
        pytest.param(Answer(status=404), Finding.FAILED, id="404"),
        pytest.param(Answer(status=200, body=b""), Finding.FAILED, id="empty"),
        pytest.param(Answer(status=200, body=b"[1]"), Finding.FAILED, id="a list"),
        pytest.param(Answer(status=200, body=b"[" * 9999), Finding.FAILED, id="deep"),
        pytest.param(
            Answer(status=200, body=b'{"plainToken":"plain","encryptedToken":7}'),
            Finding.FAILED,
            id="wrong type",
        ),
        pytest.param(
            Answer(status=200, body=right_answer().replace(b"plain", b"other", 1)),
            Finding.FAILED,
            id="no plain token",
        ),
        pytest.param(
            Answer(
                status=200,
                body=b'{"plainToken":"plain","encryptedToken":"\\ud800"}',
            ),
            Finding.SECRET_MISMATCH,
            id="not text",
        ),
    ],
)
def test_recalls_answer_to_a_challenge_tells_which_secret_it_holds(
    answer: Answer, finding: Finding
) -> None:
    found = answers.compare_challenge(answer, plain_token="plain", secret=SECRET_TOKEN)

    assert found is not None
    assert found[0] is finding
    assert found[1].endswith(".")


def test_no_answer_to_a_challenge_says_nothing_about_secrets() -> None:
    answer = Answer(failure=Failure.TIMEOUT)

    assert (
        answers.compare_challenge(answer, plain_token="p", secret=SECRET_TOKEN) is None
    )
