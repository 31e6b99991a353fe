"""Runs of the playbooks: apply, status, kubeconfig, reset."""
