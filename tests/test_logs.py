"""What is logged: one line each, whoever logs it, without secrets."""

import json
import logging
import threading
import warnings
from collections.abc import Iterator
from functools import partial

import pytest
import structlog

from dashboard import logs
from dashboard.logs import Format, Level, Outage, Outages
from tests.fixtures.processor_time import is_quick

FORGED = '\n{"event": "session.begun", "actor": "admin@example.com"}\n'


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    hook = threading.excepthook
    yield
    threading.excepthook = hook
    logging.captureWarnings(capture=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(each) for each in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_with_its_time_and_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up()

    structlog.get_logger().info("thing.done", path=f"/x{FORGED}")

    [said] = lines(capsys)
    assert (said["event"], said["level"]) == ("thing.done", "info")
    assert said["timestamp"].endswith("Z")
    assert said["path"] == f"/x{FORGED}"


def test_a_library_s_trace_is_one_line_with_the_request_s_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up()
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        try:
            int(f"wrong{FORGED}")
        except ValueError:
            logging.getLogger("some.library").exception("failed on %s", f"/x{FORGED}")

    [said] = lines(capsys)
    assert (said["logger"], said["level"]) == ("some.library", "error")
    assert said["request_id"] == "abc"
    assert "invalid literal" in said["exception"]


def test_a_warning_and_what_ends_a_thread_are_lines_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up()

    def fail() -> None:
        raise RuntimeError("out of luck")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nthing", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=fail, name="helper")
    thread.start()
    thread.join()

    warned, ended = lines(capsys)
    assert "old\nthing" in warned["event"]
    assert (ended["event"], ended["thread"]) == ("thread.ended", "helper")
    assert "out of luck" in ended["exception"]


SECRET = "s3cr3tS3CR3Ts3cr3t"


@pytest.mark.parametrize(
    "text",
    [
        f"/connect/acme/i/{SECRET}",
        f"/connect/acme/i/{SECRET}/disconnect",
        f"GET https://host/connect/acme/i/{SECRET}?x=1",
        f"/tokens/{SECRET}",
        f"/tokens/{SECRET}/zak?meeting_id=1",
        f"/oauth/zoom/callback?code={SECRET}&state=x",
        f"/oauth/zoom/callback?error=no&state={SECRET}",
        f"https://host/x?access_token={SECRET}",
        f"key whsec_{SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"postgresql://user:{SECRET}@host/name",
    ],
)
@pytest.mark.parametrize("form", list(Format))
def test_a_secret_in_an_address_is_masked_wherever_it_stands(
    capsys: pytest.CaptureFixture[str], text: str, form: Format
) -> None:
    logs.set_up(form=form)
    log = structlog.get_logger()

    log.error("one", path=text)
    log.error("two", found=[text], more={"x": text})
    logging.getLogger("some.library").error("three %s", text)
    try:
        dict[str, str]()[text]
    except KeyError:
        log.exception("four")
        logging.getLogger("some.library").exception("five")

    said = capsys.readouterr().err
    assert len(said.splitlines()) == 5
    assert SECRET not in said


def test_a_value_under_a_secret_name_is_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up()

    structlog.get_logger().info("x", access_token=SECRET, client_secret=SECRET)

    assert SECRET not in capsys.readouterr().err


def test_text_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(form=Format.TEXT)

    structlog.get_logger().info("thing.done", path=f"/x{FORGED}", number=1)

    [said] = capsys.readouterr().err.splitlines()
    assert "level=info event=thing.done" in said
    assert "number=1" in said


def test_the_level_is_the_least_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up(level=Level.ERROR)

    structlog.get_logger().warning("x")
    logging.getLogger("some.library").warning("x")
    structlog.get_logger().error("y")

    assert [each["event"] for each in lines(capsys)] == ["y"]


def test_masking_takes_time_proportional_to_the_text() -> None:
    for piece in ("/connect/a", "?code", "://u:", "whsec_", "/tokens/", "&a_"):
        assert is_quick(partial(logs.masked, piece * 200_000))


def test_a_failure_that_lasts_is_logged_at_first_each_minute_and_at_its_end() -> None:
    now_s = 1000.0
    with structlog.testing.capture_logs() as said:
        outage = Outage(
            structlog.get_logger(),
            *("first", "still", "over"),
            calm_s=10,
            monotonic=lambda: now_s,
        )
        outage.end()
        for _ in range(130):
            outage.record(reason="why")
            outage.end()  # some succeed meanwhile
            now_s += 1
        now_s += 9
        outage.end()
        outage.end()

    events = [(each["event"], each.get("failures")) for each in said]
    assert events == [("first", None), ("still", 61), ("still", 121), ("over", 130)]
    assert outage.failures == 130


def test_each_key_has_an_outage_of_its_own_and_a_warning_is_enough() -> None:
    now_s = 1000.0
    with structlog.testing.capture_logs() as said:
        outages = Outages(
            structlog.get_logger(),
            *("first", "still", "over"),
            calm_s=60,
            monotonic=lambda: now_s,
        )
        for number in range(90):
            outages.record("flood", key="flood")
            if number == 30:
                outages.record("rare", key="rare")
            outages.end()
            now_s += 1
        now_s += 61
        outages.end()

    assert [(each["event"], each.get("key")) for each in said] == [
        ("first", "flood"),
        ("first", "rare"),
        ("still", "flood"),
        ("over", None),
        ("over", None),
    ]
    assert {each["log_level"] for each in said} == {"warning"}
