"""Known causes by which parts of the GPU operator do not work, with what to do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CRASHES", "NO_POD", "WAITS", "Cause", "cause_of_event", "cause_of_log", "image_cause", "taint_cause"]


@dataclass(frozen=True)
class Cause:
    """Why something does not work, and what to do.

    Attributes:
        name: a word for it.
        text: why, in a few words.
        remedy: what to do.
        rank: 0 for what others wait for; higher for what may only follow from something else.
    """

    name: str
    text: str
    remedy: str
    rank: int = 0


CRASHES = Cause(
    "crash",
    "it ends again and again",
    "read its last lines; all of them: kubectl logs --previous",
    rank=1,
)
NO_POD = Cause("no-pod", "it has no pod there", "look at the events of the DaemonSet: kubectl describe", rank=1)
WAITS = Cause(
    "waits",
    "it waits for another part on this node",
    "mend what stands before it in this list; where nothing does, look at its log",
    rank=2,
)

# Of logs; the first that is found counts. Words of the driver's container and of the operator's validator.
_LOGS = (
    (
        (
            r"Could not resolve Linux kernel version|[Uu]nable to (?:find|locate) .*kernel (?:source|headers)"
            r"|Unable to locate package linux-headers|kernel headers .*(?:missing|not found)"
            r"|No package kernel-(?:headers|devel)"
        ),
        Cause(
            "headers",
            "the kernel headers of the host's kernel are missing",
            "boot a kernel whose headers the package source has (linux-headers-$(uname -r), kernel-devel), or install "
            "the driver on the host and set driver: preinstalled in the class",
        ),
    ),
    (
        r"Key was rejected by service|Required key not available|[Ll]ockdown: .*unsigned module",
        Cause(
            "secure-boot",
            "Secure Boot refuses the driver's kernel modules, which nobody has signed",
            "switch Secure Boot off in the host's firmware, or install a signed driver on the host and set driver: "
            "preinstalled in the class",
        ),
    ),
    (
        r"[Nn]ouveau.*(?:in use|is loaded|could not|[Ff]ailed|incompatible)",
        Cause(
            "nouveau",
            "the kernel's own driver nouveau has the GPU",
            "apply the site with --reboot-ok: the kernel argument modprobe.blacklist=nouveau keeps it away",
        ),
    ),
    (
        r"driver is (?:currently )?in use|modules? .*(?:is|are) in use",
        Cause(
            "driver-in-use",
            "a program on the host holds the former driver",
            "stop the pods and programs that use GPUs of this node, or reboot it",
        ),
    ),
    (
        r"In use by another client",
        Cause(
            "mig-in-use",
            "a GPU cannot be divided while something uses it",
            "drain the node, then delete this pod; monitoring agents of the host hold GPUs too",
        ),
    ),
    (
        r"couldn't communicate with the NVIDIA driver|failed to initialize NVML|[Dd]river/library version mismatch",
        Cause(
            "no-driver",
            "there is no driver that answers on this node",
            "where the driver is preinstalled, mend it until nvidia-smi works on the host; else look at the pod of the "
            "driver",
            rank=1,
        ),
    ),
)
_RUNTIME_CLASS = "wrong-runtime-class"
# Of events, with what they name.
_NO_HANDLER = r'no runtime for "(?P<name>[^"]+)" is configured'
_NO_CLASS = r'RuntimeClass(?:\.node\.k8s\.io)? "?(?P<name>[\w.-]+)"? not found'
_TAINT = r"(?:untolerated|intolerable) taint[^{]*\{(?P<name>[^}]+)\}"


def cause_of_log(text: str) -> Cause | None:
    """Return the cause that a log tells."""
    return next((cause for pattern, cause in _LOGS if re.search(pattern, text)), None)


def cause_of_event(message: str) -> Cause | None:
    """Return the cause that an event, or the condition of a pod, tells."""
    known = {_NO_HANDLER: _no_handler, _NO_CLASS: _no_runtime_class, _TAINT: taint_cause}
    for pattern, made in known.items():
        found = re.search(pattern, message)
        if found:
            return made(found["name"].strip())
    return None


def taint_cause(taint: str) -> Cause:
    """Return the cause that a taint of a node keeps pods away."""
    return Cause(
        "taint",
        f"it does not tolerate the taint {taint}",
        "name the taint in the class of the node (taints of node_classes), from which its toleration comes, and apply; "
        "or take it off: kubectl taint",
    )


def _no_handler(handler: str) -> Cause:
    return Cause(
        _RUNTIME_CLASS,
        f"containerd on this node has no handler {handler}, which the RuntimeClass of the pod names",
        "the pod of the toolkit on this node adds it: look at that first; with gpu_operator.toolkit.nri: true pods "
        "need no RuntimeClass, so take runtimeClassName out of what is not the operator's",
    )


def _no_runtime_class(name: str) -> Cause:
    return Cause(
        _RUNTIME_CLASS,
        f"there is no RuntimeClass {name}",
        "the operator makes it: look at the operator's own pod; nobody else may delete it",
    )


def image_cause(image: str, message: str) -> Cause:
    """Return the cause that an image cannot be pulled, with what the registry said."""
    said = f" ({message})" if message else ""
    return Cause(
        "image",
        f"the image {image} cannot be pulled{said}",
        "let the node reach its registry, or name a mirror that has it in registry_mirrors of the site file",
    )
