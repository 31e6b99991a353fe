"""What the artifact store holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["StoredArtifact"]


@dataclass(frozen=True)
class StoredArtifact:
    """One artifact in the store; light, because the inventory plugin reads all of them in every run.

    Attributes:
        name: its name in the catalog.
        kind: binary, chart, cni_plugin or image.
        version: the real version.
        sha256: digest of the file, 64 hex digits.
        size: bytes.
        path: the file in the store.
        target: path on a host, or the reference of an image.
        source: build or upstream.
        recipe: hash of everything that decides the content, but for the toolchain.
        toolchain: the Go version that built it, empty for a downloaded one.
    """

    name: str
    kind: str
    version: str
    sha256: str
    size: int
    path: Path
    target: str
    source: str
    recipe: str
    toolchain: str = ""

    @property
    def install_path(self) -> str | None:
        """Path on a host, None for an image."""
        return None if self.kind == "image" else self.target

    @property
    def reference(self) -> str | None:
        """Reference of an image, None for a file."""
        return self.target if self.kind == "image" else None
