from __future__ import annotations

import pytest

from gedge_provision.planning.failures import explain

SSH = "Task failed: Failed to connect to the host via ssh: "


@pytest.mark.parametrize(
    ("raw", "said", "remedy"),
    [
        (
            SSH + "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nOffending ED25519 key in /k:1\n"
            '  ssh-keygen -f "/k" -R "10.0.0.1"\nHost key verification failed.',
            "the host answers with another SSH key than /k has for it",
            "ssh-keygen -f /k -R 10.0.0.1",
        ),
        (SSH + "Host key verification failed.", "the host's SSH key is not known here", "known_hosts"),
        (
            SSH + "root@10.0.0.1: Permission denied (publickey,password).",
            "let root in (publickey,password)",
            "ssh.user",
        ),
        (
            SSH + "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\nLoad key: bad permissions\n"
            "root@10.0.0.1: Permission denied (publickey).",
            "ssh ignores the private key",
            "chmod 600",
        ),
        (SSH + "ssh: connect to host 10.0.0.1 port 2222: Connection refused", "SSH port 2222", "start sshd"),
        (SSH + "ssh: connect to host 10.0.0.1 port 22: No route to host", "(No route to host)", "switch it on"),
        (SSH + "ssh: connect to host 10.0.0.1 port 22: Connection timed out", "(Connection timed out)", "address"),
        (SSH + "ssh: Could not resolve hostname w1: Name or service not known", "w1 has no address", "ssh_host"),
        (SSH + "kex_exchange_identification: read: Connection reset by peer", "ends the SSH connection", "journal"),
        ("Task failed: Missing sudo password", "sudo asks for a password", "NOPASSWD"),
        ("x\nplain is not in the sudoers file.", "does not let this user become root", "/etc/sudoers.d"),
        ("No start of json char found\n/bin/sh: 1: sudo: not found", "sudo is missing", "ssh.user: root"),
        ("No start of json char found\nThis account is currently not available.", "takes no commands", "usermod"),
        ("The module interpreter '/usr/bin/python3' was not found.", "Python 3 is missing", "apt-get install python3"),
        ("[Errno 28] No space left on device: '/var/lib/x'", "a disk of the host is full", "free space"),
        ("OSError: [Errno 30] Read-only file system: '/etc/x'", "is read-only", "mount it writable"),
    ],
)
def test_what_ssh_and_ansible_say_is_put_in_plain_words(raw: str, said: str, remedy: str) -> None:
    message, arrow, what_to_do = explain(raw).partition(" -> ")
    assert said in message
    assert arrow
    assert remedy in what_to_do
    assert "Task failed" not in message


def test_hosts_with_one_trouble_get_one_text() -> None:
    texts = {explain(f"{SSH}root@10.0.0.{number}: Permission denied (publickey).") for number in range(9)}
    assert len(texts) == 1


def test_unknown_failures_keep_their_words_on_one_screen() -> None:
    assert explain("Task failed: Module failed: kubelet does not start -> see its journal") == (
        "kubelet does not start -> see its journal"
    )
    assert len(explain("Task failed: " + "line\n" * 500).splitlines()) == 12
