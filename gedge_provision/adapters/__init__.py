"""The only importers of subprocess, ansible_runner, kubernetes and HTTP, and the only writers of files."""
