"""`NAME.edge`: the one file that a device needs, read, checked, written and found."""
