"""From run folders to `NAME.edge`."""
