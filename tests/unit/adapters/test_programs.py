"""Programs of ours are packed with the library that they share."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gedge_provision.adapters.programs import pack_program, read_programs
from gedge_provision.models.errors import GedgeError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "greet/__main__.py": "from words import HELLO\nfrom who import NAME\nprint(HELLO, NAME)\n",
        "greet/who.py": "NAME = 'you'\n",
        "talk/words.py": "HELLO = 'hello'\n",
        "empty/notes.txt": "no program\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_program_runs_with_its_library(folder: Path) -> None:
    files = read_programs(folder, {"greet": "talk"})["greet"]
    assert list(files) == ["__main__.py", "who.py", "words.py"]
    pack_program(files, folder / "packed")
    assert subprocess.run([folder / "packed"], capture_output=True, text=True, check=True).stdout == "hello you\n"


def test_a_library_is_not_packed_unasked(folder: Path) -> None:
    assert list(read_programs(folder, {"greet": None})["greet"]) == ["__main__.py", "who.py"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"empty": None}, "the program empty cannot be read: it has no __main__.py"),
        ({"absent": None}, "the program absent cannot be read"),
        ({"greet": "empty"}, "the library empty of greet cannot be read: it has no files"),
    ],
)
def test_what_is_missing_is_told(folder: Path, names: dict[str, str | None], message: str) -> None:
    with pytest.raises(GedgeError, match=message) as caught:
        read_programs(folder, names)
    assert "restore this folder from git" in str(caught.value)
