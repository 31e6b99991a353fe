"""What must hold across what a site file says of GPUs, beyond what each field shows alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gedge_provision.models.documents import Path, Problem
from gedge_provision.models.gpu import GpuIntent
from gedge_provision.models.site import NodeClass, Site
from gedge_provision.planning.gpu_dra_checks import check_claims
from gedge_provision.planning.gpu_labels import GPU_LABELS, gpu_section, served_nodes
from gedge_provision.planning.gpu_mig_checks import check_mig

__all__ = ["check_gpus"]


def check_gpus(site: Site) -> Iterator[Problem]:
    """Yield everything that is wrong with GPUs whose fields are valid one by one."""
    intents = {name: one.gpu for name, one in site.node_classes.items() if one.gpu is not None}
    yield from _without_gpus(site, intents)
    for name, intent in intents.items():
        yield from _driver(("node_classes", name, "gpu"), intent)
        yield from _sharing(("node_classes", name, "gpu", "sharing"), intent, gpu_section(site).mig_strategy)
        yield from _rdma(("node_classes", name, "gpu", "gpudirect_rdma"), site.node_classes[name], intent)
    yield from _one_driver(site, intents)
    yield from _ways_in(site)
    yield from _static_cpus(site)
    yield from _discovery(site, intents)
    yield from _labels(site, intents)
    yield from check_mig(site, intents)
    yield from check_claims(site, intents)


def _without_gpus(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield what is said of GPUs where there are none."""
    if site.gpu_operator is not None and not intents:
        yield Problem(
            ("gpu_operator",),
            "no node class has GPUs",
            "add gpu to the classes of nodes that have some, or take gpu_operator out",
        )
    for index, node in enumerate(site.nodes):
        intent = intents.get(node.node_class)
        if node.gpu is not None and (intent is None or intent.driver == "none"):
            yield Problem(
                ("nodes", index, "gpu"),
                f"the class {node.node_class} has no GPUs for the operator",
                f"add gpu to node_classes.{node.node_class}, or take it out here",
            )


def _driver(path: Path, intent: GpuIntent) -> Iterator[Problem]:
    if intent.driver_version is not None and intent.driver != "preinstalled":
        yield Problem(
            (*path, "driver_version"),
            f"it tells which driver hosts have, and here the driver is {intent.driver}",
            "set gpu_operator.driver.version"
            if intent.driver == "operator"
            else "take it out, or set driver: preinstalled",
        )
    if intent.driver == "none":
        for field in ("mig", "sharing", "gpudirect_rdma"):
            if getattr(intent, field) is not None:
                yield Problem(
                    (*path, field),
                    "the operator leaves nodes alone whose driver is none",
                    "take it out, or choose the driver operator or preinstalled",
                )


def _sharing(path: Path, intent: GpuIntent, strategy: str | None) -> Iterator[Problem]:
    sharing = intent.sharing
    if sharing is None or sharing.mode != "mps":
        return
    if intent.mig is not None and intent.mig != "all-disabled":
        yield Problem((*path, "mode"), "MPS does not work on MIG devices", "take mig out, or choose time-slicing")
    if strategy == "mixed":  # the device plugin ends with an error, also where no GPU is divided
        yield Problem(
            (*path, "mode"),
            "MPS does not work beside gpu_operator.mig_strategy mixed, which is the same for all nodes",
            "choose time-slicing, or set mig_strategy to single or none",
        )
    for name in sharing.replicas:
        if name != "nvidia.com/gpu":
            yield Problem(
                (*path, "replicas", name), "MPS shares whole GPUs only", "use nvidia.com/gpu, or choose time-slicing"
            )
    if sharing.one_each is not None:
        yield Problem((*path, "one_each"), "MPS never gives a container more than one part of a GPU", "take it out")


def _rdma(path: Path, node_class: NodeClass, intent: GpuIntent) -> Iterator[Problem]:
    if intent.gpudirect_rdma is None:
        return
    if not node_class.shared_rdma and not any(policy.rdma for policy in node_class.sriov):
        yield Problem(
            path,
            "the class has no network card with RDMA",
            "add an SR-IOV policy with rdma: true, or shared_rdma; or take it out",
        )
    if intent.gpudirect_rdma == "nvidia-peermem" and intent.driver == "preinstalled":
        yield Problem(
            path,
            "the operator loads nvidia-peermem with its own driver only",
            "use dma-buf, or driver: operator",
        )


def _one_driver(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield what classes ask for that one ClusterPolicy cannot give to some nodes and not to others."""
    section = gpu_section(site)
    managed = {name: intent for name, intent in intents.items() if intent.driver == "operator"}
    if not managed and intents:
        for field, unset in (("version", None), ("kernel_modules", "auto")):
            if getattr(section.driver, field) != unset:
                yield Problem(
                    ("gpu_operator", "driver", field),
                    "no class has its driver from the operator",
                    "take it out, or set driver: operator in a class",
                )
    asking = {name: intent.gpudirect_rdma for name, intent in managed.items() if intent.gpudirect_rdma}
    first = next(iter(asking), "")
    for name, access in asking.items():
        path: Path = ("node_classes", name, "gpu", "gpudirect_rdma")
        if access != asking[first]:
            yield Problem(
                path,
                f"the operator's driver is one for all nodes, and the class {first} has {asking[first]}",
                f"write {asking[first]}, or change it there",
            )
        if access == "dma-buf" and section.driver.kernel_modules == "proprietary":
            yield Problem(
                path,
                "only open kernel modules export the memory of GPUs by dma-buf",
                "set gpu_operator.driver.kernel_modules to auto or open, or use nvidia-peermem",
            )


def _ways_in(site: Site) -> Iterator[Problem]:
    section = gpu_section(site)
    if section.toolkit.nri and not section.cdi:
        yield Problem(
            ("gpu_operator", "cdi"),
            "the toolkit's NRI plugin gives devices by CDI",
            "set cdi: true; or toolkit.nri: false, where containerd allows it",
        )


def _static_cpus(site: Site) -> Iterator[Problem]:
    if gpu_section(site).pass_device_specs is not False:
        return
    for node in served_nodes(site):
        if site.owns_cpus(node):
            yield Problem(
                ("gpu_operator", "pass_device_specs"),
                f"pods own CPUs on {node.name}: when the kubelet sets the CPUs of a container it takes away devices "
                "that the plugin did not name",
                "take it out, or set it to true",
            )
            return


def _discovery(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield what waits for labels of feature discovery: the operator's own DaemonSets select nodes by them."""
    if gpu_section(site).feature_discovery is not False:
        return
    waiting = {name: "the MIG manager" for name, intent in intents.items() if intent.mig} | {
        name: "the daemon of MPS"
        for name, intent in intents.items()
        if intent.sharing is not None and intent.sharing.mode == "mps"
    }
    for name, what in waiting.items():
        yield Problem(
            ("gpu_operator", "feature_discovery"),
            f"{what}, which the class {name} needs, starts where feature discovery has found that the GPU can have it",
            "take it out, or set it to true",
        )


def _labels(site: Site, intents: Mapping[str, GpuIntent]) -> Iterator[Problem]:
    """Yield labels by hand that the site file sets; without GPUs in it they are their owner's."""
    if not intents:
        return
    placed: list[tuple[Path, Mapping[str, str]]] = [
        (("node_classes", name, "labels"), one.labels) for name, one in site.node_classes.items()
    ]
    placed += [(("nodes", index, "labels"), node.labels) for index, node in enumerate(site.nodes)]
    for path, labels in placed:
        for key in sorted(set(labels) & set(GPU_LABELS)):
            yield Problem((*path, key), f"{key} is set by what the site file says of GPUs", "take it out")
