"""Our own challenge at Zoom's door: answered as Zoom's, and nothing is kept of it."""

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.models.check import Check
from dashboard.models.webhook import Refusal, Webhook
from dashboard.services.receiver import signatures
from dashboard.services.receiver.signatures import PROBE_PREFIX, ValidationRequest
from tests.fixtures.hooks import HooksClient, door
from tests.makers import SECRET_TOKEN
from tests.web.hooks.test_wsgi_and_rsgi_agree import in_loop

__all__ = ["door"]

Way = Callable[[HooksClient], tuple[HooksClient, Callable[[], None]]]


def through_wsgi(door: HooksClient) -> tuple[HooksClient, Callable[[], None]]:
    return door, lambda: None


def through_the_loop(door: HooksClient) -> tuple[HooksClient, Callable[[], None]]:
    other, made = in_loop(door)
    return other, made.close


both_doors = pytest.mark.parametrize("way", [through_wsgi, through_the_loop])


def a_probe(door: HooksClient) -> ValidationRequest:
    return signatures.validation_request(
        SECRET_TOKEN, now=door.clock.now(), prefix=PROBE_PREFIX
    )


def post(door: HooksClient, probe: ValidationRequest, **over: Any) -> Any:
    headers = {"x-zm-signature": probe.signature} | over.pop("headers", {})
    body = over.pop("body", probe.body)
    return door.post(body, timestamp=probe.timestamp, headers=headers, **over)


@both_doors
def test_it_is_answered_exactly_as_zooms_is(door: HooksClient, way: Way) -> None:
    door, close = way(door)
    own = a_probe(door)
    zooms = signatures.validation_request(SECRET_TOKEN, now=door.clock.now())

    ours, theirs = post(door, own), post(door, zooms)

    close()
    assert (ours.status_code, ours.json) == (200, own.answer)
    assert (theirs.status_code, theirs.json) == (200, zooms.answer)
    # They differ in length alone, as the tokens do.
    left_out = {"Content-Length"}
    assert {k: v for k, v in ours.headers.items() if k not in left_out} == {
        k: v for k, v in theirs.headers.items() if k not in left_out
    }


@both_doors
def test_it_is_no_webhook_and_no_evidence_of_zoom(door: HooksClient, way: Way) -> None:
    door, close = way(door)

    post(door, a_probe(door))
    post(door, signatures.validation_request(SECRET_TOKEN, now=door.clock.now()))

    close()
    assert [row.event for row in door.stored(Webhook)] == ["endpoint.url_validation"]
    assert [row.source.value for row in door.stored(Check)] == ["zoom_challenge"]


@both_doors
def test_its_answer_does_not_need_the_database(door: HooksClient, way: Way) -> None:
    door, close = way(door)
    post(door, a_probe(door))  # the zoom app is known now

    door.writer.close()  # nothing can be stored any more
    ours = post(door, a_probe(door))
    theirs = post(
        door, signatures.validation_request(SECRET_TOKEN, now=door.clock.now())
    )

    close()
    assert (ours.status_code, theirs.status_code) == (200, 503)


@both_doors
def test_the_token_alone_makes_nobody_one_of_us(door: HooksClient, way: Way) -> None:
    door, close = way(door)

    forged = post(door, a_probe(door), headers={"x-zm-signature": "v0=" + "0" * 64})

    close()
    assert (forged.status_code, forged.text) == (401, "Unauthorized\n")
    assert [row.cause for row in door.stored(Refusal)] == ["signature"]


@both_doors
def test_one_that_arrives_altered_is_not_taken_for_zooms(
    door: HooksClient, way: Way
) -> None:
    door, close = way(door)
    probe = a_probe(door)

    altered = post(door, probe, body=probe.body.replace(b",", b", "))
    kept_of_ours = door.stored(Check)
    zooms = post(
        door,
        signatures.validation_request(SECRET_TOKEN, now=door.clock.now()),
        headers={"x-zm-signature": "v0=" + "0" * 64},
    )

    close()
    assert (altered.status_code, zooms.status_code) == (401, 401)
    assert len(door.stored(Refusal)) == 2
    assert (kept_of_ours, len(door.stored(Check))) == ([], 1)


@both_doors
def test_one_that_is_too_old_is_refused_as_zooms_would_be(
    door: HooksClient, way: Way
) -> None:
    door, close = way(door)
    probe = a_probe(door)
    door.clock.advance(minutes=6)

    late = post(door, probe)

    close()
    assert late.status_code == 401
