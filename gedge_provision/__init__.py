"""Bare Linux hosts to a Kubernetes cluster tuned for low-latency AI services."""
