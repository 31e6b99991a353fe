"""Write docs/commands.md from the command line itself: python docs/commands_page.py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from gedge_provision.cli._main import app

PAGE = Path(__file__).with_name("commands.md")

EXIT_CODES = {
    0: "done; also when there was nothing to do",
    1: "something failed or refused (a host, the cluster, a program), or what was asked after is not there or not "
    "ready. A host that lacks what is asked for, a missing consent (`--drain-ok` ...) and pods that cannot be moved "
    "end a run before it changes any host: its message then says `no host was changed`",
    2: "the command cannot begin: an option, a document, a saved plan, or what it needs on this machine (a file, a "
    "program, a lab's node) is wrong or missing; nothing was changed",
    3: "no node can hold the service, and nothing was created; of `gedge drift`: something differs; of `gedge "
    "topology pods`: something is misaligned, or inconsistent; of `gedge gpu check`: an image does not fit each class "
    "that was asked about, or that is not known",
    130: "interrupted by ^C, a run on hosts by SIGTERM too; hosts keep what was done, the same command goes on",
}

_HEAD = """\
# Commands

Made from the program by `python docs/commands_page.py`; a test compares the two. The option `--help` says the same.

Answers go to standard output; progress, notices and errors to standard error. `--output json` prints the answer for
programs. `gedge --version` shows the version, `gedge --install-completion` lets the shell complete commands.

| exit code | meaning |
|---|---|
"""
_FOOT = """

`gedge lab shell` and `gedge lab logs` end with the exit code of what they run.

"""


def page() -> str:
    """Return the whole page."""
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    root = get_command(app)
    sections = [_section(path, command, context) for path, command, context in commands(root, "gedge", None)]
    return _HEAD + "\n".join(codes) + _FOOT + "\n".join(sections)


def commands(command: Any, path: str, parent: Any) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - click's own classes
    """Yield each command below one: its words, itself and its context."""
    context = command.context_class(command, info_name=path.rsplit(" ", 1)[-1], parent=parent)
    if not hasattr(command, "commands"):
        yield path, command, context
        return
    for name, below in sorted(command.commands.items()):
        yield from commands(below, f"{path} {name}", context)


def parameters(command: Any, context: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - click's own classes
    """Return what a command takes, and what it means: the lines of its --help."""
    records = [parameter.get_help_record(context) for parameter in command.params]
    return [(left, right) for left, right in filter(None, records)]


def _section(path: str, command: Any, context: Any) -> str:  # noqa: ANN401 - click's own classes
    arguments = [
        parameter.metavar or parameter.name.upper()
        for parameter in command.params
        if parameter.param_type_name == "argument"
    ]
    lines = [f"## {path}", "", f"`{' '.join([path, *arguments])}`", "", inspect.cleandoc(command.help or ""), ""]
    if rows := parameters(command, context):
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_cell(left)}` | {_cell(right)} |" for left, right in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
