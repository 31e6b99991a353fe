"""Promises of each control-plane node."""

from __future__ import annotations

from datetime import timedelta

from gedge_provision.planning.verification._promise import NodeLook, Promise, Verdict, verdict

__all__ = ["CONTROL_PLANE"]

_COMPONENTS = {
    "etcd": "etcd",
    "kube-apiserver": "the API server",
    "kube-controller-manager": "the controller manager",
    "kube-scheduler": "the scheduler",
}
_SHORTEST = timedelta(days=30)


def _static_pod(component: str) -> Promise[NodeLook]:
    words = _COMPONENTS[component]

    def judge(look: NodeLook) -> Verdict:
        labels = {"tier": "control-plane", "component": component}
        ready = look.snapshot.pod_ready(look.node.name, "kube-system", labels)
        if ready is None:
            return Verdict(kept=False, evidence=f"there is no pod {component}-{look.node.name}")
        return Verdict(ready, f"pod {component}-{look.node.name} is {'ready' if ready else 'not ready'}")

    return Promise(
        f"control-plane-{component}", "control plane", f"The static pod of {words} is ready.",
        f"look on the node: crictl ps -a, crictl logs; /etc/kubernetes/manifests/{component}.yaml", "cluster",
        lambda _: f"{words} runs here", judge,
    )  # fmt: skip


def _promised_names(look: NodeLook) -> list[str]:
    names = [str(look.site.api_address), str(look.node.address), *look.site.control_plane.extra_sans]
    # What pods call it: the first address of the range, and its name.
    names += [str(look.site.networks.services[1]), f"kubernetes.default.svc.{look.site.networks.dns_domain}"]
    return list(dict.fromkeys(names))


def _names(look: NodeLook) -> Verdict:
    found = look.certificate.names
    has = {name.lower() for name in found}
    missing = [f"{name} is missing" for name in _promised_names(look) if name.lower() not in has]
    return verdict(missing, ", ".join(found))


def _validity(look: NodeLook) -> Verdict:
    end = look.certificate.not_after
    if end is None:
        return Verdict(kept=False, evidence="it does not say until when")
    return Verdict(end - look.snapshot.taken >= _SHORTEST, f"valid until {end:%Y-%m-%d}")


CONTROL_PLANE: tuple[Promise[NodeLook], ...] = (
    *(_static_pod(component) for component in _COMPONENTS),
    Promise(
        "api-certificate-names", "control plane",
        "The certificate of its API server names the promised address, its own, the extra names "
        "(`control_plane.extra_sans`) and those that pods use.",
        "renew it on the node with the names of the site file: kubeadm init phase certs apiserver --config",
        "certificate",
        lambda look: f"the certificate names {', '.join(_promised_names(look))}", _names,
    ),
    Promise(
        "api-certificate-validity", "control plane",
        f"The certificate of its API server is valid for {_SHORTEST.days} days or more.",
        "renew it on the node: kubeadm certs renew all, then restart the static pods", "certificate",
        lambda _: f"the certificate is valid for {_SHORTEST.days} days or more", _validity,
    ),
)  # fmt: skip
