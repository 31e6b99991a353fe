"""The pages say what is there: links resolve, commands parse, the site file's fields are all listed."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic.alias_generators import to_camel
from typer.main import get_command

from gedge_provision.cli._main import app
from gedge_provision.models.mesh import Destination, Mesh, MeshService, Route, Uri
from gedge_provision.models.selection import CONCERNS
from gedge_provision.models.service import MISSPELLINGS, Container, Service
from gedge_provision.services import check_documents, check_meshes

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGE_IDS = [str(page.relative_to(ROOT)) for page in PAGES]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
GEDGE = get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_relative_links_resolve(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in PAGE_IDS[1:] if f"]({name})" not in readme] == []


def test_every_role_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [str(page.relative_to(ROOT)) for page in sorted((ROOT / "roles").glob("*/README.md"))]
    assert [name for name in pages if f"]({name})" not in readme] == []


def code(page: Path) -> Iterator[str]:
    """Yield the lines of code blocks and the code spans of a page."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.findall(text):
        for line in block.splitlines()[1:-1]:
            yield line.split("  #")[0].strip()
    yield from re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def commands(page: Path, program: str) -> list[str]:
    """Return the calls of a program on a page, `$(program ...)` included."""
    found = []
    for text in code(page):
        found += re.findall(rf"(?:^|[$]\(|&& ){program} [^)&|]*(?:\|[^)&|]*\])?", text)
    return [re.sub(r"^(?:[$]\(|&& )", "", text) for text in found]


def parse(line: str) -> None:
    """Parse a call by the commands' own parsers; `[...]` marks what may be left out, `A | B` and `A / B` choices.

    Raises:
        AssertionError: the verb does not exist.
        Exception: (the parser's own) an option does not exist, or lacks its value.
    """
    words = shlex.split(re.sub(r"[\[\]]| [|/] .*", " ", line).replace("...", ""), comments=True)[1:]
    command: Any = GEDGE
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no verb {words[0]}: {line}"
        command = command.commands[words.pop(0)]
    if "--help" in words or "--version" in words:
        return
    context = command.context_class(command, info_name=command.name)
    values, rest, _ = command.make_parser(context).parse_args(words)
    assert hasattr(command, "commands") or not rest, f"too many arguments: {line}"
    output = values.get("output")
    assert output in (None, "text", "json", "markdown", "html"), line


def test_the_parser_of_this_test_refuses_what_does_not_exist() -> None:
    for wrong in (
        "gedge aply",
        "gedge apply --chek",
        "gedge lab up --workers",
        "gedge status -o xml",
        "gedge schema a b",
    ):
        with pytest.raises(Exception, match=r".+"):
            parse(wrong)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_commands_parse(page: Path) -> None:
    for line in commands(page, "gedge"):
        try:
            parse(line)
        except Exception as error:  # noqa: BLE001 - the parser's errors have no common public base
            pytest.fail(f"{line}: {error}")


def test_the_readme_names_every_verb() -> None:
    named = {line.split()[1] for line in commands(ROOT / "README.md", "gedge") if len(line.split()) > 1}
    assert set(GEDGE.commands) <= named  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_make_verbs_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z0-9]+):.*## ", makefile, re.MULTILINE))
    shown = {line.split()[1] for line in commands(page, "make")}
    assert shown <= verbs


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_playbooks_that_pages_name_exist(page: Path) -> None:
    named = re.findall(r"\bplaybooks/[a-z_]+\.yml", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def program_of_docs(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site_table() -> ModuleType:
    return program_of_docs("site_file_table")


def test_the_table_of_fields_is_current(site_table: ModuleType) -> None:
    """To renew it: python docs/site_file_table.py."""
    text = site_table.PAGE.read_text(encoding="utf-8")
    assert site_table.table() in text
    assert site_table.page(text) == text


def test_every_field_has_a_meaning_and_no_meaning_is_left_over(site_table: ModuleType) -> None:
    rows = site_table.rows()
    assert [row.path for row in rows if not row.meaning] == []
    assert set(site_table.MEANINGS) <= {row.path for row in rows}


def test_the_table_of_concerns_is_current() -> None:
    text = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
    rows = re.search(r"\| concern \| what it is \|\n\|---\|---\|\n((?:\|.*\n)*)", text)
    assert rows
    assert rows[1].splitlines() == [f"| `{name}` | {what} |" for name, what in CONCERNS.items()]


def test_the_table_of_checks_is_current() -> None:
    """To renew it: python docs/verify_table.py."""
    program = program_of_docs("verify_table")
    text = program.PAGE.read_text(encoding="utf-8")
    assert program.table() in text
    assert program.page(text) == text


def test_the_tables_of_the_kubelets_rules_are_current() -> None:
    """To renew them: python docs/kubelet_rules_table.py."""
    program = program_of_docs("kubelet_rules_table")
    text = program.PAGE.read_text(encoding="utf-8")
    assert program.table() in text
    assert program.page(text) == text


def test_documents_on_the_page_of_services_are_right(tmp_path: Path) -> None:
    """In the order of the page: the template stands before the service that takes it."""
    page = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:yaml|json)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    whole = [block for block in blocks if re.match(r'service:|\{"template"', block)]
    files = [tmp_path / f"{number}.yaml" for number in range(len(whole))]
    for file, block in zip(files, whole, strict=True):
        file.write_text(block, encoding="utf-8")
    assert [(one.kind, one.name) for one in check_documents(files)] == [
        ("service", "app2"),
        ("service", "detector"),
        ("template", "hw-app"),
        ("service", "hw-app-1"),
    ]


def test_documents_on_the_page_of_meshes_are_right(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "service-mesh.md").read_text(encoding="utf-8")
    template, mesh = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "template.yaml").write_text(template, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(mesh, encoding="utf-8")
    assert [(one.name, one.notes) for one in check_meshes([tmp_path / "shop.yaml"])] == [("shop", ())]


def test_the_page_of_meshes_has_every_field() -> None:
    page = (ROOT / "docs" / "service-mesh.md").read_text(encoding="utf-8")
    own = set(MeshService.model_fields) - set(Service.model_fields)
    names = {*Mesh.model_fields, *Route.model_fields, *Destination.model_fields, *Uri.model_fields, *own}
    for name in names:
        assert re.search(rf"\b{to_camel(name)}\b", page), name


def test_the_page_of_services_has_every_field_and_misspelling() -> None:
    page = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    for model in (Service, Container):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in page, name
    for wrong, right in MISSPELLINGS.items():
        assert f"| `{wrong}` | `{right}` |" in page
