"""The action plugin that applies objects: where Services are published, and what of Secrets it asks.

kubectl is a script on this machine that keeps objects in a file; the plugin runs as Ansible runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
KUBECTL = """\
#!%s
import json, pathlib, sys
import yaml
words, folder = sys.argv[1:], pathlib.Path(__file__).parent
with open(folder / "calls", "a") as calls:
    calls.write(" ".join(words) + "\\n")
path = folder / "objects"
live = json.loads(path.read_text()) if path.exists() else {}
verb = next(word for word in words if word in ("get", "apply", "patch", "delete"))
name = lambda item: item["kind"] + "/" + item["metadata"]["name"]
if verb == "get" and "secrets" in words:
    for key, item in live.items():
        if item["kind"] == "Secret":
            print(json.dumps({"kind": "Secret", "metadata": {"name": key.split("/")[1], "namespace": "kube-system"}}))
elif verb == "get" and "-f" not in words:
    print(json.dumps({"kind": "List", "items": []}))
elif verb == "delete":
    live.pop(words[words.index("delete") + 1].capitalize() + "/" + words[words.index("delete") + 2])
elif verb == "patch":
    (item,) = [one for one in live.values() if one["metadata"]["name"] in words and one["kind"] == "Service"]
    assert "--subresource=status" in words and "--type=merge" in words
    item["status"] = json.loads(words[words.index("-p") + 1])["status"]
    print(json.dumps(item))
else:
    for asked in filter(None, yaml.safe_load_all(sys.stdin.read())):
        item = live.get(name(asked), {})
        if verb == "apply":
            assert "status" not in asked
            made = {**asked, "metadata": {**asked["metadata"], "managedFields": [
                {"manager": "gedge", "operation": "Apply", "fieldsV1": {"f:spec": {"x": {}}}, "time": "t"}]}}
            made["status"] = item.get("status", {"loadBalancer": {}})
            if "--dry-run=server" not in words:
                live[name(asked)] = made
            item = made
        if item:
            print(json.dumps(item))
path.write_text(json.dumps(live))
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: server-external, namespace: kube-system, labels: {gedge.dev/role: server}}
spec: {type: LoadBalancer, ports: [{port: 9443}]}
status: {loadBalancer: {ingress: [%s]}}
"""


@dataclass(frozen=True)
class Cluster:
    """A folder with what stands for a control-plane node."""

    folder: Path

    def run(self, manifests: str, *options: str, **prune: Any) -> list[dict[str, str]]:
        """Apply manifests and return what was done."""
        asked = {"manifests": manifests, "kubeconfig": str(self.folder / "admin.conf"), "prune": prune or None}
        task = {"kube_apply": {key: value for key, value in asked.items() if value is not None}}
        book = self.folder / "book.yml"
        play = {"hosts": "localhost", "gather_facts": False, "tasks": [task]}
        book.write_text(yaml.safe_dump([play]), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_ACTION_PLUGINS": str(self.folder / "action"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
        }
        argv = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local", "-v", book]
        done = subprocess.run(
            [*argv, *options], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        begin = done.stdout.index("{", done.stdout.index("[localhost] => "))
        result, _ = json.JSONDecoder().raw_decode(done.stdout[begin:])
        found: list[dict[str, str]] = result["objects"]
        return [{key: one[key] for key in ("action", "kind", "name")} for one in found]

    @property
    def objects(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "objects").read_text(encoding="utf-8"))
        return found

    @property
    def published(self) -> list[str]:
        places = self.objects["Service/server-external"]["status"]["loadBalancer"].get("ingress", [])
        return [one["ip"] for one in places]


def service(*addresses: str) -> str:
    return SERVICE % ", ".join(f"{{ip: {address}, ipMode: VIP}}" for address in addresses)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "admin.conf").touch()
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL % sys.executable, encoding="utf-8")
    kubectl.chmod(0o755)
    # The plugin as it is, but for the place of kubectl on nodes.
    plugin = (ROOT / "plugins" / "action" / "kube_apply.py").read_text(encoding="utf-8")
    place = 'KUBECTL = "/usr/local/bin/kubectl"'
    assert place in plugin
    (tmp_path / "action").mkdir()
    text = plugin.replace(place, f'KUBECTL = "{kubectl}"')
    (tmp_path / "action" / "kube_apply.py").write_text(text, encoding="utf-8")
    return Cluster(tmp_path)


def test_a_service_is_published_where_its_status_says_and_follows_it(cluster: Cluster) -> None:
    what = {"kind": "Service", "name": "kube-system/server-external"}
    assert cluster.run(service("192.0.2.1"), "--check") == [{"action": "create", **what}]
    assert cluster.objects == {}
    assert cluster.run(service("192.0.2.1")) == [{"action": "create", **what}]
    assert cluster.published == ["192.0.2.1"]
    assert cluster.run(service("192.0.2.1")) == []
    more = service("192.0.2.1", "192.0.2.2")
    assert cluster.run(more, "--check") == [{"action": "change", **what}]
    assert cluster.published == ["192.0.2.1"]
    assert cluster.run(more) == [{"action": "change", **what}]
    assert cluster.published == ["192.0.2.1", "192.0.2.2"]


def test_of_secrets_that_go_only_the_names_are_asked(cluster: Cluster) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "server-certificate"}, "data": {"tls.key": "hidden"}}
    (cluster.folder / "objects").write_text(json.dumps({"Secret/server-certificate": secret}), encoding="utf-8")
    gone = {"action": "remove", "kind": "Secret", "name": "kube-system/server-certificate"}
    kinds = ["deployments,services", "secrets"]
    assert cluster.run("", "--check", not_owners=["multus"], kinds=kinds) == [gone]
    assert cluster.objects
    assert cluster.run("", not_owners=["multus"], kinds=kinds) == [gone]
    assert cluster.objects == {}
    asked = [
        line for line in (cluster.folder / "calls").read_text(encoding="utf-8").splitlines() if " secrets " in line
    ]
    assert asked
    assert all("jsonpath=" in line and "-l gedge.dev/role,gedge.dev/role notin (multus)" in line for line in asked)
