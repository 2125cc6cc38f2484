"""What all five commands share: grammar, progress bars, native output."""
