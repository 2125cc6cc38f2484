"""Runners: each peer as its own documentation uses it. They run in the peer's environment, where
neither `edge` nor its packages are installed."""
