"""Nodes on one machine: containers that are real hosts to Ansible."""
