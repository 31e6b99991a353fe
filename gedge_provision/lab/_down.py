"""`gedge lab down`: nothing of a lab stays, whatever state it is in."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

from gedge_provision.adapters import base_image, host_network, host_traces, lab_files, site_records
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.podman import Podman
from gedge_provision.adapters.processes import CommandError
from gedge_provision.lab._emulated import remove_all, traces
from gedge_provision.lab._nodes import labs
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.lab import bridge_name, data_bridge_name, network_name
from gedge_provision.models.progress import Reporter, SilentReporter
from gedge_provision.planning.lab_nodes import container_prefix
from gedge_provision.provisioning.sites import default_kubeconfig

__all__ = ["down", "leftovers", "prune", "tear_down"]

_AT_ONCE = 2
_TRIES = 3
_PATIENCE_S = 30
_MOMENT_S = 5


def down(lab: str, reporter: Reporter | None = None) -> None:
    """Remove a lab: nodes, network, keys, data, kubeconfig, records of runs; one that is not there is fine.

    Raises:
        GedgeError: something could not be removed; it is named.
    """
    reporter = reporter or SilentReporter()
    with locked(lab_files.lab_folder(lab), f"lab {lab}"):
        tear_down(lab, reporter)


def _forget(lab: str) -> None:
    """Remove what is remembered of a lab's cluster, unless hosts that are not the lab's are remembered too."""
    folder = default_kubeconfig(lab).parent
    try:
        hosts = site_records.read_record(folder).hosts.values()
    except GedgeError:  # of another version: not ours to judge
        return
    ours = f"{lab_files.lab_folder(lab)}/"
    if all(str(host.connection.get("ansible_ssh_private_key_file", "")).startswith(ours) for host in hosts):
        site_records.remove_site(folder)


def tear_down(lab: str, reporter: Reporter) -> None:
    """Do the work of `down` for a caller that holds the lab.

    Raises:
        GedgeError: something could not be removed; it is named.
    """
    step = f"remove {lab}"
    reporter.start(step)
    podman = Podman.private()
    subnet = podman.networks().get(lab, (None, None))[1]
    try:
        _wait_for_calls(lab, reporter, step)
        reporter.update(step, "nodes")
        containers = [container.id for container in podman.containers() if container.lab == lab]
        containers += podman.half_made(container_prefix(lab))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(partial(_remove, podman), containers))
        remove_all(lab)
        host_traces.thaw(network_name(lab))
        host_traces.kill(host_traces.processes_in(network_name(lab)))
        host_traces.unmount(_stray_mounts(podman))
        if containers or subnet:  # a real site may have the name of a lab that never was
            _forget(lab)
        reporter.update(step, "network")
        podman.remove_network(network_name(lab))
        for namespace in _namespaces(subnet):
            host_network.delete_namespace(namespace)
        host_network.delete_link(bridge_name(lab))
        host_network.open_up(network_name(lab))
        reporter.update(step, "files")
        lab_files.remove_lab_folder(lab)
        base_image.remove_stale_work()
        with lab_files.host_settings() as record:
            if not labs():
                host_traces.restore_host(record)
        reporter.update(step, "looks for leftovers")
        left = _last_look(lab, subnet)
    except BaseException:
        reporter.finish(step, "failed")
        raise
    if left:
        reporter.finish(step, "failed")
        raise GedgeError(
            "could not be removed:\n" + "\n".join(f"  {item}" for item in left),
            place=f"lab {lab}",
            remedy=f"remove it by hand, then: gedge lab down {lab}",
        )
    reporter.finish(step, "done" if containers or subnet else "unchanged")


def _last_look(lab: str, subnet: IPv4Network | None) -> list[str]:
    """Return what stays; what is about to end (processes, and cgroups with them) has a moment for it."""
    end = time.monotonic() + _MOMENT_S
    while True:
        host_traces.remove_cgroups(network_name(lab))
        left = leftovers(lab, subnet)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def _remove(podman: Podman, container: str) -> None:
    """Remove a container as far as it can be done: what stays is found and named at the end."""
    for _ in range(_TRIES):
        try:
            podman.remove(container)
        except CommandError:
            continue
        return


def _stray_mounts(podman: Podman) -> list[str]:
    """Return mounts of our podman that no container can own: those there before it had none, and after it."""
    before = host_traces.mounts_under(podman.root, podman.runtime)
    if not before or podman.containers():
        return []
    after = set(host_traces.mounts_under(podman.root, podman.runtime))
    return [point for point in before if point in after]


def _namespaces(subnet: IPv4Network | None) -> list[Path]:
    """Return network namespaces of a lab, and empty ones that a killed podman never gave to anyone.

    A podman at work has such an empty one for a moment, so none may be at work before and after the look.
    """
    ours = host_network.namespaces_in(subnet) if subnet else []
    busy = host_traces.podman_is_busy()
    empty = [] if busy else host_network.empty_namespaces()
    return ours if busy or host_traces.podman_is_busy() else ours + empty


def _wait_for_calls(lab: str, reporter: Reporter, step: str) -> None:
    """Let podman commands end that a killed run left under way: cut off half-way they would leave more."""
    end = time.monotonic() + _PATIENCE_S
    while calls := host_traces.podman_calls(container_prefix(lab)):
        reporter.update(step, f"waits for podman {calls[0]}")
        if time.monotonic() > end:
            host_traces.kill(calls)
        time.sleep(0.1)


def leftovers(lab: str, subnet: IPv4Network | None = None) -> list[str]:
    """Return everything of a lab that is on this host, a line each; empty means that nothing is.

    Looks at containers (also half-made ones), volumes, networks, interfaces, network namespaces, firewall rules,
    mounts, processes, cgroups and files.

    Args:
        lab: the lab's name.
        subnet: its network, where known.
    """
    podman, name = Podman.private(), network_name(lab)
    ours = [container for container in podman.containers() if container.lab == lab]
    found = [f"container {container.name} ({container.state})" for container in ours]
    found += [f"half-made container {identity}" for identity in podman.half_made(container_prefix(lab))]
    found += [f"volume {volume}" for volume in podman.volumes()]
    found += [f"network {name}"] * (lab in podman.networks())
    found += [f"interface {bridge_name(lab)}"] * host_network.has_link(bridge_name(lab))
    found += traces(lab)
    words = [name, bridge_name(lab), data_bridge_name(lab), *([str(subnet)] if subnet else [])]
    found += [f"firewall: {rule}" for rule in host_network.firewall_rules(*words)]
    found += [f"network namespace {path}" for path in _namespaces(subnet)]
    processes = host_traces.processes_in(name) + list(host_traces.processes_naming(container_prefix(lab)))
    found += [f"process {pid}" for pid in sorted(set(processes))]
    found += [f"cgroup {path}" for path in host_traces.cgroups(name)]
    folder = lab_files.lab_folder(lab)
    found += [f"mount {point}" for point in host_traces.mounts_under(folder)]
    found += [f"mount {point}" for point in _stray_mounts(podman)]
    found += [f"folder {folder}"] * folder.exists()
    return found


def prune(reporter: Reporter | None = None) -> None:
    """Remove the base images, the emulator and its disks, and everything of the lab's podman.

    Raises:
        UsageError: a lab is up.
    """
    reporter = reporter or SilentReporter()
    if present := labs():
        raise UsageError(f"labs are up: {', '.join(present)}", remedy="gedge lab down --all")
    reporter.start("base images")
    base_image.remove_base_images()
    Podman.private().purge()
    reporter.finish("base images")
