"""Certificates made on the spot, good ones and bad ones, and servers that show them."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2090, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def make(
    name: str,
    *,
    by: Made | None = None,
    is_authority: bool = False,
    begins: datetime = LONG_AGO,
    ends: datetime = FAR_AHEAD,
) -> Made:
    """Make a certificate for a host name, signed by an authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = by.certificate.subject if by is not None else subject
    signing = by.key if by is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            False,
        )
    )
    return Made(certificate=builder.sign(signing, hashes.SHA256()), key=key)


def expired(name: str, *, by: Made) -> Made:
    return make(name, by=by, ends=LONG_AGO + timedelta(days=90))


def not_yet(name: str, *, by: Made) -> Made:
    return make(name, by=by, begins=FAR_AHEAD - timedelta(days=90))


def serving(folder: Path, leaf: Made, *chain: Made) -> ssl.SSLContext:
    """Return what a server needs to show a certificate with its chain."""
    shown, key = folder / "shown.pem", folder / "key.pem"
    shown.write_bytes(b"".join(one.pem for one in (leaf, *chain)))
    key.write_bytes(leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)
    return context


def believing(authority: Made) -> ssl.SSLContext:
    """Return what a client needs that believes this authority alone."""
    return ssl.create_default_context(cadata=authority.pem.decode())
