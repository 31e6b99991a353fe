"""The Debian packages that building needs on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from gedge_provision.models.errors import GedgeError

__all__ = ["ASSEMBLE", "BASES", "COMPILE", "require"]

# What shows that a package is there: a program on PATH, or a file under the multiarch folder of the libraries.
COMPILE = {
    "gcc": "gcc",
    "libc6-dev": "libc.a",
    "libseccomp-dev": "libseccomp.a",
    "pkg-config": "pkg-config",
}
BASES = {"mmdebstrap": "mmdebstrap"}
ASSEMBLE = {"buildah": "buildah"}


def require(groups: Collection[dict[str, str]]) -> None:
    """Check that the packages of all groups are installed.

    Raises:
        GedgeError: naming everything that is missing, in one apt-get line.
    """
    missing = sorted({package for group in groups for package, sign in group.items() if not _present(sign)})
    if missing:
        raise GedgeError(
            f"building needs Debian packages that are not installed: {', '.join(missing)}",
            remedy=f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def _present(sign: str) -> bool:
    if sign.endswith(".a"):
        return any(Path("/usr").glob(f"lib*/{sign}")) or any(Path("/usr/lib").glob(f"*-linux-gnu/{sign}"))
    return shutil.which(sign) is not None
