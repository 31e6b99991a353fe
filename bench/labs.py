"""Labs for measurements, and the programs that are run on them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gedge_provision.adapters.interrupts import sigterm_interrupts

GEDGE = str(Path(sys.executable).with_name("gedge"))


@contextmanager
def lab(name: str, workers: int = 2) -> Iterator[Path]:
    """Make a lab, give its site file, and remove it whatever happens, ^C included."""
    with sigterm_interrupts():
        try:
            printed = run([GEDGE, "lab", "up", "--name", name, "--workers", str(workers)])
            yield Path(next(line for line in printed.splitlines() if line.startswith("site file")).split(": ")[1])
        finally:
            run([GEDGE, "lab", "down", name])


def run(argv: list[str], script: str = "") -> str:
    """Run a program and return its output; end the benchmark when it fails."""
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv[:4])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
