"""What a TLS server shows."""

from __future__ import annotations

import hashlib
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

from gedge_provision.models.snapshot import Certificate

__all__ = ["read_certificate", "shown_fingerprint"]


def read_certificate(address: str, port: int, ca_file: Path | None, limit_s: float) -> Certificate:
    """Return the certificate that a server shows, checked against a CA but not against the server's name.

    Args:
        address: of the server.
        port: of the server.
        ca_file: certificates of the CA, PEM; None means those of this machine.
        limit_s: seconds to wait for an answer.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        context.check_hostname = False  # which names it has is for the caller to judge
        with (
            socket.create_connection((address, port), limit_s) as connection,
            context.wrap_socket(connection) as secured,
        ):
            shown = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Certificate(problem=f"{address}:{port}: {error.verify_message}")
    except OSError as error:
        return Certificate(problem=f"{address}:{port}: {error.strerror or error}")
    pairs = shown.get("subjectAltName", ())
    return Certificate(
        names=tuple(sorted(str(pair[1]) for pair in pairs)),
        not_after=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC),
    )


def shown_fingerprint(address: str, port: int, limit_s: float) -> str:
    """Return the SHA-256 of the certificate that a server shows, as browsers write it; empty without an answer.

    Whoever signed it: the fingerprint is what the caller compares.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), limit_s) as connection,
            context.wrap_socket(connection) as secured,
        ):
            shown = secured.getpeercert(binary_form=True) or b""
    except OSError:
        return ""
    return hashlib.sha256(shown).digest().hex(":").upper()
