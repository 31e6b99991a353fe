"""What is promised of GPUs, where the GPU operator is the site's."""

from __future__ import annotations

from gedge_provision.planning.verification._promise import Look, Promise, Verdict, listed

__all__ = ["CLUSTER_GPU"]


def _stack(look: Look) -> Verdict:
    if not look.gpu:
        return Verdict(kept=True, evidence="every part is ready, and the operator says so")
    return Verdict(
        kept=False,
        evidence=listed([f"{found.place}: {found.cause.text}" for found in look.gpu]),
        remedy=look.gpu[0].cause.remedy,
    )


CLUSTER_GPU: tuple[Promise[Look], ...] = (
    Promise(
        "gpu-stack", "gpu", "Every part of the GPU operator is well on every node on which it has found a GPU.",
        "put it right: gedge apply --only gpu", "cluster",
        lambda _: "the GPU operator's parts are well on every node with a GPU", _stack,
    ),
)  # fmt: skip
