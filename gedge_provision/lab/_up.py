"""`gedge lab up`: from whatever is there to the nodes that were asked for."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

from gedge_provision.adapters import host_network, host_traces, lab_files, taps
from gedge_provision.adapters.interrupts import interrupts_at_the_end
from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.podman import Podman
from gedge_provision.adapters.processes import CommandError
from gedge_provision.lab import _emulated as emulated
from gedge_provision.lab._down import tear_down
from gedge_provision.lab._emulated_image import ensure_parts
from gedge_provision.lab._image import ensure_image
from gedge_provision.lab._nodes import nodes_of
from gedge_provision.lab._ready import wait_ready
from gedge_provision.lab._sites import check_size, make_site
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.lab import Base, LabNode, LabSpec, bridge_name, data_bridge_name, network_name
from gedge_provision.models.progress import Reporter, SilentReporter
from gedge_provision.planning.lab import Changes, changes, in_the_way, lab_spec
from gedge_provision.planning.lab_host import podman_configuration
from gedge_provision.planning.lab_nodes import container_name, made_of, node_arguments
from gedge_provision.provisioning.sites import default_site_path, load_site

__all__ = ["check_host", "up", "up_by_name"]

T = TypeVar("T")

_AT_ONCE = 2
_PROGRAMS = {
    "podman": "podman",
    "netavark": "netavark",
    "conmon": "conmon",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
    "mmdebstrap": "mmdebstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
}
_PROGRAMS_TO_EMULATE = {"mke2fs": "e2fsprogs", "setsid": "util-linux", "unshare": "util-linux"}
_ARCHITECTURE = "x86_64"


def up(site: Path | None = None, reporter: Reporter | None = None) -> None:
    """Make the nodes of a lab's site file run: missing ones are made, stopped ones started, others removed.

    A run that is interrupted while it makes a lab anew removes what it made.

    Args:
        site: the site file; by default the lab's that comes with this package.
        reporter: told about each step.

    Raises:
        UsageError: the lab cannot be here as asked; nothing was changed.
        GedgeError: a node did not come up.
    """
    reporter = reporter or SilentReporter()
    spec = _spec(site or default_site_path())
    check_host(emulated=any(node.hardware for node in spec.nodes))
    with _held(spec.name, reporter) as podman:
        _up(spec, podman, reporter)


def up_by_name(  # noqa: PLR0913 - each is a property of the lab
    name: str,
    *,
    control_planes: int = 1,
    workers: int = 2,
    hardware: int = 0,
    base: Base = "debian12",
    reporter: Reporter | None = None,
) -> Path:
    """Write the site file of a lab of this name and size into the lab's folder, make its nodes run as `up` does.

    Returns:
        The site file.

    Raises:
        UsageError: a name or size that no lab can have; nothing was changed.
        GedgeError: a node did not come up.
    """
    reporter = reporter or SilentReporter()
    check_host(emulated=hardware > 0)
    check_size(name, control_planes=control_planes, workers=workers, hardware=hardware)
    with _held(name, reporter) as podman:
        site = make_site(name, control_planes=control_planes, workers=workers, hardware=hardware, base=base)
        _up(_spec(site), podman, reporter)
    return site


def _spec(path: Path) -> LabSpec:
    site = load_site(path)
    return lab_spec(site, lab_files.lab_folder(site.name), Path.home())


@contextmanager
def _held(lab: str, reporter: Reporter) -> Iterator[Podman]:
    """Hold a lab; what an interrupted or refused run made of a lab that was not there is removed."""
    podman = Podman.private()
    try:
        with locked(lab_files.lab_folder(lab), f"lab {lab}"):
            fresh = lab not in podman.networks()
            try:
                yield podman
            except KeyboardInterrupt:
                if fresh:
                    tear_down(lab, reporter)
                raise
            except UsageError:
                if fresh:
                    lab_files.remove_lab_folder(lab)
                raise
    except KeyboardInterrupt:
        lab_files.remove_empty_lab_folder(lab)  # the interrupt came between the folder and the work
        raise


def check_host(*, emulated: bool = False) -> None:
    """Check that this host can have labs; with `emulated`, labs with emulated nodes.

    Raises:
        UsageError: not root, or programs or devices are missing.
    """
    if os.geteuid() != 0:
        raise UsageError("a lab needs root: its nodes are hosts with kernel rights", remedy="run it with sudo")
    programs = _PROGRAMS | (_PROGRAMS_TO_EMULATE if emulated else {})
    if missing := host_traces.missing_programs(programs):
        raise UsageError("programs for a lab are missing", remedy=f"apt-get install {' '.join(missing)}")
    if emulated:
        if platform.machine() != _ARCHITECTURE:
            raise UsageError(
                f"emulated nodes need a host of the architecture {_ARCHITECTURE}, this one is {platform.machine()}",
                remedy="leave lab.emulated (--hardware) out, or use such a host",
            )
        taps.check()


def _up(spec: LabSpec, podman: Podman, reporter: Reporter) -> None:
    settings = podman_configuration(host_traces.host_facts())
    fresh = _check_network(spec, podman)
    with lab_files.host_settings() as record:
        host_traces.remember_host(record)
        host_traces.make_room()
    podman.configure(settings)
    image = ensure_image(spec.base, podman, reporter)
    kernels = frozenset(node.hardware.kernel for node in spec.nodes if node.hardware)
    parts = ensure_parts(kernels, reporter) if kernels else None
    if fresh:
        podman.make_network(spec.name, network_name(spec.name), bridge_name(spec.name), spec.subnet, spec.gateway)
    host_network.close_off(network_name(spec.name), bridge_name(spec.name))
    store = cache_dir() / "store"
    store.mkdir(parents=True, exist_ok=True)
    made_of_now = {node.name: made_of(spec, node, store) for node in spec.nodes}
    present = nodes_of(podman, spec.name)
    were_emulated = {node.node for node in present if node.kind == "emulated"}
    plan = changes(spec, present, made_of_now)
    remade = {node.name for node in plan.create}
    for node, why in plan.remove.items():
        kind = "emulated node" if node in were_emulated else "node"
        reporter.note(f"{kind} {node} is {'made anew' if node in remade else 'removed'}: {why}")
        _remove(podman, spec.name, node)
    lab_files.make_keys(spec)
    run_container = partial(
        node_arguments,
        spec,
        image=image,
        data=lab_files.DATA,
        store=store,
        modules=Path("/lib/modules").is_dir(),
    )

    cut_off = Event()

    def bring_up(node: LabNode) -> None:
        tell = partial(reporter.update, node.title)
        if node in plan.start and not _start(podman, spec.name, node.name):
            reporter.note(f"{node.name} cannot be started any more: made anew")
            _remove(podman, spec.name, node.name)
            lab_files.make_keys(spec)
            podman.call(*run_container(node, folder=lab_files.node_folder(spec.name, node.name)))
        elif node in plan.create:
            tell("starts")
            podman.call(*run_container(node, folder=lab_files.node_folder(spec.name, node.name)))
        _report_ready(reporter, plan, node, wait_ready(spec.name, node.name, node.address, tell, cut_off=cut_off))

    def bring_up_emulated(node: LabNode) -> None:
        tell = partial(reporter.update, node.title)
        if parts and node in plan.create:
            remark = emulated.make(spec, node, parts, tell, cut_off)
        elif node in plan.start:
            remark = emulated.boot(spec.name, node.name, node.address, tell, cut_off)
        else:
            remark = emulated.wait(spec.name, node.name, node.address, tell, cut_off)
        _report_ready(reporter, plan, node, remark)

    # The bridge comes with the first container, so these are first.
    _each(partial(_told, reporter, bring_up), [node for node in spec.nodes if not node.hardware], cut_off)
    _each(partial(_told, reporter, bring_up_emulated), [node for node in spec.nodes if node.hardware], cut_off)


def _told(reporter: Reporter, work: Callable[[LabNode], None], node: LabNode) -> None:
    reporter.start(node.title)
    try:
        work(node)
    except GedgeError:
        reporter.finish(node.title, "failed")
        raise


def _report_ready(reporter: Reporter, plan: Changes, node: LabNode, remark: str) -> None:
    touched = node in plan.create or node in plan.start
    reporter.finish(node.title, "done" if touched else "unchanged", f"{node.address} {remark}".strip())


def _remove(podman: Podman, lab: str, node: str) -> None:
    podman.remove(container_name(lab, node))
    emulated.remove(lab, node)
    lab_files.remove_node_folder(lab, node)


def _check_network(spec: LabSpec, podman: Podman) -> bool:
    """Return whether the lab's network is still to be made."""
    bridge = bridge_name(spec.name)
    present = podman.networks().get(spec.name)
    if present is not None and present[1] != spec.subnet:
        raise UsageError(
            f"lab {spec.name} is up on {present[1]}, the site file says {spec.subnet}",
            remedy=f"gedge lab down {spec.name}",
        )
    for link in (bridge, data_bridge_name(spec.name)):
        if present is None and host_network.has_link(link):
            raise UsageError(f"the interface {link} is there and is not ours", remedy=f"ip link delete {link}")
    others = [(lab, network) for lab, (_, network) in podman.networks().items() if lab != spec.name]
    held = in_the_way(spec.subnet, host_network.address_holders(but=frozenset({bridge})))
    held += [f"{network} is lab {lab}" for lab, network in others if network.overlaps(spec.subnet)]
    if held:
        raise UsageError(
            f"lab.subnet {spec.subnet} is in use: {'; '.join(sorted(set(held)))}", remedy="choose another lab.subnet"
        )
    return present is None


def _start(podman: Podman, lab: str, node: str) -> bool:
    try:
        podman.call("start", container_name(lab, node))
    except CommandError:
        return False
    return True


def _each(work: Callable[[T], None], items: Iterable[T], cut_off: Event) -> None:
    """Do work for each item, a few at once; the first failure or ^C stops what has not begun, ^C also what waits.

    All that was begun has ended when this returns or raises.
    """

    def begin(item: T) -> None:
        if not cut_off.is_set():
            work(item)

    with interrupts_at_the_end(cut_off.set), ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(begin, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)
