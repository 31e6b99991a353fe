"""Promises of each host, judged by what check mode would change there."""

from __future__ import annotations

from gedge_provision.models.changes import Change
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["HOST", "host_changes"]

_APPLY = "put it right: gedge apply"
_KINDS: dict[str, tuple[frozenset[str], str]] = {
    "host-files": (frozenset({"file"}), "files that we write"),
    "host-units": (frozenset({"unit"}), "systemd units"),
    "host-kernel": (frozenset({"sysctl", "kernel_module", "swap"}), "kernel settings, kernel modules and swap"),
    "host-programs": (
        frozenset({"binary", "chart", "cni_plugin", "package"}),
        "programs, charts, CNI plugins and packages",
    ),
    "host-images": (frozenset({"image"}), "images"),
}
_KNOWN = frozenset[str]().union(*(kinds for kinds, _ in _KINDS.values()))


def host_changes(look: NodeLook) -> list[Change]:
    """Return what check mode would change on the node's host."""
    found = [change for host in look.plan.hosts if host.host == look.node.name for change in host.changes]
    return [change for change in found if not change.of_cluster]


def _part(name: str) -> Promise[NodeLook]:
    kinds, words = _KINDS[name]

    def judge(look: NodeLook) -> Verdict:
        return verdict([f"to do: {change}" for change in host_changes(look) if change.kind in kinds], "nothing to do")

    return Promise(
        name, "host", f"Check mode finds nothing to do about {words}.", _APPLY, "host",
        lambda _: f"{words} are as asked", judge,
    )  # fmt: skip


def _rest(look: NodeLook) -> Verdict:
    # Virtual functions have their own checks where the class has policies.
    known = _KNOWN | {"nic"} if look.node_class.sriov else _KNOWN
    rest = [change for change in host_changes(look) if change.kind not in known]
    return verdict([f"to do: {change}" for change in rest], "nothing to do")


HOST: tuple[Promise[NodeLook], ...] = (
    *(_part(name) for name in _KINDS),
    Promise(
        "host-complete", "host", "Check mode finds nothing else to do on the host: it has joined the cluster.",
        _APPLY, "host",
        lambda _: "the host has joined, and nothing else is to be done", _rest,
    ),
)  # fmt: skip
