"""From embeddings to a decision: cohorts, heads, thresholds, enrolment."""
