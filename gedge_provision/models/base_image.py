"""The base image of lab nodes, as asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mirrors", "Recipe"]


@dataclass(frozen=True)
class Mirrors:
    """Where Debian packages come from; the defaults are Debian's own."""

    archive: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"


@dataclass(frozen=True)
class Recipe:
    """How to make a base image. `digest` changes with everything that changes the image's content by intent."""

    suite: str
    packages: tuple[str, ...]
    sources: str
    digest: str

    @property
    def image(self) -> str:
        """The image's name in the lab's podman."""
        return f"localhost/gedge-lab-node:{self.digest}"
