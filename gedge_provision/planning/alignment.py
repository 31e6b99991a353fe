"""The annotation of nodes by which pods are admitted: what it says, and how it is read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from gedge_provision.models.alignment import ALIGNMENT, Alignment, KubeletPolicies

__all__ = ["alignment_policy", "read_alignment"]


def alignment_policy(kubelet: Mapping[str, object]) -> dict[str, object]:
    """Return what a KubeletConfiguration says of alignment, for the annotation."""
    return {"policies": KubeletPolicies.model_validate(kubelet).model_dump(mode="json", exclude_defaults=True)}


def read_alignment(annotations: Mapping[str, str]) -> Alignment | None:
    """Return what a node's annotation says; None when it has none (or one of another version)."""
    try:
        return Alignment.model_validate_json(annotations[ALIGNMENT])
    except (KeyError, ValidationError):
        return None
