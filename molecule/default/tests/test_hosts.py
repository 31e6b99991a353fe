"""Every node after the roles with their defaults."""

from __future__ import annotations
