"""Labeled faces: read, audited, split by source, cut and cached."""
