"""The base image of lab nodes, as asked for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EmulationPlan", "Mirrors", "Recipe"]


@dataclass(frozen=True)
class Mirrors:
    """Where Debian packages come from; the defaults are Debian's own."""

    archive: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"


@dataclass(frozen=True)
class Recipe:
    """How to make a base image.

    Attributes:
        suite: the Debian release.
        packages: names, with `/SUITE` where one is wanted from another suite.
        sources: the sources.list.
        digest: changes with everything that changes the image's content by intent.
        prefer: a suite that every package is taken from if it has it; empty for none.
    """

    suite: str
    packages: tuple[str, ...]
    sources: str
    digest: str
    prefer: str = ""

    @property
    def image(self) -> str:
        """The image's name in the lab's podman."""
        return f"localhost/gedge-lab-node:{self.digest}"


@dataclass(frozen=True)
class EmulationPlan:
    """What emulated nodes are made from: the emulator, unpacked, and the disk that their own begin as."""

    emulator: Recipe
    guest: Recipe
