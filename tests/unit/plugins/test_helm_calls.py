"""How helm is called on a host: what it gets of the host's proxies, and where it keeps what it fetches."""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from plugins.module_utils import helm

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written: run the tests as root")

SERVER = "fd00::11"
NAMES = ("NO_PROXY", "no_proxy", "HTTPS_PROXY")
# It keeps what it was started with.
PROGRAM = f"""\
#!/bin/sh
for name in {" ".join(NAMES)}; do eval "echo $name=\\$$name"; done > FOLDER/got
echo '[]'
"""


def credentials() -> tuple[bytes, bytes]:
    """Return a certificate that has signed itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> helm.Helm:
    """A release of a cluster whose administrator's kubeconfig lies in a folder, beside a program in helm's place."""
    certificate, key = (b64encode(part).decode() for part in credentials())
    config = {
        "clusters": [{"cluster": {"server": f"https://[{SERVER}]:6443", "certificate-authority-data": certificate}}],
        "users": [{"user": {"client-certificate-data": certificate, "client-key-data": key}}],
    }
    (tmp_path / "admin.conf").write_text(yaml.safe_dump(config, width=100_000), encoding="utf-8")
    program = tmp_path / "helm"
    program.write_text(PROGRAM.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(helm, "HELM", str(program))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return helm.Helm(str(tmp_path / "admin.conf"), "gpu-operator", "gpu-operator", 60)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, SERVER),
        ({"NO_PROXY": "10.0.0.0/8"}, f"10.0.0.0/8,{SERVER}"),
        ({"no_proxy": "charts.example.org"}, f"charts.example.org,{SERVER}"),
        ({"NO_PROXY": "10.0.0.0/8", "no_proxy": "charts.example.org"}, f"10.0.0.0/8,charts.example.org,{SERVER}"),
        ({"NO_PROXY": "10.0.0.0/8", "no_proxy": "10.0.0.0/8"}, f"10.0.0.0/8,{SERVER}"),
        ({"NO_PROXY": "", "no_proxy": "charts.example.org"}, f"charts.example.org,{SERVER}"),
    ],
)
def test_helm_goes_around_the_proxy_to_whom_the_owner_named_and_to_the_api_server(
    release: helm.Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], told: str
) -> None:
    proxy = "http://proxy.example.org:3128"
    for name, value in {**environment, "HTTPS_PROXY": proxy}.items():
        monkeypatch.setenv(name, value)
    with release.home():
        assert release.find() is None
    got = (tmp_path / "got").read_text(encoding="utf-8").splitlines()
    assert got == [f"NO_PROXY={told}", f"no_proxy={told}", f"HTTPS_PROXY={proxy}"]
