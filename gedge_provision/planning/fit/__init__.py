"""Will a service fit, on which nodes and how often? Pure."""
from gedge_provision.planning.fit._asks import ask_of, guaranteed, requests_of
__all__ = ["ask_of", "guaranteed", "requests_of"]
