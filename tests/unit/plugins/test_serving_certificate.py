"""The plugin that keeps a certificate of a server in the cluster: what it stores, when anew, and that keys stay hidden.

kubectl is a script on this machine that keeps one Secret as a file; the plugin runs as Ansible runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters import certificates

ROOT = Path(__file__).parents[3]
NAMES = ["gse-api-server.kube-system.svc", "192.0.2.1"]
NOW = datetime.now(UTC)
KUBECTL = """\
#!/bin/sh
echo "$*" >>"$(dirname "$0")/calls"
case " $* " in
*" get secret "*) if [ -e "$(dirname "$0")/secret" ]; then cat "$(dirname "$0")/certificate"; fi ;;
*" apply "*)
  if [ -e "$(dirname "$0")/busy" ]; then
    rm "$(dirname "$0")/busy"
    echo "dial tcp 192.0.2.1:6443: connect: connection refused" >&2
    exit 1
  fi
  cat >"$(dirname "$0")/secret"
  sed 's/.*"tls.crt": "\\([^"]*\\)".*/\\1/' "$(dirname "$0")/secret" >"$(dirname "$0")/certificate"
  echo secret/x ;;
esac
"""
PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - serving_certificate:
        name: server-certificate
        namespace: kube-system
        owner: gse_api_server
        server: GSE API server
        urls: ["https://192.0.2.1:9443"]
        names: %s
        certificate: "%s"
        key: "%s"
        kubeconfig: %s/admin.conf
"""


@dataclass(frozen=True)
class Cluster:
    """A folder with what stands for a control-plane node."""

    folder: Path

    def run(self, names: list[str], pair: tuple[str, str] = ("", ""), *options: str) -> tuple[dict[str, Any], str]:
        """Run the task as a playbook, with the most words that Ansible has, and return its result and all output."""
        book = self.folder / "book.yml"
        book.write_text(PLAYBOOK % (json.dumps(names), *pair, self.folder), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": str(self.folder / "action"),
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOG_PATH": str(self.folder / "log"),
            "PYTHONPATH": str(ROOT),
        }
        argv = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", "-vvvvvv", book]
        done = subprocess.run(
            [*argv, *options], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        printed = done.stdout + done.stderr
        marks = [line for line in done.stdout.splitlines() if line.startswith(("ok: ", "changed: ", "fatal: "))]
        assert marks, printed
        begin = done.stdout.index("{", done.stdout.index(marks[0]))
        result, _ = json.JSONDecoder().raw_decode(done.stdout[begin:])
        return result, printed + (self.folder / "log").read_text(encoding="utf-8")

    @property
    def secret(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "secret").read_text(encoding="utf-8"))
        return found

    def hidden(self, printed: str) -> bool:
        """Tell whether nothing of the key that is stored is in what was printed, nor in a call of kubectl."""
        key = self.secret["data"]["tls.key"]
        parts = [key, *b64decode(key).decode().splitlines()[1:-1]]
        said = printed + (self.folder / "calls").read_text(encoding="utf-8")
        return not [part for part in parts if part in said]

    def put(self, pair: certificates.KeyPair) -> None:
        """Store a certificate, as an apply of some time ago did."""
        data = {"tls.crt": b64encode(pair.certificate).decode(), "tls.key": b64encode(pair.key).decode()}
        (self.folder / "secret").write_text(json.dumps({"data": data}), encoding="utf-8")
        (self.folder / "certificate").write_text(data["tls.crt"], encoding="utf-8")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "admin.conf").touch()
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL, encoding="utf-8")
    kubectl.chmod(0o755)
    # The plugin as it is, but for the place of kubectl on nodes.
    plugin = (ROOT / "plugins" / "action" / "serving_certificate.py").read_text(encoding="utf-8")
    place = 'KUBECTL = "/usr/local/bin/kubectl"'
    assert place in plugin
    (tmp_path / "action").mkdir()
    text = plugin.replace(place, f'KUBECTL = "{kubectl}"')
    (tmp_path / "action" / "serving_certificate.py").write_text(text, encoding="utf-8")
    return Cluster(tmp_path)


def test_a_made_one_is_stored_told_and_kept(cluster: Cluster) -> None:
    (cluster.folder / "busy").touch()
    first, printed = cluster.run(NAMES)
    assert first["changed"]
    assert first["objects"] == [{"action": "create", "kind": "Secret", "name": "kube-system/server-certificate"}]
    assert cluster.secret["type"] == "kubernetes.io/tls"
    assert cluster.secret["metadata"]["labels"] == {"gedge.dev/role": "gse_api_server"}
    stored = b64decode(cluster.secret["data"]["tls.crt"])
    told = first["ansible_facts"]["gedge_serving_certificate"]
    assert told["fingerprint"] == certificates.fingerprint(stored)
    assert told["not_after"] == certificates.last_day(stored).isoformat()
    assert told["urls"] == ["https://192.0.2.1:9443"]
    assert cluster.hidden(printed)

    again, _ = cluster.run(NAMES[:1])
    assert not again["changed"]
    assert again["objects"] == []
    assert again["ansible_facts"] == first["ansible_facts"]


def test_it_is_made_anew_for_another_name_and_before_its_end(cluster: Cluster) -> None:
    cluster.run(NAMES)
    before = cluster.secret
    check, _ = cluster.run([*NAMES, "192.0.2.2"], ("", ""), "--check")
    assert check["objects"] == [{"action": "change", "kind": "Secret", "name": "kube-system/server-certificate"}]
    assert cluster.secret == before
    changed, printed = cluster.run([*NAMES, "192.0.2.2"])
    assert changed["changed"]
    assert cluster.secret != before
    assert cluster.hidden(printed)

    cluster.put(certificates.self_signed("GSE API server", NAMES, NOW - certificates.LIFE + timedelta(days=29)))
    assert cluster.run(NAMES)[0]["changed"]
    cluster.put(certificates.self_signed("GSE API server", NAMES, NOW - certificates.LIFE + timedelta(days=31)))
    assert not cluster.run(NAMES)[0]["changed"]


def test_one_of_the_site_is_stored_kept_and_given_up(cluster: Cluster) -> None:
    own = certificates.self_signed("own", ["edge.example.org"], NOW)
    files = (str(cluster.folder / "own.pem"), str(cluster.folder / "own.key"))
    Path(files[0]).write_bytes(own.certificate)
    Path(files[1]).write_bytes(own.key)
    stored, printed = cluster.run(NAMES, files)
    assert stored["changed"]
    assert b64decode(cluster.secret["data"]["tls.key"]) == own.key
    assert cluster.hidden(printed)
    assert not cluster.run(NAMES, files)[0]["changed"]
    Path(files[1]).write_bytes(certificates.self_signed("x", ["x"], NOW).key)
    refused, printed = cluster.run(NAMES, files)
    assert "this key is not that of" in refused["msg"]
    assert "Traceback" not in refused["msg"]
    assert cluster.hidden(printed)
    # Made here, like the next, but for other names.
    assert cluster.run(NAMES)[0]["changed"]


def test_before_there_is_a_cluster_check_mode_tells_of_it(cluster: Cluster) -> None:
    (cluster.folder / "admin.conf").unlink()
    told, _ = cluster.run(NAMES, ("", ""), "--check")
    assert told["objects"] == [{"action": "create", "kind": "Secret", "name": "kube-system/server-certificate"}]
    assert not (cluster.folder / "calls").exists()
