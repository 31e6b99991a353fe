"""Words for the ssh program."""

from __future__ import annotations

__all__ = ["known_hosts_option"]


def known_hosts_option(path: str) -> str:
    """Return the ssh option that names a known_hosts file; ssh splits its value at spaces, and expands `%`."""
    return f'UserKnownHostsFile="{path.replace("%", "%%")}"'
