"""What programs print as JSON: nothing at all, an error, or something else."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from plugins.action.kube_apply import items
from plugins.module_utils import sriov_functions
from plugins.module_utils.programs import look, printed_json
from plugins.modules import kubeadm, preflight


class FailedError(Exception):
    """What ends a module."""


class Module:
    """An Ansible module that fails."""

    def fail_json(self, msg: str) -> NoReturn:
        raise FailedError(msg)


Program = Any


@pytest.fixture
def ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Make a program `ip` that does what a line of shell says."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(line: str) -> None:
        (tmp_path / "ip").write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / "ip").chmod(0o755)

    return make


LINKS = """echo '[{}, {"ifname": "eth0", "mtu": 1400, "addr_info": [{"local": "192.0.2.1"}]}]'"""


def test_the_interface_of_an_address_is_found_or_not(ip: Program) -> None:
    ip(LINKS)
    assert preflight.interface_of(Module(), "192.0.2.1") == ("eth0", 1400)
    assert preflight.interface_of(Module(), "192.0.2.9") == (None, 0)
    ip("true")
    assert preflight.interface_of(Module(), "192.0.2.1") == (None, 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("echo no socket >&2; exit 2", "`ip -json -4 address` fails: no socket -> make it work on this host; it may"),
        ("exit 7", "`ip -json -4 address` fails: exit code 7 -> "),
        ("echo eth0 UP", "`ip -json -4 address` prints no JSON: eth0 UP -> run it on this host: a wrapper"),
    ],
)
def test_what_failed_is_told_with_the_remedy(ip: Program, line: str, told: str) -> None:
    ip(line)
    with pytest.raises(FailedError) as caught:
        preflight.interface_of(Module(), "192.0.2.1")
    assert str(caught.value).startswith(told)


def test_the_output_of_a_program_on_a_busy_host_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks whether it has ended is not scheduled for a while: Ansible's `run_command` then returns nothing."""
    poll = subprocess.Popen.poll

    def late(self: subprocess.Popen[bytes]) -> int | None:
        time.sleep(0.2)
        return poll(self)

    monkeypatch.setattr(subprocess.Popen, "poll", late)
    assert look(["sh", "-c", "sleep 1.1; echo '[]'"]) == (0, "[]\n", "")
    # A token that is lost would be told by the kubelet of the host that joins with none.
    with patch_module_args({}):
        module = AnsibleModule(argument_spec={})
    assert kubeadm.ask(module, ["sh", "-c", 'sleep 1.1; echo "$NO_PROXY" abcdef']) == "* abcdef\n"


def test_a_token_that_is_not_printed_is_a_failure(tmp_path: Path) -> None:
    program = tmp_path / "kubeadm"
    program.write_text("#!/bin/sh\n[ $3 = silent ] || echo no etcd, abcdef.0123456789abcdef >&2; exit $4\n")
    program.chmod(0o755)
    for words, told in (
        (("token", "1"), "kubeadm token 1 failed: no etcd, <hidden> -> run it on this host"),
        (("silent", "0"), "kubeadm silent 0 failed: it says nothing -> run it on this host"),
    ):
        with pytest.raises(FailedError, match=told):
            kubeadm.ask(Module(), [str(program), "--kubeconfig", "/conf", *words])


def test_a_program_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="No such file or directory -> make it work on this host"):
        printed_json(Module(), [str(tmp_path / "nothing"), "x y"])


def test_a_program_that_may_fail_has_printed_nothing(ip: Program) -> None:
    ip("echo half; exit 1")
    assert printed_json(Module(), ["ip"], may_fail=True) == []
    assert printed_json(Module(), ["ip"], nothing={}, may_fail=True) == {}


def test_the_program_of_the_boot_tells_it_too(ip: Program) -> None:
    ip("true")
    assert sriov_functions.settings_of("eth0") == {}
    assert sriov_functions.largest_mtu("eth0") == 0
    ip("echo eth0 UP")
    with pytest.raises(sriov_functions.FunctionError, match="dev eth0` prints no JSON: eth0 UP -> run it on this host"):
        sriov_functions.largest_mtu("eth0")


def test_what_kubectl_prints_beside_objects_is_told() -> None:
    assert items('{"kind": "A"}\n{"kind": "List", "items": [{"kind": "B"}]}\n') == [{"kind": "A"}, {"kind": "B"}]
    with pytest.raises(AnsibleActionFail, match="kubectl prints no JSON on the control-plane node: Welcome -> run it"):
        items('{"kind": "A"}\nWelcome')
    with pytest.raises(AnsibleActionFail, match="control-plane node: 5 updates can be installed -> run it"):
        items("5 updates can be installed")
