"""The files of the page: nothing from elsewhere, nothing inline, and text that stays text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gedge_provision.gse

FOLDER = Path(gedge_provision.gse.__file__).parent / "page"
FILES = sorted(FOLDER.iterdir())
# What takes text for elements or programs, or keeps it where other pages or later sessions find it.
SINKS = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    r"|javascript:|document\.cookie|indexedDB"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_comes_from_elsewhere_and_text_stays_text(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # The namespace of SVG is a name, and no place.
    assert not re.findall(r"https?://|[\"'(]//[a-z0-9]", text.replace("http://www.w3.org/2000/svg", ""))
    assert not re.findall(SINKS, text)
    assert not re.findall(r"<style|<script>|\son[a-z]+=|\sstyle=", text)
    assert len(text.splitlines()) <= 300


def test_every_file_is_used() -> None:
    texts = {file.name: file.read_text(encoding="utf-8") for file in FILES}
    for name in texts.keys() - {"index.html"}:
        assert any(re.search(rf"[/\"]{re.escape(name)}\"", text) for text in texts.values()), name


@pytest.mark.parametrize("file", [file for file in FILES if file.suffix == ".js"], ids=lambda file: file.name)
def test_what_is_imported_is_there_and_used(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for names, other in re.findall(r'^import \{([^}]+)\} from "\./([a-z]+\.js)";$', text, re.MULTILINE):
        exported = re.findall(
            r"^export (?:async )?(?:function\*?|class|const) (\w+)", (FOLDER / other).read_text(), re.MULTILINE
        )
        for name in (one.strip() for one in names.split(",")):
            assert name in exported, f"{other} has no {name}"
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is not used"
