"""Runs on a host: print as JSON what an installation put there, by name; what a thing is depends on its kind.

Left out is what differs between two undisturbed installs of the same site, and no more:
  - contents (not modes) below /etc/kubernetes/pki and of /etc/kubernetes/*.conf: keys and certificates of the cluster;
  - the pod range in the CNI configuration: nodes get theirs in the order in which they join;
  - inodes and times beside the digests in artifacts.json;
  - answers of the API in kubectl's cache;
  - the MAC address of flannel's interface, in an annotation of the node.
Files are listed by path, mode and digest: times, and pods with their names, are not looked at.
"""

import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess

FOLDERS = (
    "/etc",
    "/usr/local",
    "/opt/cni",
    "/var/lib/gedge",
    "/run/gedge",
    "/root/.ansible/tmp",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
)
UNITS = ("containerd.service", "kubelet.service", "haproxy.service", "keepalived.service")
# The controller's store, which a lab's hosts have read-only, and kubectl's cache.
LEFT_OUT = ("/var/lib/gedge/store/", "/run/gedge/kubectl")
MAC = "flannel.alpha.coreos.com/backend-data"


def main() -> None:
    """Print everything."""
    print(json.dumps({**files(), **units(), **settings(), **images(), **nodes()}))  # noqa: T201


def files() -> dict[str, object]:
    """Return the mode and the digest of every file, the mode of every folder, the target of every link."""
    found: dict[str, object] = {}
    for top in FOLDERS:
        for path in [pathlib.Path(top), *pathlib.Path(top).rglob("*")]:
            if os.path.lexists(path) and not str(path).startswith(LEFT_OUT):
                found[f"file {path}"] = file(path)
    return found


def file(path: pathlib.Path) -> object:
    """Return what one file is."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return str(path.readlink())
    if not stat.S_ISREG(mode):
        return oct(mode)
    if path.match("/etc/kubernetes/*.conf") or str(path).startswith("/etc/kubernetes/pki/"):
        return [oct(mode), "keys"]
    content = path.read_bytes()
    if path.match("/etc/cni/net.d/*"):
        content = re.sub(rb'"subnet": "[0-9./]+"', b'"subnet": "its own"', content)
    if path.match("/var/lib/gedge/artifacts.json"):  # beside each digest stand inode and time of the installed file
        record = json.loads(content)
        content = json.dumps({target: entry["sha256"] for target, entry in record.items()}, sort_keys=True).encode()
    return [oct(mode), hashlib.sha256(content).hexdigest()]


def units() -> dict[str, object]:
    """Return which units are enabled, which of ours run, and which failed."""
    enabled = run("systemctl", "list-unit-files", "--no-legend", "--plain", "--state=enabled,masked").splitlines()
    found: dict[str, object] = {f"unit {line.split()[0]}": line.split()[1] for line in enabled}
    for unit in UNITS:
        found[f"active {unit}"] = run("systemctl", "is-active", unit).strip()
    found["failed units"] = run("systemctl", "--failed", "--no-legend", "--plain")
    return found


def settings() -> dict[str, object]:
    """Return the kernel settings that were set, and the tables of the packet filter."""
    record = pathlib.Path("/var/lib/gedge/settings.json")
    names = json.loads(record.read_text(encoding="utf-8")).get("sysctls", {}) if record.is_file() else {}
    found: dict[str, object] = {f"sysctl {name}": run("sysctl", "-n", name).strip() for name in names}
    found["packet filter"] = sorted(run("nft", "list", "tables").splitlines())
    return found


def images() -> dict[str, object]:
    """Return the images in the container runtime, with their digests."""
    rows = [line.split() for line in run("ctr", "-n", "k8s.io", "images", "list").splitlines()[1:]]
    return {f"image {row[0]}": row[2] for row in rows}


def nodes() -> dict[str, object]:
    """Return what the cluster says of its nodes, on the host that may ask: labels, taints, whether it is cordoned."""
    config = pathlib.Path("/etc/kubernetes/admin.conf")
    if not config.exists():
        return {}
    answer = json.loads(run("env", "NO_PROXY=*", "kubectl", f"--kubeconfig={config}", "get", "nodes", "-o", "json"))
    return {
        f"node {node['metadata']['name']}": {
            "labels": node["metadata"]["labels"],
            "annotations": {key: value for key, value in node["metadata"]["annotations"].items() if key != MAC},
            "unschedulable": node["spec"].get("unschedulable", False),
            "taints": node["spec"].get("taints", []),
        }
        for node in answer["items"]
    }


def run(*argv: str) -> str:
    """Return what a program prints; some say by their exit code what they print too."""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


main()
