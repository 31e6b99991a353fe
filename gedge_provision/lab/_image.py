"""The base image: made once, found by the content of its recipe."""

from __future__ import annotations

from pathlib import Path

from gedge_provision.adapters import base_image
from gedge_provision.adapters.podman import Podman
from gedge_provision.models.lab import Base
from gedge_provision.models.progress import Reporter
from gedge_provision.planning.base_image import mirrors, recipe

__all__ = ["ensure_image"]

_RECIPE = Path(__file__).parent / "image"


def ensure_image(base: Base, podman: Podman, reporter: Reporter) -> str:
    """Return the image of a base in the lab's podman, making it if it is not there."""
    where = mirrors(*base_image.host_apt_sources())
    plan = recipe(base, base_image.recipe_files(_RECIPE), base_image.tool_version(), where)
    name = f"base image {base}"
    reporter.start(name)
    if podman.has_image(plan.image):
        reporter.finish(name, "unchanged")
        return plan.image
    try:
        reporter.update(name, "waits for another build")
        with base_image.building() as work:
            if not podman.has_image(plan.image):
                reporter.update(name, f"mmdebstrap {plan.suite} (a minute or two, once)")
                archive = base_image.build_tree(plan, _RECIPE, work)
                reporter.update(name, "import")
                podman.import_tree(archive, plan.image, work)
                archive.unlink()
    except BaseException:
        reporter.finish(name, "failed")
        raise
    reporter.finish(name)
    return plan.image
