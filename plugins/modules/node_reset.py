#!/usr/bin/python
"""Take everything off a host that the other modules and roles put there, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_reset
short_description: Bring a host back to what it was before it became a node
description:
  - Stops the node's services and containers, then removes mounts, interfaces, firewall rules and files of ours. Files
    that were there before come back, kernel settings get their former values, masked swap units are unmasked.
  - Packages stay installed. What could not be removed is reported as a failure, by name.
options:
  services:
    description: Units to stop and disable, in this order.
    type: list
    elements: str
    default: [kubelet.service, containerd.service]
  paths:
    description: Folders and files to remove besides those that were recorded.
    type: list
    elements: path
    default: []
  empty_folders:
    description: Folders that other programs may use too, removed only when nothing is left in them; inner ones first.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Reset the host
  gedge.provision.node_reset:
    paths: [/etc/kubernetes, /var/lib/kubelet]
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
"""

import contextlib
import glob
import os
import platform
import re
import shutil
import signal
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import host_tuner, huge_pages, kernel_boot, kernel_modules, sriov_functions
from ..module_utils.host_state import NO_PROXY, STATE_DIR, copy_file, host_lock, made, read_record, read_text
from ..module_utils.programs import look, printed_json

KUBEADM = "/usr/local/bin/kubeadm"
LINKS = re.compile(r"^(cni0|flannel\.\d+|flannel-v6\.\d+|kube-ipvs0|kube-bridge)$")
NFT_TABLES = re.compile(
    r"^table (ip6? (?:kube-proxy|flannel-ipv[46])|inet (?:kube-proxy|flannel-ipv[46]))$", re.MULTILINE
)
IPTABLES_TABLES = ("filter", "mangle", "nat", "raw", "security")
CHAINS = re.compile(r"KUBE-|CNI-|FLANNEL-|FLANNEL$")
MOUNT_ROOTS = (
    "/var/lib/kubelet/",
    "/run/containerd/",
    "/run/nvidia/",
    "/var/lib/containerd/",
    "/run/netns/cni-",
    "/var/run/netns/cni-",
)
OUR_PROCESSES = ("containerd-shim-runc-v2", "kubelet", "containerd", "kube-proxy", "flanneld")


def main():
    module = AnsibleModule(
        argument_spec={
            "services": {
                "type": "list",
                "elements": "str",
                "default": ["kubelet.service", "containerd.service"],
            },
            "paths": {"type": "list", "elements": "path", "default": []},
            "empty_folders": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    objects = plan(module)
    if not module.check_mode:
        with host_lock(module, 300):
            Reset(module).run(objects)
    module.exit_json(changed=bool(objects), objects=objects)


def plan(module):
    """Name what goes or comes back. What pods have (processes, mounts, cables, rules) goes with them, unnamed."""
    name = read_record("kubeadm.json").get("node") or platform.node()
    objects = [made("node", name, "leave")] if in_cluster() else []
    objects += [made("unit", unit, "stop") for unit in module.params["services"] if runs_here(unit)]
    objects += [made("interface", name, "remove") for name in links(module) if LINKS.match(name)]
    objects += [
        made("tuning", path, "restore")
        for path in sorted(read_record("tuning.json"))
        if not path.startswith(host_tuner.IRQS + "/")
    ]
    objects += [
        made("huge_pages", "%d of %s" % (count, huge_pages.spoken(path)), "set")
        for path, _, count in huge_pages.differing(huge_pages.noted()["found"])
    ]
    objects += [made("nic", address, "restore") for address in sorted(read_record("sriov.json").get("former", {}))]
    record = read_record("settings.json")
    objects += [made("sysctl", "%s=%s" % pair, "set") for pair in sorted(record.get("sysctls", {}).items())]
    objects += [made("unit", unit, "unmask") for unit in record.get("masked_units", [])]
    objects += [made("kernel_module", name, "unload") for name in record.get("feature_modules", {}).get("names", [])]
    objects += [made("unit", unit, "disable") for unit in record.get("enabled_units", [])]
    objects += [made("swap", "all", "start")] if record.get("swap_was_on") else []
    arguments = kernel_boot.KernelBoot(module, [], False, kernel_boot.this_boot()).changes()[0]
    objects += [one for one in arguments if one["name"] != kernel_boot.SETTINGS]  # a file of ours, as below
    originals = saved_originals()
    return objects + [
        made("file", path, "restore" if path in originals else "remove") for path in present_paths(module)
    ]


def in_cluster():
    return os.path.exists(KUBEADM) and bool(read_record("kubeadm.json") or os.path.isdir("/etc/kubernetes/manifests"))


def runs_here(unit):
    _, out, _ = look(["systemctl", "show", "--property=LoadState,ActiveState,UnitFileState", unit])
    state = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    runs = state.get("ActiveState") != "inactive" or state.get("UnitFileState") == "enabled"
    return state.get("LoadState") == "loaded" and runs


def recorded():
    return read_record("files.json") or read_record("artifacts.json") or read_record("kubeadm.json")


def mounts():
    found = []
    for line in (read_text("/proc/self/mounts") or "").splitlines():
        path = line.split()[1].replace("\\040", " ")
        if path.startswith(MOUNT_ROOTS):
            found.append(path)
    return sorted(found, key=len, reverse=True)


def links(module):
    found = printed_json(module, ["ip", "-json", "link"], may_fail=True)
    names = [link["ifname"] for link in found if LINKS.match(link["ifname"])]
    # The host's ends of the pods' cables hang on our bridge.
    return names + [link["ifname"] for link in found if link.get("master") == "cni0"]


def pod_routes(module):
    """Return the routes within the pod network that flannel wrote down, by their destinations."""
    settings = (read_text("/run/flannel/subnet.env") or "").splitlines()
    network = next((line.partition("=")[2] for line in settings if line.startswith("FLANNEL_NETWORK=")), "")
    if not network:
        return []
    found = printed_json(module, ["ip", "-json", "route", "show", "root", network], may_fail=True)
    return [route["dst"] for route in found if route.get("gateway")]


def present_paths(module):
    paths = set(module.params["paths"]) | set(read_record("files.json"))
    paths |= {target for target in read_record("artifacts.json") if target.startswith("/")}
    if os.path.isdir(STATE_DIR) and recorded():
        paths.add(STATE_DIR)
    return sorted(path for path in paths if os.path.lexists(path) and not is_empty_mount(path))


def saved_originals():
    """Return the files that were there before us, with their saved copies."""
    return {path: saved for path, saved in read_record("files.json").items() if saved}


def is_empty_mount(path):
    """Tell whether a path is a mount point of its own (it stays) that holds nothing."""
    return os.path.ismount(path) and not os.listdir(path)


class Reset:
    """The steps, in an order in which each finds what it needs."""

    def __init__(self, module):
        self.module = module
        self.failures = []

    def run(self, objects):
        self.leave_cluster()
        self.stop_services()
        self.stop_containers()
        self.unmount()
        self.restore_cards()
        self.restore_tuning()
        self.delete_links()
        self.delete_routes()
        self.delete_rules()
        self.restore_settings()
        self.restore_kernel_arguments()
        self.remove_files()
        if self.failures:
            self.module.fail_json(
                msg="not everything could be removed: %s -> end what holds it, then run the reset again"
                % "; ".join(self.failures),
                objects=objects,
            )

    def leave_cluster(self):
        """Let kubeadm remove the node's etcd member and its static pods while their API still answers."""
        if in_cluster():
            self.module.run_command([KUBEADM, "reset", "--force"], environ_update=NO_PROXY)

    def stop_services(self):
        for unit in self.module.params["services"]:
            if runs_here(unit):
                self.module.run_command(["systemctl", "disable", "--now", unit])

    def stop_containers(self):
        """End what is left of pods: shims and the processes in our cgroups, by process id."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            pids = our_processes()
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + 10
            while our_processes() and time.monotonic() < deadline:
                time.sleep(0.2)
        self.failures += ["process %d" % pid for pid in our_processes()]

    def unmount(self):
        for path in mounts():
            rc, _, err = self.module.run_command(["umount", path])
            if rc != 0:
                rc, _, err = self.module.run_command(["umount", "--lazy", path])
            if rc != 0:
                self.failures.append("mount %s (%s)" % (path, err.strip()))
        for path in glob.glob("/run/netns/cni-*"):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def restore_cards(self):
        """Give network cards back what they were before their virtual functions were ours."""
        record = read_record("sriov.json")
        for former in record.get("former", {}).values():
            try:
                sriov_functions.put_back(former, record["modules"])
            except sriov_functions.FunctionError as error:
                self.failures.append(str(error))

    def restore_tuning(self):
        """Let interrupts and system services go where they went before us, give huge pages back."""
        host_tuner.put_back(read_record("tuning.json"))
        for unit in host_tuner.SLICES:
            if os.path.exists(host_tuner.drop_in(unit)):
                host_tuner.limit(self.module, unit, "")
        try:
            huge_pages.set_aside(huge_pages.noted()["found"])
        except huge_pages.PagesError as error:
            self.failures.append(str(error))
        huge_pages.forget()

    def delete_links(self):
        for name in links(self.module):
            self.module.run_command(["ip", "link", "delete", name])
        self.failures += ["interface %s" % name for name in links(self.module) if LINKS.match(name)]

    def delete_routes(self):
        """Delete flannel's routes to other nodes' pods (backend host-gw); those through an interface went with it."""
        for route in pod_routes(self.module):
            self.module.run_command(["ip", "route", "delete", route])
        self.failures += ["route %s" % route for route in pod_routes(self.module)]

    def delete_rules(self):
        if shutil.which("nft"):
            _, out, _ = look(["nft", "list", "tables"])
            for table in NFT_TABLES.findall(out):
                self.module.run_command(["nft", "delete", "table", *table.split()])
        for program in ("iptables", "ip6tables"):
            for variant in (program + "-nft", program + "-legacy"):
                if shutil.which(variant + "-save"):
                    self.filter_rules(variant)

        if shutil.which("nft"):
            self.delete_empty_tables()

    def delete_empty_tables(self):
        """Delete what iptables-nft left empty (it makes it again when needed): first chains, then tables."""
        printed = printed_json(self.module, ["nft", "-j", "list", "ruleset"], nothing={}, may_fail=True)
        found = printed.get("nftables", [])
        entries = [(kind, value) for entry in found for kind, value in entry.items() if kind != "metainfo"]
        used, kept = set(), set()
        for kind, value in entries:
            if kind not in ("table", "chain"):
                used.add((value["family"], value["table"], value.get("chain")))
                kept.add((value["family"], value["table"]))
        for kind, value in entries:
            if kind != "chain" or value["family"] not in ("ip", "ip6") or value["table"] not in IPTABLES_TABLES:
                continue
            chain = (value["family"], value["table"], value["name"])
            # A chain counts unless it is a built-in one that lets everything pass.
            if value.get("policy") == "accept" and chain not in used:
                self.module.run_command(["nft", "delete", "chain", *chain])
            else:
                kept.add(chain[:2])
        for kind, value in entries:
            if kind == "table" and value["family"] in ("ip", "ip6") and value["name"] in IPTABLES_TABLES:
                table = (value["family"], value["name"])
                if table not in kept:
                    self.module.run_command(["nft", "delete", "table", *table])

    def filter_rules(self, program):
        """Delete our chains, and the rules that jump to them, one table at a time; every other rule stays."""
        _, out, _ = look([program + "-save"])
        table = ""
        commands = []
        for line in out.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A") and is_ours(split_rule(line[3:])):
                commands.append((0, [program, "-t", table, "-D", *split_rule(line[3:])]))
            elif line.startswith(":") and CHAINS.match(line[1:]):
                chain = line[1:].split()[0]
                commands += [(1, [program, "-t", table, "-F", chain]), (2, [program, "-t", table, "-X", chain])]
        for _, argv in sorted(commands, key=lambda command: command[0]):
            self.module.run_command(argv)

    def restore_settings(self):
        record = read_record("settings.json")
        for name, value in sorted(record.get("sysctls", {}).items()):
            try:
                with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
                    file.write(value)
            except FileNotFoundError:
                pass  # the module that had this setting is gone with the interfaces
            except OSError as error:
                self.failures.append("sysctl %s (%s)" % (name, error.strerror))
        for unit in record.get("masked_units", []):
            self.module.run_command(["systemctl", "unmask", unit])
        for unit in record.get("enabled_units", []):
            self.module.run_command(["systemctl", "disable", "--now", unit])
        self.failures += ["kernel module %s" % name for name in kernel_modules.unload_recorded(record)]
        if record.get("swap_was_on"):
            self.module.run_command(["swapon", "-a"])

    def restore_kernel_arguments(self):
        """Take our arguments from the boot loader; the kernel keeps them until somebody reboots the host."""
        boot = kernel_boot.KernelBoot(self.module, [], False, kernel_boot.this_boot())
        if not boot.settings_due():
            return
        try:
            boot.change()
        except kernel_boot.BootLoaderError as error:
            self.failures.append(str(error))
            return
        if boot.reboot_due():
            self.module.warn("until it reboots, the kernel runs with the arguments %s" % " ".join(boot.former))

    def remove_files(self):
        originals = saved_originals()
        for path in present_paths(self.module):
            if path == STATE_DIR or not os.path.lexists(path):  # it may have gone with its folder
                continue
            try:
                if path in originals:
                    copy_file(originals[path], path)
                else:
                    remove(path)
            except OSError as error:
                self.failures.append("%s (%s)" % (path, error.strerror))
        made = sorted(read_record("folders.json"), key=len, reverse=True)
        for folder in made + self.module.params["empty_folders"]:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if recorded():
            self.module.run_command(["systemctl", "daemon-reload"])
            self.module.run_command(["systemctl", "reset-failed"])
        if not self.failures:
            for name in os.listdir(STATE_DIR) if os.path.isdir(STATE_DIR) else []:
                path = os.path.join(STATE_DIR, name)
                if not os.path.ismount(path):
                    remove(path)
            with contextlib.suppress(OSError):
                os.rmdir(STATE_DIR)


def remove(path):
    """Remove a file or folder; of a mount point only what is in it."""
    if os.path.ismount(path):
        for name in os.listdir(path):
            remove(os.path.join(path, name))
    elif os.path.isdir(path) and not os.path.islink(path):
        inner = [name for name in os.listdir(path) if os.path.ismount(os.path.join(path, name))]
        for name in os.listdir(path):
            if name in inner:
                continue
            remove(os.path.join(path, name))
        if not inner:
            os.rmdir(path)
    else:
        os.unlink(path)


def our_processes():
    """Return the pids of programs that we installed and of everything that runs in a pod's cgroup."""
    pids = []
    installed = {target for target in read_record("artifacts.json") if target.startswith("/")}
    for folder in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            program = os.readlink(folder + "/exe").replace(" (deleted)", "")
            in_pod = "/kubepods" in (read_text(folder + "/cgroup") or "")
            if in_pod or (program in installed and os.path.basename(program) in OUR_PROCESSES):
                pids.append(int(os.path.basename(folder)))
    return [pid for pid in pids if pid != os.getpid()]


def is_ours(words):
    """Tell whether a rule stands in a chain of ours or leads to one; what its comment says does not count."""
    targets = [words[place + 1] for place, word in enumerate(words[:-1]) if word in ("-j", "-g", "--jump", "--goto")]
    return any(CHAINS.match(chain) for chain in [words[0], *targets[-1:]])


def split_rule(rule):
    """Split a rule as iptables-save prints it; only comments hold quotes."""
    return [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', rule)]


if __name__ == "__main__":
    main()
