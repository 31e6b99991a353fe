from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from gedge_provision.models.schemas import DocumentKind, json_schema

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "docs" / "schema"
DOCUMENTS = [
    path
    for path in (
        *(ROOT / "examples" / "services").iterdir(),
        *(ROOT / "tests" / "fixtures" / "services").glob("*.yaml"),
        *(ROOT / "examples" / "meshes").iterdir(),
        *(ROOT / "tests" / "fixtures" / "meshes").glob("*.yaml"),
    )
    if not path.name.endswith(".rendered.yaml") and path.name != "gateway-api.yaml"
]


def accepts(data: dict[str, Any]) -> bool:
    """Tell whether an editor would take a document by the schema of its kind."""
    kinds = {"template": DocumentKind.TEMPLATE, "serviceMesh": DocumentKind.MESH}
    kind = next((kind for root, kind in kinds.items() if root in data), DocumentKind.SERVICE)
    return bool(jsonschema.Draft202012Validator(json_schema(kind)).is_valid(data))


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_the_committed_schema_is_current(kind: DocumentKind) -> None:
    """To renew it: gedge schema KIND > docs/schema/KIND.schema.json (of mesh: service-mesh.schema.json)."""
    name = "service-mesh" if kind is DocumentKind.MESH else kind
    committed = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(kind)


def test_accepted_misspellings_are_in_the_schema_as_deprecated() -> None:
    properties = json_schema(DocumentKind.SERVICE)["$defs"]["Acceleration"]["properties"]
    assert properties["toploygyAware"]["deprecated"]
    assert "deprecated" not in properties["topologyAware"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.name for path in DOCUMENTS])
def test_good_documents_hold_by_the_schema(path: Path) -> None:
    assert accepts(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": {"name": "app"}},
        {"service": {"name": "app", "containers": [{"name": "main"}]}},
        {"service": {"name": "App", "containers": [{"image": "a:1"}]}},
        {"service": {"name": "app", "containers": [{"image": "a:1", "port": []}]}},
        {"service": {"name": "app", "template": "base", "containers": [{"imag": "a:1"}]}},
        {"template": {"name": "base", "service": {"name": "app", "containers": [{"image": "a:1"}]}}},
        {"serviceMesh": {"name": "m", "services": []}},
        {"serviceMesh": {"name": "m", "services": [{"name": "a", "labels": {"version": "v1"}}]}},
        {"serviceMesh": {"name": "m", "services": [{"name": "a", "template": "t", "external": True}]}},
        {"template": {"service": {"containers": [{"image": "a:1"}]}}},
    ],
)
def test_wrong_documents_do_not(wrong: dict[str, Any]) -> None:
    assert not accepts(wrong)
