"""Cohorts of strangers: built from faces, chosen for a person."""
