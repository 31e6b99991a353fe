#!/usr/bin/python
"""Write whole files on a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: Write or remove whole files on a host, in one call
description:
  - Each file is written atomically and only when its content or mode differs.
  - The original of a file that was there before is kept, and comes back when the node is reset.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content; with O(files[].state=absent) it is not used.
        type: str
        default: ""
      mode:
        description: Octal mode.
        type: str
        default: "0644"
      state:
        description: Whether the file is there.
        type: str
        choices: [present, absent]
        default: present
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author: The gedge-provision authors
"""

EXAMPLES = r"""
- name: Configure the runtime
  gedge.provision.managed_files:
    files:
      - path: /etc/containerd/config.toml
        content: "{{ lookup('ansible.builtin.template', 'config.toml.j2') }}"
"""

RETURN = r"""
changed_paths:
  description: The files that were (or, in check mode, would be) written or removed.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.host_state import sync_file


def main():
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "default": ""},
                    "mode": {"type": "str", "default": "0644"},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            }
        },
        supports_check_mode=True,
    )
    diffs = []
    for file in module.params["files"]:
        content = file["content"] if file["state"] == "present" else None
        try:
            diff = sync_file(file["path"], content, int(file["mode"], 8), module.check_mode)
        except OSError as error:
            module.fail_json(msg="%s cannot be written: %s" % (file["path"], error.strerror))
        if diff:
            diffs.append(diff)
    module.exit_json(changed=bool(diffs), changed_paths=[d["after_header"] for d in diffs], diff=diffs)


if __name__ == "__main__":
    main()
