"""Modules of this package that are put into images: which files go with one, and what is packed of its packages."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from gedge_provision.adapters.locations import content_dir
from gedge_provision.adapters.python_modules import pack_module, read_sources
from gedge_provision.models.catalog import PythonSource
from gedge_provision.models.errors import GedgeError

SERVER = read_sources(content_dir() / "pybuild", {"gedge_provision.gse": "gse-api-server"})["gedge_provision.gse"]


def test_a_module_comes_with_what_it_reaches_and_no_more() -> None:
    assert {"gedge_provision/__init__.py", "gedge_provision/gse/__main__.py"} <= set(SERVER.files)
    assert "gedge_provision/services/status.py" in SERVER.files  # through others
    assert "gedge_provision/data/catalog.yml" in SERVER.files
    others = ("gedge_provision/cli/", "gedge_provision/lab/", "gedge_provision/perf/", "gedge_provision/_content/")
    assert not [name for name in SERVER.files if name.startswith(others) or "__pycache__" in name]
    assert "gedge_provision/adapters/ansible.py" not in SERVER.files
    for name, content in SERVER.files.items():
        assert (content_dir() / name).read_bytes() == content


def test_what_is_missing_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(GedgeError, match="the requirements cannot be read"):
        read_sources(tmp_path, {"gedge_provision.gse": "none"})
    with pytest.raises(GedgeError, match="no_such cannot be read"):
        read_sources(content_dir() / "pybuild", {"gedge_provision.no_such": "gse-api-server"})


def wheel(folder: Path) -> str:
    """Write a small wheel, and return its line in requirements."""
    path = folder / "demo-1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
    files = {
        "demo/__init__.py": "WORD = 1\n",
        "demo/unneeded/__init__.py": "",
        "demo-1.0.dist-info/METADATA": about,
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "demo-1.0.dist-info/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
        "demo-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return f"demo @ {path.as_uri()} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_equal_sources_give_equal_bytes_without_notes_and_programs(tmp_path: Path) -> None:
    source = PythonSource(wheel(tmp_path), {"gedge_provision/__init__.py": b'"""."""\n'})
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    pack_module(source, ["demo/unneeded"], first)
    pack_module(source, ["demo/unneeded"], second)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        names = archive.getnames()
        assert {(one.mtime, one.uid, one.mode) for one in archive.getmembers()} == {(0, 0, 0o644)}
    assert names == [
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/WHEEL",
        "demo-1.0.dist-info/entry_points.txt",
        "demo/__init__.py",
        "gedge_provision/__init__.py",
    ]


def test_a_package_with_another_digest_is_refused(tmp_path: Path) -> None:
    line = wheel(tmp_path)
    wrong = line[: line.index("sha256:")] + "sha256:" + "0" * 64 + "\n"
    with pytest.raises(GedgeError, match="HASHES"):
        pack_module(PythonSource(wrong, {}), [], tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()
