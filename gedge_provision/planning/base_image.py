"""What goes into the base image of nodes, as data: packages, apt sources, and the digest that names the result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gedge_provision.models.base_image import Mirrors, Recipe
from gedge_provision.models.lab import Base

__all__ = ["KEYRING", "apt_sources", "mirrors", "packages", "recipe"]

_SUITES: Mapping[Base, str] = {"debian12": "bookworm", "debian13": "trixie"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def recipe(base: Base, files: Mapping[str, bytes], tool_version: str, where: Mirrors) -> Recipe:
    """Return the recipe of a base.

    Args:
        base: which Debian.
        files: the recipe's folder: packages.txt, setup.sh and all below rootfs/, by relative path.
        tool_version: what `mmdebstrap --version` says.
        where: mirrors; they do not count for the digest, since all carry the same packages.
    """
    suite = _SUITES[base]
    digest = hashlib.sha256(f"{suite}\0{tool_version}\0".encode())
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return Recipe(
        suite=suite,
        packages=packages(files["packages.txt"].decode()),
        sources=apt_sources(suite, where),
        digest=digest.hexdigest()[:16],
    )


def packages(text: str) -> tuple[str, ...]:
    """Return the names in a package list: one a line, `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def apt_sources(suite: str, where: Mirrors) -> str:
    """Return a sources.list for a suite with its updates."""
    signed = f"[signed-by={KEYRING}]"
    return (
        f"deb {signed} {where.archive} {suite} main\n"
        f"deb {signed} {where.archive} {suite}-updates main\n"
        f"deb {signed} {where.security} {suite}-security main\n"
    )


def mirrors(codename: str, sources: Mapping[str, str]) -> Mirrors:
    """Find the Debian mirrors among a Debian host's apt sources (file name to content, one-line and deb822 formats)."""
    found = Mirrors()
    archive, security = found.archive, found.security
    for name, text in sources.items():
        entries = _deb822(text) if name.endswith(".sources") else _one_line(text)
        for uri, suites, components in entries:
            if "main" not in components:
                continue
            if codename in suites and uri.rstrip("/").endswith("debian"):
                archive = uri
            if f"{codename}-security" in suites:
                security = uri
    return Mirrors(archive, security)


def _one_line(text: str) -> list[tuple[str, list[str], list[str]]]:
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words or words[0] != "deb":
            continue
        words = words[1:]
        if words[0].startswith("["):
            end = next((index for index, word in enumerate(words) if word.endswith("]")), 0)
            words = words[end + 1 :]
        if len(words) > 2:  # noqa: PLR2004 - uri, suite, components
            found.append((words[0], [words[1]], words[2:]))
    return found


def _deb822(text: str) -> list[tuple[str, list[str], list[str]]]:
    found = []
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in paragraph.splitlines():
            key, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "\t", "#")):
                fields[key.lower()] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
            found += [(uri, suites, components) for uri in fields.get("uris", "").split()]
    return found
