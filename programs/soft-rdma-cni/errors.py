"""The error that a CNI plugin prints."""

from __future__ import annotations

__all__ = ["CniError"]


class CniError(Exception):
    """An error in the form of the CNI specification.

    Args:
        code: 1 to 99 as the specification says, from 100 on as the plugin likes.
        message: what is wrong.
        details: why, or what to do; the events of the pod show both.
    """

    def __init__(self, code: int, message: str, details: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
