#!/usr/bin/python
"""Install artifacts on a host by digest, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Install binaries, charts, CNI plugins and images by digest, in one call per host
description:
  - Nothing is installed whose SHA-256 differs from the one asked for.
  - What the host lacks is taken from O(host_path), where the artifact store is mounted, else the controller copies it
    over SSH.
  - A record below C(/var/lib/gedge) saves hashing what has not changed since.
options:
  items:
    description: The artifacts.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in the catalog.
        type: str
        required: true
      kind:
        description: Images are imported into containerd, everything else is a file.
        type: str
        choices: [binary, chart, cni_plugin, image]
        required: true
      sha256:
        description: Digest of the file.
        type: str
        required: true
      size:
        description: Bytes.
        type: int
        required: true
      target:
        description: Absolute path of the installed file, or the image's reference.
        type: str
        required: true
      source:
        description: The file on the controller.
        type: str
  host_path:
    description: Folder on the host where the artifact store is mounted.
    type: path
  defer_images:
    description: >-
      Whether to leave images out while no containerd answers, and to name them in RV(ansible_facts).
    type: bool
    default: false
  take_back:
    description: >-
      Instead of installing, remove what earlier calls installed under names that O(items) does not have.
    type: bool
    default: false
  problem:
    description: Why O(items) is empty, for the refusal of an empty list by the action plugin.
    type: str
    default: ""
  staged:
    description: Used by the action plugin, digests with the paths of the files that it copied to the host.
    type: dict
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Install the kubelet
  gedge.provision.artifacts:
    items:
      - name: kubelet
        kind: binary
        sha256: "{{ digest }}"
        size: 84000000
        target: /usr/local/bin/kubelet
        source: /srv/store/blobs/sha256/{{ digest }}
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
missing:
  description: Digests that the host has no source for; the action plugin copies these and asks again.
  type: list
  elements: str
  returned: always
ansible_facts:
  description: >-
    C(gedge_artifacts), with deferred (names of the images that were left for a later call); with O(defer_images) also
    C(gedge_unneeded), what O(take_back) would remove.
  type: dict
  returned: always
"""

import contextlib
import hashlib
import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import host_lock, keep_original, made, read_record, return_file, write_record
from ..module_utils.programs import look

CTR = "/usr/local/bin/ctr"
CHARTS = "/var/lib/gedge/charts"
CHUNK = 1 << 20


def main():
    item_options = {
        "name": {"type": "str", "required": True},
        "kind": {"type": "str", "choices": ["binary", "chart", "cni_plugin", "image"], "required": True},
        "sha256": {"type": "str", "required": True},
        "size": {"type": "int", "required": True},
        "target": {"type": "str", "required": True},
        "source": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "items": {"type": "list", "elements": "dict", "required": True, "options": item_options},
            "host_path": {"type": "path"},
            "defer_images": {"type": "bool", "default": False},
            "take_back": {"type": "bool", "default": False},
            "problem": {"type": "str", "default": ""},
            "staged": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    items = module.params["items"]
    record = read_record("artifacts.json")
    images = image_digests() if any(item["kind"] == "image" for item in items) else {}
    if module.params["take_back"]:
        take_back(module, unneeded(items, record), record)
    deferred = []
    if images is None and module.params["defer_images"]:
        deferred = [item["name"] for item in items if item["kind"] == "image"]
        items = [item for item in items if item["kind"] != "image"]
    answer = {"missing": [], "ansible_facts": {"gedge_artifacts": {"deferred": deferred}}}
    if module.params["defer_images"]:
        answer["ansible_facts"]["gedge_unneeded"] = sorted(unneeded(module.params["items"], record))
    if images is None and module.check_mode:  # a runtime that only sleeps has kept its images
        images = {target: entry["stamp"] for target, entry in record.items()}
    wanted = [item for item in items if not is_installed(item, record, images)]
    objects = [made(item["kind"], item["name"], action_on(item, record, images)) for item in wanted]
    if module.check_mode or not wanted:
        module.exit_json(changed=bool(wanted), objects=objects, **answer)
    install(module, wanted, answer)
    module.exit_json(changed=True, objects=objects, **answer)


def install(module, wanted, answer):
    """Install what is wanted; what the host has no source for is told, and nothing is installed."""
    sources = {item["sha256"]: source_of(module, item) for item in wanted}
    missing = [digest for digest, path in sources.items() if path is None]
    if missing:
        module.exit_json(changed=False, objects=[], **dict(answer, missing=missing))
    with host_lock(module, 300):
        record = read_record("artifacts.json")
        for item in wanted:
            if item["kind"] == "image":
                import_image(module, item, sources[item["sha256"]])
            else:
                install_file(module, item, sources[item["sha256"]], item["target"] in record)
                record[item["target"]] = {
                    "name": item["name"],
                    "sha256": item["sha256"],
                    "stamp": stamp(item["target"]),
                }
                write_record("artifacts.json", record)
        images = (image_digests() if any(item["kind"] == "image" for item in wanted) else None) or {}
        for item in wanted:
            if item["kind"] == "image":
                if item["target"] not in images:
                    module.fail_json(
                        msg="the archive of %s holds no image %s -> build it again: gedge artifacts build %s"
                        % (item["name"], item["target"], item["name"])
                    )
                record[item["target"]] = {
                    "name": item["name"],
                    "sha256": item["sha256"],
                    "stamp": images[item["target"]],
                }
        write_record("artifacts.json", record)


def unneeded(items, record):
    """Return what an earlier call installed under a name that is asked for no more; of an image, other tags stay."""
    names = {item["name"] for item in items}
    return [target for target, entry in record.items() if entry["name"] not in names]


def take_back(module, targets, record):
    """Remove what is not needed any more; a file that was there before ours comes back."""
    objects = [made(kind_of(target), record[target]["name"], "remove") for target in sorted(targets)]
    if targets and not module.check_mode:
        with host_lock(module, 300):
            remove_images(module, {target for target in targets if not target.startswith("/")})
            for target in targets:
                if target.startswith("/"):
                    take_back_file(target, record[target])
                record = {name: entry for name, entry in read_record("artifacts.json").items() if name != target}
                write_record("artifacts.json", record)
    module.exit_json(changed=bool(objects), objects=objects, missing=[])


def kind_of(target):
    """Return what an artifact is, from where it goes."""
    if not target.startswith("/"):
        return "image"
    return {"/opt/cni/bin": "cni_plugin", CHARTS: "chart"}.get(os.path.dirname(target), "binary")


def remove_images(module, targets):
    """Remove images by name, and what containerd calls them for Kubernetes besides unless another name has them too.

    With the last of its references go an image's content and its unpacked layers.
    """
    images = image_digests() if targets else {}
    if images is None and os.path.exists(CTR):
        module.fail_json(msg="containerd does not answer, images would stay -> start it: systemctl start containerd")
    gone = {target for target in targets if target in (images or {})}
    if not gone:
        return
    left = {reference: digest for reference, digest in images.items() if reference not in gone}
    named = {digest for reference, digest in left.items() if not reference.startswith("sha256:")}
    nameless = {images[target] for target in gone} - named
    gone |= {reference for reference, digest in left.items() if digest in nameless}
    rc, _, err = module.run_command([CTR, "-n", "k8s.io", "images", "remove", "--sync", *sorted(gone)])
    if rc != 0:
        module.fail_json(msg="containerd does not remove %s: %s" % (", ".join(sorted(gone)), err.strip()[-400:]))


def take_back_file(path, entry):
    """Bring back what was before ours; of another owner's file, that is for the reset."""
    theirs = os.path.isfile(path) and not is_ours(path, entry)
    if not theirs and return_file(path, False) is None and os.path.isfile(path):
        os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(CHARTS)  # with the last chart


def is_ours(path, entry):
    """Tell whether a file is what we installed: somebody else may have put his own in its place."""
    return os.path.isfile(path) and (entry["stamp"] == stamp(path) or file_digest(path) == entry["sha256"])


def action_on(item, record, images):
    """Tell what of ours that is there changes, and what is created (anew)."""
    present = item["target"] in (images or {}) if item["kind"] == "image" else os.path.exists(item["target"])
    return "change" if present and item["target"] in record else "create"


def is_installed(item, record, images):
    known = record.get(item["target"])
    if item["kind"] == "image":
        present = (images or {}).get(item["target"])
        return bool(known and present and known["sha256"] == item["sha256"] and known["stamp"] == present)
    if known and known["sha256"] == item["sha256"] and known["stamp"] == stamp(item["target"]):
        return True
    # Not ours, or touched since: its content decides.
    return os.path.isfile(item["target"]) and known is not None and file_digest(item["target"]) == item["sha256"]


def stamp(path):
    """Return what changes when a file is replaced or written to."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return "%d-%d-%d-%o" % (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode & 0o7777)


def image_digests():
    """Return the images that containerd has in Kubernetes' namespace (reference -> digest), None if it is silent."""
    if not os.path.exists(CTR):
        return None
    rc, out, _ = look([CTR, "-n", "k8s.io", "images", "list"])
    if rc != 0:
        return None
    rows = [line.split() for line in out.splitlines()[1:]]
    return {reference: digest for reference, _, digest, *_ in rows}


def source_of(module, item):
    staged = (module.params["staged"] or {}).get(item["sha256"])
    if staged:
        return staged
    if module.params["host_path"]:
        path = os.path.join(module.params["host_path"], "blobs", "sha256", item["sha256"])
        if os.path.isfile(path):
            return path
    return None


def install_file(module, item, source, ours):
    """Copy, hash what was copied, and only then give it its name; a file that was there and is not ours is kept."""
    target = item["target"]
    folder = os.path.dirname(target)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".gedge-")
    digest = hashlib.sha256()
    try:
        with open(source, "rb") as reader, os.fdopen(descriptor, "wb") as writer:
            while True:
                chunk = reader.read(CHUNK)
                if not chunk:
                    break
                digest.update(chunk)
                writer.write(chunk)
        if digest.hexdigest() != item["sha256"]:
            refuse(module, item, source, digest.hexdigest())
        os.chmod(temporary, 0o644 if item["kind"] == "chart" else 0o755)  # programs are for everybody
        if not ours:
            keep_original(target)
        os.rename(temporary, target)
    except OSError as error:
        module.fail_json(msg="%s cannot be installed: %s" % (target, error.strerror))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def import_image(module, item, source):
    digest = file_digest(source)
    if digest != item["sha256"]:
        refuse(module, item, source, digest)
    if not os.path.exists(CTR):
        module.fail_json(msg="%s is missing -> install the container runtime before images" % CTR)
    rc, _, err = module.run_command([CTR, "-n", "k8s.io", "images", "import", "--local", source])
    if rc != 0:
        module.fail_json(msg="containerd does not take the image %s: %s" % (item["target"], err.strip()[-400:]))


def refuse(module, item, source, found):
    module.fail_json(
        msg="%s: the digest of %s is %s..., the catalog's is %s... -> it was not installed, find out who "
        "changed it: gedge artifacts verify" % (item["name"], source, found[:16], item["sha256"][:16])
    )


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        shutil.copyfileobj(file, HashWriter(digest), CHUNK)
    return digest.hexdigest()


class HashWriter:
    """A file that hashes what is written to it."""

    def __init__(self, digest):
        self.write = digest.update


if __name__ == "__main__":
    main()
