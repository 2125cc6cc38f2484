"""`edge-recognize` and its sub-commands."""
