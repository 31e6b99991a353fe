"""What differs between two revisions: in a few words, and line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from gedge_provision.models.cluster import Manifest
from gedge_provision.models.rollouts import Content
from gedge_provision.models.wording import shown

__all__ = ["differences", "unified"]


def differences(old: Content, new: Content) -> tuple[str, ...]:
    """Return each field of the document that differs, as `containers[0].image: a:1, now a:2`.

    What differs only in the manifests, since another version of gedge made them, is told by their kinds.
    """
    one, other = (
        content.service.model_dump(mode="json", by_alias=True, exclude_defaults=True) for content in (old, new)
    )
    found = tuple(_differences(one, other, ""))
    if found or old.manifests == new.manifests:
        return found
    before, after = ({_title(item): item for item in content.manifests} for content in (old, new))
    return tuple(f"manifest of {title}" for title in sorted(before | after) if before.get(title) != after.get(title))


def unified(old: Sequence[Manifest], new: Sequence[Manifest], titles: tuple[str, str]) -> str:
    """Return the difference between the manifests of two revisions as diff -u prints it; empty when there is none."""
    return "".join(difflib.unified_diff(_lines(old), _lines(new), *titles))


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON data
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif old is None:
        yield f"{path}: {shown(new)} is new"
    elif new is None:
        yield f"{path}: {shown(old)} is gone"
    else:
        yield f"{path}: {shown(old)}, now {shown(new)}"


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _lines(manifests: Sequence[Manifest]) -> list[str]:
    text = yaml.safe_dump_all(sorted(manifests, key=_title), sort_keys=True, explicit_start=True)
    return text.splitlines(keepends=True)
