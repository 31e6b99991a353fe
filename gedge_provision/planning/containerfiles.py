"""The text of the Containerfiles that images are assembled by."""

from __future__ import annotations

import json

from gedge_provision.models.catalog import PYTHON_OF_BASES, Artifact, Catalog, Image

__all__ = ["BASE_ARCHIVE", "PROGRAM", "base_containerfile", "base_reference", "containerfile", "file_name"]

PROGRAM = "program"
"""Name of the program in the build context; of a module it is an archive with all that it needs."""
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
    lines = [f"FROM {base_reference(image.base) if image.base else 'scratch'}"]
    if image.program:
        lines.append(f"COPY {PROGRAM} {image.program}")
    if image.folder:
        lines += _python(image.folder)
    lines += [f"COPY {file_name(index)} {path}" for index, path in enumerate(image.files)]
    lines.append(f"ENV PATH={_PATH}")
    lines += [
        f"LABEL {json.dumps(key)}={json.dumps(value)}" for key, value in sorted(_labels(catalog, artifact).items())
    ]
    lines.append(f"ENTRYPOINT {json.dumps(list(image.entrypoint))}")
    if image.command:
        lines.append(f"CMD {json.dumps(list(image.command))}")
    if image.user:
        lines.append(f"USER {image.user}")
    return "\n".join(lines) + "\n"


def _python(folder: str) -> list[str]:
    """Return the lines that unpack Python modules and compile them, and Python's own, once and for all.

    A container with a read-only root could not keep what it compiles: each start would take seconds more. The same
    files give the same bytes: the hash of a source stands in its bytecode instead of its time, and nothing looks again.
    """
    options = ["-q", "-j", "1", "--invalidation-mode", "unchecked-hash", folder, f"/usr/lib/python{PYTHON_OF_BASES}"]
    return [
        f"ADD {PROGRAM} {folder}/",
        f"ENV PYTHONPATH={folder} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONHASHSEED=0",
        f"RUN {json.dumps(['/usr/bin/python3', '-m', 'compileall', *options])}",
        "ENV PYTHONHASHSEED=random",
    ]


def file_name(index: int) -> str:
    """Return the name in the build context of an image's further file."""
    return f"file{index}"


def _labels(catalog: Catalog, artifact: Artifact) -> dict[str, str]:
    labels = {
        "org.opencontainers.image.title": artifact.name,
        "org.opencontainers.image.version": artifact.version,
        "org.opencontainers.image.description": artifact.purpose,
    }
    image = artifact.image
    if artifact.product is not None:
        product = catalog.products[artifact.product]
        labels["gedge.provision/module"] = f"{product.module}@{product.version}"
    if image and image.base and image.program is None:
        base = catalog.bases[image.base]
        labels["gedge.provision/packages"] = f"{base.release}: {' '.join(base.packages)}"
    if image and image.stand_in_for:
        labels["gedge.provision/stand-in-for"] = image.stand_in_for
    return labels
