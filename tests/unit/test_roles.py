"""Roles keep their contract: defaults, argument specs and README say the same, and the core path stays small."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
MOST_TASKS = 150


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: str, entry: str = "main") -> dict[str, Any]:
    specs: dict[str, Any] = read(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    return dict(specs[entry]["options"])


def syntax(folder: Path, *roles: str | Path) -> subprocess.CompletedProcess[str]:
    """Let ansible-playbook read roles with all that they import, in one process."""
    book = folder / "roles.yml"
    tasks = [{"ansible.builtin.import_role": {"name": str(role)}} for role in roles]
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "tasks": tasks}]), encoding="utf-8")
    argv = [Path(sys.executable).with_name("ansible-playbook"), "--syntax-check", "-i", "localhost,", book]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_the_syntax_of_every_role_is_right(tmp_path: Path) -> None:
    done = syntax(tmp_path, *ROLES)
    assert done.returncode == 0, done.stderr
    broken = tmp_path / "broken"
    (broken / "tasks").mkdir(parents=True)
    (broken / "tasks" / "main.yml").write_text("- no_such_module: {}\n", encoding="utf-8")
    done = syntax(tmp_path, *ROLES, broken)
    assert done.returncode != 0
    assert "no_such_module" in done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_names_of_roles_can_be_names_of_variables(role: str) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*", role)


@pytest.mark.parametrize("role", ROLES)
def test_specs_defaults_and_readme_are_equal(role: str) -> None:
    defaults = read(ROOT / "roles" / role / "defaults" / "main.yml")
    specs = options(role)
    assert {name: spec.get("default") for name, spec in specs.items()} == defaults
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip().strip("`") for line in readme.splitlines() if line.startswith("| `")]
    assert rows == list(defaults)


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_roles_name(role: str) -> None:
    assert all(name.startswith(f"{role}_") for name in options(role))
    internal = ROOT / "roles" / role / "vars" / "main.yml"
    if internal.is_file():
        assert all(name.startswith(f"__{role}_") for name in read(internal))


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_explained(role: str) -> None:
    for name, spec in options(role).items():
        assert spec.get("description"), name
        for inner, detail in spec.get("options", {}).items():
            assert detail.get("description"), f"{name}.{inner}"


def tasks_in(file: Path) -> int:
    count = 0
    for entry in read(file) or []:
        for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            count += len(entry.get(key, []))
        if not {"hosts", "block"} & set(entry):
            count += 1
    return count


def test_the_core_path_has_few_tasks() -> None:
    """Counts every task that any host can meet, included files too; a role counts as often as a play names it."""
    total = tasks_in(ROOT / "playbooks" / "site.yml")
    for play in read(ROOT / "playbooks" / "site.yml"):
        for role in play.get("roles", []):
            files = (ROOT / "roles" / role["role"] / "tasks").glob("*.yml")
            total += 1 + sum(tasks_in(file) for file in files)  # one more: the check of its arguments
    total += tasks_in(ROOT / "playbooks" / "tasks" / "kubeconfig.yml")
    assert 0 < total <= MOST_TASKS


def test_a_task_list_is_a_table_of_contents() -> None:
    for role in ROLES:
        for file in (ROOT / "roles" / role / "tasks").glob("*.yml"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 60, file
