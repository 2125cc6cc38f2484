"""`edge-export`, `edge-flash` and their sub-commands."""
