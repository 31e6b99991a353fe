"""Pods, kubelets, device plugins and nodes go and come back, again and again: functions return, and nothing leaks.

`GEDGE_CYCLES` says how many (default 5), `GEDGE_CYCLES_RECORD` names a file that gets a line (JSON) for each.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab_cluster import Host
from pods import CRICTL, VF, Pod, allocation, create, remove, status

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = pytest.mark.hardware

NODE, VFS = "gedgew01", 8
PATIENCE_S = 300
# Three functions with an address from each place where addresses are kept.
POD = Pod("cycle", NODE, [{"name": "sriov-range"}, {"name": "sriov-local-1"}, {"name": "macvlan-range"}], cpus=2, vfs=2)


def delete(lab: EmulatedLab) -> None:
    lab.kubectl("delete", "pod", name_of_pod(lab), "--wait=true", "--timeout=90s")


def delete_at_once(lab: EmulatedLab) -> None:
    lab.kubectl("delete", "pod", name_of_pod(lab), "--grace-period=0", "--force")


def crash(lab: EmulatedLab) -> None:
    """Kill the container's process: the kubelet starts it again in the same network namespace."""
    lab.hosts[NODE].run(f"kill -9 $({_PROCESS})")


def crash_sandbox(lab: EmulatedLab) -> None:
    """Kill the process that holds the pod's namespaces: everything is made anew, the network too."""
    lab.hosts[NODE].run(
        f"kill -9 $({CRICTL} inspectp --output go-template --template '{{{{.info.pid}}}}' $({_SANDBOX}))"
    )


def restart_kubelet(lab: EmulatedLab) -> None:
    lab.hosts[NODE].run("systemctl restart kubelet")


def kill_kubelet(lab: EmulatedLab) -> None:
    lab.hosts[NODE].run("systemctl kill --signal KILL kubelet")


def restart_plugin(lab: EmulatedLab) -> None:
    _end_daemon(lab, "sriov-device-plugin")


def restart_multus(lab: EmulatedLab) -> None:
    _end_daemon(lab, "multus")


def _end_daemon(lab: EmulatedLab, app: str) -> None:
    where = f"spec.nodeName={NODE}"
    lab.kubectl("delete", "pod", "-n", "kube-system", "-l", f"app={app}", "--field-selector", where)


def reboot(lab: EmulatedLab) -> None:
    host = lab.hosts[NODE]
    before = host.run("cat /proc/sys/kernel/random/boot_id")
    host.run("systemctl reboot", check=False)
    until(lambda: booted(host) not in {"", before}, "the node is back")
    until(lambda: serves(lab), "a pod has functions again")
    # The kubelet refuses pods that come back before their device plugin (UnexpectedAdmissionError); another one has
    # taken the place, and what stays of the first holds its addresses of whereabouts until it is deleted.
    lab.kubectl("delete", "pods", "-l", "app=cycle", "--field-selector", "status.phase=Failed")


_SANDBOX = f"{CRICTL} pods --quiet --state ready --label app=cycle"
_PROCESS = (
    f"{CRICTL} inspect --output go-template --template '{{{{.info.pid}}}}' $({CRICTL} ps --quiet --pod $({_SANDBOX}))"
)
_OF_POD = (delete, crash, delete_at_once, crash_sandbox)
_OF_DAEMONS = (restart_kubelet, restart_plugin, kill_kubelet, restart_multus)


def faults(number: int) -> list[Callable[[EmulatedLab], None]]:
    """Return the faults of a series: of ten five strike the pod, four the node's daemons, one the whole node."""
    pod, daemon, node = itertools.cycle(_OF_POD), itertools.cycle(_OF_DAEMONS), itertools.repeat(reboot)
    order = (pod, pod, daemon, daemon, node, pod, pod, daemon, daemon, pod)
    return [next(kind) for kind in itertools.islice(itertools.cycle(order), number)]


def booted(host: Host) -> str:
    """Return the boot's id; empty while the host does not answer."""
    return host.run("cat /proc/sys/kernel/random/boot_id", check=False, timeout=30)


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(1)


def name_of_pod(lab: EmulatedLab) -> str:
    """Return the name of the pod that runs or will, not one that is on its way out."""
    pods = json.loads(lab.kubectl("get", "pods", "-l", "app=cycle", "-o", "json"))["items"]
    alive = [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") in {"Pending", "Running"}
    ]
    return alive[0] if len(alive) == 1 else ""


def serves(lab: EmulatedLab) -> bool:
    """Tell whether node and pod are ready, the node offers all functions, and the pod's interfaces are there."""
    try:
        node = json.loads(lab.kubectl("get", "node", NODE, "-o", "json"))
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        if conditions["Ready"] != "True" or node["status"]["allocatable"].get(VF) != str(VFS):
            return False
        name = name_of_pod(lab)
        pod = json.loads(lab.kubectl("get", "pod", name, "-o", "json")) if name else {}
        ready = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", [])}.get("Ready")
        seen = lab.kubectl("exec", name, "--", "ip", "-o", "-4", "address") if ready == "True" else ""
    except (AssertionError, TimeoutError):
        return False
    return all(f"net{number}" in seen for number in range(1, len(POD.networks) + 1))


def holdings(lab: EmulatedLab) -> dict[str, object]:
    """Return what is in use: counts that must be the same after every cycle, however often it was done."""
    host, name = lab.hosts[NODE], name_of_pod(lab)
    given = allocation(lab, name)
    pools = json.loads(lab.kubectl("get", "ippools.whereabouts.cni.cncf.io", "-A", "-o", "json"))["items"]
    counted = host.run(
        "echo addresses $(find /var/lib/cni/networks/sriov-local-1 -name '10.*' | wc -l)\n"
        "echo functions_made $(ls -d /sys/bus/pci/devices/*/physfn | wc -l)\n"
        "echo functions_on_host $(ls -d /sys/bus/pci/devices/*/physfn/../net/* 2>/dev/null | wc -l)\n"
        "echo functions_named $(ls -d /sys/bus/pci/devices/*/physfn/../net/enp* 2>/dev/null | wc -l)\n"
        f"echo mac_addresses $(ip link show | grep -o 'vf [0-9]* *link/ether [0-9a-f:]*' | sort -u | wc -l)\n"
        f"echo pods $({_SANDBOX} | wc -l)\n"
        f"echo containers $({CRICTL} ps --quiet --label io.kubernetes.container.name=main | wc -l)\n"
        "echo macvlans $(ip -o link show type macvlan | wc -l)\n"
        "echo cgroups $(ls /sys/fs/cgroup/kubepods.slice | grep -c '^kubepods-pod')\n"
        "echo sriov_state $(ls /var/lib/cni/sriov 2>/dev/null | grep -vc pci)\n"
        "echo pci_state $(ls /var/lib/cni/sriov/pci 2>/dev/null | wc -l)"
    )
    return {
        "whereabouts": sum(len(pool["spec"]["allocations"]) for pool in pools),
        "functions": sum(map(len, given.devices.values())),
        "one NUMA node": given.numa_of_devices == given.numa_of_cpus and len(given.numa_of_cpus) == 1,
        "exclusive CPUs": len(given.cpus),
        "networks": sorted(status(lab, name)),
        **{key: int(value) for key, value in (line.split() for line in counted.splitlines())},
    }


def settled(lab: EmulatedLab, held: dict[str, object]) -> dict[str, object]:
    """Return what is in use, after some time for what is on its way out."""
    end = time.monotonic() + 60
    while (found := _looked_at(lab)) != held and time.monotonic() < end:
        time.sleep(2)
    return found


def _looked_at(lab: EmulatedLab) -> dict[str, object]:
    try:
        return holdings(lab)
    except AssertionError as error:  # a container that has just gone, or two of which one goes
        return {"trouble": str(error)}


@pytest.fixture
def _cycled(lab: EmulatedLab) -> Iterator[None]:
    create(lab, POD.deployment())
    try:
        until(lambda: serves(lab), "the first pod")
        yield
    finally:
        remove(lab, "deployments", "pods")


@pytest.mark.long
@pytest.mark.usefixtures("_cycled")
def test_functions_return_and_nothing_leaks(lab: EmulatedLab) -> None:
    record = os.environ.get("GEDGE_CYCLES_RECORD")
    held = holdings(lab)
    assert (held["functions"], held["whereabouts"], held["addresses"]) == (POD.vfs, 2, 1)
    for number, fault in enumerate(faults(int(os.environ.get("GEDGE_CYCLES", "5"))), start=1):
        start = time.monotonic()
        fault(lab)
        until(lambda: serves(lab), f"cycle {number}, {fault.__name__}")
        assert settled(lab, held) == held, f"cycle {number}, {fault.__name__}"
        if record:
            line = {"cycle": number, "fault": fault.__name__, "seconds": round(time.monotonic() - start, 1)}
            with Path(record).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
