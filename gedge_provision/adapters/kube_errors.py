"""What the Kubernetes API refuses, as errors that name place and remedy.

Errors:
    KubeError                the API server refuses or fails (exit code 1)
    ├── UnreachableError     no answer
    ├── ForbiddenError       not allowed, or not known (401, 403)
    ├── NotFoundError        the object does not exist
    ├── ConflictError        another field manager, or another writer, owns what we would change
    ├── BusyError            too many requests, or something is being set up (429): ask again
    └── GoneError            changes since then are no longer known (410)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gedge_provision.models.errors import GedgeError

__all__ = [
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "KubeError",
    "NotFoundError",
    "UnreachableError",
    "refusal",
]

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_UNPROCESSABLE, _INTERNAL = 422, 500

# To server-side apply an object that its types do not take is a failure of its own (seen with 1.36).
_UNREADABLE = re.compile(r"failed to (convert new object|create typed patch object)")


class KubeError(GedgeError):
    """The API server refuses or fails; `status` is that of its answer (HTTP), 0 without one."""

    status = 0


class UnreachableError(KubeError):
    """The API server gives no answer."""


class ForbiddenError(KubeError):
    """The API server does not know us, or does not allow it."""

    @property
    def by_rbac(self) -> bool:
        """Whether it knows us, and RBAC does not allow this."""
        return self.status == _FORBIDDEN


class NotFoundError(KubeError):
    """The object does not exist."""


class ConflictError(KubeError):
    """Somebody else owns what we would change."""


class BusyError(KubeError):
    """The API server asks to come again later."""


class GoneError(KubeError):
    """What changed since a version is no longer known: list again."""


_LATER: Mapping[int, tuple[type[KubeError], str]] = {
    410: (GoneError, ""),
    429: (BusyError, "the API server is busy: run the same command again"),
}


def refusal(status: int, text: str, place: str, method: str) -> KubeError:
    """Return the error that an answer of the API server means."""
    error = _refusal(status, text, place, method)
    error.status = _UNPROCESSABLE if status == _INTERNAL and _UNREADABLE.search(text) else status
    return error


def _refusal(status: int, text: str, place: str, method: str) -> KubeError:
    try:
        answer: dict[str, Any] = json.loads(text)
    except ValueError:
        answer = {}
    message = str(answer.get("message") or text.strip() or f"HTTP {status}")
    if status == _UNAUTHORIZED:
        return ForbiddenError(
            "the API server does not know this user",
            place=place,
            remedy="fetch a fresh kubeconfig: gedge kubeconfig --fetch",
        )
    if status == _FORBIDDEN:
        return _forbidden(answer, message, place)
    if status == _NOT_FOUND:
        remedy = "create the namespace first" if (answer.get("details") or {}).get("kind") == "namespaces" else ""
        return NotFoundError(message, place=place, remedy=remedy)
    if status == _CONFLICT:
        return _conflict(answer, message, place)
    if status in _LATER:
        kind, remedy = _LATER[status]
        return kind(message, place=place, remedy=remedy)
    return KubeError(f"{method} refused ({status}): {message}", place=place)


def _forbidden(answer: Mapping[str, Any], message: str, place: str) -> KubeError:
    causes = (answer.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return ConflictError(message, place=place, remedy="wait until the namespace is gone, then create it again")
    return ForbiddenError(message, place=place, remedy="use a kubeconfig whose user may do this")


def _conflict(answer: Mapping[str, Any], message: str, place: str) -> ConflictError:
    causes = [
        cause
        for cause in (answer.get("details") or {}).get("causes", [])
        if cause.get("reason") == "FieldManagerConflict"
    ]
    if not causes:
        return ConflictError(message, place=place, remedy="somebody changed it at the same time: try again")
    lines = [f"  {cause.get('field', '')}: {cause.get('message', '')}" for cause in causes]
    return ConflictError(
        "\n".join(["another field manager owns what this would change; nothing was overwritten", *lines]),
        place=place,
        remedy="write the same value into the document, or decide that yours holds: --take-over",
    )
