"""Embeddings of many images, by the shipped base, a run or an external model."""
