"""What helm itself does with values and says of charts, with the EMULATED operator's chart; no cluster is needed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from chart_server import ChartServer, chart_server

from gedge_provision import artifacts
from gedge_provision.adapters.gpu_versions import load_gpu_versions
from gedge_provision.models.site import Site
from gedge_provision.planning.gpu import plan_gpus
from gedge_provision.planning.gpu_stack import explain_chart

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "tests" / "fixtures" / "charts" / "gpu-operator"
SITES = sorted((ROOT / "tests" / "fixtures" / "gpu").glob("*.site.yml"))


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the helm of the artifact store, as a program."""
    stored = artifacts.default_store().entries().get("helm")
    if stored is None or not stored.path.is_file():
        pytest.skip("helm is not in the artifact store: gedge artifacts build helm")
    program = tmp_path_factory.mktemp("helm") / "helm"
    program.write_bytes(stored.path.read_bytes())
    program.chmod(0o755)
    return program


def template(helm: Path, *words: str) -> subprocess.CompletedProcess[str]:
    own = {f"HELM_{part}_HOME": str(helm.parent / part.lower()) for part in ("CACHE", "CONFIG", "DATA")}
    argv = [str(helm), "template", "gpu-operator", *words]
    return subprocess.run(argv, env=own, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[ChartServer, str, Path]]:
    with chart_server(CHART, tmp_path, "127.0.0.1") as server:
        yield server, f"http://127.0.0.1:{server.port}", tmp_path


@pytest.mark.parametrize("path", SITES, ids=[path.name.split(".")[0] for path in SITES])
def test_values_arrive_as_they_were_computed(helm: Path, served: tuple[ChartServer, str, Path], path: Path) -> None:
    _, url, folder = served
    site = Site.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    computed = plan_gpus(site, load_gpu_versions(), "2.3.4").values
    values = folder / "given.json"
    values.write_text(json.dumps(computed), encoding="utf-8")
    done = template(helm, "gpu-operator", "--repo", url, "--version", "v26.7.0", "--values", str(values))
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    (recorded,) = [one["data"]["values.json"] for one in objects if one["kind"] == "ConfigMap"]
    assert json.loads(recorded) == computed
    assert all(one["metadata"]["labels"]["gedge.dev/emulated"] == "true" for one in objects)


def test_helms_words_are_explained(helm: Path, served: tuple[ChartServer, str, Path]) -> None:
    server, url, folder = served

    def said(*words: str) -> str:
        done = template(helm, *words)
        assert done.returncode != 0
        return explain_chart(done.stderr)

    from_server = ("gpu-operator", "--repo", url, "--version")
    assert said(*from_server, "v1.2.3").startswith(f"the chart server {url} has no chart gpu-operator v1.2.3 -> ")
    (folder / "gpu-operator-v26.7.0.tgz").unlink()
    assert said(*from_server, "v26.7.0").startswith(
        f"the chart cannot be fetched from {url}/gpu-operator-v26.7.0.tgz (404"
    )
    server.stop()
    assert said(*from_server, "v26.7.0").startswith(f"the chart server {url} cannot be reached (")
    assert said("/nowhere/x.tgz").startswith("the chart /nowhere/x.tgz is not on the first control-plane node -> ")
