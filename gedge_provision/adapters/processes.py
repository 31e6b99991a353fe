"""The one door to other programs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from gedge_provision.models.errors import GedgeError

__all__ = ["CommandError", "interrupt_all", "run"]

_TAIL_LINES = 15
_running: set[subprocess.Popen[str]] = set()


class CommandError(GedgeError):
    """A program that we called failed; `output` is the end of what it printed."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str, *, remedy: str = "") -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.output = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
        super().__init__(f"{' '.join(argv[:6])} ended with {returncode}:\n{self.output}", remedy=remedy)


def run(  # noqa: PLR0913 - each argument mirrors one of subprocess.run
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout_s: float | None = None,
    log: Path | None = None,
    own_session: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program without a shell and return what it printed.

    Args:
        argv: program and arguments.
        cwd: working directory.
        env: variables added to the present environment.
        stdin: text for its standard input; otherwise it has none.
        check: raise when it does not end with 0.
        timeout_s: seconds after which it is killed.
        log: file that the output is appended to.
        own_session: keep it away from the ^C of this terminal.

    Raises:
        CommandError: the program is missing, timed out, or (with check) failed.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=own_session,
        )
    except FileNotFoundError as error:
        raise CommandError(argv, 127, f"{argv[0]}: not found", remedy=f"install {argv[0]}") from error
    with process, _listed(process):
        try:
            stdout, stderr = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise CommandError(argv, 124, f"no end after {timeout_s:g} s") from error
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(list(argv), process.returncode, stdout, stderr)
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {' '.join(argv)}\n{done.stdout}{done.stderr}")
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stdout + done.stderr)
    return done


def interrupt_all() -> None:
    """Send an interrupt to every program that `run` waits for, in whatever thread, as ^C in a terminal does."""
    for process in tuple(_running):
        process.send_signal(signal.SIGINT)


@contextmanager
def _listed(process: subprocess.Popen[str]) -> Iterator[None]:
    _running.add(process)
    try:
        yield
    finally:
        _running.discard(process)
