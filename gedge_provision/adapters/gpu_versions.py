"""Reading the table of GPU operators."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import validate
from gedge_provision.models.gpu_versions import GpuVersions

__all__ = ["GPU_VERSIONS", "load_gpu_versions"]

GPU_VERSIONS = Path(__file__).resolve().parent.parent / "data" / "gpu.yml"


@cache
def load_gpu_versions() -> GpuVersions:
    """Read and check the table.

    Raises:
        DocumentError: with every finding.
    """
    return validate(read_document(GPU_VERSIONS), GpuVersions)
