"""The error that a CNI plugin prints."""

from __future__ import annotations

__all__ = ["CniError"]


class CniError(Exception):
    """An error in the form of the CNI specification.

    Args:
        code: 1 to 99 as the specification says, from 100 on as the plugin likes.
        message: what is wrong; the kubelet shows it at the pod.
        details: why, or what to do.
    """

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(message)
        self.code = code
        # The kubelet shows the message alone.
        self.message = f"{message}: {details}" if details else message
        self.details = details
