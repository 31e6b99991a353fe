"""Errors a user meets.

Tree:
    GedgeError                exit code 1: something failed, or a host or the cluster refused
    ├── UsageError            exit code 2: the input is wrong, nothing was changed
    │   └── DocumentError     exit code 2: a document does not validate; carries every finding with file:line
    └── NotFittingError       exit code 3: the request is valid, and no node can hold it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["DocumentError", "Finding", "GedgeError", "NotFittingError", "RolloutError", "UsageError"]

_ONE_SCREEN = 10  # findings of two lines each


class GedgeError(Exception):
    """Something went wrong that the user can understand.

    Args:
        message: what happened, in one sentence.
        place: where: a host, a file:line, an object.
        remedy: what to do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [f"{self.place}: {self.message}" if self.place else self.message]
        if self.remedy:
            lines.append(f"-> {self.remedy}")
        return "\n".join(lines)


class UsageError(GedgeError):
    """The input is wrong; nothing was changed."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong with a document: `place` is file:line, `path` the field (`nodes[2].address`)."""

    place: str
    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.path}: {self.message}" if self.path else f"{self.place}: {self.message}"
        return f"{text}\n  -> {self.remedy}" if self.remedy else text


class DocumentError(UsageError):
    """A document does not validate; all findings are shown at once, nothing was changed."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        shown = [str(finding) for finding in findings[:_ONE_SCREEN]]
        more = len(findings) - len(shown)
        super().__init__("\n".join([*shown, f"... and {more} more like these"] if more else shown))


class RolloutError(GedgeError):
    """A service did not become what was asked for, or did not get ready."""


class NotFittingError(GedgeError):
    """The request is valid, but no node can hold it."""

    exit_code = 3
