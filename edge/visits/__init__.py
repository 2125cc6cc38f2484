"""Visits: who came, what the owner says of them, and what a change would have decided otherwise."""
