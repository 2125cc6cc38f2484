"""What a bundle costs and gives: speed, memory, size and decisions, measured side by side."""
