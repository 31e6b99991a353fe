"""What a kubelet (1.35 to 1.37) refuses about CPUs, memory, topology and reservations, known before it is tried. Pure.

Messages are in the words of the KubeletConfiguration; `site_words` says them in those of the site file.
tests/kubelet_rules holds every rule against the kubelet's own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gedge_provision.models.kubelet_rules._base import Fields, KubeletHost, Refusal
from gedge_provision.models.kubelet_rules._cpus import ALPHA_GATE, ALPHA_OPTIONS, cpu_refusals
from gedge_provision.models.kubelet_rules._enforcement import enforcement_refusals
from gedge_provision.models.kubelet_rules._memory import EVICTION_BYTES, memory_refusals
from gedge_provision.models.kubelet_rules._names import Gate, KubeletNames, name_refusals
from gedge_provision.models.kubelet_rules._reservations import reservation_refusals
from gedge_provision.models.kubelet_rules._topology import FEWEST_NUMA_NODES, topology_refusals

__all__ = [
    "ALPHA_GATE",
    "ALPHA_OPTIONS",
    "EVICTION_BYTES",
    "FEWEST_NUMA_NODES",
    "Fields",
    "Gate",
    "KubeletHost",
    "KubeletNames",
    "Refusal",
    "raw_refusals",
    "refusals",
    "site_words",
]

_FIELD = re.compile(r"\b(?:cpu|topology|memory|kube|system|reserved)[A-Z]\w*\b")


def refusals(fields: Fields, host: KubeletHost | None = None) -> tuple[Refusal, ...]:
    """Return why a kubelet would not start with these fields, or not do what is meant by them.

    Args:
        fields: of a KubeletConfiguration, of the right kinds.
        host: where it is to run; without it only what is wrong on every host is found.
    """
    return tuple(_refusals(fields, host))


def _refusals(fields: Fields, host: KubeletHost | None) -> Iterator[Refusal]:
    yield from reservation_refusals(fields, host)
    yield from enforcement_refusals(fields)
    yield from memory_refusals(fields, host)
    yield from cpu_refusals(fields, host)
    yield from topology_refusals(fields, host)
    if (most := fields.get("maxPods")) is not None and most < 0:
        yield Refusal("maxPods", f"maxPods is {most}", "write 0 or more")


def raw_refusals(fields: Fields, names: KubeletNames, host: KubeletHost | None = None) -> tuple[Refusal, ...]:
    """Return the same of fields that somebody wrote by hand: kinds and names are looked at first.

    Args:
        fields: as they are written.
        names: what the kubelet of the catalog knows, the only one that roles install.
        host: where it is to run.
    """
    found = tuple(name_refusals(fields, names))
    wrong_kind = any(not refusal.stricter and not refusal.field.startswith("featureGates.") for refusal in found)
    return found if wrong_kind else (*found, *refusals(fields, host))


def site_words(text: str) -> str:
    """Return a text with the names of fields as the site file has them: kube_reserved for kubeReserved."""
    return _FIELD.sub(lambda match: _snake(match[0]), text).replace("].limits.", "].")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
