"""What keeps this machine from recognizing, and what helps."""
