"""How long an install takes beside a bare hand-written kubeadm sequence, on identical nodes and artifacts, as ratios.

Run by `make bench`. Both run in one session on labs of the same size (one control-plane node, two workers), one after
the other, each on fresh nodes; the artifacts lie in the same mounted store. The bare sequence is what a person would
type, without checks, idempotence or verification: it is the floor, not a rival.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.table import Table

from bench.labs import GEDGE, lab, run
from gedge_provision import artifacts
from gedge_provision.models.catalog import NeededOn
from gedge_provision.models.site import Node, Site
from gedge_provision.models.ssh import known_hosts_option
from gedge_provision.planning.artifacts import select
from gedge_provision.provisioning import load_site

ROOT = Path(__file__).resolve().parents[1]
STORE = "/var/lib/gedge/store/blobs/sha256"
NETWORK = {"Network": "10.244.0.0/16", "EnableNFTables": True, "Backend": {"Type": "vxlan", "VNI": 1, "Port": 8472}}

CONTAINERD_CONFIG = """
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10.2'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '/usr/local/bin/runc'
  SystemdCgroup = true
"""
CONTAINERD_UNIT = "[Service]\nExecStart=/usr/local/bin/containerd\nType=notify\nDelegate=yes\nKillMode=process\n"
KUBELET_UNIT = """
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=3
"""
KUBELET_CONFIG = """
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failSwapOn: false
failCgroupV1: false
featureGates: {KubeletInUserNamespace: true}
"""
IGNORED = "--ignore-preflight-errors=SystemVerification,Swap"


def main() -> None:
    """Measure, print a table, and write the figures as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--rounds", type=int, default=1, help="repeat, and take the median of each")
    options = parser.parse_args()
    rounds = [measure(number) for number in range(options.rounds)]
    seconds = {name: sorted(one[name] for one in rounds)[len(rounds) // 2] for name in rounds[0]}
    figures = {
        "seconds": seconds,
        "fresh_to_bare": round(seconds["fresh"] / seconds["bare"], 2),
        "converged_to_fresh": round(seconds["converged"] / seconds["fresh"], 2),
    }
    table = Table("what", "seconds", "ratio", title="install of three nodes, warm artifacts")
    table.add_row("bare kubeadm sequence", f"{seconds['bare']:.1f}", "1")
    table.add_row("gedge apply, fresh", f"{seconds['fresh']:.1f}", f"{figures['fresh_to_bare']} x bare")
    table.add_row("gedge apply, converged", f"{seconds['converged']:.1f}", f"{figures['converged_to_fresh']} x fresh")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(number: int) -> dict[str, float]:
    """Take one round; the two orders alternate, so that neither always has the warmer caches."""
    kinds = [("bare", bare), ("fresh", fresh)]
    seconds: dict[str, float] = {}
    for name, function in kinds if number % 2 == 0 else reversed(kinds):
        with lab(f"bench-{name}") as site_path:
            seconds |= function(site_path)
    return seconds


def fresh(site_path: Path) -> dict[str, float]:
    """Install with `gedge apply`; once the cluster's own pods run, which the install does not wait for, apply again."""
    site = load_site(site_path)
    began = time.monotonic()
    run([GEDGE, "apply", "--site", str(site_path)])
    installed = time.monotonic()
    ready = f"{kubectl()} wait --for=condition=Ready pod --all --all-namespaces --timeout=180s"
    ssh(site, site.with_role("control_plane")[0], ready)
    settled = time.monotonic()
    again = json.loads(run([GEDGE, "apply", "--site", str(site_path), "--output", "json"]))
    ended = time.monotonic()
    if again["changed"]:
        raise SystemExit(f"the second apply changed {again['changed']}: not converged")
    return {"fresh": installed - began, "converged": ended - settled}


def bare(site_path: Path) -> dict[str, float]:
    """Install by the commands that a person would type, all hosts side by side."""
    site = load_site(site_path)
    manager = site.with_role("control_plane")[0]
    workers = [node for node in site.nodes if node is not manager]
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: ssh(site, node, prepare(manager=node is manager)), site.nodes))
        join = ssh(site, manager, init(manager)).strip().splitlines()[-1]
        list(pool.map(lambda node: ssh(site, node, f"{join} {IGNORED}\n"), workers))
        ranges = json.loads(ssh(site, manager, f"{kubectl()} get nodes -o json"))["items"]
        by_name = {item["metadata"]["name"]: item["spec"]["podCIDR"] for item in ranges}
        list(pool.map(lambda node: ssh(site, node, conflist(by_name[node.name])), site.nodes))
    ssh(site, manager, f"{kubectl()} wait --for=condition=Ready node --all --timeout=180s")
    return {"bare": time.monotonic() - began}


def prepare(*, manager: bool) -> str:
    """Return the script that brings binaries, images and services to a host."""
    groups = {NeededOn.ALL, NeededOn.LAB}
    if manager:
        groups.add(NeededOn.CONTROL_PLANE)
    catalog = artifacts.load_catalog()
    stored = artifacts.resolve(catalog, artifacts.default_store(), select(catalog, groups))
    files = [item for item in stored if item.install_path]
    images = [item for item in stored if item.reference]
    lines = ["set -e", "mkdir -p /opt/cni/bin /etc/containerd", "sysctl -qw net.ipv4.ip_forward=1"]
    lines += [f"install -m 755 {STORE}/{item.sha256} {item.install_path}" for item in files]
    lines.append(here("/etc/containerd/config.toml", CONTAINERD_CONFIG))
    lines.append(here("/etc/systemd/system/containerd.service", CONTAINERD_UNIT))
    lines.append(here("/etc/systemd/system/kubelet.service", KUBELET_UNIT))
    lines.append("systemctl daemon-reload && systemctl start containerd")
    lines += [f"ctr -n k8s.io images import --local {STORE}/{item.sha256} >/dev/null" for item in images]
    return "\n".join(lines)


def init(manager: Node) -> str:
    """Return the script that starts the cluster and prints the join command as its last line."""
    config = (
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n"
        f"localAPIEndpoint: {{advertiseAddress: {manager.address}}}\n---\n"
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.4\n"
        f"networking: {{podSubnet: {NETWORK['Network']}}}\n---{KUBELET_CONFIG}---\n"
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n"
        "conntrack: {maxPerCore: 0, min: 0}\n"
    )
    return "\n".join(
        [
            "set -e",
            here("/root/kubeadm.yml", config),
            f"kubeadm init --config /root/kubeadm.yml {IGNORED} >/dev/null 2>&1",
            here("/root/flannel.yml", flannel(f"{manager.address}:6443")),
            f"{kubectl()} apply -f /root/flannel.yml >/dev/null",
            "kubeadm token create --print-join-command",
        ]
    )


def flannel(endpoint: str) -> str:
    """Return the role's own manifests, rendered without Ansible."""
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701 - YAML
    environment.filters |= {
        "to_json": json.dumps,
        "hash": lambda text, name: hashlib.new(name, text.encode()).hexdigest(),
    }
    template = (ROOT / "roles" / "flannel" / "templates" / "flannel.yml.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        __flannel_net_conf=NETWORK, flannel_image="ghcr.io/flannel-io/flannel:v0.26.7", flannel_api_endpoint=endpoint
    )


def conflist(pod_range: str) -> str:
    """Return the script that configures a host's pod network."""
    bridge: dict[str, Any] = {
        "type": "bridge",
        "bridge": "cni0",
        "mtu": 1450,
        "isGateway": True,
        "isDefaultGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "subnet": pod_range, "routes": [{"dst": NETWORK["Network"]}]},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    text = json.dumps({"cniVersion": "1.0.0", "name": "cbr0", "plugins": [bridge, portmap]})
    return f"mkdir -p /etc/cni/net.d\n{here('/etc/cni/net.d/10-flannel.conflist', text)}"


def here(path: str, text: str) -> str:
    """Return shell that writes a file."""
    return f"cat > {path} <<'END'\n{text.strip()}\nEND"


def kubectl() -> str:
    """Return kubectl with the administrator's credentials."""
    return "kubectl --kubeconfig /etc/kubernetes/admin.conf"


def ssh(site: Site, node: Node, script: str) -> str:
    """Run a script on a host and return what it prints."""
    target = [
        "-i",
        str(site.ssh.private_key),
        "-o",
        known_hosts_option(str(site.ssh.known_hosts)),
        f"root@{node.address}",
    ]
    return run(["ssh", *target, "bash -s"], script)


if __name__ == "__main__":
    main()
