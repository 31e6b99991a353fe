"""What helm says when it does not get or install a chart, in plain words with a remedy. Pure."""

from __future__ import annotations

import re

__all__ = ["explain_chart"]

_MOST = 400
_FROM_STORE = "take gpu_operator.chart_server out and put the chart into the artifact store: gedge artifacts unpack"
# First match wins. Named groups of the pattern fill the texts.
_KNOWN = {
    r'chart "(?P<chart>[^"]+)" version "(?P<version>[^"]*)" not found in (?P<url>\S+) repository': (
        "the chart server {url} has no chart {chart} {version} -> put that version there, or set gpu_operator.version "
        "to one that it has"
    ),
    r"x509: (?P<why>[^\n]+)": (
        "the certificate of the chart server is not trusted ({why}) -> add its CA to the first control-plane node, or "
        "correct gpu_operator.chart_server"
    ),
    r'looks like "(?P<url>[^"]+)" is not a valid chart repository or cannot be reached: (?P<why>[^\n]+)': (
        "the chart server {url} cannot be reached ({why}) -> start it, correct gpu_operator.chart_server, or "
        + _FROM_STORE
    ),
    r'(?:failed to (?:fetch|download)|Get) "?(?P<url>https?://[^"\s]+)"?[ :]*(?P<why>[^\n]*)': (
        "the chart cannot be fetched from {url} ({why}) -> let the first control-plane node reach it, or " + _FROM_STORE
    ),
    r'path "(?P<path>[^"]+)" not found': (
        "the chart {path} is not on the first control-plane node -> gedge apply --only artifacts,gpu"
    ),
    r"timed out waiting for the condition|context deadline exceeded": (
        "a job of the chart has not ended in time -> look at the pods of its namespace with kubectl get pods, then "
        "apply again"
    ),
    r"Kubernetes cluster unreachable: (?P<why>[^\n]+)": (
        "helm does not reach the API server ({why}) -> look at the first control-plane node"
    ),
}


def explain_chart(message: str) -> str:
    """Return helm's failure as `what -> what to do`; what nobody knows here is returned as helm said it."""
    for pattern, words in _KNOWN.items():
        found = re.search(pattern, message)
        if found:
            return words.format(**{key: value.strip(" .") for key, value in found.groupdict(default="").items()})
    return message.strip()[-_MOST:]
