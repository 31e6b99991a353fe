"""Becomes ansible-playbook, in a process that ends with whoever started it: `kill -9` of gedge leaves none behind.

Ansible hands SIGTERM on to its workers, which end their ssh; ansible-runner alone would let them all run on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

__all__ = ["become"]

_PR_SET_PDEATHSIG = 1  # prctl(2); survives execve


def become(pid_file: str, program: str, *arguments: str) -> None:
    """Write this process's id to a file, then execute a program in it that receives SIGTERM when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    Path(pid_file).write_text(str(os.getpid()), encoding="ascii")
    os.execvp(program, [program, *arguments])  # noqa: S606 - its arguments are ansible-runner's, no shell reads them


if __name__ == "__main__":
    become(*sys.argv[1:])
