"""Why a kubelet does not admit a pod."""

from __future__ import annotations

from typing import Literal

__all__ = ["SMT", "TOPOLOGY", "UNEXPECTED", "Reason", "RefusedError"]

Reason = Literal["TopologyAffinityError", "SMTAlignmentError", "UnexpectedAdmissionError"]
"""As the pod's status will show it."""

TOPOLOGY: Reason = "TopologyAffinityError"
SMT: Reason = "SMTAlignmentError"
UNEXPECTED: Reason = "UnexpectedAdmissionError"


class RefusedError(Exception):
    """A manager of the kubelet refuses a pod."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
