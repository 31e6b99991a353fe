"""Where things live: the Ansible content, the cache (rebuildable) and the state (labs, runs, kubeconfigs)."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_dir", "content_dir", "state_dir"]

_PACKAGE = Path(__file__).resolve().parent.parent


def content_dir() -> Path:
    """Return the folder that holds playbooks/, roles/, plugins/: the checkout, or the wheel's package data."""
    bundled = _PACKAGE / "_content"
    return bundled if bundled.is_dir() else _PACKAGE.parent


def cache_dir() -> Path:
    """Return the folder of things that can be rebuilt (artifacts, base images); GEDGE_CACHE_DIR overrides it."""
    chosen = os.environ.get("GEDGE_CACHE_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("gedge-provision")


def state_dir() -> Path:
    """Return the folder of labs, run records and kubeconfigs; GEDGE_STATE_DIR overrides it."""
    chosen = os.environ.get("GEDGE_STATE_DIR")
    return Path(chosen) if chosen else platformdirs.user_state_path("gedge-provision")
