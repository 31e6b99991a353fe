"""The kubelet's own code, compiled once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubelet_judge import compile_judge


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_judge(tmp_path_factory.mktemp("judge"))
