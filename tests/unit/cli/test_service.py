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


HW = ROOT / "examples" / "services" / "hw-app-1.yaml"
TEMPLATE = HW.with_name("template-hw-app.json")
SITE = ROOT / "tests" / "fixtures" / "services" / "site.yml"


def test_check_tells_of_every_file_what_it_is_and_what_is_read_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "service", "check", SAMPLE, HW, TEMPLATE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ", 1)[1] for line in lines if not line.startswith("  ")] == [
        "service app2 is right",
        "service hw-app-1 is right",
        "template hw-app is right",
    ]
    assert f"  {SAMPLE}:16: toploygyAware is read as topologyAware" in lines
    gedge(monkeypatch, "service", "check", TEMPLATE, "-o", "json")
    (checked,) = json.loads(capsys.readouterr().out)
    assert checked == {"file": str(TEMPLATE), "kind": "template", "name": "hw-app", "notes": []}


def test_check_tells_the_mistakes_of_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, worse = tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    bad.write_text("service: {name: bad}\n", encoding="utf-8")
    worse.write_text("service: {name: worse, template: none}\n", encoding="utf-8")
    assert gedge(monkeypatch, "service", "check", bad, SAMPLE, worse, tmp_path / "missing.yaml") == 2
    err = capsys.readouterr().err
    assert f"{bad}:1: service.containers: a required key is missing" in err
    assert f"{worse}:1: service.template: there is no template none" in err
    assert f"{tmp_path / 'missing.yaml'}: no such file" in err


def test_the_site_file_decides_what_is_rendered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = SAMPLE.with_name("app2-pinned.yaml")
    cpus = []
    for site in ((), ("--site", SITE)):
        assert gedge(monkeypatch, "service", "render", pinned, *site) == 0
        deployment = next(yaml.safe_load_all(capsys.readouterr().out))
        cpus.append(deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"])
    assert cpus == ["1", "2"]


def test_a_template_is_found_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text("service: {name: alone, template: hw-app}\n", encoding="utf-8")
    assert gedge(monkeypatch, "service", "render", alone) == 2
    assert "give it by --template FILE" in capsys.readouterr().err
    assert gedge(monkeypatch, "service", "render", alone, "--template", TEMPLATE) == 0
    assert "image: 129.254.202.122:5000/hw_app:v2.0" in capsys.readouterr().out


def test_apply_alone_is_not_for_templates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert gedge(monkeypatch, "service", "apply", TEMPLATE) == 2
    assert "this is a template, and only service documents can be deployed" in capsys.readouterr().err
