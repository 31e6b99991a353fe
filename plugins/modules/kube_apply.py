#!/usr/bin/python
"""Server-side apply of manifests on a control-plane node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_apply
short_description: Server-side apply of manifests, with change detection, in one call
description:
  - Runs C(kubectl) on a control-plane node under the field manager C(gedge). An object counts as changed when its
    resourceVersion changes.
options:
  manifests:
    description: YAML, several documents.
    type: str
    required: true
  kubeconfig:
    description: Credentials on the host.
    type: path
    default: /etc/kubernetes/admin.conf
attributes:
  check_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Apply the network's objects
  gedge.provision.kube_apply:
    manifests: "{{ lookup('ansible.builtin.template', 'flannel.yml.j2') }}"
"""

RETURN = r"""
objects:
  description: The objects that were (in check mode, would be) created or changed, as kind/namespace/name.
  type: list
  elements: str
  returned: always
"""

import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

KUBECTL = "/usr/local/bin/kubectl"
ATTEMPTS = 10
# What the API server answers in the first seconds of a control plane; asking again is the remedy.
TRANSIENT = ("connection refused", "ServiceUnavailable", "etcdserver", "timeout", "EOF", "TLS handshake")


def main():
    module = AnsibleModule(
        argument_spec={
            "manifests": {"type": "str", "required": True},
            "kubeconfig": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.exists(module.params["kubeconfig"]):
        module.exit_json(changed=True, objects=[])
    before = versions(kubectl(module, ["get", "--ignore-not-found", "-o", "json", "-f", "-"]))
    apply = ["apply", "--server-side", "--field-manager=gedge", "--force-conflicts", "-o", "json", "-f", "-"]
    if module.check_mode:
        after = changed_by_dry_run(module, apply)
        module.exit_json(changed=bool(after), objects=after)
    after = versions(kubectl(module, apply))
    changed = sorted(name for name, version in after.items() if before.get(name) != version)
    module.exit_json(changed=bool(changed), objects=changed)


def changed_by_dry_run(module, apply):
    live = contents(kubectl(module, ["get", "--ignore-not-found", "-o", "json", "-f", "-"]))
    would_be = contents(kubectl(module, [*apply, "--dry-run=server"]))
    return sorted(name for name, content in would_be.items() if live.get(name) != content)


def kubectl(module, arguments):
    argv = [KUBECTL, "--kubeconfig", module.params["kubeconfig"], "--request-timeout=20s", *arguments]
    for attempt in range(ATTEMPTS):
        rc, out, err = module.run_command(
            argv, data=module.params["manifests"], environ_update={"KUBECACHEDIR": "/run/gedge/kubectl"}
        )
        if rc == 0:
            return items(out)
        # A namespace that the same manifests create does not exist yet for `get`.
        if arguments[0] == "get" and "namespaces" in err and "not found" in err:
            return []
        if attempt + 1 == ATTEMPTS or not any(word in err for word in TRANSIENT):
            module.fail_json(msg="kubectl %s: %s" % (arguments[0], err.strip()[-800:]))
        time.sleep(1)
    return []


def items(text):
    """Read kubectl's output: nothing, one object, a List, or several objects one after the other."""
    decoder, position, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        found += value["items"] if value.get("kind") == "List" else [value]
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def name_of(item):
    meta = item["metadata"]
    return "/".join(part for part in (item["kind"], meta.get("namespace"), meta["name"]) if part)


def versions(found):
    return {name_of(item): item["metadata"].get("resourceVersion") for item in found}


def contents(found):
    kept = {}
    for item in found:
        meta = {
            k: v for k, v in item["metadata"].items() if k not in ("managedFields", "resourceVersion", "generation")
        }
        kept[name_of(item)] = json.dumps(dict(item, metadata=meta), sort_keys=True)
    return kept


if __name__ == "__main__":
    main()
