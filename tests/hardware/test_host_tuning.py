"""A host is tuned from nothing, gets huge pages without a reboot, isolated CPUs with one, and gives all of it back.

In a lab of its own with one emulated node (two sockets with SMT): CPUs 0-3 and a card on NUMA node 0, 4-7 and the other
card on node 1. The tests follow one another.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pods import CRICTL, Pod, allocation, create, ready, remove

if TYPE_CHECKING:
    from conftest import EmulatedLab

pytestmark = [pytest.mark.hardware, pytest.mark.long]

NODE = "gedgew01"
NEAR = {"0000:41:00.0": "0-1", "0000:81:00.0": "4-5"}
RESERVED = "0-1,4-5"
LOW: dict[str, Any] = {"profile": "pinned-numa", "latency": "low"}
PAGES = {"size": "2Mi", "count": 32}
CONSENTS = ("--drain-ok", "--kubelet-restart-ok", "--reboot-ok")
PATIENCE_S = 120

# A card, a function of it (or itself) and where an interrupt of that goes, a line for each that somebody takes.
_INTERRUPTS = r"""
for card in 0000:41:00.0 0000:81:00.0; do
  for device in /sys/bus/pci/devices/$card /sys/bus/pci/devices/$card/virtfn*; do
    for irq in "$device"/msi_irqs/*; do
      number=${irq##*/}
      [ -n "$(cat "/sys/kernel/irq/$number/actions" 2>/dev/null)" ] || continue
      echo "$card $(basename "$(readlink -f "$device")") $(cat "/proc/irq/$number/smp_affinity_list")"
    done
  done
done
"""
_TUNED = r"""
cat /proc/irq/default_smp_affinity /proc/sys/kernel/numa_balancing /sys/kernel/mm/transparent_hugepage/enabled
for slice in system.slice user.slice init.scope; do
  echo "$slice $(cat /sys/fs/cgroup/$slice/cpuset.cpus 2>/dev/null)"
done
for irq in /proc/irq/[0-9]*; do
  taken=$(cat "/sys/kernel/irq/${irq##*/}/actions")
  [ -n "$taken" ] && echo "$taken $(cat "$irq/smp_affinity_list")"
done | sed 's/^\(enp[0-9]*s0\)[^ ]*/\1/' | sort -u
"""
_PAGES = "cat /sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages"
_FREE = "cat /sys/devices/system/node/node*/hugepages/hugepages-2048kB/free_hugepages"
_OURS = ("gedge-tuning", "tuning.json", "huge-pages", "90-gedge.cfg", "kernel.json", "slice.d")
_FILES = f"find /etc /usr/local/sbin /var/lib/gedge | grep {' '.join(f'-e {name}' for name in _OURS)} || true"


# Four pages, by a process in the container's cgroup: its image has no program that maps memory from a file.
_TAKE = f"""
id=$({CRICTL} ps --quiet --label io.kubernetes.pod.uid=UID)
pid=$({CRICTL} inspect --output go-template --template '{{{{.info.pid}}}}' $id)
echo $$ > /sys/fs/cgroup/$(cut -d: -f3 /proc/$pid/cgroup)/cgroup.procs
python3 - /proc/$pid/root/huge/taken <<'END'
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 8 << 20)
memory = mmap.mmap(file, 8 << 20)
for place in range(0, 8 << 20, 2 << 20):
    memory[place] = 1
END
"""


def ask(lab: EmulatedLab, cpus: dict[str, Any] | None) -> None:
    """Write the site with this intent for the emulated node, and with no setting of its kubelet by hand."""
    site = copy.deepcopy(lab.promised)
    node_class = site["node_classes"]["emulated-worker"]
    del node_class["kubelet"]
    if cpus:
        node_class["cpus"] = cpus
    lab.write(site)


def said(lab: EmulatedLab, script: str) -> list[str]:
    printed: str = lab.hosts[NODE].run(script)
    return printed.splitlines()


def eventually(holds: Callable[[], bool], told: Callable[[], object]) -> None:
    """Wait until something holds; emulated processors take their time."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(2)


def interrupts(lab: EmulatedLab) -> list[tuple[str, str, str]]:
    """Return card, device and CPUs of each interrupt that somebody takes."""
    return [tuple(line.split()) for line in said(lab, _INTERRUPTS)]  # type: ignore[misc]


def in_place(lab: EmulatedLab, *devices: str) -> None:
    """Check that the interrupts of both cards, and of these functions, go to the reserved CPUs of their NUMA node."""

    def holds() -> bool:
        found = interrupts(lab)
        return {*NEAR, *devices} <= {device for _, device, _ in found} and all(
            cpus == NEAR[card] for card, _, cpus in found
        )

    up(lab)
    eventually(holds, lambda: interrupts(lab))


def tuned(lab: EmulatedLab) -> None:
    """Check everything that the tuning sets beside interrupts."""
    found = said(lab, _TUNED)
    assert found[0].lstrip("0,") == "33"
    assert found[1] == "0"
    assert "[madvise]" in found[2]
    assert found[3:6] == [f"{name} {RESERVED}" for name in ("system.slice", "user.slice", "init.scope")]


def capacity(lab: EmulatedLab, part: str = "capacity") -> dict[str, str]:
    shown = lab.kubectl("get", "node", NODE, "-o", f"jsonpath={{.status.{part}}}")
    found: dict[str, str] = json.loads(shown)
    return found


def boot(lab: EmulatedLab) -> str:
    return said(lab, "cat /proc/sys/kernel/random/boot_id")[0]


@pytest.fixture(scope="module")
def before(one_node: EmulatedLab) -> list[str]:
    """What the host has before anything is installed, with both cards up."""
    up(one_node)
    return said(one_node, _TUNED)


def up(lab: EmulatedLab) -> None:
    lab.hosts[NODE].run("ip link set enp65s0 up; ip link set enp129s0 up")


def test_a_host_is_tuned_from_nothing(one_node: EmulatedLab, before: list[str]) -> None:
    assert before[3:6] == ["system.slice ", "user.slice ", "init.scope "]
    ask(one_node, LOW)
    one_node.apply()
    assert "[r0 r1] [2 3]" in one_node.gedge("topology", "show", NODE).stdout
    tuned(one_node)
    function = said(one_node, "basename $(readlink -f /sys/bus/pci/devices/0000:81:00.0/virtfn1)")[0]
    one_node.hosts[NODE].run("ip link set $(ls /sys/bus/pci/devices/0000:81:00.0/virtfn1/net) up")
    in_place(one_node, function)
    one_node.hosts[NODE].run("ip link set $(ls /sys/bus/pci/devices/0000:81:00.0/virtfn1/net) down")


def test_the_interrupts_of_a_pods_function_stay_off_its_cpus(one_node: EmulatedLab) -> None:
    create(one_node, Pod("own", NODE, [{"name": "sriov-range"}], cpus=2, vfs=1).manifest())
    ready(one_node, "own")
    found = allocation(one_node, "own")
    (addresses,) = found.devices.values()
    assert found.cpus in ({2, 3}, {6, 7})
    assert found.numa_of_devices == found.numa_of_cpus
    in_place(one_node, *addresses)
    remove(one_node)


def test_huge_pages_come_without_a_reboot(one_node: EmulatedLab) -> None:
    booted = boot(one_node)
    ask(one_node, LOW | {"huge_pages": [PAGES | {"at": "runtime"}]})
    refused = one_node.gedge("apply", code=1)
    assert "more huge pages (drain, new state of the memory manager)" in " ".join(refused.stderr.split())
    assert "--kubelet-restart-ok" in refused.stderr
    assert said(one_node, _PAGES) == ["0", "0"]
    memory = _mib(capacity(one_node, "allocatable")["memory"])
    one_node.gedge("apply", "--drain-ok", "--kubelet-restart-ok")
    assert said(one_node, _PAGES) == ["16", "16"]
    assert boot(one_node) == booted
    assert capacity(one_node)["hugepages-2Mi"] == "64Mi"
    assert abs(memory - _mib(capacity(one_node, "allocatable")["memory"]) - 64) < 1
    assert one_node.gedge("drift").stdout.startswith("no drift")


def _mib(text: str) -> float:
    return int(text.removesuffix("Ki")) / 1024


def test_a_pod_takes_huge_pages_of_its_numa_node(one_node: EmulatedLab) -> None:
    pod = Pod("pages", NODE, cpus=2).manifest()
    container = pod["spec"]["containers"][0]
    for amounts in container["resources"].values():
        amounts["hugepages-2Mi"] = "16Mi"
    container["volumeMounts"] = [{"name": "huge", "mountPath": "/huge"}]
    pod["spec"]["volumes"] = [{"name": "huge", "emptyDir": {"medium": "HugePages"}}]
    create(one_node, pod)
    ready(one_node, "pages")
    (home,) = allocation(one_node, "pages").numa_of_cpus
    said(one_node, _TAKE.replace("UID", one_node.kubectl("get", "pod", "pages", "-o", "jsonpath={.metadata.uid}")))
    free = ["16", "16"]
    free[home] = "12"
    eventually(lambda: said(one_node, _FREE) == free, lambda: said(one_node, _FREE))
    remove(one_node)


def test_a_reboot_brings_tuning_and_pages_back_before_the_kubelet(one_node: EmulatedLab) -> None:
    ask(one_node, LOW | {"latency": "isolated", "huge_pages": [PAGES | {"at": "runtime"}]})
    booted = boot(one_node)
    refused = one_node.gedge("apply", "--drain-ok", "--kubelet-restart-ok", code=1)
    assert "--reboot-ok" in refused.stderr
    assert boot(one_node) == booted
    one_node.gedge("apply", *CONSENTS)
    assert boot(one_node) != booted
    arguments = said(one_node, "cat /proc/cmdline")[0].split()
    assert {"isolcpus=managed_irq,2-3,6-7", "nohz_full=2-3,6-7", f"irqaffinity={RESERVED}"} <= set(arguments)
    assert said(one_node, "cat /sys/devices/system/cpu/nohz_full") == ["2-3,6-7"]
    tuned(one_node)
    in_place(one_node)
    assert said(one_node, _PAGES) == ["16", "16"]
    assert capacity(one_node)["hugepages-2Mi"] == "64Mi", "it was there when the kubelet started"


def test_huge_pages_are_set_aside_at_boot_instead(one_node: EmulatedLab) -> None:
    ask(one_node, LOW | {"latency": "isolated", "huge_pages": [PAGES]})
    one_node.gedge("apply", *CONSENTS)
    assert "hugepages=0:16,1:16" in said(one_node, "cat /proc/cmdline")[0].split()
    assert said(one_node, _PAGES) == ["16", "16"], "those of the boot, though the unit gave its own back"
    assert capacity(one_node)["hugepages-2Mi"] == "64Mi"
    assert [file for file in said(one_node, _FILES) if "huge-pages" in file] == []
    tuned(one_node)
    assert one_node.gedge("drift").stdout.startswith("no drift")


def test_what_is_taken_out_leaves_the_host_as_it_was(one_node: EmulatedLab, before: list[str]) -> None:
    ask(one_node, None)
    up(one_node)
    one_node.gedge("apply", "--only", "tuning")
    now = said(one_node, _TUNED)
    settings, interrupts = now[:6], set(now[6:]) - set(before[6:])
    assert settings == before[:6], "before a reboot could have done it"
    # What is left is where the kernel has put them (irqaffinity); some, like the timer, nobody can move.
    assert {line.rpartition(" ")[2] for line in interrupts} <= {RESERVED}
    one_node.gedge("apply", *CONSENTS)
    up(one_node)
    eventually(lambda: said(one_node, _TUNED) == before, lambda: said(one_node, _TUNED))
    arguments = said(one_node, "cat /proc/cmdline")[0]
    assert not [word for word in ("isolcpus", "nohz_full", "rcu_nocbs", "hugepages") if f"{word}=" in arguments]
    assert said(one_node, _PAGES) == ["0", "0"]
    assert said(one_node, _FILES) == []
    assert one_node.gedge("drift").stdout.startswith("no drift")
