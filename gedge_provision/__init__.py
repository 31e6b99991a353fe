"""Bare Linux hosts to a Kubernetes cluster tuned for low-latency AI services."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("gedge-provision")
