"""What probe pods on secondary networks found."""

from __future__ import annotations

from gedge_provision.models.base import Document

__all__ = ["Crossing", "ProbedPod", "Probes"]


class ProbedPod(Document):
    """A probe pod, and what it got.

    Attributes:
        attachment: namespace/name.
        node: its node.
        problem: why it did not get the network; empty when it did.
        remedy: what to do then.
        interface: name of its interface.
        addresses: its addresses on the network.
        device: PCI address of its device.
        mtu: MTU of its interface; 0 when nothing says it.
        promised_mtu: what the site file says of it; 0 when nothing.
        lacking: what its network-status lacks.
    """

    attachment: str
    node: str
    problem: str = ""
    remedy: str = ""
    interface: str = ""
    addresses: tuple[str, ...] = ()
    device: str = ""
    mtu: int = 0
    promised_mtu: int = 0
    lacking: tuple[str, ...] = ()


class Crossing(Document):
    """A way between two probe pods.

    Attributes:
        attachment: namespace/name.
        start: node of the one that asks.
        end: node of the one that answers.
        reached: whether an answer came.
        mtu: MTU with which whole packets were sent, 0 when none were.
        whole: whether they came through without being broken up.
        said: what ping said when one did not.
    """

    attachment: str
    start: str
    end: str
    reached: bool
    mtu: int = 0
    whole: bool = False
    said: str = ""


class Probes(Document):
    """All probe pods of a look.

    Attributes:
        pods: the pods.
        crossings: the ways between pods that have addresses.
        left_out: what was not tried, each with the reason.
        problem: why no pod could be started, or not all could be removed; empty when there is nothing to tell.
    """

    pods: tuple[ProbedPod, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    left_out: tuple[str, ...] = ()
    problem: str = ""
