"""What the shipped base was trained and judged on."""
