from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gedge_provision import cli

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "examples" / "services" / "service-app2.yaml"


def gedge(monkeypatch: pytest.MonkeyPatch, *argv: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["gedge", *map(str, argv)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_render_prints_manifests_on_standard_output_and_notices_beside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "service", "render", SAMPLE) == 0
    out, err = capsys.readouterr()
    assert [item["kind"] for item in yaml.safe_load_all(out)] == ["Deployment", "Service", "Service"]
    assert "toploygyAware is read as topologyAware" in err
    assert "200m is rounded up to 1" in err


def test_render_as_json_is_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    gedge(monkeypatch, "service", "render", SAMPLE)
    text = capsys.readouterr().out
    gedge(monkeypatch, "service", "render", SAMPLE, "-o", "json", "-n", "default")
    assert json.loads(capsys.readouterr().out) == list(yaml.safe_load_all(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"template": {"name": "x"}}', "this is a template"),
        ('{"serviceMesh": {}}', "this is a service mesh"),
        ("apiVersion: v1\nkind: Pod\n", "this is a Kubernetes manifest"),
        ("- 1\n", "must be keys with values"),
        ("", "the document is empty"),
        ("service:\n  name: x\n", "add 'containers'"),
    ],
)
def test_other_documents_are_wrong_input(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    assert gedge(monkeypatch, "service", "apply", path) == 2
    assert said in capsys.readouterr().err


def test_a_cluster_that_is_not_there_yet_is_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEDGE_STATE_DIR", str(tmp_path))
    site = ROOT / "inventories" / "lab" / "site.yml"
    assert gedge(monkeypatch, "service", "list", "--site", site) == 2
    assert f"{tmp_path}/sites/lab/kubeconfig: no such kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [("status", "a/../b"), ("delete", ""), ("delete", "a,b"), ("list", "-n", "No_Name")])
def test_names_that_cannot_be_are_wrong_input(
    argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "service", *argv) == 2
    assert "is no name" in capsys.readouterr().err


def test_schema_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert gedge(monkeypatch, "schema", "service") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "ServiceFile"
