"""What our modules share on a host: the record of what we changed, files written with a diff, a lock.

Everything we change on a host is recorded below /var/lib/gedge, so that a reset can put it back:
`files.json` names the files that we wrote (with the saved original, where there was one), `folders.json` the folders
that were made for them, `settings.json` the former values of kernel settings, `artifacts.json` what was installed from
the artifact store.
Standard library only, Python 3.8 and later.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time

STATE_DIR = "/var/lib/gedge"
LOCK_FILE = "/run/gedge.lock"
# For programs that ask this host's own API server: a proxy that its environment names is not for that.
NO_PROXY = {"NO_PROXY": "*", "no_proxy": "*"}
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"
KUBELET_PATCH = "/etc/kubernetes/patches/kubeletconfiguration0+merge.yaml"
KUBELET_KEPT = "kubelet_before.json"
CPU_STATE = "/var/lib/kubelet/cpu_manager_state"


def read_record(name):
    """Return the record `name` ({} where there is none yet)."""
    try:
        with open(os.path.join(STATE_DIR, name), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def made(kind, name, action):
    """Describe what a module did, or in check mode would do: the same words in a plan, a run's record and drift."""
    return {"kind": kind, "name": name, "action": action}


def files_made(diffs):
    """Describe the files of diffs from `sync_file`."""
    return [made("file", diff["after_header"], diff["action"]) for diff in diffs]


def write_record(name, value):
    """Write the record `name` so that a killed run leaves the old one or the new one; an empty one goes."""
    if not value:
        _unlink(os.path.join(STATE_DIR, name))
        return
    os.makedirs(STATE_DIR, mode=0o755, exist_ok=True)
    write_atomically(os.path.join(STATE_DIR, name), json.dumps(value, indent=1, sort_keys=True) + "\n", 0o600)


def write_atomically(path, content, mode):
    """Write text to a file by rename, with its mode set before it has a name."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".gedge-")
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def read_text(path):
    """Return a file's text, or None where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sync_file(path, content, mode, check_mode):
    """Make a file of root have this content and mode; content None removes it.

    The original of a file that was not ours is kept, and the path is recorded for the reset.

    Returns:
        None when nothing differs, else a diff for Ansible (before, after, headers), with the action as one more key.
    """
    before = read_text(path)
    found = os.stat(path) if before is not None else None
    same_mode = found is not None and (found.st_mode & 0o7777, found.st_uid) == (mode, 0)
    if content is None:
        if before is None:
            if not check_mode:
                forget(path)
            return None
    elif before == content and same_mode:
        return None
    diff = {
        "before_header": path,
        "after_header": path,
        "before": before or "",
        "after": content or "",
        "action": "remove" if content is None else "create" if before is None else "change",
    }
    if not check_mode:
        record = read_record("files.json")
        if path not in record:
            record[path] = _save_original(path) if before is not None else None
            write_record("files.json", record)
        if content is None:
            os.unlink(path)
            forget(path)
        else:
            _record_folders(os.path.dirname(path))
            write_atomically(path, content, mode)
    return diff


def return_file(path, check_mode):
    """Undo `sync_file`: what was there before comes back, else the file goes; it is then no longer ours.

    Returns:
        A diff as `sync_file` has it, None when there is nothing to undo.
    """
    record = read_record("files.json")
    if path not in record:
        return None
    saved, before = record[path], read_text(path)
    after = "" if saved is None else read_text(saved)
    if not check_mode:
        if saved is not None:
            copy_file(saved, path)
        elif before is not None:
            os.unlink(path)
        _forget_file(path)
        if saved is not None:
            _unlink(saved)
    if saved is None and before is None:
        return None
    action = "remove" if saved is None else "restore"
    return {"before_header": path, "after_header": path, "before": before or "", "after": after, "action": action}


def forget(path):
    """Forget a file that is gone, unless the reset shall bring back what was there before us."""
    if read_record("files.json").get(path, "") is None:
        _forget_file(path)


def forget_folder(folder):
    """Forget what we made in a folder that is gone, and the folder."""
    for path in read_record("files.json"):
        if path.startswith(folder + "/"):
            forget(path)
    made_folders = read_record("folders.json")
    left = {path: True for path in made_folders if path != folder and not path.startswith(folder + "/")}
    if left != made_folders:
        write_record("folders.json", left)


def _forget_file(path):
    """Take a file out of the record, and with it the folders that were made for it and are empty."""
    record = read_record("files.json")
    del record[path]
    write_record("files.json", record)
    folders, folder = read_record("folders.json"), os.path.dirname(path)
    while folder in folders:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            break
        del folders[folder]
        write_record("folders.json", folders)
        folder = os.path.dirname(folder)


def _unlink(path):
    """Remove what we keep, and its folder with the last of it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    for folder in (os.path.join(STATE_DIR, "originals"), STATE_DIR):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _record_folders(folder):
    """Note the folders that are about to be made for a file, so that the reset can tell them from others."""
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    if missing:
        write_record("folders.json", dict(read_record("folders.json"), **dict.fromkeys(missing, True)))


def _save_original(path):
    folder = os.path.join(STATE_DIR, "originals")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    saved = os.path.join(folder, hashlib.sha256(path.encode()).hexdigest()[:16])
    copy_file(path, saved)
    return saved


def copy_file(source, target):
    """Copy a file with its mode, times and owner."""
    shutil.copy2(source, target)
    stat = os.stat(source)
    os.chown(target, stat.st_uid, stat.st_gid)


def keep_original(path):
    """Save a file that is about to be replaced, unless it is ours already; the reset brings it back."""
    record = read_record("files.json")
    if path not in record and os.path.isfile(path):
        record[path] = _save_original(path)
        write_record("files.json", record)


def note_kubelet_config():
    """Record the kubelet's configuration as kubeadm has just written it."""
    write_record("kubelet.json", {"config": _digest(KUBELET_CONFIG)})


def kubelet_former():
    """Return the node's settings from before a change that was cut off, as a kubeadm patch; empty without one."""
    kept = read_record(KUBELET_KEPT).get("files", {}).get(KUBELET_PATCH)
    return kept or "" if read_text(KUBELET_PATCH) is None else ""


def kubelet_touched():
    """Return what of the kubelet's files somebody has changed since: its configuration, the state of its CPU manager.

    A state of another policy than the configuration's does no harm until the kubelet starts again: it then refuses to.
    """
    noted = read_record("kubelet.json").get("config")
    if noted is None:
        return []
    touched = [KUBELET_CONFIG] if noted != _digest(KUBELET_CONFIG) else []
    state = read_text(CPU_STATE)
    if state is not None and not touched and _cpu_policy_of(state) != _configured_cpu_policy():
        touched.append(CPU_STATE)
    return touched


def _cpu_policy_of(state):
    try:
        return json.loads(state).get("policyName")
    except (AttributeError, ValueError):
        return None


def _configured_cpu_policy():
    found = re.search(r"^cpuManagerPolicy: *(\S+)", read_text(KUBELET_CONFIG) or "", re.MULTILINE)
    return found.group(1).strip("\"'") if found else "none"


def _digest(path):
    return hashlib.sha256((read_text(path) or "").encode()).hexdigest()


@contextlib.contextmanager
def host_lock(module, timeout_s, shared=False):
    """Hold the host's lock: a run that was killed may have left its last step running here.

    Steps that hold it as shared may do so at the same time.
    """
    with open(LOCK_FILE, "w", encoding="utf-8") as file:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    module.fail_json(
                        msg="another run still works on this host after %d s (lock %s) -> wait for it, or end it: "
                        "fuser %s names the process" % (timeout_s, LOCK_FILE, LOCK_FILE)
                    )
                time.sleep(0.5)
        yield


def has_function(proof):
    """Tell whether the kernel has a function: a path that exists, or `filesystem:NAME`."""
    kind, _, name = proof.partition(":")
    if kind == "filesystem":
        return name in (read_text("/proc/filesystems") or "").split()
    return os.path.exists(proof)


def in_container():
    """Tell whether this host shares its kernel (a container node)."""
    if os.path.exists("/run/.containerenv") or os.path.exists("/.dockerenv"):
        return True
    content = read_text("/run/systemd/container") or read_text("/run/host/container-manager")
    return bool(content)


def cgroup_version():
    """Return 1 or 2: the hierarchy that the kubelet will use."""
    return 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1
