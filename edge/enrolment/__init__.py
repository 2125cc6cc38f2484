"""Enrolling before a camera: samples, augmentation, guidance, one session."""
