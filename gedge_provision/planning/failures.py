"""What Ansible and ssh say when a host cannot be worked on, in plain words with a remedy."""

from __future__ import annotations

import re

__all__ = ["explain"]

# First match wins. Named groups of the pattern fill the texts.
_KNOWN: tuple[tuple[str, str], ...] = (
    (
        r"HOST IDENTIFICATION HAS CHANGED.*?ssh-keygen -f \"(?P<file>[^\"]+)\" -R \"(?P<host>[^\"]+)\"",
        (
            "the host answers with another SSH key than {file} has for it"
            " -> find out why, and if it was installed anew: ssh-keygen -f {file} -R {host}, then add its new key"
        ),
    ),
    (
        r"Host key verification failed",
        (
            "the host's SSH key is not known here"
            " -> compare it at the host and add it to the known_hosts file (ssh.known_hosts in the site file)"
        ),
    ),
    (
        r"(?:bad permissions|UNPROTECTED PRIVATE KEY)",
        "ssh ignores the private key, because others can read it -> chmod 600 on the file of ssh.private_key",
    ),
    (
        r"(?P<user>[^\s@:]+)@[^\s:]+: Permission denied \((?P<ways>[^)]*)\)",
        (
            "SSH does not let {user} in ({ways})"
            " -> correct ssh.user or ssh.private_key in the site file, or put the key on the host: ssh-copy-id"
        ),
    ),
    (
        r"port (?P<port>\d+): Connection refused",
        "nothing listens on SSH port {port} -> start sshd on the host, or correct ssh.port in the site file",
    ),
    (
        r"Could not resolve hostname (?P<name>[^\s:]+)",
        "the name {name} has no address -> correct ssh_host in the site file, or the name service",
    ),
    (
        r"(?P<why>No route to host|Connection timed out|Network is unreachable|Host is down|Operation timed out)",
        "the host does not answer ({why}) -> switch it on, or correct its address or ssh_host in the site file",
    ),
    (
        r"(?P<why>Connection closed by|Connection reset by peer|kex_exchange_identification|banner exchange)",
        "the host ends the SSH connection before login ({why}) -> look at sshd's journal there",
    ),
    (
        r"(?:Missing sudo password|sudo: a password is required|Incorrect sudo password)",
        "sudo asks for a password -> let this user run sudo without one (NOPASSWD in /etc/sudoers.d), or use root",
    ),
    (
        r"(?:is not in the sudoers file|is not allowed to (?:execute|run)|may not run sudo)",
        "sudo does not let this user become root -> add the user to /etc/sudoers.d on the host, or use root",
    ),
    (
        r"sudo: (?:command )?not found|[Nn]o such file or directory: '?sudo",
        "sudo is missing on the host -> install it there, or set ssh.user: root",
    ),
    (
        r"(?:account is currently not available|nologin)",
        "the user's login shell takes no commands -> give the user a shell on the host: usermod -s /bin/bash",
    ),
    (
        r"module interpreter '[^']*' was not found|python3?: (?:command )?not found|discover.* interpreter",
        "Python 3 is missing on the host -> install it there: apt-get install python3, or dnf install python3",
    ),
    (
        r"No space left on device",
        "a disk of the host is full -> free space there (df -h names it)",
    ),
    (
        r"Read-only file system",
        "a file system of the host is read-only -> look at the host's journal, mount it writable",
    ),
)
_WRAPPERS = re.compile(r"^(?:(?:Task|Module|Action) failed: )+")
_MOST_LINES = 12


def explain(message: str) -> str:
    """Return a failure as `what -> what to do`, from the text that Ansible has for it.

    What nobody knows here is returned without Ansible's own beginning, at most twelve lines of it; the whole text is in
    the run's log.
    """
    for pattern, words in _KNOWN:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return words.format(**found.groupdict(default=""))
    return "\n".join(_WRAPPERS.sub("", message).splitlines()[:_MOST_LINES])
