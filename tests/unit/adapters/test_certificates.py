"""Certificates of servers of ours: made, read, refused, kept, and used in a handshake."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_connection, create_server
from threading import Thread

import pytest

from gedge_provision.adapters import certificates
from gedge_provision.adapters.certificates import KeyPair
from gedge_provision.adapters.tls import shown_fingerprint
from gedge_provision.models.errors import UsageError

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["localhost", "127.0.0.1", "gse-api-server.kube-system.svc"]
MADE = certificates.self_signed("GSE API server", NAMES, NOW)


def written(pair: KeyPair, folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    return certificate, key


def openssl(*words: str | Path) -> str:
    return subprocess.run(["openssl", *words], capture_output=True, text=True, check=True).stdout


def test_what_is_made_serves_clients_that_trust_it_under_each_of_its_names(tmp_path: Path) -> None:
    certificate, key = written(MADE, tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            for _ in (*NAMES, "by its fingerprint"):
                connection, _ = listening.accept()
                with connection, serving.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

        thread = Thread(target=serve)
        thread.start()
        for name in NAMES:
            with create_connection(("127.0.0.1", port)) as plain, trusting.wrap_socket(plain, server_hostname=name):
                pass
        assert shown_fingerprint("127.0.0.1", port, 5) == certificates.fingerprint(MADE.certificate)
        thread.join()
    assert not shown_fingerprint("127.0.0.1", port, 5)


def test_its_fingerprint_is_that_of_openssl(tmp_path: Path) -> None:
    certificate, _ = written(MADE, tmp_path)
    said = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256")
    assert said.strip().partition("=")[2] == certificates.fingerprint(MADE.certificate)


def test_a_key_is_not_shown_where_a_pair_is_printed() -> None:
    assert "PRIVATE" not in repr(MADE)
    assert b"PRIVATE" in MADE.key


def test_a_made_one_is_kept_until_a_month_before_its_end_and_while_it_has_all_names() -> None:
    end = certificates.last_day(MADE.certificate)
    assert end == NOW + certificates.LIFE
    assert certificates.is_kept(MADE.certificate, NAMES, NOW)
    assert certificates.is_kept(MADE.certificate, NAMES[:1], end - timedelta(days=31))
    assert not certificates.is_kept(MADE.certificate, NAMES, end - timedelta(days=30))
    assert not certificates.is_kept(MADE.certificate, [*NAMES, "192.0.2.9"], NOW)
    assert not certificates.is_kept(b"", NAMES, NOW)


def test_one_that_somebody_else_made_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:gse-api-server.kube-system.svc"
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "900"),
        *("-subj", "/O=another/CN=GSE API server", "-addext", names, "-out", path, "-keyout", tmp_path / "other.key"),
    )
    assert certificates.read_pair(path, tmp_path / "other.key", NOW).certificate == path.read_bytes()
    assert not certificates.is_kept(path.read_bytes(), NAMES, NOW)


@pytest.mark.parametrize(
    ("spoil", "place", "message"),
    [
        (lambda certificate, _: certificate.unlink(), "server.pem", "it cannot be read: No such file"),
        (lambda certificate, _: certificate.write_text("hello"), "server.pem", "this is no certificate in PEM"),
        (lambda _, key: key.write_text("hello"), "server.key", "this is no key in PEM without a password"),
        (
            lambda _, key: key.write_bytes(certificates.self_signed("x", ["a"], NOW).key),
            "server.key",
            "this key is not that of",
        ),
        (
            lambda _, key: key.write_text(openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x")),
            "server.key",
            "this is no key in PEM without a password",
        ),
    ],
)  # fmt: skip
def test_what_cannot_serve_is_refused_with_its_place(spoil: object, place: str, message: str, tmp_path: Path) -> None:
    files = written(MADE, tmp_path)
    assert callable(spoil)
    spoil(*files)
    with pytest.raises(UsageError, match=message) as refused:
        certificates.read_pair(*files, NOW)
    assert refused.value.place == str(tmp_path / place)
    assert refused.value.remedy
    assert not [line for line in MADE.key.decode().splitlines()[1:-1] if line in str(refused.value)]


def test_one_whose_time_is_over_is_refused(tmp_path: Path) -> None:
    files = written(MADE, tmp_path)
    with pytest.raises(UsageError, match="this certificate ended on"):
        certificates.read_pair(*files, NOW + certificates.LIFE)
