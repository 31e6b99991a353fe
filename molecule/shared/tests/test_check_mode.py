"""Check mode on converged nodes: what the scenario applies would change nothing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path


def test_check_mode_finds_nothing_to_do() -> None:
    playbook = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"], "converge.yml")
    done = subprocess.run(
        ["ansible-playbook", "-i", os.environ["GEDGE_MOLECULE_INVENTORY"], playbook, "--check", "--diff"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    changed = re.findall(r"changed=(\d+)", done.stdout)
    assert changed
    assert set(changed) == {"0"}, done.stdout
