from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from gedge_provision import cli

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "examples" / "meshes" / "service-mesh2.json"
PATHS = ROOT / "tests" / "fixtures" / "meshes" / "paths.yaml"


def gedge(monkeypatch: pytest.MonkeyPatch, *argv: str | Path) -> int:
    monkeypatch.setattr("sys.argv", ["gedge", *map(str, argv)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_check_tells_what_a_mesh_does_that_it_does_not_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "mesh", "check", SAMPLE, PATHS) == 0
    out = capsys.readouterr().out
    assert f"{SAMPLE}: service mesh service-mesh2 is right" in out
    assert "requests to web:9090 that fit none of its routes are refused where a data plane routes" in out
    assert "externalPort 80 of web is not published" in out
    gedge(monkeypatch, "mesh", "check", SAMPLE, "-o", "json")
    (checked,) = json.loads(capsys.readouterr().out)
    assert checked == {"file": str(SAMPLE), "kind": "service mesh", "name": "service-mesh2", "notes": []}


def test_the_sample_is_that_of_the_platform_and_renders_as_yaml_and_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "mesh", "render", SAMPLE) == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [(item["kind"], item["metadata"]["name"]) for item in objects][-2:] == [
        ("HTTPRoute", "product-8080"),
        ("HTTPRoute", "details-8080"),
    ]
    gedge(monkeypatch, "mesh", "render", SAMPLE, "-o", "json", "-n", "default")
    assert json.loads(capsys.readouterr().out) == objects


def test_a_mesh_is_no_service_and_says_whose_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gedge(monkeypatch, "service", "apply", SAMPLE) == 2
    err = capsys.readouterr().err
    assert "this is a service mesh" in err
    assert "gedge mesh apply" in err


def test_a_wrong_mesh_is_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mesh.json"
    path.write_text(SAMPLE.read_text(encoding="utf-8").replace('"subset": "v1"', '"subset": "v9"', 1), encoding="utf-8")
    for verb in ("apply", "check", "render"):
        assert gedge(monkeypatch, "mesh", verb, path) == 2
        assert "serviceMesh.serviceRoutes[0].destination.subset: product has no version v9" in capsys.readouterr().err


def test_the_schema_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert gedge(monkeypatch, "schema", "mesh") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "MeshFile"
