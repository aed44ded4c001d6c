"""Why a signature matches no secret token of its zoom app, and who fixes it where.

Tries, in memory and with a bounded number of HMACs, what else could have made it: the
secret token of another zoom app, one with stray white space, or the body as Zoom sent
it before a proxy rewrote or packed it. Callers limit how often they ask.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pydantic import SecretStr

from dashboard.services.receiver import packing, signatures
from dashboard.services.receiver.keyring import AppCredentials, Neighbour
from dashboard.services.receiver.packing import Packed
from dashboard.services.receiver.signatures import Cause, NamedSecret

HMACS_A_REQUEST = 12
"""The most that one request may cost, however many zoom apps there are."""

LARGEST_BODY_BYTES = 64 * 1024
"""Larger bodies are not looked into: Zoom's events have a few KB."""

_NAME_CHARS = 40
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_ACCESS = "in Zoom, under Features, Access"
_PROXY = "The operator of the proxy in front of this server"

Sign = Callable[[bytes, SecretStr], bytes]
"""`signatures.sign`, or something that counts."""

SecretsOf = Callable[[Neighbour], Sequence[NamedSecret]]
"""`Keyring.secrets_of`: opened only when their turn comes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mismatch:
    """A request whose signature has Zoom's form and matches no secret of its app.

    Attributes:
        body: Raw request bytes, as they came.
        timestamp: `x-zm-request-timestamp`, of the form that `check` checked.
        signature: `x-zm-signature`, likewise.
        declared_bytes: `Content-Length`; None when absent.
        encoding: The `content-encoding` header, "" when absent.
        client_id: The `clientid` header, "" when absent. No signature covers it
            (docs/contracts/zoom.md 5.2, checked 2026-11-23): a hint, never a proof.
    """

    app: AppCredentials
    body: bytes
    timestamp: str
    signature: str
    declared_bytes: int | None
    encoding: str
    client_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """What it is.

    Attributes:
        sentence: What was seen; after a line break, who fixes it where.
    """

    cause: Cause
    sentence: str


class _Likelihood(IntEnum):
    """How likely a zoom app is the one that signed; the smaller, the likelier."""

    NAMED = 0  # by the `clientid` header
    SIBLING = 1  # the same name in the other environment
    OTHER = 2


class _Trial:
    """Compares signatures until the budget is spent; then nothing matches."""

    def __init__(self, mismatch: Mismatch, sign: Sign) -> None:
        self._timestamp = mismatch.timestamp
        self._presented = mismatch.signature.encode()
        self._sign = sign
        self.left = HMACS_A_REQUEST

    def matches(self, body: bytes, secret: SecretStr) -> bool:
        if self.left == 0:
            return False
        self.left -= 1
        message = signatures.signed_bytes(self._timestamp, body)
        return hmac.compare_digest(self._sign(message, secret), self._presented)


def explain(
    mismatch: Mismatch,
    *,
    neighbours: Sequence[Neighbour],
    secrets_of: SecretsOf,
    sign: Sign = signatures.sign,
) -> Explanation | None:
    """Say what else could have made this signature; None when nothing shows.

    The likeliest is tried first; what the budget leaves goes to the other zoom apps.

    Args:
        mismatch: The request.
        neighbours: Every zoom app here, its own included.
        secrets_of: Opens a zoom app's secret tokens.
        sign: Makes the HMAC; called at most `HMACS_A_REQUEST` times.
    """
    if mismatch.declared_bytes not in (None, len(mismatch.body)):
        return _cut(mismatch)
    packed = packing.find(mismatch.body, mismatch.encoding)
    if packed is not None:
        return _packed(_Trial(mismatch, sign), mismatch, packed)
    if len(mismatch.body) > LARGEST_BODY_BYTES:
        return None
    trial = _Trial(mismatch, sign)
    own = next((one for one in neighbours if one.id == mismatch.app.id), None)
    ranked = sorted(
        (_likelihood(mismatch, own, one), number)
        for number, one in enumerate(neighbours)
        if one is not own
    )
    likely = [neighbours[number] for rank, number in ranked if rank < _Likelihood.OTHER]
    rest = [neighbours[number] for rank, number in ranked if rank == _Likelihood.OTHER]
    return (
        _of_others(trial, mismatch, own, likely[:2], secrets_of)
        or _with_white_space(trial, mismatch)
        or _rewritten(trial, mismatch)
        or _of_others(trial, mismatch, own, likely[2:] + rest, secrets_of)
    )


def zooms_spelling(body: bytes) -> bytes | None:
    r"""Return the same JSON as Zoom spells it; None when it is not known.

    Compact, keys in the order they came, characters beyond the BMP as surrogate
    escapes in uppercase (`\uD83D\uDE92`), all others as UTF-8. Source:
    docs/contracts/zoom.md 5.3, checked 2026-11-23.
    """
    try:
        text = json.dumps(
            json.loads(body), ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        return _BEYOND_BMP.sub(_surrogates, text).encode()
    except (ValueError, RecursionError):
        return None


def _cut(mismatch: Mismatch) -> Explanation:
    return Explanation(
        cause=Cause.LENGTH,
        sentence=f"Content-Length says {mismatch.declared_bytes} bytes, but "
        f"{len(mismatch.body)} arrived: the body was cut or changed on the way.\n"
        f"{_PROXY} raises its size limit and timeout for request bodies.",
    )


def _packed(trial: _Trial, mismatch: Mismatch, packed: Packed) -> Explanation:
    certain = "Zoom never sends a body so."
    for each in signatures.usable(mismatch.app.secrets):
        if packed.body is not None and trial.matches(packed.body, each.secret):
            certain = f"Unpacked, it matches the {each.name} secret token."
            break
    return Explanation(
        cause=Cause.PACKED,
        sentence=f"A proxy changed the body: it arrived {packed.how}. {certain}\n"
        f"{_PROXY} lets the bodies of /hooks/ through byte for byte.",
    )


def _with_white_space(trial: _Trial, mismatch: Mismatch) -> Explanation | None:
    for each in signatures.usable(mismatch.app.secrets):
        text = each.secret.get_secret_value()
        for variant, words in (
            (text.strip(), "without the white space around it"),
            (text.strip() + " ", "with a space after it"),
            (text.strip() + "\n", "with a line break after it"),
        ):
            if variant != text and trial.matches(mismatch.body, SecretStr(variant)):
                return Explanation(
                    cause=Cause.WHITE_SPACE,
                    sentence=f"The {each.name} secret token would match {words}.\n"
                    f"An admin copies Secret Token again, {_ACCESS}, and enters it "
                    "here (zoom app, Edit).",
                )
    return None


def _rewritten(trial: _Trial, mismatch: Mismatch) -> Explanation | None:
    spelled = zooms_spelling(mismatch.body)
    if spelled is None or spelled == mismatch.body:
        return None
    for each in signatures.usable(mismatch.app.secrets):
        if trial.matches(spelled, each.secret):
            return Explanation(
                cause=Cause.REWRITTEN,
                sentence="A proxy rewrote the JSON: in Zoom's own spelling "
                f"({len(spelled)} bytes; {len(mismatch.body)} arrived) the body "
                f"matches the {each.name} secret token.\n"
                f"{_PROXY} lets the bodies of /hooks/ through byte for byte.",
            )
    return None


def _of_others(
    trial: _Trial,
    mismatch: Mismatch,
    own: Neighbour | None,
    others: Sequence[Neighbour],
    secrets_of: SecretsOf,
) -> Explanation | None:
    if own is None:  # it was removed just now
        return None
    for other, secret in _secrets(trial, others, secrets_of):
        if trial.matches(mismatch.body, secret.secret):
            return _named(mismatch, own, other, secret)
    return None


def _secrets(
    trial: _Trial, others: Sequence[Neighbour], secrets_of: SecretsOf
) -> Iterator[tuple[Neighbour, NamedSecret]]:
    for other in others:
        if trial.left == 0:
            return
        for each in signatures.usable(secrets_of(other)):
            yield other, each


def _named(
    mismatch: Mismatch, own: Neighbour, other: Neighbour, secret: NamedSecret
) -> Explanation:
    is_elsewhere = other.environment != own.environment
    which = "previous secret token" if secret.name == "previous" else "secret token"
    seen = f"Signed with the {which} of {_name(other)}"
    if mismatch.client_id == own.client_id:
        sentence = (
            f"{seen}, but the clientid header is this zoom app's: the two secret "
            "tokens may be swapped here.\nAn admin copies each app's own Secret Token, "
            f"{_ACCESS}, and enters it here again. The other is {_address(other)}."
        )
    else:
        sentence = (
            f"{seen}: Zoom posts its webhooks to the URL of {_name(own)}.\n"
            "The app's owner in Zoom enters its own webhook URL, which ends in "
            f"{_address(other)}, in the {other.environment.value} field of Features, "
            "Access."
        )
    return Explanation(
        cause=Cause.OTHER_ENVIRONMENT if is_elsewhere else Cause.OTHER_APP,
        sentence=sentence,
    )


def _likelihood(
    mismatch: Mismatch, own: Neighbour | None, other: Neighbour
) -> _Likelihood:
    if other.client_id == mismatch.client_id:
        return _Likelihood.NAMED
    if own is not None and own.is_sibling(other):
        return _Likelihood.SIBLING
    return _Likelihood.OTHER


def _name(app: Neighbour) -> str:
    return f"{' '.join(app.name.split())[:_NAME_CHARS]} ({app.environment.value})"


def _address(app: Neighbour) -> str:
    return f"/hooks/zoom/{app.id}"


def _surrogates(match: re.Match[str]) -> str:
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}"
