"""The way into the command line."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from gedge_provision.__main__ import main


class Interrupted(ModuleType):
    """A module at whose import ^C comes."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


def test_an_interrupt_while_modules_load_is_said_in_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gedge_provision.cli", Interrupted("gedge_provision.cli"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_package_can_be_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gedge_provision", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("gedge ")
