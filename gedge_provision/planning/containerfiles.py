"""The text of the Containerfiles that images are assembled by."""

from __future__ import annotations

import json

from gedge_provision.models.catalog import Artifact, Catalog, Image

__all__ = ["BASE_ARCHIVE", "PROGRAM", "base_containerfile", "base_reference", "containerfile"]

PROGRAM = "program"
"""Name of the program in the build context."""
BASE_ARCHIVE = "base.tar"
"""Name of the base's file system in its build context."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_reference(name: str) -> str:
    """Return the name of a base in the private image storage."""
    return f"localhost/gedge-base/{name}"


def base_containerfile() -> str:
    """Return the Containerfile of a base: one layer, shared by the images on top."""
    return f"FROM scratch\nADD {BASE_ARCHIVE} /\n"


def containerfile(catalog: Catalog, artifact: Artifact, image: Image) -> str:
    """Return the Containerfile of an image. kubeadm names programs without a path, so PATH is set."""
    product = catalog.products[artifact.build.product]
    labels = {
        "org.opencontainers.image.title": artifact.name,
        "org.opencontainers.image.version": artifact.version,
        "org.opencontainers.image.description": artifact.purpose,
        "gedge.provision/module": f"{product.module}@{product.version}",
    }
    if image.stand_in_for:
        labels["gedge.provision/stand-in-for"] = image.stand_in_for
    lines = [
        f"FROM {base_reference(image.base) if image.base else 'scratch'}",
        f"COPY {PROGRAM} {image.program}",
        f"ENV PATH={_PATH}",
        *(f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in sorted(labels.items())),
        f"ENTRYPOINT {json.dumps(list(image.entrypoint))}",
    ]
    if image.command:
        lines.append(f"CMD {json.dumps(list(image.command))}")
    if image.user:
        lines.append(f"USER {image.user}")
    return "\n".join(lines) + "\n"
