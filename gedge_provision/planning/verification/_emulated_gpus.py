"""Promises of emulated GPUs; what they say tells that they are emulated."""

from __future__ import annotations

from gedge_provision.planning.emulated_gpus import EMULATED_GPUS_LABEL, emulated_resources
from gedge_provision.planning.verification._daemons import daemon
from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["GPUS"]

_HEALTH_FILE = "/run/gedge-emulated/gpus/health.json"
_DAEMON = "emulated GPUs"


def _offered(look: NodeLook) -> Verdict:
    wanted = emulated_resources(look.node_class)
    has = {name: int(look.live.status.allocatable.get(name, "0")) for name in wanted}
    whole = {name: int(look.live.status.capacity.get(name, "0")) for name in wanted}
    wrong = [
        f"it offers {has[name]} of {number} emulated {name}" for name, number in wanted.items() if has[name] != number
    ]
    sick = [name for name, number in wanted.items() if has[name] < number == whole[name]]
    remedy = f"{', '.join(sick)}: say Healthy of all in {_HEALTH_FILE} on the node" if sick else ""
    return verdict(wrong, f"{_words(look)}; nothing is behind them")._replace(remedy=remedy)


def _marked(look: NodeLook) -> Verdict:
    found = look.live.metadata.labels.get(EMULATED_GPUS_LABEL, "missing")
    return Verdict(found == "true", f"label {EMULATED_GPUS_LABEL} is {found}")


def _words(look: NodeLook) -> str:
    return ", ".join(f"{number} emulated {name}" for name, number in emulated_resources(look.node_class).items())


GPUS: tuple[Promise[NodeLook], ...] = (
    Promise(
        "gpus-emulated-plugin", "emulated gpus",
        "The device plugin for emulated GPUs is ready on nodes that have some.",
        "kubectl -n kube-system describe pod -l app=emulated-gpu, kubectl -n kube-system logs", "cluster",
        lambda _: "the device plugin for emulated GPUs runs here", lambda look: daemon(_DAEMON, look),
    ),
    Promise(
        "gpus-emulated", "emulated gpus",
        "It offers the emulated GPUs of its class. No program can compute on them; a node with a real GPU gets none.",
        "kubectl -n kube-system logs -l app=emulated-gpu tells why", "node",
        _words, _offered,
    ),
    Promise(
        "gpus-emulated-marked", "emulated gpus", "Its label says that its GPUs are emulated.",
        "put it right: gedge apply", "node",
        lambda _: f"label {EMULATED_GPUS_LABEL}=true", _marked,
    ),
)  # fmt: skip
