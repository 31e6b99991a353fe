"""Certificates that servers on loopback show: whose they are, until when, and why one cannot be had."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gedge_provision.adapters.tls import read_certificate

NOW = datetime.now(UTC).replace(microsecond=0)


def write_certificate(folder: Path, end: datetime) -> Path:
    """Write a self-signed certificate and its key into one file: it is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kube-apiserver")])
    names = [x509.DNSName("edge.example.org"), x509.IPAddress(ipaddress.ip_address("192.0.2.10"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@contextlib.contextmanager
def server(certificate: Path) -> Iterator[int]:
    """Serve one TLS handshake on a port of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        thread = Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_names_and_end_are_read_whatever_the_server_is_called(tmp_path: Path) -> None:
    path = write_certificate(tmp_path, NOW + timedelta(days=90))
    with server(path) as port:
        found = read_certificate("127.0.0.1", port, path, 5)
    assert (found.problem, found.names) == ("", ("192.0.2.10", "edge.example.org"))
    assert found.not_after == NOW + timedelta(days=90)


@pytest.mark.parametrize(("days", "own_ca", "said"), [(-1, True, "expired"), (90, False, "self-signed")])
def test_one_that_has_expired_or_is_of_another_ca_is_a_problem(
    tmp_path: Path, days: int, own_ca: bool, said: str
) -> None:
    path = write_certificate(tmp_path, NOW + timedelta(days=days))
    (tmp_path / "other").mkdir()
    other = write_certificate(tmp_path / "other", NOW + timedelta(days=90))
    with server(path) as port:
        found = read_certificate("127.0.0.1", port, path if own_ca else other, 5)
    assert said in found.problem
    assert found.not_after is None


def test_a_server_that_does_not_answer_is_a_problem() -> None:
    with create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    assert read_certificate("127.0.0.1", port, None, 5).problem == f"127.0.0.1:{port}: Connection refused"
