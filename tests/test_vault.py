"""Sealed values open only where they belong."""

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from dashboard.errors import VaultError
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault, fingerprint

PLACE = {"table": "zoom_app", "column": "client_secret", "row": "1"}


def a_vault(*keys: str) -> Vault:
    return Vault(parse_keys(",".join(keys or [new_key()])))


def test_a_sealed_value_opens_at_its_place() -> None:
    vault = a_vault()

    sealed = vault.seal(b"value", **PLACE)

    assert vault.open(sealed, **PLACE) == b"value"
    assert b"value" not in sealed


def test_a_value_is_sealed_with_aes_256_gcm() -> None:
    key = new_key()
    [raw] = parse_keys(key)
    sealed = a_vault(key).seal(b"value", **PLACE)

    opened = AESGCM(raw).decrypt(
        sealed[5:17], sealed[17:], b"zoom_app\0client_secret\x001"
    )

    assert (len(raw), opened) == (32, b"value")


@pytest.mark.parametrize(
    "elsewhere",
    [{"table": "workspace"}, {"column": "secret_token"}, {"row": "2"}],
    ids=["another table", "another column", "another row"],
)
def test_a_sealed_value_does_not_open_elsewhere(elsewhere: dict[str, str]) -> None:
    vault = a_vault()
    sealed = vault.seal(b"value", **PLACE)

    with pytest.raises(VaultError):
        vault.open(sealed, **{**PLACE, **elsewhere})


def test_places_do_not_run_into_each_other() -> None:
    vault = a_vault()
    sealed = vault.seal(b"value", table="ab", column="c", row="1")

    with pytest.raises(VaultError):
        vault.open(sealed, table="a", column="bc", row="1")


@pytest.mark.parametrize("position", [0, 1, 5, 17, -1])
def test_an_altered_value_does_not_open(position: int) -> None:
    vault = a_vault()
    altered = bytearray(vault.seal(b"value", **PLACE))
    altered[position] ^= 1

    with pytest.raises(VaultError, match=r"^zoom_app\.client_secret "):
        vault.open(bytes(altered), **PLACE)


@pytest.mark.parametrize("value", [b"", b"\x01", b"plain text that was never sealed"])
def test_what_was_never_sealed_does_not_open(value: bytes) -> None:
    with pytest.raises(VaultError, match=r"^zoom_app\.client_secret holds no sealed"):
        a_vault().open(value, **PLACE)


def test_an_older_key_still_opens_and_is_called_stale() -> None:
    old, new = new_key(), new_key()
    sealed = a_vault(old).seal(b"value", **PLACE)

    rotated = a_vault(new, old)

    assert rotated.open(sealed, **PLACE) == b"value"
    assert rotated.is_stale(sealed)
    assert not rotated.is_stale(rotated.seal(b"value", **PLACE))


def test_another_installations_key_does_not_open() -> None:
    sealed = a_vault().seal(b"value", **PLACE)

    with pytest.raises(VaultError, match="key that is not here"):
        a_vault().open(sealed, **PLACE)


def test_what_an_earlier_release_sealed_still_opens() -> None:
    sealed = bytes.fromhex(
        "0178150e2be2cfdf9655a8281466a45174a1cd61a348c21e6efe7e783a7d2092064db39fe19f"
    )

    opened = Vault([bytes(range(32))]).open(sealed, **PLACE)

    assert opened == b"value"


@pytest.mark.parametrize("value", ["text", "", "ä\N{SNOWMAN}"])
def test_a_text_opens_at_its_place_alone(value: str) -> None:
    vault = a_vault()

    sealed = vault.seal_text(SecretStr(value), **PLACE)

    assert vault.open_text(sealed, **PLACE) == SecretStr(value)
    assert vault.open(sealed, **PLACE) == value.encode()
    for elsewhere in ({"table": "b"}, {"column": "c"}, {"row": "2"}):
        with pytest.raises(VaultError):
            vault.open_text(sealed, **{**PLACE, **elsewhere})


def test_no_key_is_no_vault() -> None:
    with pytest.raises(VaultError, match="There is no encryption key"):
        Vault([])


def test_no_random_byte_is_used_for_two_nonces(monkeypatch: pytest.MonkeyPatch) -> None:
    vault, drawn, urandom = a_vault(), bytearray(), os.urandom

    def draw(size: int) -> bytes:
        drawn.extend(urandom(size))
        return bytes(drawn[-size:])

    monkeypatch.setattr(os, "urandom", draw)

    sealed = [vault.seal(b"value", **PLACE) for _ in range(512)]

    apart = {bytes(drawn[at : at + 12]) for at in range(0, 512 * 12, 12)}
    assert {each[5:17] for each in sealed} == apart
    assert len(apart) == 512
    assert {vault.open(each, **PLACE) for each in sealed} == {b"value"}


def test_two_secrets_have_two_fingerprints() -> None:
    first, second = SecretStr("test-secret-0001"), SecretStr("test-secret-0002")

    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(first) == "daac160b"


def test_a_forked_process_repeats_no_nonce(vault: Vault) -> None:
    place: dict[str, Any] = {"table": "t", "column": "c", "row": 1}
    vault.seal(b"draws many nonces at once", **place)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        os.write(writer, b"".join(vault.seal(b"", **place)[5:17] for _ in range(20)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        drawn = pipe.read()
    os.waitpid(child, 0)

    of_child = {drawn[at : at + 12] for at in range(0, len(drawn), 12)}
    of_parent = {vault.seal(b"", **place)[5:17] for _ in range(20)}
    assert (len(of_child), len(of_parent)) == (20, 20)
    assert not of_child & of_parent
