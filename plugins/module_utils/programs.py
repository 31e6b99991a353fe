"""What programs of a host print. Standard library only, Python 3.8 and later."""

from __future__ import annotations

import json
import os
import shlex
import subprocess


def look(argv, environment=None):
    """Run a program for what it prints, and return its exit code, output and error output.

    Not by `run_command` of Ansible: where a host is so busy that the program takes a second, that may return exit code
    0 without the output (it waits for output, then asks whether the program has ended, and what came in between is
    lost).

    Args:
        argv: the program and its arguments.
        environment: variables added to the present environment.
    """
    whole = dict(os.environ, **(environment or {}))
    try:
        done = subprocess.run(argv, env=whole, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        return error.errno or 1, "", error.strerror
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def printed_json(module, argv, nothing=None, may_fail=False):
    """Run a program that changes nothing, and return what it printed; the module fails, with the command, without JSON.

    Args:
        module: the Ansible module, for the failure.
        argv: the program and its arguments.
        nothing: what it stands for that nothing was printed; an empty list unless given.
        may_fail: whether a program that fails has printed nothing; otherwise the module fails with its words.
    """
    command = shlex.join(argv)
    rc, out, err = look(argv)
    if rc != 0 and not may_fail:
        module.fail_json(
            msg="`%s` fails: %s -> make it work on this host; it may lack the package of %s"
            % (command, (err or out).strip()[-300:] or "exit code %d" % rc, argv[0])
        )
    if rc != 0 or not out.strip():
        return [] if nothing is None else nothing
    try:
        return json.loads(out)
    except ValueError:
        return module.fail_json(
            msg="`%s` prints no JSON: %s -> run it on this host: a wrapper of the program, or an old one, is in the way"
            % (command, out.strip()[:300])
        )
