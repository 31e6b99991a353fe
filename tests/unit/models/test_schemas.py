from __future__ import annotations

import json
from pathlib import Path

import pytest

from gedge_provision.models.schemas import DocumentKind, json_schema

SCHEMAS = Path(__file__).parents[3] / "docs" / "schema"


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_the_committed_schema_is_current(kind: DocumentKind) -> None:
    """To renew it: gedge schema KIND > docs/schema/KIND.schema.json."""
    committed = json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(kind)


def test_accepted_misspellings_are_in_the_schema_as_deprecated() -> None:
    properties = json_schema(DocumentKind.SERVICE)["$defs"]["Acceleration"]["properties"]
    assert properties["toploygyAware"]["deprecated"]
    assert "deprecated" not in properties["topologyAware"]
