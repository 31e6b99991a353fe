#!/usr/bin/python
"""Documentation of the action plugin `serving_certificate`; the work is done on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: serving_certificate
short_description: Keep the certificate of a server in a Secret of the cluster
description:
  - Puts a certificate and its key, both read from files of the controller, into a Secret of type C(kubernetes.io/tls).
    Without files it makes a self-signed one, and another one 30 days before its end, or when names are missing in it.
  - The key is in no argument, no result and no log; it goes to the host by standard input.
options:
  name:
    description: Name of the Secret.
    type: str
    required: true
  namespace:
    description: Its namespace, which must be there.
    type: str
    required: true
  owner:
    description: Value of its label C(gedge.dev/role), by which C(kube_apply) finds it when it is not wanted any more.
    type: str
    required: true
  server:
    description: Name of the server, for people.
    type: str
    required: true
  urls:
    description: Where the server shows the certificate; told with its fingerprint.
    type: list
    elements: str
    required: true
  names:
    description: DNS names and addresses that a certificate has that is made here.
    type: list
    elements: str
    default: []
  certificate:
    description: File on the controller, PEM; empty means that one is made.
    type: path
    default: ""
  key:
    description: File on the controller with its key, PEM.
    type: path
    default: ""
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
- name: Keep the certificate of the server
  gedge.provision.serving_certificate:
    name: gse-api-server-certificate
    namespace: kube-system
    owner: gse_api_server
    server: GSE API server
    urls: [https://192.168.40.11:9443]
    names: [192.168.40.11, gse-api-server.kube-system.svc]
"""

RETURN = r"""
objects:
  description: What was (in check mode, would be) done, each with kind, name and action.
  type: list
  elements: dict
  returned: always
ansible_facts:
  description: C(gedge_serving_certificate) with server, urls, fingerprint (SHA-256) and not_after.
  type: dict
  returned: always
"""
