"""The fields and feature gates that the catalog's kubelet knows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from gedge_provision.models.kubelet_rules import KubeletNames

__all__ = ["KUBELET_NAMES", "load_kubelet_names"]

KUBELET_NAMES = Path(__file__).resolve().parent.parent / "data" / "kubelet.json"
"""Written by `python tests/kubelet_judge.py`; tests/kubelet_rules holds it against the kubelet's own code."""


@cache
def load_kubelet_names() -> KubeletNames:
    """Read the names."""
    return KubeletNames.model_validate_json(KUBELET_NAMES.read_bytes())
