"""The tools that make artifacts: Go, buildah, small Debian file systems, and the check that they are there."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters import hosttools
from gedge_provision.adapters.go import compile_go, find_toolchains, read_modules
from gedge_provision.adapters.image_bases import reduce
from gedge_provision.adapters.images import image_tool
from gedge_provision.adapters.processes import CommandError
from gedge_provision.models.catalog import Product
from gedge_provision.models.errors import GedgeError

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="no Go on PATH: apt-get install golang-go")
needs_buildah = pytest.mark.skipif(shutil.which("buildah") is None, reason="no buildah: apt-get install buildah")

MAIN = 'package main\n\nvar version = "unset"\n\nfunc main() { print(version) }\n'
PRODUCT = Product(module="example.org/demo", version="v1.0.0")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.org/demo\n\ngo 1.21\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(MAIN)
    return folder


@needs_go
def test_a_go_program_is_static_reproducible_and_knows_its_version(module: Path, tmp_path: Path) -> None:
    toolchain = find_toolchains(tmp_path)[0]
    for output in ("one", "two"):
        flags = "-s -w -buildid= -X=main.version=v1.0.0"
        compile_go(toolchain, module, PRODUCT, package="example.org/demo", flags=flags, output=tmp_path / output)
    done = subprocess.run([tmp_path / "one"], capture_output=True, text=True, check=True)
    assert done.stderr == "v1.0.0"
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    assert str(tmp_path).encode() not in content


@needs_go
def test_go_flags_of_the_user_do_not_change_the_program(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-tags=broken")
    (module / "broken.go").write_text("//go:build broken\n\npackage main\n\nvar x int = 1.5\n")
    toolchain = find_toolchains(tmp_path)[0]
    compile_go(toolchain, module, PRODUCT, package="example.org/demo", flags="", output=tmp_path / "out")
    assert (tmp_path / "out").exists()


@needs_go
def test_a_compile_error_shows_what_the_compiler_says(module: Path, tmp_path: Path) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(CommandError, match="undefined: nonsense"):
        compile_go(
            find_toolchains(tmp_path)[0], module, PRODUCT, package="example.org/demo", flags="", output=tmp_path / "out"
        )


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(GedgeError, match="the Go module of demo") as caught:
        read_modules(tmp_path, {"demo": PRODUCT})
    assert caught.value.place == str(tmp_path / "demo")


@needs_buildah
def test_images_are_reproducible_and_share_the_layer_of_their_base(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"program")
    with tarfile.open(tmp_path / "base.tar", "w") as tar:
        entry = tarfile.TarInfo("etc/base")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"base"))
    for turn in ("one", "two"):
        with image_tool(tmp_path / "storage") as tool:
            tool.build("localhost/base", "FROM scratch\nADD base.tar /\n", {"base.tar": tmp_path / "base.tar"})
            tool.build(
                "example.org/demo:1",
                'FROM localhost/base\nCOPY program /program\nENTRYPOINT ["/program"]\n',
                {"program": program},
            )
            tool.save("localhost/base", tmp_path / f"base-{turn}.tar")
            tool.save("example.org/demo:1", tmp_path / f"{turn}.tar")
        assert not (tmp_path / "storage").exists()
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert _layers(tmp_path / "base-one.tar") == _layers(tmp_path / "one.tar")[:1]
    index = _json(tmp_path / "one.tar", "index.json")
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "example.org/demo:1"


@needs_buildah
def test_a_file_is_copied_out_of_an_image_and_links_do_not_lead_out_of_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "base.tar", "w") as tar:
        entry = tarfile.TarInfo("bin/demo")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"demo"))
        for name, target in (("within", "bin/demo"), ("out", "/etc/passwd")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    with image_tool(tmp_path / "storage") as tool:
        tool.build("localhost/demo", "FROM scratch\nADD base.tar /\n", {"base.tar": tmp_path / "base.tar"})
        for member in ("/bin/demo", "/within"):
            tool.copy_out("localhost/demo", member, tmp_path / "found")
            assert (tmp_path / "found").read_bytes() == b"demo"
        for member in ("/out", "/../../etc/passwd", "/bin", "/none"):
            with pytest.raises(GedgeError, match=f"no file {member}") as caught:
                tool.copy_out("localhost/demo", member, tmp_path / "nothing")
            assert caught.value.place == "localhost/demo"
    assert not (tmp_path / "nothing").exists()


@needs_buildah
def test_an_image_is_pulled_by_its_digest(tmp_path: Path, serve_image: Callable[[Path], Any]) -> None:
    (tmp_path / "program").write_bytes(b"program")
    with image_tool(tmp_path / "storage") as tool:
        tool.build("example.org/demo:1", "FROM scratch\nCOPY program /p\n", {"program": tmp_path / "program"})
        tool.save("example.org/demo:1", tmp_path / "one.tar")
    served = serve_image(tmp_path / "one.tar")
    with image_tool(tmp_path / "storage") as tool:
        tool.pull(served.reference, served.digest, "example.org/demo:1")
        tool.save("example.org/demo:1", tmp_path / "two.tar")
        with pytest.raises(CommandError):
            tool.pull(served.reference, "0" * 64, "example.org/demo:1")
    # A registry that sends something else under this digest; a new storage, as buildah keeps what it has.
    served.manifest.write_bytes(served.manifest.read_bytes() + b"\n")
    with image_tool(tmp_path / "storage") as tool, pytest.raises(CommandError):
        tool.pull(served.reference, served.digest, "example.org/demo:1")
    assert _layers(tmp_path / "two.tar") == _layers(tmp_path / "one.tar")


def _layers(file: Path) -> list[str]:
    digest = _json(file, "index.json")["manifests"][0]["digest"].replace(":", "/")
    layers = _json(file, f"blobs/{digest}")["layers"]
    assert all(layer["mediaType"].endswith("tar+zstd") for layer in layers)
    return [layer["digest"] for layer in layers]


def _json(file: Path, name: str) -> dict[str, list[dict[str, str]]] | dict[str, list[dict[str, dict[str, str]]]]:
    with tarfile.open(file) as tar:
        content = tar.extractfile(name)
        assert content is not None
        return json.load(content)  # type: ignore[no-any-return]


def test_a_base_keeps_what_runs_and_its_licences(tmp_path: Path) -> None:
    kept = ["./bin/tool", "./usr/lib/x/libc.so.6", "./usr/share/doc/tool/copyright"]
    dropped = ["./dev/null", "./var/lib/dpkg/status", "./etc/apt/sources.list", "./usr/share/man/man1/tool.1.gz"]
    dropped += ["./usr/share/doc/tool/changelog.gz", "./usr/lib/x/gconv/BIG5.so", "./etc/hostname", "./tmp/x"]
    # What only the scripts of packages call, and what looks like it.
    kept += ["./usr/bin/perfquery", "./usr/share/tarballs/tar"]
    dropped += ["./usr/bin/perl5.36", "./usr/share/perl5/A.pm", "./usr/lib/x86_64-linux-gnu/libperl.so.5", "./bin/tar"]
    with tarfile.open(tmp_path / "raw.tar", "w") as tar:
        for number, name in enumerate(kept + dropped):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uid, entry.uname = 1, 1000 + number, 7, "someone"
            tar.addfile(entry, io.BytesIO(b"x"))
    reduce(tmp_path / "raw.tar", {"/bin/sh": "tool"}, tmp_path / "base.tar")
    with tarfile.open(tmp_path / "base.tar") as tar:
        members = {member.name: member for member in tar}
    assert sorted(members) == sorted([*kept, "./bin/sh", "./tmp"])
    assert members["./tmp"].mode == 0o1777
    assert members["./bin/sh"].linkname == "tool"
    assert {(m.mtime, m.uid, m.uname) for m in members.values()} == {(0, 0, "")}


def test_missing_packages_are_named_in_one_line() -> None:
    hosttools.require([{"coreutils": "ls"}])
    with pytest.raises(GedgeError, match="not installed: a-package, z-package") as caught:
        hosttools.require([{"z-package": "no-such-program-here"}, {"a-package": "libnosuch.a", "coreutils": "ls"}])
    assert caught.value.remedy == "apt-get install --no-install-recommends a-package z-package"
