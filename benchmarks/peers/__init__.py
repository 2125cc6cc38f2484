"""Peers: what else recognizes faces, each in an environment of its own, on the same pictures."""
