"""Building, fetching, packing and resolving with a real small product."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gedge_provision.adapters.images import image_tool
from gedge_provision.adapters.store import Store
from gedge_provision.artifacts import resolve
from gedge_provision.artifacts.archive import pack, unpack
from gedge_provision.artifacts.build import BuildReport, build
from gedge_provision.models.catalog import Catalog, Source
from gedge_provision.models.errors import GedgeError, UsageError
from gedge_provision.models.progress import SilentReporter

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="no Go on PATH: apt-get install golang-go")

MODULE = "example.org/demo"


def catalog(**changes: Any) -> Catalog:
    entries = [
        {
            "name": name,
            "kind": "binary",
            "version": "v1.0.0",
            "purpose": "demo",
            "needed_on": ["all"],
            "build": {"product": "demo", "package": f"{MODULE}/{name}"},
            "upstream": changes.get(name, {"url": "https://example.org/x"}),
        }
        for name in ("hello", "other")
    ]
    product = {"module": MODULE, "version": "v1.0.0", "variables": changes.get("variables", {})}
    return Catalog.model_validate({"products": {"demo": product}, "bases": {}, "artifacts": entries})


class Workshop:
    """A store and the Go module of the small product."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / "store")
        self.gobuild = root / "gobuild"
        for name in ("hello", "other"):
            folder = self.gobuild / "demo" / name
            folder.mkdir(parents=True)
            (folder / "main.go").write_text(f'package main\n\nvar word = "{name}"\n\nfunc main() {{ print(word) }}\n')
        (self.gobuild / "demo" / "go.mod").write_text(f"module {MODULE}\n\ngo 1.21\n")
        (self.gobuild / "demo" / "go.sum").write_text("")

    def build(self, wanted: Catalog | None = None, **options: Any) -> BuildReport:
        return build(wanted or catalog(), self.store, self.root, SilentReporter(), content=self.root, **options)

    def output(self, name: str) -> str:
        path = self.store.entries()[name].path
        return subprocess.run([path], capture_output=True, text=True, check=True).stderr


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_build_then_nothing_to_do(workshop: Workshop) -> None:
    assert workshop.build() == BuildReport(("hello", "other"), (), ())
    assert workshop.output("hello") == "hello"
    before = {name: entry.path.stat().st_mtime_ns for name, entry in workshop.store.entries().items()}
    assert workshop.build() == BuildReport((), ("hello", "other"), ())
    assert before == {name: entry.path.stat().st_mtime_ns for name, entry in workshop.store.entries().items()}
    assert not workshop.store.work.exists() or list(workshop.store.work.iterdir()) == []


def test_force_builds_again_and_gives_the_same_bytes(workshop: Workshop) -> None:
    workshop.build()
    before = workshop.store.entries()
    assert workshop.build(names=["hello"], force=True).made == ("hello",)
    assert workshop.store.entries() == before


def test_what_left_the_catalog_leaves_the_store(workshop: Workshop) -> None:
    workshop.build()
    smaller = catalog()
    smaller = smaller.model_copy(update={"artifacts": smaller.artifacts[:1]})
    assert workshop.build(smaller, names=["hello"]).unchanged == ("hello",)
    gone = workshop.store.entries()["other"].path
    assert workshop.build(smaller).unchanged == ("hello",)
    assert set(workshop.store.entries()) == {"hello"}
    assert not gone.exists()


def test_only_the_named_are_built(workshop: Workshop) -> None:
    assert workshop.build(names=["other"]).made == ("other",)
    assert set(workshop.store.entries()) == {"other"}
    with pytest.raises(UsageError, match="no artifact of this name") as caught:
        workshop.build(names=["helo"])
    assert "did you mean 'hello'" in caught.value.remedy


def test_what_no_host_needs_is_made_and_packed_by_name_only(workshop: Workshop) -> None:
    data = catalog().model_dump(mode="json", exclude_none=True)
    data["artifacts"][1]["needed_on"] = ["bench"]
    wanted = Catalog.model_validate(data)
    assert workshop.build(wanted).made == ("hello",)
    with pytest.raises(UsageError, match="lacks other") as caught:
        resolve(wanted, workshop.store, ["other"])
    assert caught.value.remedy == "run: gedge artifacts build other"

    assert workshop.build(wanted, names=["other"]).made == ("other",)
    assert workshop.build(wanted) == BuildReport((), ("hello",), ())
    assert set(workshop.store.entries()) == {"hello", "other"}
    pack(wanted, workshop.store, workshop.root / "all.tar", SilentReporter())
    packed = unpack(Store(workshop.root / "unpacked"), workshop.root / "all.tar", SilentReporter())
    assert [one.name for one in packed] == ["hello"]


def test_a_damaged_file_is_named_and_made_again(workshop: Workshop) -> None:
    workshop.build()
    damaged = workshop.store.entries()["hello"].path
    damaged.chmod(0o755)
    damaged.write_bytes(b"not it")
    assert workshop.build() == BuildReport(("hello",), ("other",), ("hello",))
    assert workshop.output("hello") == "hello"
    assert workshop.store.verify() == []


def test_what_decides_the_content_leads_to_a_new_build(workshop: Workshop) -> None:
    workshop.build()
    old = workshop.store.entries()["hello"].path
    wanted = catalog(variables={"main.word": "{version}:{major}.{minor}"})
    assert workshop.build(wanted).made == ("hello", "other")
    assert workshop.output("hello") == "v1.0.0:1.0"
    assert not old.exists()


def test_a_failed_build_keeps_what_was_made(workshop: Workshop) -> None:
    broken = workshop.gobuild / "demo" / "other" / "main.go"
    good = broken.read_text()
    broken.write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(GedgeError, match="undefined: nonsense"):
        workshop.build()
    assert set(workshop.store.entries()) == {"hello"}
    broken.write_text(good)
    assert workshop.build() == BuildReport(("other",), ("hello",), ())


def test_a_killed_build_goes_on(workshop: Workshop) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from gedge_provision.adapters.store import Store\n"
        "s = Store(pathlib.Path(sys.argv[1]))\n"
        "with s.locked():\n"
        " (s.work / 'programs').mkdir(); (s.work / 'programs' / 'half').write_text('half')\n"
        " (s.root / 'blobs/sha256').mkdir(parents=True); (s.root / 'blobs/sha256' / ('0' * 64)).write_text('half')\n"
        " print('now', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(workshop.store.root)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(GedgeError, match=f"process {other.pid} "):
            workshop.build()
        os.kill(other.pid, signal.SIGKILL)
    assert workshop.build().made == ("hello", "other")
    assert {path.name for path in (workshop.store.root / "blobs" / "sha256").iterdir()} == {
        entry.sha256 for entry in workshop.store.entries().values()
    }


def test_an_interrupt_ends_the_compilers_and_the_next_build_completes(workshop: Workshop) -> None:
    slow = workshop.root / "bin"
    slow.mkdir()
    # A real program in place of the compiler's name on PATH: it answers the version and then never ends.
    (slow / "go").write_text(
        f'#!/bin/sh\n[ "$1" = env ] && exec {shutil.which("go")} "$@"\necho $$ > {workshop.root}/pid\nexec sleep 300\n'
    )
    (slow / "go").chmod(0o755)
    code = (
        "import signal, sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "from test_make_artifacts import Workshop, catalog\n"
        "from gedge_provision.artifacts.build import build\n"
        "from gedge_provision.adapters.store import Store\n"
        "from gedge_provision.models.progress import SilentReporter\n"
        "r = pathlib.Path(sys.argv[1])\n"
        "build(catalog(), Store(r / 'store'), r, SilentReporter(), content=r)"
    )
    environment = os.environ | {"PATH": f"{slow}:{os.environ['PATH']}"}
    argv = [sys.executable, "-c", code, str(workshop.root), str(Path(__file__).parent)]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as process:
        pid = workshop.root / "pid"
        deadline = time.monotonic() + 120
        while not pid.exists() or not pid.read_text():
            assert time.monotonic() < deadline, "the compiler was not started"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    assert "KeyboardInterrupt" in stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert workshop.build().made == ("hello", "other")


def test_resolve_wants_the_version_and_target_of_the_catalog(workshop: Workshop) -> None:
    with pytest.raises(GedgeError, match="store is empty") as caught:
        resolve(catalog(), workshop.store, ["hello", "other"])
    assert caught.value.remedy == "run: gedge artifacts build"
    workshop.build()
    found = resolve(catalog(), workshop.store, ["other", "hello"])
    assert [item.name for item in found] == ["other", "hello"]
    found[1].path.unlink()
    with pytest.raises(GedgeError, match="lacks hello\n"):
        resolve(catalog(), workshop.store, ["other", "hello"])


def test_an_unpacked_store_needs_no_compiler(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.build()
    digest = pack(catalog(), workshop.store, tmp_path / "all.tar", SilentReporter())
    offline = Store(tmp_path / "offline")
    with pytest.raises(UsageError, match="another sha256"):
        unpack(offline, tmp_path / "all.tar", SilentReporter(), "0" * 64)
    unpack(offline, tmp_path / "all.tar", SilentReporter(), digest)
    monkeypatch.setenv("PATH", "/nowhere")
    report = build(catalog(), offline, tmp_path / "cache", SilentReporter(), content=workshop.root)
    assert report == BuildReport((), ("hello", "other"), ())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server on the loopback, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


def test_upstream_files_and_members_of_archives(workshop: Workshop, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "hello").write_bytes(b"#!/bin/sh\necho upstream >&2\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("./bin/other")
        content = b"#!/bin/sh\necho member >&2\n"
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    (folder / "other.tgz").write_bytes(gzip.compress(buffer.getvalue()))
    pins = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("hello", "other.tgz")}
    wanted = catalog(
        hello={"url": f"{url}/hello", "sha256": pins["hello"]},
        other={"url": f"{url}/other.tgz", "member": "./bin/other", "sha256": pins["other.tgz"]},
    )
    assert workshop.build(wanted, source=Source.UPSTREAM).made == ("hello", "other")
    assert workshop.output("hello") == "upstream\n"
    assert workshop.output("other") == "member\n"
    assert {entry.source for entry in workshop.store.entries().values()} == {"upstream"}
    assert workshop.build(wanted, source=Source.UPSTREAM).made == ()
    assert workshop.build(wanted).made == (), "what came from upstream is as good as built"
    assert workshop.build(wanted, source=Source.BUILD).made == ("hello", "other")


@pytest.mark.skipif(shutil.which("buildah") is None, reason="no buildah: apt-get install buildah")
def test_a_file_that_is_published_inside_an_image(workshop: Workshop, serve_image: Callable[[Path], Any]) -> None:
    program = workshop.root / "program"
    program.write_bytes(b"#!/bin/sh\necho inside >&2\n")
    with image_tool(workshop.root / "storage") as tool:
        tool.build("localhost/demo:1", "FROM scratch\nCOPY program /usr/bin/p\n", {"program": program})
        tool.save("localhost/demo:1", workshop.root / "image.tar")
    served = serve_image(workshop.root / "image.tar")
    upstream = {"reference": served.reference, "sha256": served.digest, "member": "/usr/bin/p"}
    wanted = catalog(hello=upstream)
    assert workshop.build(wanted, names=["hello"], source=Source.UPSTREAM).made == ("hello",)
    assert workshop.output("hello") == "inside\n"
    wanted = catalog(hello=upstream | {"member": "/usr/bin/q"})
    with pytest.raises(GedgeError, match="the image has no file /usr/bin/q"):
        workshop.build(wanted, names=["hello"], source=Source.UPSTREAM)
    assert workshop.output("hello") == "inside\n"


def test_a_program_of_ours_is_packed_also_where_the_rest_is_fetched(workshop: Workshop, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "hello").write_bytes(b"hello")
    pin = hashlib.sha256(b"hello").hexdigest()
    own = workshop.root / "programs" / "greeter"
    own.mkdir(parents=True)
    (own / "__main__.py").write_text("import words\nimport sys\n\nprint(words.TEXT, file=sys.stderr)\n")
    (own / "words.py").write_text('TEXT = "ours"\n')
    data = catalog(hello={"url": f"{url}/hello", "sha256": pin}).model_dump(mode="json", exclude_none=True)
    data["artifacts"][1] |= {"build": {"program": "greeter"}, "version": "v2.0.0"}
    del data["artifacts"][1]["upstream"]
    wanted = Catalog.model_validate(data)
    assert workshop.build(wanted, source=Source.UPSTREAM).made == ("hello", "other")
    assert workshop.output("other") == "ours\n"
    assert {name: entry.source for name, entry in workshop.store.entries().items()} == {
        "hello": "upstream",
        "other": "build",
    }
    first = workshop.store.entries()["other"].sha256
    assert workshop.build(wanted, source=Source.UPSTREAM).made == ()
    workshop.build(wanted, names=["other"], force=True)
    assert workshop.store.entries()["other"].sha256 == first
    (own / "words.py").write_text('TEXT = "changed"\n')
    assert workshop.build(wanted).made == ("other",)
    assert workshop.output("other") == "changed\n"
    (own / "__main__.py").unlink()
    with pytest.raises(GedgeError, match="the program greeter cannot be read"):
        workshop.build(wanted)


def test_an_upstream_source_without_a_pin_is_refused(workshop: Workshop) -> None:
    with pytest.raises(GedgeError, match="no digest is pinned for the upstream source of hello, other") as caught:
        workshop.build(source=Source.UPSTREAM)
    assert "upstream.sha256" in caught.value.remedy
    assert workshop.store.entries() == {}


def test_a_chart_comes_from_its_publisher_or_out_of_an_archive(workshop: Workshop, site: tuple[str, Path]) -> None:
    url, folder = site
    (folder / "small.tgz").write_bytes(b"a chart")
    pin = hashlib.sha256(b"a chart").hexdigest()
    data = catalog().model_dump(mode="json", exclude_none=True)
    chart = {"name": "small", "kind": "chart", "version": "v1.0.0", "purpose": "demo", "needed_on": ["all"]}
    data["artifacts"].append(chart | {"upstream": {"url": f"{url}/small.tgz", "sha256": pin}})
    wanted = Catalog.model_validate(data)

    report = workshop.build(wanted)
    assert (report.made, report.left_out) == (("hello", "other"), ("small",))
    with pytest.raises(UsageError, match="from its publisher only") as caught:
        workshop.build(wanted, names=["small"])
    assert "--source upstream" in caught.value.remedy
    with pytest.raises(UsageError, match="lacks small") as caught:
        resolve(wanted, workshop.store, ["hello", "small"])
    assert "small comes from its publisher only" in caught.value.remedy
    pack(wanted, workshop.store, workshop.root / "without.tar", SilentReporter())

    assert workshop.build(wanted, names=["small"], source=Source.UPSTREAM).made == ("small",)
    assert workshop.build(wanted) == BuildReport((), ("hello", "other", "small"), ())
    pack(wanted, workshop.store, workshop.root / "with.tar", SilentReporter())
    for name, count in (("without", 2), ("with", 3)):
        assert len(unpack(Store(workshop.root / name), workshop.root / f"{name}.tar", SilentReporter())) == count
    (found,) = resolve(wanted, Store(workshop.root / "with"), ["small"])
    assert (found.path.read_bytes(), found.target) == (b"a chart", "/var/lib/gedge/charts/small-v1.0.0.tgz")
