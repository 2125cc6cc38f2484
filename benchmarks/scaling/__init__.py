"""Scaling: what becomes of time and errors with more faces, heads, strangers and photos."""
