from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard.models.webhook import Mark
from dashboard.services.receiver import signatures
from dashboard.services.receiver.signatures import (
    PROBE_PREFIX,
    Cause,
    NamedSecret,
    SignatureCheck,
)
from dashboard.vault import fingerprint

# docs/contracts/zoom.md section 8.
V1_SECRET = SecretStr("4fv1RkqGQUq5sWbEz6hA5A")
V1_BODY = (
    b'{"payload":{"plainToken":"xys8n8PGS7mAU0m5-YJjRA"},'
    b'"event_ts":1720705455858,"event":"endpoint.url_validation"}'
)
V1_SIGNATURE = "v0=93a1a675965ceb9c5a50c5dfb31f20e50f763be37a54ef74cd2d16a1a8e5c0d6"
C1_BODY = (
    b'{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},'
    b'"event_ts":1654503849680,"event":"endpoint.url_validation"}'
)
C1_SIGNATURE = "v0=0483ac479818cffec360da2cfd8426263cf1108e49d4efb63aea6f1313202358"
C2_BODY = (
    b'{"event":"user.updated","event_ts":1760000000123,"payload":{"account_id":'
    b'"AbCdEfGhIjKlMnOpQrStUv","operator":"ana@example.com","operator_id":'
    b'"zUsEr0001AAAAAAAAAAAAA","object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":'
    b'5551234567},"old_object":{"id":"zUsEr0001AAAAAAAAAAAAA","pmi":5559876543},'
    b'"time_stamp":1760000000100}}'
)
C2_SIGNATURE = "v0=29479befbb7041ee3de943c8470a13e56ddb26cbbedc5dff389c8e94fca1d005"
SECRET = SecretStr("test-secret-token-0001")
OTHER = SecretStr("test-secret-token-0002")
C2_AT = datetime.fromtimestamp(1760000000, UTC)


def judged(body: bytes = C2_BODY, **over: object) -> SignatureCheck:
    facts: dict[str, object] = {
        "timestamp": "1760000000",
        "signature": C2_SIGNATURE,
        "secrets": [NamedSecret(name="current", secret=SECRET)],
        "now": C2_AT,
        "age_limit_s": 6000,
    }
    return signatures.check(body, **{**facts, **over})  # type: ignore[arg-type]  # values are overridden by name


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "signature"),
    [
        pytest.param(V1_SECRET, 1720705455, V1_BODY, V1_SIGNATURE, id="V1"),
        pytest.param(SECRET, 1654503849, C1_BODY, C1_SIGNATURE, id="C1"),
        pytest.param(SECRET, 1760000000, C2_BODY, C2_SIGNATURE, id="C2"),
    ],
)
def test_the_published_vectors_are_zooms(
    secret: SecretStr, timestamp: int, body: bytes, signature: str
) -> None:
    judgement = judged(
        body,
        timestamp=str(timestamp),
        signature=signature,
        secrets=[NamedSecret(name="current", secret=secret)],
        now=datetime.fromtimestamp(timestamp, UTC),
    )

    assert judgement.cause is None
    assert judgement.matched is not None
    assert judgement.sent_at_s == timestamp


@pytest.mark.parametrize(
    ("secret", "plain", "encrypted"),
    [
        (
            V1_SECRET,
            "xys8n8PGS7mAU0m5-YJjRA",
            "2fffc6a967dde4f68024025a5bd991c5ae1e5313b4e6365be4883e3e81d479b3",
        ),
        (
            SECRET,
            "qgg8vlvZRS6UYooatFL8Aw",
            "72596419203632983777668b3abf3fb366d47c026a8b24a599d86c9ecce12c23",
        ),
        (
            SecretStr("test-secret-token-0001 "),
            "qgg8vlvZRS6UYooatFL8Aw",
            "02f04a30be4a8865e2e3bca3a4565d7ca49c180076989cdfd0142e0ffc6cb2e7",
        ),
    ],
)
def test_a_challenge_is_answered_with_exactly_the_two_keys(
    secret: SecretStr, plain: str, encrypted: str
) -> None:
    answer = signatures.answer_challenge(plain, secret)

    assert answer == {"plainToken": plain, "encryptedToken": encrypted}


def test_the_previous_secret_still_counts_during_a_rotation() -> None:
    secrets = [
        NamedSecret(name="current", secret=OTHER),
        NamedSecret(name="previous", secret=SECRET),
    ]

    judgement = judged(secrets=secrets)

    assert judgement.cause is None
    assert judgement.matched == secrets[1]


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_secret_is_never_a_key(empty: str) -> None:
    secret = SecretStr(empty)
    message = signatures.signed_bytes("1760000000", C2_BODY)

    judgement = judged(
        secrets=[NamedSecret(name="current", secret=secret)],
        signature=signatures.sign(message, secret).decode(),
    )

    assert judgement.cause is Cause.NO_SECRET
    assert judgement.sentence.startswith("This zoom app has no readable secret token")


@pytest.mark.parametrize(
    ("over", "cause"),
    [
        pytest.param({"signature": None}, Cause.MISSING_HEADER, id="no signature"),
        pytest.param({"timestamp": None}, Cause.MISSING_HEADER, id="no timestamp"),
        pytest.param({"timestamp": ""}, Cause.BAD_TIMESTAMP, id="empty timestamp"),
        pytest.param({"timestamp": "-1"}, Cause.BAD_TIMESTAMP, id="negative"),
        pytest.param({"timestamp": "9" * 5000}, Cause.BAD_TIMESTAMP, id="5000 digits"),
        pytest.param({"timestamp": "١٢٣"}, Cause.BAD_TIMESTAMP, id="other script"),
        pytest.param({"timestamp": "1760000000\n"}, Cause.BAD_TIMESTAMP, id="newline"),
        pytest.param({"timestamp": "1760000001"}, Cause.SIGNATURE, id="altered time"),
        pytest.param({"signature": ""}, Cause.BAD_SIGNATURE, id="empty signature"),
        pytest.param({"signature": "v0=abc"}, Cause.BAD_SIGNATURE, id="short"),
        pytest.param(
            {"signature": C2_SIGNATURE + "0"}, Cause.BAD_SIGNATURE, id="too long"
        ),
        pytest.param(
            {"signature": C2_SIGNATURE[3:]}, Cause.BAD_SIGNATURE, id="no version"
        ),
        pytest.param(
            {"signature": "v0=" + "é" * 64}, Cause.BAD_SIGNATURE, id="not ASCII"
        ),
        pytest.param({"signature": "v0=" + "0" * 64}, Cause.SIGNATURE, id="forged"),
        pytest.param({"body": C2_BODY + b" "}, Cause.SIGNATURE, id="altered body"),
    ],
)
def test_what_zoom_did_not_sign_is_refused(
    over: dict[str, object], cause: Cause
) -> None:
    timestamp = str(over.get("timestamp", 1760000000))

    judgement = judged(**over)  # type: ignore[arg-type]  # as in `judged`

    assert judgement.cause is cause
    assert judgement.matched is None
    assert judgement.sentence.endswith(".")
    assert judgement.sent_at_s == (int(timestamp) if cause is Cause.SIGNATURE else 0)


@pytest.mark.parametrize(
    ("age", "cause", "timing"),
    [
        (timedelta(days=-3650), None, Mark.CLOCK),
        (timedelta(minutes=-5, seconds=-1), None, Mark.CLOCK),
        (timedelta(minutes=-5), None, None),
        (timedelta(minutes=95), None, None),
        (timedelta(minutes=95, seconds=1), None, Mark.LATE),
        (timedelta(seconds=6000), None, Mark.LATE),
        (timedelta(seconds=6001), Cause.TOO_OLD, None),
    ],
)
def test_only_what_is_older_than_the_limit_is_refused_for_its_age(
    age: timedelta, cause: Cause | None, timing: Mark | None
) -> None:
    judgement = judged(now=C2_AT + age)

    assert (judgement.cause, judgement.timing) == (cause, timing)
    assert judgement.matched == NamedSecret(name="current", secret=SECRET)
    assert judgement.sent_at_s == 1760000000


@pytest.mark.parametrize(
    "timestamp",
    [
        "1760000000000",
        "1760000000000000",
        "1760000000000000000",
        "1760000000.25",
        "1760000000123.5",
    ],
    ids=["milliseconds", "microseconds", "nanoseconds", "fraction", "both"],
)
def test_a_finer_timestamp_is_understood_as_it_was_signed(timestamp: str) -> None:
    message = signatures.signed_bytes(timestamp, C2_BODY)

    judgement = judged(
        timestamp=timestamp, signature=signatures.sign(message, SECRET).decode()
    )

    assert (judgement.cause, judgement.timing) == (None, None)
    assert judgement.sent_at_s == 1760000000


def test_eleven_digits_are_seconds_and_twelve_are_milliseconds() -> None:
    assert signatures.read_timestamp("99999999999") == 99999999999
    assert signatures.read_timestamp("100000000000") == 100000000


@pytest.mark.parametrize("text", ["", "1.", ".5", "1e9", "+1", "0x1", "1" * 20, "1_0"])
def test_what_is_no_number_is_no_timestamp(text: str) -> None:
    assert signatures.read_timestamp(text) is None


@given(st.text(max_size=30) | st.from_regex(r"\A[0-9.]{1,30}\Z"))
def test_any_timestamp_fits_its_column_or_is_none(text: str) -> None:
    found = signatures.read_timestamp(text)

    assert found is None or 0 <= found < 10**11


def test_a_clock_that_is_off_is_named_with_its_minutes() -> None:
    words = signatures.ahead_words(timedelta(minutes=12).total_seconds())

    assert "12 minutes ahead of this server's clock" in words


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(hours=2), "2 hours old; the limit is 100 minutes"),
        (timedelta(days=40), "40 days old"),
    ],
)
def test_an_old_request_is_named_with_its_age(age: timedelta, words: str) -> None:
    assert words in judged(now=C2_AT + age).sentence


def test_no_sentence_holds_a_secret() -> None:
    judgement = judged(signature="v0=" + "0" * 64)

    assert "test-secret" not in judgement.sentence


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"timestamp": None}, "x-zm-request-timestamp is missing: "),
        ({"signature": None}, "x-zm-signature is missing: "),
        (
            {"timestamp": None, "signature": None},
            "x-zm-request-timestamp and x-zm-signature are missing: ",
        ),
    ],
)
def test_the_missing_headers_are_named(over: dict[str, object], words: str) -> None:
    assert judged(**over).sentence.startswith(words)  # type: ignore[arg-type]  # as in `judged`


def test_a_signature_that_does_not_match_names_the_secret_tokens_tried() -> None:
    current = NamedSecret(name="current", secret=SECRET)
    previous = NamedSecret(name="previous", secret=OTHER)
    forged = "v0=" + "0" * 64

    alone = judged(signature=forged, secrets=[current])
    both = judged(signature=forged, secrets=[current, previous])

    assert f"stored here ({fingerprint(SECRET)})." in alone.sentence
    assert (
        f"stored here ({fingerprint(SECRET)}) or the previous one "
        f"({fingerprint(OTHER)})." in both.sentence
    )
    assert (alone.sent_at_s, both.sent_at_s) == (1760000000, 1760000000)


def test_our_validation_request_is_one_that_zoom_could_have_sent() -> None:
    now = C2_AT + timedelta(milliseconds=123)

    made = signatures.validation_request(SECRET, now=now, prefix=PROBE_PREFIX)

    judgement = judged(
        made.body, timestamp=made.timestamp, signature=made.signature, now=now
    )
    assert (judgement.cause, judgement.sent_at_s) == (None, 1760000000)
    assert made.plain.startswith(PROBE_PREFIX)
    assert made.body == (
        b'{"event":"endpoint.url_validation","event_ts":1760000000123,'
        b'"payload":{"plainToken":"' + made.plain.encode() + b'"}}'
    )
    assert made.answer == signatures.answer_challenge(made.plain, SECRET)


def test_our_validation_requests_begin_as_asked_and_are_all_different() -> None:
    made = [signatures.validation_request(SECRET, now=C2_AT) for _ in range(3)]

    assert len({each.plain for each in made}) == 3
    assert {len(each.plain) for each in made} == {22}  # as Zoom's


@pytest.mark.parametrize(
    ("plain", "own"),
    [(f"{PROBE_PREFIX}x", True), ("qgg8vlvZRS6UYooatFL8Aw", False), (None, False)],
)
def test_our_own_test_is_known_by_its_token(plain: str | None, *, own: bool) -> None:
    assert signatures.is_own_probe(plain) is own
