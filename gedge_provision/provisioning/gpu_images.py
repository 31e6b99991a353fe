"""Can an image run on the GPUs of a class of nodes? By a pod that looks into it, or by a report in a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from gedge_provision.adapters.cuda_versions import image_script, load_cuda_versions
from gedge_provision.adapters.files import read_document
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.adapters.interrupts import sigterm_interrupts
from gedge_provision.adapters.kube import Kube, NotFoundError, connect
from gedge_provision.adapters.locks import held_by
from gedge_provision.models.cluster import NODE, POD, Event, Manifest, NodeState
from gedge_provision.models.documents import validate
from gedge_provision.models.errors import GedgeError
from gedge_provision.models.gpu_images import ImageCheck, ImageReport
from gedge_provision.models.progress import SILENT, Reporter, step
from gedge_provision.models.site import Site
from gedge_provision.planning import gpu_images as planning
from gedge_provision.planning.gpu_images import CONTAINER, POD_NAME, SPACE, Place
from gedge_provision.planning.inventory import EMULATED_LABEL
from gedge_provision.planning.perf import free_resources
from gedge_provision.provisioning.own_space import own_space
from gedge_provision.provisioning.sites import load_site, present_kubeconfig, site_folder

__all__ = ["check_image", "check_report"]

_PAUSE_S = 0.5
_SPARE_S = 60
_LINES = 20_000


def check_image(  # noqa: PLR0913 - the choices of a user
    site_path: Path,
    image: str,
    reporter: Reporter = SILENT,
    *,
    classes: Sequence[str] = (),
    node: str | None = None,
    on_gpu: bool = False,
    timeout_s: int = 600,
) -> ImageCheck:
    """Look into an image by a pod, and say on which classes of nodes it can run.

    The pod runs a small shell script instead of the image's program, in the namespace gedge-gpu-check, which is removed
    at the end, whatever that is. It asks for no GPU unless it is told to.

    Args:
        site_path: the site file.
        image: the image, as the nodes' runtime takes it.
        reporter: receives the phases.
        classes: classes of nodes that are asked about; those that have GPUs if left out.
        node: the node on which the pod runs, one of the classes if left out. Alone, its class is asked about.
        on_gpu: let the pod ask for a GPU, and tell driver and GPU that its container sees.
        timeout_s: seconds for the image to come to the node, and for the look.

    Raises:
        DocumentError: the site file is wrong.
        UsageError: this is no image, the site has no such class or node, or there is no kubeconfig of it.
        GedgeError: the image tells nothing: it has no shell, or does not come to the node.
    """
    planning.check_name(image)
    site = load_site(site_path)
    asked = planning.chosen_classes(site, classes, node)
    folder = site_folder(site) / "gpu-check"
    kubeconfig = present_kubeconfig(site)
    with (
        sigterm_interrupts(),
        held_by(folder, f"a look into an image on site {site.name}", "gedge gpu check"),
        connect(kubeconfig) as kube,
    ):
        live = {item["metadata"]["name"]: NodeState.model_validate(item) for item in kube.find(NODE)}
        if on_gpu:
            pods = kube.find(POD)
            names = [name for name in planning.possible_nodes(site, asked, node) if name in live]
            place = planning.choose_gpu(site, live, {name: free_resources(live[name], pods) for name in names}, node)
        else:
            place = planning.choose_place(site, live, asked, node)
        slow = any(one.metadata.labels.get(EMULATED_LABEL) == "true" for one in live.values())
        with own_space(kube, SPACE, folder, timeout_s + 2 * _SPARE_S, reporter, slow=slow):
            report = _look(kube, image, place, timeout_s, reporter)
    return _checked(site, report, asked)


def check_report(site_path: Path, report_path: Path, *, classes: Sequence[str] = ()) -> ImageCheck:
    """Say on which classes of nodes an image can run, by a report of it; needs no cluster.

    Args:
        site_path: the site file.
        report_path: a report as YAML or JSON, or what `gedge gpu check -o json` printed.
        classes: classes of nodes that are asked about; those that have GPUs if left out.

    Raises:
        DocumentError: the site file or the report is wrong.
        UsageError: a file cannot be read, or the site has no such class.
    """
    site = load_site(site_path)
    asked = planning.chosen_classes(site, classes)
    source = read_document(report_path)
    whole = isinstance(source.data, dict) and isinstance(source.data.get("report"), dict)
    return _checked(site, validate(source, ImageReport, root=("report",) if whole else ()), asked)


def _checked(site: Site, report: ImageReport, classes: Sequence[str]) -> ImageCheck:
    answers = planning.answer_classes(site, report, classes, load_gpu_versions(), load_cuda_versions())
    return ImageCheck(report=report, classes=answers)


def _look(kube: Kube, image: str, place: Place, timeout_s: int, reporter: Reporter) -> ImageReport:
    with step(reporter, f"Look into {image} on {place.node}"):
        kube.create(POD, planning.pod(image, image_script(), place, timeout_s + _SPARE_S))
        _wait(kube, image, timeout_s)
        log = kube.pod_log(SPACE.name, POD_NAME, CONTAINER, lines=_LINES)
        return planning.read_report(log, image, place)


def _wait(kube: Kube, image: str, timeout_s: int) -> None:
    """Wait until the script has ended."""
    end = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() > end
        try:
            found: Manifest | None = kube.get(POD, SPACE.name, POD_NAME)
        except NotFoundError:
            found = None
        if found is not None and found["status"].get("phase") == "Succeeded":
            return
        events = [Event.model_validate(event) for event in kube.pod_warnings(SPACE.name)] if late else []
        trouble = planning.report_trouble(found, events, late=late)
        if trouble is not None:
            raise GedgeError(trouble.message, place=image, remedy=trouble.remedy)
        time.sleep(_PAUSE_S)
