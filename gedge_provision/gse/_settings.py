"""How a server is set up."""

from __future__ import annotations

from dataclasses import dataclass

from gedge_provision.adapters.kube_callers import Endpoint
from gedge_provision.models.site import Site

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """How a server is set up.

    Attributes:
        endpoint: the cluster.
        site: adds to documents what a site file says; None adds nothing.
        rate: requests a second of one caller, with bursts of twice that; 0 sets no limit.
        body_bytes: the largest body.
        body_s: seconds within which a body must have come.
        in_flight: requests at a time; more are told to come again.
        threads: at work for requests at a time.
        rollouts: carried out at a time.
        rollouts_each: of one caller at a time.
        streams: watches and followed logs at a time.
        upstream_watches: watches on the Kubernetes API at a time; clients with one token share theirs.
    """

    endpoint: Endpoint
    site: Site | None = None
    rate: int = 50
    body_bytes: int = 512 * 1024
    body_s: float = 15
    in_flight: int = 256
    threads: int = 48
    rollouts: int = 64
    rollouts_each: int = 32
    streams: int = 2000
    upstream_watches: int = 64
