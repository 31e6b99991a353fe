"""The base image of nodes: a Debian tree made by mmdebstrap, imported into the lab's podman once."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gedge_provision.adapters.locations import cache_dir
from gedge_provision.adapters.locks import locked
from gedge_provision.adapters.processes import CommandError, run
from gedge_provision.models.base_image import Recipe
from gedge_provision.models.errors import GedgeError

__all__ = [
    "base_folder",
    "bootstrap",
    "build_tree",
    "building",
    "host_apt_sources",
    "recipe_files",
    "remove_base_images",
    "remove_stale_work",
    "tool_version",
]

_BUILD_LIMIT_S = 1800


def base_folder() -> Path:
    """Return where base images and what is made beside them lie."""
    return cache_dir() / "base"


def recipe_files(folder: Path) -> dict[str, bytes]:
    """Read a recipe's folder: relative path to content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def tool_version() -> str:
    """Return what mmdebstrap calls itself.

    Raises:
        CommandError: it is missing.
    """
    return run(["mmdebstrap", "--version"]).stdout.strip()


def host_apt_sources() -> tuple[str, dict[str, str]]:
    """Return the code name of a Debian host and its apt sources (file name to content); nothing on other hosts."""
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian":
        return "", {}
    apt = Path("/etc/apt")
    paths = [apt / "sources.list", *sorted((apt / "sources.list.d").iterdir())]
    wanted = [path for path in paths if path.suffix in {".list", ".sources"} and path.is_file()]
    return release.get("VERSION_CODENAME", ""), {path.name: path.read_text(encoding="utf-8") for path in wanted}


@contextmanager
def building() -> Iterator[Path]:
    """Hold the right to build base images; gives a work folder that is removed at the end."""
    base_folder().mkdir(parents=True, exist_ok=True)
    with locked(base_folder(), "base images"):
        _remove_work()
        work = base_folder() / f"work-{os.getpid()}"
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def remove_stale_work() -> None:
    """Remove what a killed build left, unless another one runs."""
    if base_folder().is_dir():
        try:
            with locked(base_folder(), "base images", wait_s=0):
                _remove_work()
        except GedgeError:
            return


def _remove_work() -> None:
    for work in base_folder().glob("work-*"):
        shutil.rmtree(work)


def build_tree(plan: Recipe, recipe_folder: Path, work: Path) -> Path:
    """Make the tree of a recipe as a tar archive in the cache, unless it is there, and return its path.

    Raises:
        CommandError: mmdebstrap failed; its log stays beside the archive.
    """
    archive = base_folder() / f"{plan.digest}.tar"
    if archive.is_file():
        return archive
    made = work / "tree.tar"
    copied = f"--customize-hook=copy-in {recipe_folder / 'rootfs' / 'etc'} /"
    bootstrap(plan, made, work, "--variant=minbase", copied, f"--customize-hook={recipe_folder / 'setup.sh'}")
    return made.rename(archive)


def bootstrap(plan: Recipe, made: Path, work: Path, *options: str) -> None:
    """Make the tree of a recipe by mmdebstrap, as a folder, or as an archive where the name ends so.

    It runs in its own mount and process namespaces and is bound to this process: however either ends, no mount and no
    process stays.

    Raises:
        CommandError: mmdebstrap failed; its log stays in the cache.
    """
    log = base_folder() / f"{plan.digest}.log"
    log.unlink(missing_ok=True)
    argv = [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"),
        *("mmdebstrap", "--mode=root", f"--include={','.join(plan.packages)}"),
        *(
            "--dpkgopt=force-unsafe-io",
            '--aptopt=Acquire::Languages "none"',
            '--aptopt=APT::Install-Recommends "false"',
        ),
        *("--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *([f'--aptopt=APT::Default-Release "{plan.prefer}"'] if plan.prefer else []),
        *(*options, plan.suite, str(made), "-"),
    ]
    done = run(argv, stdin=plan.sources, env={"TMPDIR": str(work)}, log=log, check=False, timeout_s=_BUILD_LIMIT_S)
    if done.returncode != 0:
        raise CommandError(["mmdebstrap", plan.suite], done.returncode, done.stderr, remedy=f"its whole log: {log}")
    log.unlink()


def remove_base_images() -> None:
    """Remove archives and work folders of base images."""
    if base_folder().is_dir():
        with locked(base_folder(), "base images"):
            shutil.rmtree(base_folder())
