"""The way in of `gedge` and `python -m gedge_provision`: ^C is answered from the first moment, imports included."""

from __future__ import annotations

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from gedge_provision.cli import main as run  # noqa: PLC0415 - half a second in which ^C may come

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
