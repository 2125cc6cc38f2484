"""Faces over frames: tracks, votes, the processor budget, presence, challenges."""
