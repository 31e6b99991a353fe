"""The Molecule scenarios, one test each, on one pair of the lab's nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gedge_provision import lab
from gedge_provision.models.errors import GedgeError

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


class Molecule:
    """`molecule` with nodes and a working folder of its own, so that several checkouts can run at a time."""

    def __init__(self, folder: Path) -> None:
        self.lab = f"r{os.getpid()}"
        self.log = folder / "molecule.log"  # to be followed while it runs
        self._env = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "GEDGE_MOLECULE_LAB": self.lab,
            "MOLECULE_EPHEMERAL_DIRECTORY": str(folder),
            "NO_COLOR": "1",
        }

    def run(self, *words: str) -> tuple[int, str]:
        """Run a verb of molecule; return its exit code and output."""
        with self.log.open("w", encoding="utf-8") as log:
            done = subprocess.run(
                [BIN / "molecule", *words],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return done.returncode, self.log.read_text(encoding="utf-8")

    def traces(self) -> str:
        """Return what the control-plane node can tell of a failure: containers, the kubelet, the API server."""
        look = (
            "crictl ps --all; journalctl --unit kubelet --lines 20 --output cat; "
            "tail --lines 20 /var/log/pods/kube-system_kube-apiserver*/*/*.log /var/log/pods/kube-system_etcd*/*/*.log"
        )
        done = subprocess.run(
            [BIN / "gedge", "lab", "shell", "gedgem01", "--lab", self.lab, "--", "sh", "-c", look],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout


@pytest.fixture(scope="module")
def molecule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Molecule]:
    """Make nodes for all scenarios, remove them whatever happens (a failure, ^C)."""
    try:
        lab.check_host()
    except GedgeError as error:
        pytest.skip(str(error))
    made = Molecule(tmp_path_factory.mktemp("molecule"))
    try:
        yield made
    finally:
        lab.down(made.lab)
        assert lab.leftovers(made.lab) == []


@pytest.mark.own_lab
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(molecule: Molecule, scenario: str) -> None:
    code, output = molecule.run("test", "--scenario-name", scenario, "--destroy", "never")
    if code != 0:
        traces = molecule.traces()
        molecule.run("destroy")  # the next scenario begins on new nodes
        pytest.fail(f"{output[-20_000:]}\n{traces[-10_000:]}", pytrace=False)
