"""Reading the table of CUDA versions, and the script that tells what an image has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.cuda_versions import CudaVersions
from gedge_provision.models.documents import validate

__all__ = ["CUDA_VERSIONS", "IMAGE_SCRIPT", "image_script", "load_cuda_versions"]

_DATA = Path(__file__).resolve().parent.parent / "data"
CUDA_VERSIONS = _DATA / "cuda.yml"
IMAGE_SCRIPT = _DATA / "image_report.sh"


@cache
def load_cuda_versions() -> CudaVersions:
    """Read and check the table.

    Raises:
        DocumentError: with every finding.
    """
    return validate(read_document(CUDA_VERSIONS), CudaVersions)


def image_script() -> str:
    """Return the script."""
    return IMAGE_SCRIPT.read_text(encoding="utf-8")
