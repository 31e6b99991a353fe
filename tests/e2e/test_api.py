"""The blocks of the page on the Python API run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab_cluster import LabCluster

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


def test_the_examples_of_the_page_run(lab: LabCluster) -> None:
    page = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "GEDGE_SITE": str(lab.site_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        for line in (
            "gedgew01 ready 1500m",
            "3 nodes are ready",
            "unchanged Verify the cluster",
            "successful",
            "gedgew01 is aligned",
        ):
            assert line in done.stdout
        assert re.search(r"http://[0-9.]+:8081", done.stdout)
    finally:
        lab.gedge("service", "delete", "app2-pinned")
