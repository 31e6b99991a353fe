"""Certificates of servers of ours: those that somebody gives, and those that are signed by nobody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gedge_provision.models.errors import UsageError

__all__ = ["LIFE", "RENEWED_BEFORE", "KeyPair", "fingerprint", "is_kept", "last_day", "read_pair", "self_signed"]

LIFE = timedelta(days=730)
"""How long a certificate is valid that is made here."""
RENEWED_BEFORE = timedelta(days=30)
"""How long before its end it is replaced."""

_MAKER = "gedge-provision"  # organisation in certificates that are made here
_SKEW = timedelta(hours=1)  # clocks of clients may be slow


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its key, both PEM; a certificate may be followed by those between it and its CA."""

    certificate: bytes
    key: bytes = field(repr=False)


def self_signed(name: str, names: Sequence[str], now: datetime) -> KeyPair:
    """Make a key (P-256) and a certificate for a server that nobody signs.

    Args:
        name: of the server, for people.
        names: DNS names and addresses by which clients reach it.
        now: the time, with its zone.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, _MAKER), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def read_pair(certificate: Path, key: Path, now: datetime) -> KeyPair:
    """Read a certificate and its key.

    Raises:
        UsageError: a file cannot be read, is no PEM, has a password, they do not belong together, or its time is over.
    """
    pair = KeyPair(_read(certificate), _read(key))
    try:
        shown = _parsed(pair.certificate)
    except ValueError as error:
        raise UsageError(
            "this is no certificate in PEM", place=str(certificate), remedy="it begins with BEGIN CERTIFICATE"
        ) from error
    try:
        secret = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(
            "this is no key in PEM without a password",
            place=str(key),
            remedy="it begins with BEGIN PRIVATE KEY; take a password away by openssl pkey",
        ) from error
    if secret.public_key() != shown.public_key():
        raise UsageError(f"this key is not that of {certificate}", place=str(key), remedy="name the two of one server")
    if shown.not_valid_after_utc <= now:
        raise UsageError(
            f"this certificate ended on {shown.not_valid_after_utc:%Y-%m-%d}", place=str(certificate), remedy="renew it"
        )
    return pair


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}", place=str(path), remedy="correct the path") from error


def fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate (PEM) as browsers and openssl show it: AB:CD:...

    Raises:
        ValueError: it is none.
    """
    return _parsed(certificate).fingerprint(hashes.SHA256()).hex(":").upper()


def last_day(certificate: bytes) -> datetime:
    """Return until when a certificate (PEM) is valid.

    Raises:
        ValueError: it is none.
    """
    return _parsed(certificate).not_valid_after_utc


def is_kept(certificate: bytes, names: Collection[str], now: datetime) -> bool:
    """Tell whether a certificate (PEM) was made here, has these names, and does not end soon."""
    try:
        shown = _parsed(certificate)
        alternatives = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    makers = [one.value for one in shown.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    known = {str(one.value) for one in alternatives}
    return (
        shown.issuer == shown.subject
        and makers == [_MAKER]
        and set(names) <= known
        and now + RENEWED_BEFORE < shown.not_valid_after_utc
    )


def _parsed(certificate: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(certificate)[0]


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
