"""What all five commands share: grammar, progress bars, JSON, native output."""
