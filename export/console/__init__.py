"""Native libraries kept quiet."""
