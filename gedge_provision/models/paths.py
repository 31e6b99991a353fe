"""Paths in documents: on the controller, and on hosts."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from gedge_provision.models.wording import Form

__all__ = ["HomePath", "MountPoint"]

HomePath = Annotated[str, Form(r"(/|~/).*", "path from / or from the home folder", "begin it with / or ~/")]

_SYSTEM_FOLDERS = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_FEWEST_LEVELS = 2


def _check_mount_point(path: str) -> str:
    levels = path.split("/")[1:]
    if any(level in {"", ".", ".."} for level in levels):
        raise ValueError(f"{path!r} is not written plainly -> write it without //, ., .. and a / at the end")
    if re.search(r"[:,]|[^ -~]", path):
        raise ValueError(f"{path!r} cannot be mounted at -> use letters, digits, '-', '_', '.'")
    if len(levels) < _FEWEST_LEVELS:
        raise ValueError(f"{path} may hold other things -> name a folder of its own, like /srv/gedge")
    if f"/{levels[0]}" in _SYSTEM_FOLDERS:
        raise ValueError(f"{path} lies in a folder of the system's -> name a folder of its own, like /srv/gedge")
    return path


MountPoint = Annotated[
    str, AfterValidator(_check_mount_point), Form(r"/.*", "absolute path", "begin it with /, like /srv/gedge")
]
