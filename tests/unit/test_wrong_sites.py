"""Everything a person gets wrong in a site file ends in a place, a plain sentence and a remedy."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gedge_provision.models.errors import DocumentError, UsageError
from gedge_provision.provisioning import load_site

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
GOOD = """\
name: seoul-1
kubernetes: {version: 1.36.4}
networks:
  pods: 10.244.0.0/16
  services: 10.96.0.0/16
  flannel: {backend: vxlan, port: 8472}
control_plane: {virtual_router_id: 51}
ssh: {user: root, port: 22}
artifacts: {host_path: /srv/store}
node_classes:
  manager: {}
  ai-worker:
    kubelet:
      cpu_manager_policy: static
      kube_reserved: {cpu: 500m}
    labels: {gedge.dev/class: ai}
    taints:
      - {key: gedge.dev/ai, effect: NoSchedule}
nodes:
  - {name: gedgem01, address: 192.168.40.11, roles: [control_plane], node_class: manager}
  - {name: gedgew01, address: 192.168.40.21, node_class: ai-worker}
lab: {subnet: 192.168.40.0/24}
"""

# What is written instead of what; then line, field, message, remedy (each a part of the text).
CASES = [
    # keys that nobody knows, on every level
    ("nodes:\n", "node:\n", 19, "node", "unknown key", "did you mean 'nodes'?"),
    ("name: seoul-1\n", "name: seoul-1\nflavour: 1\n", 2, "flavour", "unknown key", "known keys here: artifacts"),
    ("{version", "{versoin", 2, "kubernetes.versoin", "unknown key", "did you mean 'version'?"),
    ("  pods:", "  pod:", 4, "networks.pod", "unknown key", "did you mean 'pods'?"),
    ("backend:", "bakend:", 6, "networks.flannel.bakend", "unknown key", "did you mean 'backend'?"),
    ("virtual_router_id: 51", "virtual_ips: 1.2.3.4", 7, "control_plane.virtual_ips", "unknown key", "'virtual_ip'?"),
    ("user: root", "usr: root", 8, "ssh.usr", "unknown key", "did you mean 'user'?"),
    ("host_path:", "hostpath:", 9, "artifacts.hostpath", "unknown key", "did you mean 'host_path'?"),
    ("    kubelet:", "    kublet:", 13, "node_classes.ai-worker.kublet", "unknown key", "did you mean 'kubelet'?"),
    ("policy: static", "polcy: static", 14, ".kubelet.cpu_manager_polcy", "unknown key", "'cpu_manager_policy'?"),
    ("{cpu: 500m}", "{cpus: 500m}", 15, "kube_reserved.cpus", "unknown key", "did you mean 'cpu'?"),
    ("effect:", "efect:", 18, "taints[0].efect", "unknown key", "did you mean 'effect'?"),
    ("node_class: ai-worker", "nodeclass: ai-worker", 21, "nodes[1].nodeclass", "unknown key", "'node_class'?"),
    ("subnet:", "subnett:", 22, "lab.subnett", "unknown key", "did you mean 'subnet'?"),
    # not YAML, or not one document
    ("  pods:", "\tpods:", 4, "", "a tab stands where YAML wants spaces", "indent by spaces"),
    ("1.36.4}", "1.36.4", 3, "", "not valid YAML", "mend the indentation or quoting"),
    ("name: seoul-1\n", "name: seoul-1\nname: seoul-2\n", 2, "name", "this key stands twice", "keep one"),
    ("lab:", "---\nlab:", 22, "", "a second document begins here", "keep one document"),
    ("seoul-1", "se\x00oul", 1, "", "a control character", "remove it"),
    ("seoul-1", "!!python/object/apply:os.system [id]", 1, "", "a YAML tag", "remove it"),
    ("manager: {}", "? [a, b]\n  : {}", 11, "", "cannot be a key", "plain text"),
    ("gedgew01", "*nowhere", 21, "", "no anchor of this name", "write the value itself"),
    ("manager: {}", "manager: &m {kubelet: *m}", 11, "", "unfold without end", "write the values themselves"),
    # ranges
    ("10.244.0.0/16", "10.244.0.0/33", 4, "networks.pods", "'10.244.0.0/33' is no IPv4 range", "like 10.244.0.0/16"),
    ("10.244.0.0/16", "10.244.1.5/16", 4, "networks.pods", "names an address inside", "write 10.244.0.0/16"),
    ("10.244.0.0/16", "fd00::/48", 4, "networks.pods", "only IPv4 is supported", "use an IPv4 range"),
    ("10.96.0.0/16", "10.244.0.0/20", 5, "networks.services", "overlaps networks.pods", "no address in common"),
    ("10.244.0.0/16", "192.168.0.0/16", 22, "lab.subnet", "overlaps networks.pods", "no address in common"),
    ("10.244.0.0/16", "192.168.0.0/16", 20, "nodes[0].address", "lies in networks.pods", "keep pod and service ranges"),
    (
        "10.244.0.0/16",
        "10.244.0.0/24",
        4,
        "networks.pods",
        "too small: each of 2 nodes takes a /24",
        "a wider range, for example 10.244.0.0/16",
    ),
    ("10.96.0.0/16", "11.0.0.0/8", 5, "networks.services", "larger than the API server accepts", "use /12 or smaller"),
    ("10.96.0.0/16", "10.96.0.0/29", 5, "networks.services", "is too small for the services", "use /28 or wider"),
    ("10.96.0.0/16", "224.0.0.0/16", 5, "networks.services", "has multicast addresses", "use a private range"),
    ("10.244.0.0/16", "127.0.0.0/16", 4, "networks.pods", "has loopback addresses", "use a private range"),
    ("10.244.0.0/16", "169.254.0.0/16", 4, "networks.pods", "has link-local addresses", "use a private range"),
    ("10.244.0.0/16", "240.0.0.0/8", 4, "networks.pods", "has reserved addresses", "use a private range"),
    # addresses
    ("40.21", "40.11", 21, "nodes[1].address", "is taken by nodes[0] (gedgem01)", "its own address"),
    ("40.21", "40.300", 21, "nodes[1].address", "is no IPv4 address", "four numbers up to 255"),
    ("40.21", "40.21/24", 21, "nodes[1].address", "is no IPv4 address", "without the /prefix"),
    ("192.168.40.21", "fd00::21", 21, "nodes[1].address", "only IPv4 is supported", "use an IPv4 address"),
    ("192.168.40.21", "19216811", 21, "nodes[1].address", "19216811 is no address", "four numbers with dots"),
    (
        "virtual_router_id: 51",
        "virtual_ip: 127.0.0.1",
        7,
        "control_plane.virtual_ip",
        "cannot be the address of a host",
        "hosts' network",
    ),
    (
        "virtual_router_id: 51",
        "virtual_ip: 224.0.0.18",
        7,
        "control_plane.virtual_ip",
        "cannot be the address of a host",
        "hosts' network",
    ),
    ("192.168.40.21", "172.16.0.1", 21, "nodes[1].address", "outside lab.subnet", "use an address of that range"),
    ("40.21", "40.1", 21, "nodes[1].address", "is reserved in lab.subnet", "this machine's own"),
    ("virtual_router_id: 51", "virtual_ip: 192.168.40.11", 7, "control_plane.virtual_ip", "of nodes[0]", "no host has"),
    # the GSE API server
    ("lab:", "gse_api_server: {externalport: 1}\nlab:", 22, "server.externalport", "unknown key", "'external_port'?"),
    ("lab:", "gse_api_server: {replicas: 0}\nlab:", 22, "gse_api_server.replicas", "0 is out of range", "from 1"),
    (
        "lab:",
        "gse_api_server: {external_port: 6443}\nlab:",
        22,
        "gse_api_server.external_port",
        "nodes need port 6443 themselves, for the API server",
        "choose another one",
    ),
    (
        "port: 22}",
        "port: 2222}\ngse_api_server: {external_port: 2222}",
        9,
        "gse_api_server.external_port",
        "nodes need port 2222 themselves, for SSH",
        "choose another one",
    ),
    (
        "lab:",
        "gse_api_server: {certificate: /srv/server.pem}\nlab:",
        22,
        "gse_api_server",
        "certificate and key belong together",
        "name the file of the key too",
    ),
    (
        "lab:",
        "gse_api_server: {certificate: server.pem, key: ~/server.key}\nlab:",
        22,
        "gse_api_server.certificate",
        "'server.pem' is no path from / or from the home folder",
        "begin it with / or ~/",
    ),
    # names and roles
    ("gedgew01", "gedgem01", 21, "nodes[1].name", "is taken by nodes[0]", "its own name"),
    ("gedgew01", "GedgeW01", 21, "nodes[1].name", "'GedgeW01' is no name", "lower-case letters, digits and '-'"),
    ("gedgew01", "gedge_w01", 21, "nodes[1].name", "'gedge_w01' is no name", "lower-case letters, digits and '-'"),
    ("gedgew01", "all", 21, "nodes[1].name", "all has a meaning of its own", "another name"),
    ("gedgew01", "ungrouped", 21, "nodes[1].name", "ungrouped has a meaning of its own", "another name"),
    ("gedgew01", "localhost", 21, "nodes[1].name", "localhost has a meaning of its own", "another name"),
    ("gedgew01", "workers", 21, "nodes[1].name", "workers has a meaning of its own", "another name"),
    ("seoul-1", "Seoul 1", 1, "name", "'Seoul 1' is no name for a site", "at most 32"),
    ("seoul-1", "2026-01-01", 1, "name", "2026-01-01 is no name for a site", "at most 32"),
    (", roles: [control_plane]", "", 19, "nodes", "no node has the role control_plane", "roles: [control_plane]"),
    (
        "s: ai-worker}",
        "s: manager, roles: [control_plane]}",
        19,
        "nodes",
        "2 control-plane nodes",
        "one, three or five",
    ),
    ("s: ai-worker}", "s: manager, roles: [control_plane]}", 7, "control_plane", "a virtual address", ".virtual_ip"),
    ("[control_plane]", "[master]", 20, "nodes[0].roles[0]", "'master' is not possible", "control_plane, worker"),
    ("[control_plane]", "[]", 20, "nodes[0].roles", "the list is too short", "at least 1"),
    ("[control_plane]", "control_plane", 20, "nodes[0].roles", "must be a list", "[ONE, OTHER]"),
    (
        "node_class: ai-worker",
        "node_class: gpu",
        21,
        "nodes[1].node_class",
        "no node class 'gpu'",
        "add it to node_classes",
    ),
    ("gedge.dev/class:", "'gedge class':", 16, "labels.gedge class", "is no label key", "gedge.dev/accelerator"),
    (
        "manager: {}",
        "manager: {kernel_arguments: [init=/bin/sh]}",
        11,
        "kernel_arguments[0]",
        "'init=/bin/sh' is no",
        "own",
    ),
    ("manager: {}", "manager: {kernel_arguments: ['a b']}", 11, "kernel_arguments[0]", "'a b' is no", "NAME=VALUE"),
    ("manager: {}", "manager: {kernel_arguments: ['a=$(b)']}", 11, "kernel_arguments[0]", "'a=$(b)' is no", "quotes"),
    ("manager: {}", "manager: {kernel_arguments: quiet}", 11, "kernel_arguments", "must be a list", "- "),
    ("/class: ai", "/class: a b", 16, "labels.gedge.dev/class", "'a b' is no label value", "letters, digits"),
    ("/class: ai", "/class: true", 16, "labels.gedge.dev/class", "must be text, is true", "in quotes"),
    ("effect: NoSchedule", "effect: NoWay", 18, "taints[0].effect", "'NoWay' is not possible", "use one of NoSchedule"),
    (
        "effect: NoSchedule}",
        "effect: NoSchedule}\n      - {key: gedge.dev/ai, value: other, effect: NoSchedule}",
        19,
        "ai-worker.taints[1]",
        "gedge.dev/ai stands twice with the effect NoSchedule",
        "keep one",
    ),
    # kubelet settings
    ("kube_reserved: {cpu: 500m}", "max_pods: 9", 13, "ai-worker.kubelet", "needs CPUs reserved", "kube_reserved.cpu"),
    (
        "500m}",
        "1}\n      reserved_system_cpus: 0-1",
        13,
        "ai-worker.kubelet",
        "replaces kube_reserved.cpu",
        "one of the two",
    ),
    (
        "cpu_manager_policy: static",
        "cpu_manager_policy_options: {full-pcpus-only: true}",
        13,
        "ai-worker.kubelet",
        "act only under the static policy",
        "set cpu_manager_policy: static",
    ),
    (
        "cpu_manager_policy: static",
        """cpu_manager_policy: static
      cpu_manager_policy_options: {prefer-align-cpus-by-uncorecache: true, distribute-cpus-across-numa: true}""",
        13,
        "ai-worker.kubelet",
        "exclude each other",
        "switch one off",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        "kube_reserved: {cpu: 500m}\n      topology_manager_policy_options: {max-allowable-numa-nodes: 3}",
        13,
        "ai-worker.kubelet",
        "takes numbers from 8 only",
        "the number of NUMA nodes of the largest host",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        "kube_reserved: {cpu: 500m}\n      topology_manager_policy_options: {prefer-closest-numa-nodes: 4}",
        13,
        "ai-worker.kubelet",
        "prefer-closest-numa-nodes is 4",
        "write true or false",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        (
            "kube_reserved: {cpu: 500m}\n      topology_manager_policy: none\n      topology_manager_policy_options: "
            "{prefer-closest-numa-nodes: true}"
        ),
        13,
        "ai-worker.kubelet",
        "act only under another policy than none",
        "set topology_manager_policy",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        "kube_reserved: {cpu: 500m}\n      memory_manager_policy: Static",
        13,
        "ai-worker.kubelet",
        "needs to know what is reserved on each NUMA node",
        "reserved_memory, together 100Mi; or leave it to the profile pinned-numa",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        (
            "kube_reserved: {cpu: 500m}\n      memory_manager_policy: Static\n      reserved_memory: "
            "[{numa_node: 0, memory: 1Gi}]"
        ),
        13,
        "ai-worker.kubelet",
        "reserved_memory is 1024Mi",
        "only when they are equal",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        "kube_reserved: {cpu: 500m}\n      reserved_memory: [{numa_node: 0, memory: 1Gi}]",
        13,
        "ai-worker.kubelet",
        "acts only under the Static policy",
        "set memory_manager_policy: Static",
    ),
    (
        "kube_reserved: {cpu: 500m}",
        "kube_reserved: {cpu: 500m}\n      reserved_memory: [{numa_node: 0, hugepages_2mi: 2Mi}]",
        16,
        "reserved_memory[0].hugepages_2mi",
        "unknown key",
        "known keys here: memory, numa_node",
    ),
    ("{cpu: 500m}", "{cpu: 0}", 13, "ai-worker.kubelet", "needs CPUs reserved for the system", "set kube_reserved.cpu"),
    (
        "cpu_manager_policy: static",
        "cpu_manager_policy_options: {full-pcpus-only: false}",
        13,
        "ai-worker.kubelet",
        "without it a kubelet does not start with them",
        "set cpu_manager_policy: static, or leave the options out",
    ),
    (
        "cpu_manager_policy: static",
        (
            "cpu_manager_policy: static\n      topology_manager_policy: single-numa-node\n      "
            "cpu_manager_policy_options: {align-by-socket: true}"
        ),
        13,
        "ai-worker.kubelet",
        "which topology_manager_policy: single-numa-node forbids",
        "leave the option out, or set topology_manager_policy: restricted",
    ),
    (
        "cpu_manager_policy: static",
        (
            "cpu_manager_policy: static\n      "
            "cpu_manager_policy_options: {full-pcpus-only: true, distribute-cpus-across-cores: true}"
        ),
        13,
        "ai-worker.kubelet",
        "the options full-pcpus-only and distribute-cpus-across-cores exclude each other",
        "switch one off",
    ),
    (
        "    kubelet:\n      cpu_manager_policy: static\n      kube_reserved: {cpu: 500m}",
        "    cpus: {profile: pinned}\n    kubelet:\n      cpu_manager_policy: none",
        14,
        "ai-worker.kubelet",
        "the profile pinned needs the static CPU manager, and cpu_manager_policy: none is written",
        "take that out of kubelet, or choose the profile shared",
    ),
    (  # the profile sets the policy: what is wrong is the sum
        "    kubelet:\n      cpu_manager_policy: static\n      kube_reserved: {cpu: 500m}",
        "    cpus: {profile: pinned-numa}\n    kubelet:\n      reserved_memory: [{numa_node: 0, memory: 1Gi}]",
        14,
        "ai-worker.kubelet",
        "reserved_memory is 1024Mi, but kube_reserved, system_reserved and the eviction threshold are 100Mi",
        "only when they are equal; or leave it out, and it is computed",
    ),
    (
        "    kubelet:\n      cpu_manager_policy: static\n      kube_reserved: {cpu: 500m}",
        "    cpus: {profile: pinned}\n    kubelet:\n      reserved_memory: [{numa_node: 0, memory: 1Gi}]",
        14,
        "ai-worker.kubelet",
        "reserved_memory acts only under the Static policy",
        "set memory_manager_policy: Static, or leave",
    ),
    (
        "    kubelet:\n      cpu_manager_policy: static",
        "    cpus: {profile: pined}\n    kubelet:\n      cpu_manager_policy: static",
        13,
        "ai-worker.cpus.profile",
        "'pined' is not possible here",
        "did you mean 'pinned'?",
    ),
    (
        "    kubelet:\n      cpu_manager_policy: static",
        "    cpus: {latency: low}\n    kubelet:\n      cpu_manager_policy: static",
        13,
        "ai-worker.cpus",
        "latency low needs CPUs that are reserved",
        "choose the profile pinned",
    ),
    (
        "cpu_manager_policy: static",
        "cpu_manager_policy: static\n      cpu_manager_policy_options: {full-cpus: true}",
        15,
        "cpu_manager_policy_options.full-cpus",
        "'full-cpus' is not possible here",
        "did you mean 'full-pcpus-only'?",
    ),
    ("policy: static", "policy: statik", 14, "kubelet.cpu_manager_policy", "'statik' is not", "did you mean 'static'?"),
    ("500m", "500mm", 15, "kube_reserved.cpu", "'500mm' is no Kubernetes quantity", "500m, 2 or 1Gi"),
    ("500m", "-1", 15, "kube_reserved.cpu", "-1 is no Kubernetes quantity", "500m, 2 or 1Gi"),
    ("500m", "500Mi", 15, "kube_reserved.cpu", "500Mi is no CPU time", "Mi is for memory"),
    ("500m}", "1, memory: 500m}", 15, "kube_reserved.memory", "500m is a fraction of a byte", "m is for cpu"),
    ("500m}", "1, ephemeral_storage: 1m}", 15, "ephemeral_storage", "1m is a fraction of a byte", "m is for cpu"),
    ("500m}", "1, pid: -5}", 15, "kube_reserved.pid", "-5 is out of range", "a number above 0"),
    ("kube_reserved: {cpu: 500m}", "reserved_system_cpus: 0..3", 15, "reserved_system_cpus", "no CPU list", "0-1,8"),
    ("kube_reserved: {cpu: 500m}", "reserved_system_cpus: 3-1", 15, "reserved_system_cpus", "downwards", "write 1-3"),
    (
        "kube_reserved: {cpu: 500m}",
        "reserved_system_cpus: 0-99999999999",
        15,
        "system_cpus",
        "Linux has no CPU",
        "8191",
    ),
    # keys and numbers
    ("lab:", "5: x\nlab:", 22, "5", "the key 5 is no text", "in quotes"),
    ("    kubelet:", "    7: x\n    kubelet:", 13, "ai-worker.7", "the key 7 is no text", "in quotes"),
    ("port: 22", f"port: {'9' * 5000}", 8, "ssh.port", "a number of 5000 digits", "a smaller one"),
    ("seoul-1\n", f"{'s' * 300}\n", 1, "name", f"'{'s' * 70}...' is no name for a site", "at most 32"),
    # versions
    ("1.36.4", "1.36", 2, "kubernetes.version", "1.36 is no exact version", "all three numbers"),
    ("1.36.4", "v1.36.4", 2, "kubernetes.version", "'v1.36.4' is no exact version", "without v"),
    ("{version: 1.36.4}", "1.36.4", 2, "kubernetes", "must be keys with values", "KEY: VALUE"),
    # SSH, numbers, kinds
    ("user: root", "user: admin", 8, "ssh.user", "cannot change a host", "set ssh.become: true"),
    ("user: root", "user: ''", 8, "ssh.user", "the text is empty", "give a value"),
    ("user: root", "user: ad min, become: true", 8, "ssh.user", "'ad min' is no name of a user", "without spaces"),
    ("user: root", "user: -x, become: true", 8, "ssh.user", "'-x' is no name of a user", "first no '-'"),
    ("gedgew01,", "gedgew01, ssh_host: -oProxy,", 21, "nodes[1].ssh_host", "is no name or address", "first no '-'"),
    ("user: root", "user:", 8, "ssh.user", "the key has no value", "give it one, or remove"),
    ("user: root", "user: root, become: maybe", 8, "ssh.become", "must be true or false", "write true or false"),
    ("port: 22", "port: 70000", 8, "ssh.port", "70000 is out of range", "up to 65535"),
    ("port: 22", "port: -1", 8, "ssh.port", "-1 is out of range", "from 1"),
    ("port: 22", "port: ssh", 8, "ssh.port", "must be a whole number", "digits only"),
    ("/srv/store", "srv/store", 9, "artifacts.host_path", "is no absolute path", "begin it with /"),
    ("/srv/store", "/", 9, "artifacts.host_path", "is not written plainly", "without //"),
    ("/srv/store", "/srv/../etc", 9, "artifacts.host_path", "is not written plainly", "without //"),
    ("/srv/store", "/srv/store/", 9, "artifacts.host_path", "is not written plainly", "a / at the end"),
    ("/srv/store", "/srv", 9, "artifacts.host_path", "/srv may hold other things", "a folder of its own"),
    ("/srv/store", "/etc/store", 9, "artifacts.host_path", "in a folder of the system's", "like /srv/gedge"),
    ("/srv/store", "/proc/1/cwd", 9, "artifacts.host_path", "in a folder of the system's", "like /srv/gedge"),
    ("/srv/store", "/srv/a:b", 9, "artifacts.host_path", "cannot be mounted at", "use letters"),
    ("/srv/store", "'/srv/a,b'", 9, "artifacts.host_path", "cannot be mounted at", "use letters"),
    ("seoul-1\n", "seoul-1\nkubeconfig: kubeconfig\n", 2, "kubeconfig", "'kubeconfig' is no path from /", "/ or ~/"),
    ("{version: 1.36.4}", "", 2, "kubernetes", "the key has no value", "give it one, or remove the key"),
    ("name: seoul-1\n", "", 1, "name", "a required key is missing", "add 'name'"),
    (
        "  - {name: gedgew01, address: 192.168.40.21, node_class: ai-worker}",
        "  - gedgew01",
        21,
        "nodes[1]",
        "must be keys",
        ":",
    ),
]


def test_the_site_that_the_cases_spoil_is_good(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_site(path).name == "seoul-1"


def test_cpu_time_may_be_a_fraction(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(GOOD.replace("500m", "0.5"), encoding="utf-8")
    assert load_site(path).node_classes["ai-worker"].kubelet.kube_reserved.to_kubelet() == {"cpu": "0.5"}


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "remedy"), CASES)
def test_a_wrong_site_names_place_and_remedy(  # noqa: PLR0913, PLR0917 - a row of the table
    tmp_path: Path, old: str, new: str, line: int, field: str, message: str, remedy: str
) -> None:
    assert old in GOOD
    path = tmp_path / "site.yml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_site(path)
    findings = caught.value.findings
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) < 24
    assert len({(finding.place, finding.path) for finding in findings}) == len(findings)
    match = [f for f in findings if f.place == f"{path}:{line}" and f.path.endswith(field) and message in f.message]
    assert match, str(caught.value)
    assert remedy in match[0].remedy


@pytest.mark.parametrize(
    ("content", "message", "remedy"),
    [
        (b"", "site.yml:1: the document is empty", "the examples"),
        (b"# only a comment\n", "site.yml:1: the document is empty", "the examples"),
        (b"- a\n- b\n", "site.yml:1: must be keys with values, is a list", "KEY: VALUE"),
        (b"hello\n", "site.yml:1: must be keys with values, is the text 'hello'", "KEY: VALUE"),
        ("name: Söul\n".encode("latin-1"), "site.yml: the file is not UTF-8 text", "UTF-8"),
        (b"all:\n  hosts: {w1: {}}\n", "site.yml:1: this is an Ansible inventory", "inventories/example"),
        (b"[workers]\nw1 ansible_host=10.0.0.1\n", "site.yml:2: not valid YAML", "mend"),
        (b"service:\n  name: app\n", "site.yml:1: this is a service document", "gedge service apply"),
        (b"# x\napiVersion: v1\nkind: Pod\n", "site.yml:2: this is a Kubernetes manifest", "inventories/example"),
        (b"[" * 5000, "nested too deeply", "fewer levels"),
        (b"[" * 400_000, "nested too deeply", "fewer levels"),  # ended the process once, in libyaml's composer
        (
            b"".join(
                b"a%d: &a%d %s%s%s\n" % (n, n, b"[" * 40, b"*a%d" % (n - 1) if n else b"x", b"]" * 40) for n in range(9)
            ),
            "nested too deeply",
            "fewer levels",
        ),
        (
            b"a: &a {k: x}\n"
            + b"".join(b"%c: &%c {%s}\n" % (c, c, b", ".join([b"k: *%c" % (c - 1)] * 9)) for c in b"bcdefghi"),
            "this key stands twice",
            "keep one",
        ),
        (
            b"a: &a [x, x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in b"bcde")
            + b"? *e\n: x\n",
            "a list or mapping cannot be a key",
            "plain text",
        ),
        (b"a: 'open\n" + b"b: c\n" * 20_000, "not valid YAML", "mend"),
        (b"name: 2026-13-45\n", "a value cannot be read", "in quotes"),
        (
            b"a: &a [x, x, x, x, x, x, x, x, x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghi"),
            "unfold without end",
            "write the values themselves",
        ),
    ],
)
def test_a_file_that_is_no_site_is_refused(tmp_path: Path, content: bytes, message: str, remedy: str) -> None:
    path = tmp_path / "site.yml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_site(path)
    assert message in str(caught.value)
    assert f"-> {remedy}" in str(caught.value) or remedy in str(caught.value).rpartition("-> ")[2]


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yml: no such file\n-> check the path"):
        load_site(tmp_path / "none.yml")
    with pytest.raises(UsageError, match=r"this is a folder\n-> name a file in it"):
        load_site(tmp_path)


def test_anchors_and_merge_keys_may_be_used(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    path.write_text(
        GOOD.replace("manager: {}", "manager: &m {labels: {a: b}}").replace("  ai-worker:", "  ai-worker:\n    <<: *m"),
        encoding="utf-8",
    )
    assert load_site(path).node_classes["manager"].labels == {"a": "b"}


def test_many_mistakes_fit_one_screen(tmp_path: Path) -> None:
    path = tmp_path / "site.yml"
    nodes = "".join(f"  - {{name: W_{number}, address: 192.168.40.{number}}}\n" for number in range(30, 90))
    path.write_text(GOOD.replace("lab:", nodes + "lab:"), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_site(path)
    assert len(str(caught.value).splitlines()) < 24
    assert "50 more" in str(caught.value)
    assert len(caught.value.findings) == 60


def _leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _leaves(value, (*path, key))


@pytest.mark.parametrize("wrong", ["no such thing!", -1, 1.5, True, [], {}, [{}], None, 10**400, "\u2603"])
def test_no_english_of_pydantic_reaches_the_user(tmp_path: Path, wrong: Any) -> None:
    """Put a wrong value at every place of the site, one at a time."""
    good = yaml.safe_load(GOOD)
    path = tmp_path / "site.yml"
    for where in list(_leaves(good))[1:]:
        data = copy.deepcopy(good)
        part = data
        for key in where[:-1]:
            part = part[key]
        part[where[-1]] = wrong
        path.write_text(yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8")
        try:
            load_site(path)
        except DocumentError as error:
            for finding in error.findings:
                assert finding.remedy, f"{where}: {finding}"
                assert finding.place.rpartition(":")[2].isdigit()
                for phrase in ("Input should", "should match", "should have", "Input is", "Tuple", "instance of"):
                    assert phrase not in str(finding), f"{where}: {finding}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  pods:", "  pod:", "did you mean 'pods'?"),
        ("1.36.4}", "1.36.4", "not valid YAML"),
        ("nodes:\n", "node:\n", "did you mean 'nodes'?"),
        ("name: seoul-1", "name: seoul-1\nname: seoul-2", "this key stands twice"),
    ],
)
def test_ansible_alone_refuses_a_wrong_site_too(tmp_path: Path, old: str, new: str, said: str) -> None:
    """As a person without `gedge` meets it: no other inventory plugin takes over, no host is touched."""
    output = refused_by_ansible(tmp_path, GOOD.replace(old, new, 1))
    assert output.count(said) == 1, output


def test_ansible_alone_takes_a_file_with_a_name_and_wrong_nodes_for_a_site(tmp_path: Path) -> None:
    text = "name: seoul-1\nnods:\n  - {name: m1, address: 192.0.2.11, roles: [control_plane]}\n"
    assert "did you mean 'nodes'?" in refused_by_ansible(tmp_path, text)


def test_ansible_reads_other_inventories_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    for text in ("name:\n  hosts: {w1: {}}\n", "plugin: ansible.builtin.constructed\nname: x\n"):
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [BIN / "ansible-inventory", "-i", path, "--list"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert "unknown key" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stderr


def refused_by_ansible(folder: Path, text: str) -> str:
    """Return what ansible-playbook says of a site file that it must refuse, naming the place."""
    path = folder / "site.yml"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", path, "playbooks/site.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 4
    assert f"{path}:" in output
    assert "PLAY [" not in output
    assert "Traceback" not in output
    assert len(output.splitlines()) < 24
    return output
