"""A run of `edge-train person --positive --negative`: any yes-or-no question."""
