"""The gate: a small model must decide like the large one."""
