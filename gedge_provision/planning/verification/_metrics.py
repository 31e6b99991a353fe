"""What is promised of metrics, where the site has metrics-server."""

from __future__ import annotations

from gedge_provision.planning.verification._promise import Look, Promise, Verdict, listed

__all__ = ["CLUSTER_METRICS"]


def _answers(look: Look) -> Verdict:
    found = look.snapshot.metrics
    if found.problem:
        return Verdict(kept=False, evidence=f"metrics.k8s.io does not answer: {found.problem}")
    silent = [node.name for node in look.snapshot.nodes if node.ready and node.name not in found.nodes]
    if silent:
        return Verdict(
            kept=False,
            evidence=f"nothing is measured on {listed(silent)}",
            remedy="wait half a minute for a new node; else see why: kubectl -n kube-system logs -l app=metrics-server",
        )
    return Verdict(kept=True, evidence=f"{listed(found.nodes)} are measured")


CLUSTER_METRICS: tuple[Promise[Look], ...] = (
    Promise(
        "metrics-answer", "metrics", "metrics.k8s.io tells what every ready node uses; services scale by it.",
        "put it right: gedge apply --only metrics; see why: kubectl -n kube-system describe pod -l app=metrics-server",
        "cluster", lambda _: "what nodes and pods use is measured", _answers,
    ),
)  # fmt: skip
