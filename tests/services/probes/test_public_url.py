"""The self-test of the public URL: what blocks it, and what to do."""

import re
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlmodel import select

from dashboard.clients.public_url import NoAnswer
from dashboard.errors import ConflictError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.probes import public_url, public_url_findings
from dashboard.services.receiver.signatures import answer_challenge
from dashboard.services.runtime import Runtime
from dashboard.services.validation.evidence import Observation
from dashboard.settings import public_url_doubt
from tests.fixtures import certificates
from tests.fixtures.ports import free_ports
from tests.fixtures.public_url import (
    Middleware,
    adding_a_slash,
    answering,
    instead,
    reachable,
    serving,
    with_answer,
    with_body,
    without_header,
)
from tests.fixtures.relay import app_id, at_recall, recall_app

__all__ = ["app_id", "recall_app"]

PAGE = b"<!DOCTYPE html><h1>You are about to visit</h1>"


def no_pause(_seconds: float) -> None:
    """Go on at once."""


def ask(runtime: Runtime, app_id: UUID) -> Observation:
    return public_url.probe(runtime, app_id, pause=no_pause)


def moved(to: str) -> Middleware:
    return instead(answering(301, Location=to))


def test_a_free_way_is_good_and_says_how_long_it_took(
    runtime: Runtime, app_id: UUID
) -> None:
    with reachable(runtime) as public:
        seen = ask(public, app_id)

    assert seen.finding is Finding.GOOD
    assert "passed" in seen.detail
    assert seen.took_ms is not None


def test_it_is_kept_as_evidence_of_its_own_and_leaves_no_other_trace(
    runtime: Runtime, app_id: UUID, sandbox: RunningSandbox
) -> None:
    with reachable(runtime) as public:
        ask(public, app_id)
    runtime.writer.flush()

    with runtime.database.reading() as session:
        (check,) = session.exec(select(Check)).all()
        webhooks = session.exec(select(Webhook)).all()
    assert (check.source, check.finding) == (Source.OUTSIDE_PROBE, Finding.GOOD)
    assert check.took_ms is not None
    assert not webhooks
    assert not at_recall(sandbox)


OTHERS = SecretStr("test-secret-token-of-another")
IN_THE_WAY: dict[str, tuple[Middleware, str]] = {
    "to https": (moved("https://localhost/hooks/zoom/1"), "Zoom follows none"),
    "to a sign-in": (moved("/login?next=1"), "another page of localhost"),
    "to a sign-in elsewhere": (
        moved("https://id.example.com/authorize?state=abc"),
        "to id.example.com, such as a sign-in",
    ),
    "to www": (moved("http://www.localhost/"), "to www.localhost"),
    "to a slash": (adding_a_slash, "add or remove a trailing slash"),
    "to nowhere": (instead(answering(302)), "without a target"),
    "password": (instead(answering(401, b"no", WWW_Authenticate="Basic")), "sign-in"),
    "firewall": (instead(answering(403, PAGE, "text/html")), "firewall or bot rule"),
    "not found": (
        instead(answering(404, PAGE, "text/html")),
        "other than this dashboard",
    ),
    "another's door": (instead(answering(404, b"Not Found\n")), "does not know this"),
    "method": (instead(answering(405)), "HTTP status 405"),
    "rate limit": (instead(answering(429)), "rate limit"),
    "dead tunnel": (instead(answering(502, PAGE, "text/html")), "does not reach"),
    "out of service": (
        instead(answering(503, b"Service Unavailable\n")),
        "database and log",
    ),
    "broken": (instead(answering(500)), "failed with HTTP status 500"),
    "tunnel's page": (instead(answering(200, PAGE, "text/html")), "tunnel's notice"),
    "takes anything": (instead(answering(200)), "accepts any request"),
    "other data": (instead(answering(200, b'{"ok":true}')), "other data"),
    "no content": (instead(answering(204)), "answers 204"),
    "header lost": (without_header("x-zm-signature"), "x-zm-signature is missing"),
    "timestamp lost": (
        without_header("x-zm-request-timestamp"),
        "x-zm-request-timestamp is missing",
    ),
    "rewritten": (
        with_body(lambda body: body.replace(b",", b", ")),
        "A proxy rewrote the JSON",
    ),
    "cut": (with_body(lambda body: body[:-1]), "altered"),
    "another dashboard": (
        instead(answering(401, b"Unauthorized\n")),
        "this one never received it",
    ),
    "longer answer": (with_answer(lambda told: {**told, "a": 1}), "exactly two keys"),
    "old answer": (
        with_answer(lambda told: {**told, "plainToken": "another"}),
        "an earlier request",
    ),
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_what_is_in_the_way_is_explained_with_what_to_do(
    runtime: Runtime, app_id: UUID, name: str
) -> None:
    front, words = IN_THE_WAY[name]
    with reachable(runtime, front) as public:
        seen = ask(public, app_id)

    assert seen.finding is Finding.FAILED
    assert words in seen.detail
    assert re.search("operator|must|Correct|Check|Fix|Set ", seen.detail)
    assert len(seen.detail) <= 300
    assert "state=abc" not in seen.detail


def test_what_was_refused_before_explains_nothing(
    runtime: Runtime, app_id: UUID
) -> None:
    with reachable(runtime, without_header("x-zm-signature")) as public:
        ask(public, app_id)

    with reachable(runtime, IN_THE_WAY["another dashboard"][0]) as public:
        seen = ask(public, app_id)

    assert "this one never received it" in seen.detail


def test_an_answer_made_with_another_secret_is_another_installations(
    runtime: Runtime, app_id: UUID
) -> None:
    others = with_answer(lambda told: answer_challenge(told["plainToken"], OTHERS))
    with reachable(runtime, others) as public:
        seen = ask(public, app_id)

    assert seen.finding is Finding.SECRET_MISMATCH
    assert "Another dashboard installation" in seen.detail


def test_a_certificate_that_nobody_vouches_for(
    runtime: Runtime, app_id: UUID, tmp_path: Path
) -> None:
    shown = certificates.serving(tmp_path, certificates.make("localhost"))
    with serving(answering(200), shown) as url:
        seen = ask(replace(runtime, public_url=url), app_id)

    assert seen.finding is Finding.FAILED
    assert "certificate of localhost is self-signed" in seen.detail


def test_nobody_there(runtime: Runtime, app_id: UUID) -> None:
    port = free_ports(1)[0]

    seen = ask(replace(runtime, public_url=f"http://localhost:{port}"), app_id)

    assert seen.finding is Finding.FAILED
    assert f"localhost refuses connections on port {port}" in seen.detail


@pytest.mark.parametrize(
    ("zoom_url", "finding", "words"),
    [
        ("https://zoom.us", Finding.FAILED, "but Zoom rejects this URL: it is local"),
        (
            "http://127.0.0.1:1",
            Finding.GOOD,
            "Note: the real Zoom rejects this URL: it is ",
        ),
    ],
)
def test_an_address_that_zoom_would_refuse_is_good_for_a_simulated_one_only(
    runtime: Runtime, app_id: UUID, zoom_url: str, finding: Finding, words: str
) -> None:
    settings = runtime.settings.model_copy(update={"zoom_url": zoom_url})
    with reachable(replace(runtime, settings=settings)) as public:
        seen = ask(public, app_id)

    assert seen.finding is finding
    assert words in seen.detail


def test_with_routing_direct_nothing_is_expected_here(
    runtime: Runtime, app_id: UUID
) -> None:
    with runtime.database.writing() as session:
        session.get_one(ZoomApp, app_id).routing = Routing.DIRECT

    with pytest.raises(ConflictError, match="sends webhooks directly to Recall"):
        ask(runtime, app_id)


def test_no_secret_is_in_what_is_said(runtime: Runtime, app_id: UUID) -> None:
    fronts: list[AbstractContextManager[Runtime]] = [
        reachable(runtime, front) for front, _ in IN_THE_WAY.values()
    ]
    for front in fronts:
        with front as public:
            assert "test-secret" not in ask(public, app_id).detail


def test_a_doubt_about_the_address_is_said_beside_what_was_seen() -> None:
    doubt = public_url_doubt("https://dashboard.example.com:8443")
    good = Observation(finding=Finding.GOOD, detail="", took_ms=1.0)
    bad = Observation(finding=Finding.FAILED, detail="Nobody there.")

    def told(seen: Observation) -> Observation:
        return public_url_findings.with_address(
            seen, trouble=None, doubt=doubt, is_real_zoom=True
        )

    assert told(good).finding is Finding.GOOD
    assert "Note: it names port 8443;" in told(good).detail
    assert told(bad).detail.startswith("Nobody there. Note: it names")


def test_a_slow_answer_blames_nobody_who_was_not_seen_to_be_slow() -> None:
    """This server may be busy itself, so no proxy is named as the cause alone."""
    words = public_url_findings.NO_ANSWER[NoAnswer.TOO_SLOW]

    assert "Either this server is busy, or " in words
    assert "milliseconds" not in words
