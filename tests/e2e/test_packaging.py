"""One tree, three forms: the checkout (everywhere else in these tests), the wheel, and the collection."""

from __future__ import annotations

import json
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
BIN = Path(sys.executable).parent


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_runs_outside_a_checkout(lab: LabCluster, tmp_path: Path) -> None:
    run(BIN / "uv", "build", "-q", "--wheel", "--out-dir", tmp_path, ROOT, cwd=tmp_path)
    wheel = next(tmp_path.glob("*.whl"))
    run(BIN / "uv", "venv", "-q", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    run(BIN / "uv", "pip", "install", "-q", "--python", tmp_path / "venv/bin/python", wheel, cwd=tmp_path)
    gedge = tmp_path / "venv" / "bin" / "gedge"
    result = json.loads(run(gedge, "apply", "--site", lab.site_path, "--output", "json", cwd=tmp_path))
    assert result["status"] == "successful"
    assert result["changed"] == {}
    assert len(result["phases"]) > 5


def test_the_collection_runs_by_its_own_name(lab: LabCluster, tmp_path: Path) -> None:
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", tmp_path, ROOT, cwd=tmp_path)
    archive = next(tmp_path.glob("gedge-provision-*.tar.gz"))
    run(BIN / "ansible-galaxy", "collection", "install", "--offline", "-p", tmp_path / "c", archive, cwd=tmp_path)
    printed = run(
        *(BIN / "ansible-playbook", "-i", lab.site_path, "gedge.provision.site"),
        cwd=tmp_path,
        env={
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "c"),
            "ANSIBLE_INVENTORY_ENABLED": "gedge.provision.site",
            "ANSIBLE_NOCOLOR": "1",
        },
    )
    recap = re.findall(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)", printed, re.MULTILINE)
    assert {host for host, _, _ in recap} == set(lab.hosts)
    assert {changed for _, _, changed in recap} == {"0"}
