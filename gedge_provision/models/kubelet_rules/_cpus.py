"""The CPU manager: policies, options with their gates, what excludes what.

pkg/kubelet/cm/cpumanager (policy_options.go, policy_none.go, cpu_manager.go); the same in Kubernetes 1.35 to 1.37 but
for the stage of prefer-align-cpus-by-uncorecache, which 1.35 takes for beta.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gedge_provision.models.kubelet_rules._base import Fields, KubeletHost, Refusal, gate_is_on, nearest, switch
from gedge_provision.models.wording import counted

__all__ = ["ALPHA_GATE", "ALPHA_OPTIONS", "cpu_refusals"]

ALPHA_GATE = "CPUManagerPolicyAlphaOptions"
ALPHA_OPTIONS = ("align-by-socket", "distribute-cpus-across-cores")
_BETA_GATE = "CPUManagerPolicyBetaOptions"
_BETA_OPTIONS = ("distribute-cpus-across-numa",)
_OPTIONS = (
    "full-pcpus-only",
    "strict-cpu-reservation",
    "prefer-align-cpus-by-uncorecache",
    *_BETA_OPTIONS,
    *ALPHA_OPTIONS,
)
_POLICIES = ("none", "static")
_EXCLUSIVE = (
    ("full-pcpus-only", "distribute-cpus-across-cores"),
    ("distribute-cpus-across-numa", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
)
_PLACE = "cpuManagerPolicyOptions"


def cpu_refusals(fields: Fields, host: KubeletHost | None = None) -> Iterator[Refusal]:
    """Yield what is wrong with the CPU manager's policy and its options."""
    policy = fields.get("cpuManagerPolicy") or "none"
    options: Mapping[str, str] = fields.get(_PLACE) or {}
    if policy not in _POLICIES:
        yield Refusal("cpuManagerPolicy", f"there is no cpuManagerPolicy {policy!r}", nearest(policy, _POLICIES))
    if policy == "none" and options:
        yield Refusal(
            _PLACE,
            "cpuManagerPolicyOptions act only under the static policy; without it a kubelet does not start with them",
            "set cpuManagerPolicy: static, or leave the options out",
        )
    for name, value in options.items():
        yield from _option(fields, name, value)
    chosen = {name for name, value in options.items() if switch(value)}
    for one, other in _EXCLUSIVE:
        if {one, other} <= chosen:
            yield Refusal(f"{_PLACE}.{one}", f"the options {one} and {other} exclude each other", "switch one off")
    if "align-by-socket" in chosen:
        yield from _by_socket(fields, host)


def _option(fields: Fields, name: str, value: str) -> Iterator[Refusal]:
    place = f"{_PLACE}.{name}"
    if name not in _OPTIONS:
        yield Refusal(place, f"{name!r} is no option of the static CPU manager", nearest(name, _OPTIONS))
        return
    if name in ALPHA_OPTIONS and not gate_is_on(fields, ALPHA_GATE, default=False, stage="Alpha"):
        yield Refusal(
            place,
            f"the option {name} is not ready for use yet (alpha)",
            f"leave it out, or switch its gate on: featureGates: {{{ALPHA_GATE}: true}}",
        )
    if name in _BETA_OPTIONS and not gate_is_on(fields, _BETA_GATE, default=True, stage="Beta"):
        yield Refusal(
            place,
            f"the option {name} is beta, and the gate of such options is switched off",
            f"leave it out, or take {_BETA_GATE} and AllBeta out of featureGates",
        )
    if switch(value) is None:
        yield Refusal(place, f"{name} is {value!r}", "write true or false")


def _by_socket(fields: Fields, host: KubeletHost | None) -> Iterator[Refusal]:
    if fields.get("topologyManagerPolicy") == "single-numa-node":
        yield Refusal(
            f"{_PLACE}.align-by-socket",
            "align-by-socket lets a pod have CPUs of several NUMA nodes, which topologyManagerPolicy: single-numa-node "
            "forbids",
            "leave the option out, or set topologyManagerPolicy: restricted",
        )
    if host is not None and host.sockets > host.cpu_nodes:
        yield Refusal(
            f"{_PLACE}.align-by-socket",
            f"align-by-socket needs a NUMA node in every socket, and this host has {counted(host.sockets, 'socket')} "
            f"and {counted(host.cpu_nodes, 'NUMA node')} with CPUs",
            "leave the option out",
        )
