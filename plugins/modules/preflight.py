#!/usr/bin/python
"""Look at a host once: what it is, and what it lacks for the part it shall play. Changes nothing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Facts about a host, and everything that stands in the way, in one call
description:
  - Changes nothing. Every problem is found before any is reported, each with its remedy; the task fails when there is
    one.
options:
  address:
    description: The address that the node is to be known by; must be configured on the host.
    type: str
  architectures:
    description: Accepted machine architectures, as C(uname -m) prints them.
    type: list
    elements: str
    default: [x86_64]
  min_cpus:
    description: Fewest CPUs.
    type: int
    default: 1
  min_memory_mib:
    description: Least memory in MiB.
    type: int
    default: 900
  free_space:
    description: Least free space in MiB, by folder. Not asked of a node that has joined already.
    type: dict
    default: {}
  ports:
    description: TCP ports that must be free, with the program that may hold each.
    type: dict
    default: {}
  kernel_modules:
    description: >-
      Kernel functions that must be there or loadable, as M(gedge.provision.host_settings) takes them.
    type: dict
    default: {}
  settings:
    description: >-
      Arguments of M(gedge.provision.host_settings), to learn whether it has anything to set.
    type: dict
  interfaces:
    description: Interfaces that must be there, each C(interface) with the C(attachment) that needs it.
    type: list
    elements: dict
    default: []
    suboptions:
      interface:
        description: Name of the interface.
        type: str
        required: true
      attachment:
        description: Who needs it, for the message.
        type: str
        required: true
      moves:
        description: >-
          Whether it moves into a pod (host-device); then it must not carry O(address) or the default route.
        type: bool
        default: false
  rdma:
    description: What asks for RDMA, which the host must have.
    type: dict
    suboptions:
      soft:
        description: Attachments with software RDMA on the pod's interface.
        type: list
        elements: str
        default: []
      exclusive:
        description: Attachments that give pods RDMA devices of their own.
        type: list
        elements: str
        default: []
      shared:
        description: Resources behind which are RDMA devices that pods share.
        type: list
        elements: dict
        default: []
        suboptions:
          resource:
            description: The resource, as prefix/name.
            type: str
            required: true
          nics:
            description: Selects cards by C(vendor), C(device), C(driver), C(interfaces).
            type: dict
            required: true
  dhcp:
    description: Attachments whose addresses come from a DHCP server, by a daemon of ours on the host.
    type: list
    elements: str
    default: []
  distributions:
    description: >-
      Known distributions, by C(id-version), C(id-major) or C(family:NAME), each with C(packages) (whose absence is
      reported) and C(tested). Empty accepts every distribution.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Look at the host
  gedge.provision.preflight:
    address: 192.168.40.21
    free_space: {/var/lib: 10240}
    ports: {"10250": kubelet}
"""

RETURN = r"""
problems:
  description: What stands in the way, each with its remedy.
  type: list
  elements: str
  returned: always
ansible_facts:
  description: >-
    C(gedge_host), with architecture, cpus, numa (id and cpus, a cpuset, of each NUMA node), sockets, threads_per_core,
    numa_layout (cores, sockets, caches, memory and distances of each NUMA node), numa_memory_kib (by NUMA node, of
    those without CPUs too), numa_distances (the kernel tells them), memory_kib, memory_mib, cgroup_version, container,
    can_raise_limits, distribution
    (id, version, family), tested, missing_packages, interface and mtu of O(address), joined (a kubelet has joined a
    cluster here), node (its name there), cluster (digest of that cluster's CA), control_plane (it has the
    administrator's kubeconfig), ours (something of ours is installed), kubelet_touched (its configuration is not what
    kubeadm wrote), kubelet_former (its settings from before a change that was cut off), kernel_arguments (some are
    ours), tuning (we tune the host, or set huge pages aside), sriov (virtual functions are ours to keep), gpu_operator
    (its release was installed from here), multus and whereabouts (their settings are here), cni_dhcp (our DHCP daemon
    of CNI plugins is here), settings_due (with O(settings): whether one differs).
  type: dict
  returned: always
"""

import glob
import hashlib
import os
import platform

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import host_machine, huge_pages, rdma
from ..module_utils.host_state import (
    cgroup_version,
    has_function,
    host_lock,
    in_container,
    kubelet_former,
    kubelet_touched,
    read_record,
    read_text,
)
from ..module_utils.kernel_modules import loads
from ..module_utils.kernel_settings import OPTIONS, sync_settings
from ..module_utils.kube_client import ADMIN_CONF
from ..module_utils.numa_layout import numa_layout
from ..module_utils.programs import look, printed_json
from ..module_utils.sriov_cards import carriers

TCP_LISTEN = "0A"
DHCP_UNIT = "/etc/systemd/system/gedge-cni-dhcp.service"
DHCP_SOCKET = "/run/cni/dhcp.sock"


def main():
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str"},
            "architectures": {"type": "list", "elements": "str", "default": ["x86_64"]},
            "min_cpus": {"type": "int", "default": 1},
            "min_memory_mib": {"type": "int", "default": 900},
            "free_space": {"type": "dict", "default": {}},
            "ports": {"type": "dict", "default": {}},
            "kernel_modules": {"type": "dict", "default": {}},
            "settings": {"type": "dict", "options": OPTIONS},
            "interfaces": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "interface": {"type": "str", "required": True},
                    "attachment": {"type": "str", "required": True},
                    "moves": {"type": "bool", "default": False},
                },
            },
            "rdma": {"type": "dict", "options": rdma.OPTIONS},
            "dhcp": {"type": "list", "elements": "str", "default": []},
            "distributions": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    if os.geteuid() != 0:  # what is seen without rights would mislead
        problem = "not running as root -> set ssh.become: true in the site file (become in a plain inventory)"
        module.fail_json(msg=problem, problems=[problem])
    if not module.check_mode:
        # What a killed run left at work here ends first: half of its step would be taken for the host's state.
        with host_lock(module, 300):
            pass
    host = {
        "architecture": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "numa": host_machine.numa_nodes(),
        "sockets": host_machine.sockets(),
        "threads_per_core": host_machine.threads_per_core(),
        "numa_layout": numa_layout(),
        "numa_memory_kib": host_machine.numa_memory_kib(),
        "numa_distances": host_machine.numa_distances(),
        "memory_kib": host_machine.memory_kib("/proc/meminfo"),
        "memory_mib": host_machine.memory_kib("/proc/meminfo") // 1024,
        "cgroup_version": cgroup_version(),
        "container": in_container(),
        "can_raise_limits": host_machine.can_raise_limits(),
        "distribution": host_machine.distribution(),
        "kubelet_touched": bool(kubelet_touched()),
        "kubelet_former": kubelet_former(),
        "cluster": cluster_here(),
        "control_plane": os.path.exists(ADMIN_CONF),
        "node": read_record("kubeadm.json").get("node", ""),
        "kernel_arguments": bool(read_record("kernel.json")),
        "tuning": bool(read_record("tuning.json"))
        or any(os.path.exists("/etc/gedge/" + name) for name in ("tuning.json", "huge-pages.json"))
        or bool(huge_pages.noted()["found"]),
        "sriov": bool(read_record("sriov.json").get("former")) or os.path.exists("/etc/gedge/sriov.json"),
        "gpu_operator": "gpu-operator/gpu-operator" in read_record("helm.json"),
        "multus": os.path.exists("/etc/cni/net.d/00-multus.conf"),
        "whereabouts": os.path.exists("/etc/cni/net.d/whereabouts.d"),
        "cni_dhcp": os.path.exists(DHCP_UNIT),
        "ours": bool(read_record("files.json") or read_record("artifacts.json")),
        "joined": read_record("kubeadm.json").get("state") == "done" and os.path.exists("/etc/kubernetes/kubelet.conf"),
    }
    if wanted["address"]:
        host["interface"], host["mtu"] = interface_of(module, wanted["address"])
    problems = [
        *host_problems(wanted, host),
        *kernel_problems(module, wanted["kernel_modules"]),
        *moving_problems(module),
        *rdma_problems(module),
        *dhcp_problems(wanted["dhcp"], host),
        *distribution_problems(module, host),
    ]
    if wanted["settings"]:
        host["settings_due"] = bool(sync_settings(module, wanted["settings"], True)[0])
    if problems:
        module.fail_json(msg="; ".join(problems), problems=problems)
    module.exit_json(changed=False, problems=[], ansible_facts={"gedge_host": host})


def cluster_here():
    """Return what tells the cluster of this host from others: the digest of its CA, empty without one."""
    text = read_text("/etc/kubernetes/pki/ca.crt")
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def host_problems(wanted, host):
    """Yield what stands in the way, whatever the distribution."""
    if wanted["address"] and host["interface"] is None:
        yield (
            "no interface has the address %s -> correct the node's address, or configure it on the host"
            % wanted["address"]
        )
    if host["architecture"] not in wanted["architectures"]:
        yield (
            "the architecture is %s, the artifacts are for %s -> use such a host, or build the artifacts for this one"
            % (host["architecture"], ", ".join(wanted["architectures"]))
        )
    if host["cpus"] < wanted["min_cpus"]:
        yield "%d CPUs, needed are %d -> use a larger host" % (host["cpus"], wanted["min_cpus"])
    if host["memory_mib"] < wanted["min_memory_mib"]:
        yield "%d MiB of memory, needed are %d -> use a larger host" % (host["memory_mib"], wanted["min_memory_mib"])
    if not os.path.isdir("/run/systemd/system"):
        yield "systemd does not run here -> use a host with systemd"
    if not host["joined"]:
        yield from space_problems(wanted["free_space"])
    yield from port_problems(wanted["ports"])
    for needed in wanted["interfaces"]:
        away = needed["moves"] and host["joined"]  # a pod may have it, which no host can tell from a wrong name
        if not away and not os.path.exists("/sys/class/net/" + needed["interface"]):
            yield (
                "attachment %s needs the interface %s, and here are only %s -> correct its name, or name in "
                "node_classes the classes that have it"
                % (
                    needed["attachment"],
                    needed["interface"],
                    ", ".join(sorted(set(os.listdir("/sys/class/net")) - {"lo"})),
                )
            )
    if not host["joined"] and not read_record("kubeadm.json"):
        yield from foreign_cluster()


def kernel_problems(module, wanted):
    for name, proof in sorted(wanted.items()):
        if not has_function(proof) and not loads(module, name):
            yield "the kernel lacks %s (%s) -> install the kernel package that carries this module" % (name, proof)


def moving_problems(module):
    """Yield that an interface would move into a pod which the host itself lives by."""
    moving = [one for one in module.params["interfaces"] if one["moves"]]
    management = carriers(module, module.params["address"] or "") if moving else set()
    for one in moving:
        if one["interface"] in management:
            yield (
                "attachment %s would move %s into a pod, and it carries the node's own address or its default route -> "
                "name another interface" % (one["attachment"], one["interface"])
            )


def rdma_problems(module):
    """Return what stands in the way of the RDMA that is asked for."""
    asked = module.params["rdma"]
    modules = (module.params["settings"] or {}).get("feature_modules", {})
    return rdma.problems(module, asked, modules) if asked else []


def dhcp_problems(attachments, host):
    """Yield that somebody else serves the socket of our DHCP daemon."""
    if attachments and not host["cni_dhcp"] and os.path.exists(DHCP_SOCKET):
        yield (
            "attachment %s takes addresses from a DHCP server, and another daemon has %s already -> stop it, as with "
            "systemctl disable --now cni-dhcp.socket cni-dhcp.service, and remove the socket: the daemon comes with "
            "the attachment" % (", ".join(attachments), DHCP_SOCKET)
        )


def distribution_problems(module, host):
    """Find the data of the host's distribution, and note in `host` what it lacks."""
    known = module.params["distributions"]
    found = host["distribution"]
    names = [
        "%s-%s" % (found["id"], found["version"]),
        "%s-%s" % (found["id"], found["version"].split(".")[0]),
        "family:%s" % found["family"],
    ]
    data = next((known[name] for name in names if name in known), None)
    host["tested"] = bool(data and data.get("tested"))
    host["missing_packages"] = missing_packages(module, data["packages"]) if data else []
    if known and data is None:
        return [
            "the distribution %s %s is not known -> use one of %s, or add its data to host_prepare_distributions"
            % (found["id"], found["version"], ", ".join(sorted(known)))
        ]
    return []


def interface_of(module, address):
    for link in printed_json(module, ["ip", "-json", "-4", "address"]):
        if any(info.get("local") == address for info in link.get("addr_info", [])):
            return link["ifname"], link["mtu"]
    return None, 0


def space_problems(wanted):
    for folder, need in sorted(wanted.items()):
        present = folder
        while not os.path.isdir(present):
            present = os.path.dirname(present) or "/"
        stat = os.statvfs(present)
        free = stat.f_bavail * stat.f_frsize // 2**20
        if free < int(need):
            yield "%d MiB free at %s, needed are %s -> free space there, or mount a larger disk" % (free, folder, need)


def port_problems(wanted):
    listening = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in (read_text(table) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == TCP_LISTEN:
                listening[int(fields[1].rsplit(":", 1)[1], 16)] = fields[9]
    taken = {port: owner for port, owner in wanted.items() if int(port) in listening}
    if not taken:
        return
    names = socket_holders()
    for port, owner in sorted(taken.items()):
        holder = names.get(listening[int(port)], "another program")
        if holder != owner:
            yield "port %s is taken by %s, %s needs it -> stop %s or move it to another port" % (
                port,
                holder,
                owner,
                holder,
            )


def socket_holders():
    holders = {}
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("socket:["):
            process = link.split("/")[2]
            # comm is cut at 15 characters; the command line is not.
            command = (read_text("/proc/%s/cmdline" % process) or "").split("\0")[0]
            holders[target[8:-1]] = os.path.basename(command) or (read_text("/proc/%s/comm" % process) or "").strip()
    return holders


def foreign_cluster():
    for sign in ("/etc/kubernetes/kubelet.conf", "/etc/rancher", "/var/lib/k0s", "/var/snap/microk8s"):
        if os.path.exists(sign):
            yield "%s shows that another installer has set up Kubernetes here -> remove that cluster first" % sign


def missing_packages(module, names):
    if not names:
        return []
    if os.path.exists("/usr/bin/dpkg-query"):
        _, out, _ = look(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names])
        present = {line.split()[0] for line in out.splitlines() if line.endswith(" installed")}
        return [name for name in names if name not in present]
    return [name for name in names if module.run_command(["rpm", "-q", name])[0] != 0]


if __name__ == "__main__":
    main()
