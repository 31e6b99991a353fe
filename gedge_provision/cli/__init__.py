"""The command `gedge`: parse, one call, render."""

from gedge_provision.cli._main import main

__all__ = ["main"]
