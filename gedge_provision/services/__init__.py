"""Service documents rolled out on a cluster."""
