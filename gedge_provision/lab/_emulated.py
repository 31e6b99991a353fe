"""Emulated nodes: making, starting, stopping and removing their guests."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address
from threading import Event

from gedge_provision.adapters import emulator, host_network, lab_files, qmp, taps
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.lab._emulated_image import Parts
from gedge_provision.lab._ready import wait_ready
from gedge_provision.models.emulation import Machine
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.lab import LabNode, LabSpec, NodeState, NodeStatus, bridge_name, data_bridge_name
from gedge_provision.planning.emulation import DISK, MONITOR, emulator_command, machine, tap_prefix
from gedge_provision.planning.lab_nodes import container_name, container_prefix

__all__ = ["boot", "emulated_nodes", "known_machine", "make", "remove", "remove_all", "stop", "traces", "wait"]

_TRIES = 3
_STOP_LIMIT_S = 90
_BUTTON_LIMIT_S = 10


def emulated_nodes(lab: str) -> list[NodeStatus]:
    """Return the emulated nodes of a lab as they are."""
    running = emulator.find(container_prefix(lab))
    found = []
    for node in lab_files.node_names(lab):
        folder = lab_files.node_folder(lab, node)
        made = emulator.read_machine(folder)
        if made is None:
            continue
        pid = running.get(made.name)
        state: NodeState = "running" if pid else "stopped" if (folder / DISK).exists() else "broken"
        found.append(
            NodeStatus(
                lab=lab,
                node=node,
                address=IPv4Address(made.address),
                state=state,
                made_of=made.made_of,
                uptime_s=max(0, int(time.time()) - emulator.started_at(pid)) if pid else None,
                memory_bytes=emulator.memory_of(pid) if pid else None,
                kind="emulated",
            )
        )
    return found


def make(spec: LabSpec, node: LabNode, parts: Parts, tell: Callable[[str], None], cut_off: Event) -> str:
    """Make an emulated node with a fresh disk and wait until it is a host; return what is noteworthy.

    A guest that hangs while it boots is powered off and made again: emulation hangs now and then.

    Raises:
        GedgeError: it did not come up.
    """
    folder, store = lab_files.node_folder(spec.name, node.name), cache_dir() / "store"
    made = machine(spec, node, tree=parts.tree, store=store, accelerator=parts.accelerator, host_cpus=parts.host_cpus)

    def new() -> Machine:
        emulator.new_disk(emulator_command(parts.tree, "qemu-img"), parts.disk(node), folder, DISK)
        emulator.write_machine(folder, made)
        return made

    return _boot(spec.name, node.name, node.address, new, tell, cut_off)


def boot(lab: str, node: str, address: IPv4Address, tell: Callable[[str], None], cut_off: Event) -> str:
    """Start an emulated node that is off, with its disk, and wait until it is a host; return what is noteworthy.

    Raises:
        GedgeError: it did not come up.
    """
    return _boot(lab, node, address, partial(known_machine, lab, node), tell, cut_off)


def wait(lab: str, node: str, address: IPv4Address, tell: Callable[[str], None], cut_off: Event) -> str:
    """Wait until an emulated node that is on is a host; return what is noteworthy.

    Raises:
        GedgeError: it does not come up.
    """
    runs = partial(emulator.check_runs, container_name(lab, node), lab_files.node_folder(lab, node))
    return wait_ready(lab, node, address, tell, cut_off=cut_off, emulated=runs)


def _boot(  # noqa: PLR0913, PLR0917 - those of its callers, and the guest
    lab: str,
    node: str,
    address: IPv4Address,
    prepare: Callable[[], Machine],
    tell: Callable[[str], None],
    cut_off: Event,
) -> str:
    name = container_name(lab, node)
    for attempt in range(1, _TRIES + 1):
        again = f" (try {attempt} of {_TRIES})" if attempt > 1 else ""
        tell(f"starts{again}")
        made = prepare()
        _plug_in(lab, made)
        emulator.start(made, lab_files.node_folder(lab, node), MONITOR)
        try:
            return wait(lab, node, address, partial(_tell, tell, again), cut_off)
        except GedgeError:
            if attempt == _TRIES or cut_off.is_set():
                raise  # it stays as it is, to be looked at
            emulator.power_off(name)
    raise AssertionError


def _tell(tell: Callable[[str], None], again: str, text: str) -> None:
    tell(text + again)


def known_machine(lab: str, node: str) -> Machine:
    """Return how the guest of a node was made.

    Raises:
        GedgeError: nobody has noted it.
    """
    made = emulator.read_machine(lab_files.node_folder(lab, node))
    if made is None:
        raise GedgeError("nothing is known of this emulated node", place=f"{node} of lab {lab}", remedy="gedge lab up")
    return made


def _plug_in(lab: str, made: Machine) -> None:
    if not host_network.has_link(bridge_name(lab)):
        raise GedgeError(
            f"the bridge {bridge_name(lab)} is not there: it comes with the lab's first container",
            place=f"lab {lab}",
            remedy="gedge lab up, or start a container node first",
        )
    for tap, bridge in made.bridges.items():
        if bridge == data_bridge_name(lab):
            taps.make_switch(bridge)
        taps.plug_in(tap, bridge, jumbo=bridge == data_bridge_name(lab))


def stop(lab: str, node: NodeStatus, *, kill: bool) -> bool:
    """Press the power button of an emulated node; cut its power to `kill`, or when it does not go off in time.

    Returns:
        Whether it went the way that was asked for.
    """
    name, went = container_name(lab, node.node), kill
    if not kill and node.state == "running":
        with suppress(GedgeError):
            qmp.tell(lab_files.node_folder(lab, node.node) / MONITOR, "system_powerdown", _BUTTON_LIMIT_S)
            went = emulator.wait_off(name, _STOP_LIMIT_S)
    emulator.power_off(name)
    return went or node.state != "running"


def remove(lab: str, node: str) -> None:
    """Remove the guest of a node, its TAP devices and its disk; none is fine."""
    made = emulator.read_machine(lab_files.node_folder(lab, node))
    emulator.power_off(container_name(lab, node))
    for tap in made.bridges if made else ():
        host_network.delete_link(tap)


def remove_all(lab: str) -> None:
    """Remove all guests, TAP devices and the data switch of a lab, also those that nothing else knows of any more."""
    for name in emulator.find(container_prefix(lab)):
        emulator.power_off(name)
    for tap in taps.taps(tap_prefix(lab)):
        host_network.delete_link(tap)
    host_network.delete_link(data_bridge_name(lab))


def traces(lab: str) -> list[str]:
    """Return what is there of a lab's emulated nodes beyond files and processes, a line each."""
    links = taps.taps(tap_prefix(lab)) + [data_bridge_name(lab)] * host_network.has_link(data_bridge_name(lab))
    return [f"interface {link}" for link in links]
