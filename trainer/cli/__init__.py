"""`edge-train` and its sub-commands."""
