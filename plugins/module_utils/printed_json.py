"""What programs of a host print as JSON. Standard library only, Python 3.8 and later."""

from __future__ import annotations

import json
import shlex
import subprocess


def printed_json(module, argv, nothing=None, may_fail=False):
    """Run a program that changes nothing, and return what it printed; the module fails, with the command, without JSON.

    Not by `run_command` of Ansible: where a host is so busy that the program takes a second, that may return exit code
    0 without the output (it looks for output, then whether the program has ended, and what came in between is lost).

    Args:
        module: the Ansible module, for the failure.
        argv: the program and its arguments.
        nothing: what it stands for that nothing was printed; an empty list unless given.
        may_fail: whether a program that fails has printed nothing; otherwise the module fails with its words.
    """
    command = shlex.join(argv)
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        rc, out, err = done.returncode, done.stdout.strip(), done.stderr.strip()
    except OSError as error:
        rc, out, err = 1, "", error.strerror
    if rc != 0 and not may_fail:
        module.fail_json(
            msg="`%s` fails: %s -> make it work on this host; it may lack the package of %s"
            % (command, (err or out)[-300:] or "exit code %d" % rc, argv[0])
        )
    if rc != 0 or not out:
        return [] if nothing is None else nothing
    try:
        return json.loads(out)
    except ValueError:
        return module.fail_json(
            msg="`%s` prints no JSON: %s -> run it on this host: a wrapper of the program, or an old one, is in the way"
            % (command, out[:300])
        )
